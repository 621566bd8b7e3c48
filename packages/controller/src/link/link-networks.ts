/**
 * What one link's agent holds of its networks, and in which it may be behind. Nothing is queued:
 * what an agent lacks is read when there is room to send it, so one that reads slowly gets fewer
 * and larger messages.
 */
import type { ControllerMessage } from '@etherloom/api';
import type { FeedResult, NetworkFeed } from './network-feed.ts';
import { NO_REVISION } from './network-feed.ts';
import type { PartialLink } from './partial-link.ts';

export interface LinkNetworksDeps {
  readonly feed: Pick<NetworkFeed, 'read'>;
  readonly partial: Pick<PartialLink, 'drop' | 'bringUpToDate'>;
  readonly send: (message: ControllerMessage) => void;
  /** A message as UTF-8. */
  readonly sendData: (data: Buffer) => void;
  /** State never goes before the authority that signed it, whatever told of it first. */
  readonly sendAuthority: (version: number) => Promise<void>;
  /** Nor does an end: it may be signed by a version that the agent lacks. */
  readonly beforeEnd: () => Promise<void>;
}

export class LinkNetworks {
  readonly #deps: LinkNetworksDeps;
  /** Revision that the agent holds, by network. */
  readonly #held = new Map<string, number>();
  readonly #behind = new Set<string>();
  readonly #leaving = new Set<string>();
  /** Networks told in part of which the node was found to be a member, and may still be one. */
  readonly #known = new Set<string>();
  /** Rises when the node may have ceased to be a member: what was being read is not believed. */
  #doubts = 0;

  constructor(deps: LinkNetworksDeps) {
    this.#deps = deps;
  }

  get isBehind(): boolean {
    return this.#behind.size > 0;
  }

  isHeld(networkId: string): boolean {
    return this.#held.has(networkId);
  }

  /** The agent holds a network at this revision, or may be told of it: it is compared. */
  hold(networkId: string, revision: number = NO_REVISION): void {
    this.#held.set(networkId, revision);
    this.#behind.add(networkId);
  }

  /** Something of a network changed; `isNodeConcerned`: of the node's own membership. */
  note(networkId: string, isNodeConcerned: boolean): void {
    if (isNodeConcerned) this.#doubt(networkId);
    if (isNodeConcerned || this.#held.has(networkId)) this.#behind.add(networkId);
  }

  /** There is something to tell of a network, whatever the agent holds. */
  wake(networkId: string): void {
    this.#behind.add(networkId);
  }

  /** All that the agent holds is compared, and nothing is taken for granted. */
  compareAll(): void {
    for (const id of this.#held.keys()) {
      this.#doubt(id);
      this.#behind.add(id);
    }
  }

  /** The agent asks for all of a network again. */
  resync(networkId: string): void {
    this.#deps.partial.drop(networkId);
    this.hold(networkId);
  }

  /** The agent leaves a network. */
  beginLeave(networkId: string): void {
    this.#leaving.add(networkId);
  }

  /** Answered with `removed` even when the node was no member. */
  endLeave(networkId: string): void {
    this.#doubt(networkId);
    this.hold(networkId, this.#held.get(networkId));
  }

  /** Sends what the agent lacks while there is room. */
  async bringUpToDate(nodeId: string, hasRoom: () => boolean): Promise<void> {
    for (const networkId of this.#behind) {
      if (!hasRoom()) return;
      this.#behind.delete(networkId);
      await this.#bring(networkId, nodeId).catch((error: unknown) => {
        this.#behind.add(networkId);
        throw error;
      });
    }
  }

  #doubt(networkId: string): void {
    this.#known.delete(networkId);
    this.#doubts += 1;
  }

  async #bring(networkId: string, nodeId: string): Promise<void> {
    const from = this.#held.get(networkId) ?? NO_REVISION;
    const doubts = this.#doubts;
    const isKnown = this.#known.has(networkId);
    const result = await this.#deps.feed.read(networkId, nodeId, from, isKnown);
    if (result.kind !== 'partial') this.#known.delete(networkId);
    else if (doubts === this.#doubts) this.#known.add(networkId);
    return this.#tell(networkId, result);
  }

  async #tell(networkId: string, result: FeedResult): Promise<void> {
    const { partial } = this.#deps;
    switch (result.kind) {
      case 'current':
        return;
      case 'message':
        await this.#deps.sendAuthority(result.authorityVersion);
        this.#leaving.delete(networkId);
        partial.drop(networkId);
        this.#held.set(networkId, result.revision);
        return this.#deps.sendData(result.data);
      case 'partial':
        // What is held in part is no base of a delta, should it be told whole again.
        this.#held.set(networkId, NO_REVISION);
        if (await partial.bringUpToDate(networkId)) this.#leaving.delete(networkId);
        return;
      case 'gone': {
        partial.drop(networkId);
        if (!this.#held.delete(networkId)) return;
        await this.#deps.beforeEnd();
        const hasLeft = this.#leaving.delete(networkId);
        return this.#deps.send({
          type: 'removed',
          networkId,
          reason: hasLeft ? 'the node left' : result.reason,
          ...(result.revocation === undefined ? {} : { revocation: result.revocation }),
        });
      }
      default:
        return assertNever(result);
    }
  }
}

function assertNever(value: never): never {
  throw new Error(`unexpected ${JSON.stringify(value)}`);
}
