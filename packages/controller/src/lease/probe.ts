/**
 * Asks the agent of an open link whether it lives. An answer counts for all who came before the
 * ping was sent, silence for all who came before it was over, so that many newcomers cost few
 * pings.
 */
import { randomBytes } from 'node:crypto';
import { LEASE_PROBE_MS } from '../limits.ts';

interface Ask {
  readonly sentAtMs: number;
  readonly payload: Buffer;
  readonly answer: Promise<boolean>;
  readonly settle: (isAnswered: boolean) => void;
  /** undefined: not yet. */
  isAnswered: boolean | undefined;
  settledAtMs: number;
}

export class LeaseProbe {
  readonly #monotonicMs: () => number;
  readonly #ping: (payload: Buffer) => void;
  #hasBegun = false;
  #isClosed = false;
  #ask: Ask | undefined;

  constructor(monotonicMs: () => number, ping: (payload: Buffer) => void) {
    this.#monotonicMs = monotonicMs;
    this.#ping = ping;
  }

  /**
   * The agent was sent its welcome: an answer from here on means that it has stored the lease, as
   * it reads in order.
   */
  begin(): void {
    this.#hasBegun = true;
    if (this.#ask !== undefined) this.#ping(this.#ask.payload);
  }

  /** Whether the agent has answered since `sinceMs`; false after LEASE_PROBE_MS of silence. */
  async ask(sinceMs: number): Promise<boolean> {
    const last = this.#ask;
    if (last !== undefined) {
      const isAnswered = await last.answer;
      const isOfUse = isAnswered ? last.sentAtMs >= sinceMs : last.settledAtMs >= sinceMs;
      if (isOfUse) return isAnswered;
    }
    return this.#isClosed ? false : await this.#start();
  }

  /** To be called with every pong. */
  take(payload: Uint8Array): void {
    if (this.#ask?.payload.equals(payload) === true) this.#ask.settle(true);
  }

  close(): void {
    this.#isClosed = true;
    this.#ask?.settle(false);
  }

  #start(): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const ask: Ask = {
      sentAtMs: this.#monotonicMs(),
      payload: randomBytes(16),
      answer: promise,
      isAnswered: undefined,
      settledAtMs: 0,
      settle: (isAnswered) => {
        if (ask.isAnswered !== undefined) return;
        clearTimeout(timer);
        ask.isAnswered = isAnswered;
        ask.settledAtMs = this.#monotonicMs();
        resolve(isAnswered);
      },
    };
    const timer = setTimeout(() => ask.settle(false), LEASE_PROBE_MS);
    this.#ask = ask;
    if (this.#hasBegun) this.#ping(ask.payload);
    return promise;
  }
}
