/**
 * Which nodes at other controllers have told of problems; what they are is asked for when somebody
 * looks. Told with each change, and all of them every now and then by a controller that has some:
 * what was lost on the way heals by itself, and where all is well nothing is said.
 */
import { LINKS_MAX, REMOTE_LINKS_READ_MS } from '../limits.ts';

interface Told {
  readonly nodeIds: Set<string>;
  atMs: number;
}

/** All that a controller has was not told for so long: it has none any more. */
const FORGET_MS = 4 * REMOTE_LINKS_READ_MS;

export class RemoteTrouble {
  readonly #monotonicMs: () => number;
  readonly #told = new Map<string, Told>();

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
  }

  /** Whether a controller has told of problems of a node. */
  has(controllerId: string, nodeId: string): boolean {
    const told = this.#told.get(controllerId);
    if (told === undefined || this.#monotonicMs() - told.atMs > FORGET_MS) return false;
    return told.nodeIds.has(nodeId);
  }

  /** One node has problems from here on, or none any more. */
  note(controllerId: string, nodeId: string, hasProblems: boolean): void {
    const { nodeIds } = this.#of(controllerId);
    if (!hasProblems) nodeIds.delete(nodeId);
    else if (nodeIds.size < LINKS_MAX) nodeIds.add(nodeId);
  }

  /** All of a controller, in pieces. */
  take(controllerId: string, nodeIds: readonly string[], isFirst: boolean): void {
    if (isFirst) this.#told.delete(controllerId);
    this.#of(controllerId).atMs = this.#monotonicMs();
    for (const nodeId of nodeIds) this.note(controllerId, nodeId, true);
  }

  /** Forgets those that are no controllers any more. */
  keep(controllerIds: ReadonlySet<string>): void {
    for (const id of this.#told.keys()) if (!controllerIds.has(id)) this.#told.delete(id);
  }

  #of(controllerId: string): Told {
    const atMs = this.#monotonicMs();
    const known = this.#told.get(controllerId);
    const isPast = known !== undefined && atMs - known.atMs > FORGET_MS;
    const told = known === undefined || isPast ? { nodeIds: new Set<string>(), atMs } : known;
    this.#told.set(controllerId, told);
    return told;
  }
}
