/**
 * Whose turn it is to write. Transactions of one controller that change something nearly always
 * read what another one changes (counts, names, revisions): side by side they would undo each
 * other's work, one after the other they do not.
 */
import { RequestError } from '../request-error.ts';

export interface TurnLimits {
  /** Longest queue. */
  readonly queueMax: number;
  /** Longest wait in it. */
  readonly waitMs: number;
}

interface Waiting {
  readonly start: () => void;
  readonly timer: NodeJS.Timeout;
}

/** One at a time, in the order of asking. */
export class Turns {
  readonly #limits: TurnLimits;
  readonly #waiting = new Set<Waiting>();
  #isTaken = false;

  constructor(limits: TurnLimits) {
    this.#limits = limits;
  }

  /** Runs `work` when all that came before have ended. Rejects with unavailable. */
  async take<T>(work: () => Promise<T>): Promise<T> {
    await this.#wait();
    try {
      return await work();
    } finally {
      this.#giveOn();
    }
  }

  async #wait(): Promise<void> {
    if (!this.#isTaken) {
      this.#isTaken = true;
      return;
    }
    if (this.#waiting.size >= this.#limits.queueMax) throw busy();
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(waiting);
        reject(busy());
      }, this.#limits.waitMs);
      const waiting: Waiting = { start: resolve, timer };
      this.#waiting.add(waiting);
    });
  }

  #giveOn(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#isTaken = false;
      return;
    }
    this.#waiting.delete(next);
    clearTimeout(next.timer);
    next.start();
  }
}

function busy(): RequestError {
  return new RequestError('unavailable', 'the controller has more to write than it can: wait', {
    retryAfterSeconds: 2,
  });
}
