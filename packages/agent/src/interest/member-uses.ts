/**
 * When this host last dealt with each member of interest, told by the frames that went to and fro.
 * Sessions say nothing of it: the mesh keeps one with everybody whom it knows.
 *
 * Both ends of a pair count the same frames and let go of each other at nearly the same time. The
 * one that is slower may come back by a handshake: what is known of its use stays, so that it is
 * let go of again soon, unless there is some use.
 */
import {
  MEMBER_IDLE_FRAMES,
  MEMBER_IDLE_MS,
  MEMBER_RETURNED_MS,
  MEMBER_USES_KEPT_MAX,
} from '../limits.ts';

interface Use {
  /** Frames counted at that time. */
  frames: number;
  atMs: number;
  isHeld: boolean;
}

export class MemberUses {
  /** By node id; the one that was looked at longest ago is the first. */
  readonly #uses = new Map<string, Use>();

  /** Members that are remembered. */
  get size(): number {
    return this.#uses.size;
  }

  /**
   * Looks at all members of interest, with the frames of each since the start of the data path;
   * gives those that are idle. Those that are not named are not held any more.
   */
  look(frames: ReadonlyMap<string, number>, nowMs: number): string[] {
    for (const [nodeId, use] of this.#uses) use.isHeld = use.isHeld && frames.has(nodeId);
    const idle = [...frames].filter(([nodeId, count]) => this.#isIdle(nodeId, count, nowMs));
    this.#forget();
    return idle.map(([nodeId]) => nodeId);
  }

  /** Those of `nodeIds` that can go first. */
  leastUsed(nodeIds: readonly string[], count: number): string[] {
    const atOf = (nodeId: string): number => this.#uses.get(nodeId)?.atMs ?? Infinity;
    return nodeIds.toSorted((a, b) => atOf(a) - atOf(b)).slice(0, count);
  }

  #isIdle(nodeId: string, frames: number, nowMs: number): boolean {
    const use = this.#uses.get(nodeId);
    if (use === undefined) {
      this.#uses.set(nodeId, { frames, atMs: nowMs, isHeld: true });
      return false;
    }
    if (!use.isHeld) {
      // Counters of a peer begin anew.
      use.atMs = Math.max(use.atMs, nowMs - MEMBER_IDLE_MS + MEMBER_RETURNED_MS);
      use.frames = 0;
      use.isHeld = true;
    }
    // A data path that was started anew counts from 0.
    if (frames - use.frames >= MEMBER_IDLE_FRAMES || frames < use.frames) {
      use.frames = frames;
      use.atMs = nowMs;
    }
    this.#uses.delete(nodeId);
    this.#uses.set(nodeId, use);
    return nowMs - use.atMs >= MEMBER_IDLE_MS;
  }

  #forget(): void {
    for (const [nodeId, { isHeld }] of this.#uses) {
      if (this.#uses.size <= MEMBER_USES_KEPT_MAX) return;
      if (!isHeld) this.#uses.delete(nodeId);
    }
  }
}
