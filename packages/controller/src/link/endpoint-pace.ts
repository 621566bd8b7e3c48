/**
 * How often a node may change its endpoints: each change is a message to every peer and a file that
 * each of them writes. Kept by node and not by link, or a node would connect anew for each change.
 */
import {
  ENDPOINT_QUIET_MS,
  ENDPOINT_SPACING_MS,
  ENDPOINT_SPACING_MS_MAX,
  LINKS_MAX,
} from '../limits.ts';

interface Pace {
  readonly changedAtMs: number;
  /** Doubled with each change, until none came for ENDPOINT_QUIET_MS. */
  readonly spacingMs: number;
}

export class EndpointPace {
  readonly #now: () => number;
  readonly #paces = new Map<string, Pace>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Time until the node may change its endpoints; 0: it may. */
  waitMs(nodeId: string): number {
    const pace = this.#paces.get(nodeId);
    if (pace === undefined) return 0;
    // A clock that goes back must not hold a node up for longer than its spacing.
    const sinceMs = Math.max(0, this.#now() - pace.changedAtMs);
    return Math.max(0, pace.spacingMs - sinceMs);
  }

  /** To be called with each change. */
  noteChange(nodeId: string): void {
    const changedAtMs = this.#now();
    const former = this.#paces.get(nodeId);
    const isQuiet = former === undefined || changedAtMs - former.changedAtMs >= ENDPOINT_QUIET_MS;
    const spacingMs = isQuiet
      ? ENDPOINT_SPACING_MS
      : Math.min(2 * former.spacingMs, ENDPOINT_SPACING_MS_MAX);
    this.#paces.delete(nodeId); // set again: the order of a Map is then that of the changes
    this.#paces.set(nodeId, { changedAtMs, spacingMs });
    for (const [oldest, pace] of this.#paces) {
      const isForgotten = changedAtMs - pace.changedAtMs >= ENDPOINT_QUIET_MS;
      if (!isForgotten && this.#paces.size <= LINKS_MAX) break;
      this.#paces.delete(oldest);
    }
  }
}
