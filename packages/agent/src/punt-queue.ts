/**
 * Handshake datagrams that wait for their turn. Each may cost a Diffie-Hellman operation, and a
 * flood brings more than a core can pay for; answers of the data path and requests of people arrive
 * on the same event loop and must not wait behind them. So they are looked at in short turns, what
 * comes beyond a bound is dropped, and a flood of one kind takes nothing from the others.
 */
import { monotonicMs } from './clock.ts';
import { PUNT_QUEUE_MAX, PUNT_TURN_MS } from './limits.ts';

/** The refusal by which the agent counts what is dropped for want of room. */
export const PUNT_REFUSAL = 'queue_full';

export class PuntQueue<T> {
  readonly #handle: (item: T) => void;
  readonly #queues = new Map<number, T[]>();
  #turn: NodeJS.Immediate | undefined;

  constructor(handle: (item: T) => void) {
    this.#handle = handle;
  }

  /** Takes an item; false when too many of its kind wait. Kinds are few: the data path checks. */
  push(kind: number, item: T): boolean {
    const queue = this.#queues.get(kind) ?? [];
    if (queue.length >= PUNT_QUEUE_MAX) return false;
    queue.push(item);
    this.#queues.set(kind, queue);
    this.#turn ??= setImmediate(() => this.#take());
    return true;
  }

  /** Forgets what waits. */
  clear(): void {
    clearImmediate(this.#turn);
    this.#turn = undefined;
    this.#queues.clear();
  }

  #take(): void {
    this.#turn = undefined;
    const end = monotonicMs() + PUNT_TURN_MS;
    for (let hasSome = true; hasSome && monotonicMs() < end;) {
      hasSome = false;
      for (const queue of this.#queues.values()) {
        const item = queue.shift();
        if (item === undefined) continue;
        this.#handle(item);
        hasSome = true;
      }
    }
    const isEmpty = [...this.#queues.values()].every((queue) => queue.length === 0);
    if (!isEmpty) this.#turn ??= setImmediate(() => this.#take());
  }
}
