/**
 * Limits how many handshake messages one source address gets looked at under load. Only sources
 * that have shown a valid cookie are counted: a spoofed address can neither fill the table nor use
 * up another's share. Ports do not count, and of an IPv6 address only the /64, which is what one
 * host commonly has to itself.
 */
import { endpointAddress, isIpv4Endpoint } from '../endpoint.ts';
import type { Endpoint } from '../endpoint.ts';
import { SOURCE_BURST, SOURCE_MESSAGES_PER_SECOND, SOURCES_MAX } from './limits.ts';
import { isFull, refilled } from './token-bucket.ts';
import type { TokenBucket, TokenRate } from './token-bucket.ts';

const RATE: TokenRate = { perSecond: SOURCE_MESSAGES_PER_SECOND, burst: SOURCE_BURST };

export class SourceLimiter {
  readonly #buckets = new Map<string, TokenBucket>();
  readonly #rate: TokenRate;
  readonly #sourcesMax: number;

  constructor(rate: TokenRate = RATE, sourcesMax: number = SOURCES_MAX) {
    this.#rate = rate;
    this.#sourcesMax = sourcesMax;
  }

  /**
   * Takes a token of the source, or a share of one; false when it has none, or when the table is
   * full of busy sources.
   */
  allows(source: Endpoint, now: number, share = 1): boolean {
    const key = sourceKey(source);
    const held = this.#buckets.get(key);
    if (held === undefined && !this.#hasRoom(now)) return false;
    const bucket = refilled(held ?? { tokens: this.#rate.burst, at: now }, this.#rate, now);
    const isAllowed = bucket.tokens >= share;
    this.#buckets.set(key, isAllowed ? { tokens: bucket.tokens - share, at: now } : bucket);
    return isAllowed;
  }

  get size(): number {
    return this.#buckets.size;
  }

  #hasRoom(now: number): boolean {
    if (this.#buckets.size < this.#sourcesMax) return true;
    for (const [key, bucket] of this.#buckets) {
      if (isFull(bucket, this.#rate, now)) this.#buckets.delete(key);
    }
    return this.#buckets.size < this.#sourcesMax;
  }
}

function sourceKey(source: Endpoint): string {
  const address = endpointAddress(source);
  return (isIpv4Endpoint(source) ? address : address.subarray(0, 8)).join();
}
