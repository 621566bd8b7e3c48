/**
 * Rates by source address: a bucket for each, which refills steadily up to its burst. The map is
 * bounded; the source that was not seen for longest is forgotten first, so that a million sources
 * cost no more memory than RATE_SOURCES_MAX.
 */
import { isIPv6 } from 'node:net';
import { parseIpv6 } from '@etherloom/core';
import { RATE_SOURCES_MAX } from '../limits.ts';

interface Bucket {
  tokens: number;
  readMs: number;
}

export interface RateOptions {
  readonly burst: number;
  readonly perSecond: number;
}

/** Counts events by source and says when there are too many. */
export class SourceRate {
  readonly #options: RateOptions;
  readonly #now: () => number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(options: RateOptions, now: () => number) {
    this.#options = options;
    this.#now = now;
  }

  /** Takes one event of a source; gives 0, or the seconds to wait when the rate is exceeded. */
  take(address: string): number {
    const source = sourceOf(address);
    const bucket = this.#refill(source);
    if (bucket.tokens < 1)
      return Math.max(1, Math.ceil((1 - bucket.tokens) / this.#options.perSecond));
    bucket.tokens -= 1;
    return 0;
  }

  #refill(source: string): Bucket {
    const nowMs = this.#now();
    const bucket = this.#buckets.get(source) ?? { tokens: this.#options.burst, readMs: nowMs };
    const elapsedSeconds = Math.max(0, nowMs - bucket.readMs) / 1_000;
    bucket.tokens = Math.min(
      this.#options.burst,
      bucket.tokens + elapsedSeconds * this.#options.perSecond,
    );
    bucket.readMs = nowMs;
    // Deleted and set again: the order of a Map is then the order of last sight.
    this.#buckets.delete(source);
    this.#buckets.set(source, bucket);
    if (this.#buckets.size > RATE_SOURCES_MAX) {
      for (const oldest of this.#buckets.keys()) {
        this.#buckets.delete(oldest);
        break;
      }
    }
    return bucket;
  }
}

/** An IPv4 address itself; of IPv6 the /64, which one host can fill with addresses at will. */
export function sourceOf(address: string): string {
  if (!isIPv6(address)) return address;
  const bytes = parseIpv6(address.replace(/%.*$/, ''));
  return bytes === undefined ? address : Buffer.from(bytes.subarray(0, 8)).toString('hex');
}

/** An address as its family writes it: IPv4 that came in over an IPv6 socket loses its prefix. */
export function plainAddress(address: string | undefined): string {
  return (address ?? '').replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '').replace(/%.*$/, '');
}
