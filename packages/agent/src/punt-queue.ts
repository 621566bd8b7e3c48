/**
 * Handshake datagrams that wait for their turn. Each may cost a Diffie-Hellman operation, and a
 * flood brings more than a core can pay for; answers of the data path and requests of people arrive
 * on the same event loop and must not wait behind them, and programs on this host want the core.
 * So they are looked at in short turns, for no more than a share of the time, what comes beyond a
 * bound is dropped, and a flood of one kind takes nothing from the others.
 */
import { monotonicMs } from './clock.ts';
import { PUNT_BURST_MS, PUNT_QUEUE_MAX, PUNT_TURN_MS } from './limits.ts';

/** The refusal by which the agent counts what is dropped for want of room. */
export const PUNT_REFUSAL = 'queue_full';

export class PuntQueue<T> {
  readonly #handle: (item: T) => void;
  readonly #share: number;
  readonly #queues = new Map<number, T[]>();
  #cancelTurn: (() => void) | undefined;
  /** When the time that was taken would be over, had it been taken at the share. */
  #paidAtMs = 0;

  /** `share` of the time is what handling may take in the long run, at most 1. */
  constructor(share: number, handle: (item: T) => void) {
    this.#share = share;
    this.#handle = handle;
  }

  /** Takes an item; false when too many of its kind wait. Kinds are few: the data path checks. */
  push(kind: number, item: T): boolean {
    const queue = this.#queues.get(kind) ?? [];
    if (queue.length >= PUNT_QUEUE_MAX) return false;
    queue.push(item);
    this.#queues.set(kind, queue);
    this.#cancelTurn ??= this.#plan();
    return true;
  }

  /** Forgets what waits. */
  clear(): void {
    this.#cancelTurn?.();
    this.#cancelTurn = undefined;
    this.#queues.clear();
  }

  /** Plans the next turn; gives what takes it back. */
  #plan(): () => void {
    const waitMs = this.#paidAtMs - PUNT_BURST_MS - monotonicMs();
    if (this.#share < 1 && waitMs > 0) {
      const timer = setTimeout(() => this.#take(), waitMs);
      return () => clearTimeout(timer);
    }
    const immediate = setImmediate(() => this.#take());
    return () => clearImmediate(immediate);
  }

  #take(): void {
    this.#cancelTurn = undefined;
    const began = monotonicMs();
    let now = began;
    for (let hasSome = true; hasSome && now < began + PUNT_TURN_MS; now = monotonicMs()) {
      hasSome = false;
      for (const queue of this.#queues.values()) {
        const item = queue.shift();
        if (item === undefined) continue;
        this.#handle(item);
        hasSome = true;
      }
    }
    this.#paidAtMs = Math.max(this.#paidAtMs, began) + (now - began) / this.#share;
    const isEmpty = [...this.#queues.values()].every((queue) => queue.length === 0);
    if (!isEmpty) this.#cancelTurn ??= this.#plan();
  }
}
