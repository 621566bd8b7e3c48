/**
 * Waits between tries: doubled to a ceiling, with full jitter, so that many agents that lost one
 * controller do not return in step.
 */

export interface BackOffOptions {
  readonly minMs: number;
  readonly maxMs: number;
  /** 0 up to, not including, 1. */
  readonly random: () => number;
  /** full: anything from 0 to the ceiling; half: from half of it up, for what must not spin. */
  readonly jitter: 'full' | 'half';
}

export class BackOff {
  readonly #options: BackOffOptions;
  #failures = 0;

  constructor(options: BackOffOptions) {
    this.#options = options;
  }

  /** Counts a failure and gives the wait that follows it. */
  nextMs(): number {
    const { minMs, maxMs, random, jitter } = this.#options;
    const ceiling = Math.min(maxMs, minMs * 2 ** Math.min(this.#failures, 30));
    this.#failures += 1;
    return Math.round(jitter === 'full' ? ceiling * random() : (ceiling / 2) * (1 + random()));
  }

  /** To be called when a try succeeded. */
  reset(): void {
    this.#failures = 0;
  }
}
