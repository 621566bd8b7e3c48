/** Token buckets by key, for keys whose number somebody else bounds. */
import { refilled } from '../handshake/token-bucket.ts';
import type { TokenBucket, TokenRate } from '../handshake/token-bucket.ts';

export class TokenBuckets<K> {
  readonly #rate: TokenRate;
  readonly #buckets = new Map<K, TokenBucket>();

  constructor(rate: TokenRate) {
    this.#rate = rate;
  }

  /** Takes a token; false when there is none. */
  take(key: K, now: number): boolean {
    const bucket = this.#at(key, now);
    const isAllowed = bucket.tokens >= 1;
    this.#buckets.set(key, isAllowed ? { tokens: bucket.tokens - 1, at: now } : bucket);
    return isAllowed;
  }

  /** Whether there is a token; takes none. */
  has(key: K, now: number): boolean {
    return this.#at(key, now).tokens >= 1;
  }

  /** When there will be a token; a millisecond from here at least, since fractions round. */
  readyAt(key: K, now: number): number {
    const { tokens } = this.#at(key, now);
    return now + Math.max(1, Math.ceil(((1 - tokens) * 1_000) / this.#rate.perSecond));
  }

  keep(isKept: (key: K) => boolean): void {
    for (const key of this.#buckets.keys()) if (!isKept(key)) this.#buckets.delete(key);
  }

  #at(key: K, now: number): TokenBucket {
    const held = this.#buckets.get(key);
    return held === undefined
      ? { tokens: this.#rate.burst, at: now }
      : refilled(held, this.#rate, now);
  }
}
