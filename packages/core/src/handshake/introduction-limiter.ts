/**
 * How many strangers may introduce themselves: of one source address, and in all. Below the load at
 * which cookies are asked for an address can be forged, so the table of addresses is small and the
 * bucket of all has the last word.
 */
import type { Endpoint } from '../endpoint.ts';
import {
  INTRODUCTIONS_BURST,
  INTRODUCTIONS_OF_SOURCE_BURST,
  INTRODUCTIONS_OF_SOURCE_PER_SECOND,
  INTRODUCTIONS_PER_SECOND,
  INTRODUCTION_SOURCES_MAX,
} from './limits.ts';
import { SourceLimiter } from './source-limiter.ts';
import { refilled } from './token-bucket.ts';
import type { TokenBucket } from './token-bucket.ts';

const ALL = { perSecond: INTRODUCTIONS_PER_SECOND, burst: INTRODUCTIONS_BURST };
const OF_SOURCE = {
  perSecond: INTRODUCTIONS_OF_SOURCE_PER_SECOND,
  burst: INTRODUCTIONS_OF_SOURCE_BURST,
};

export class IntroductionLimiter {
  readonly #sources = new SourceLimiter(OF_SOURCE, INTRODUCTION_SOURCES_MAX);
  #all: TokenBucket = { tokens: INTRODUCTIONS_BURST, at: 0 };

  /** Takes one of the source and one of all; false when there is none left. */
  allows(source: Endpoint, now: number): boolean {
    this.#all = refilled(this.#all, ALL, now);
    if (this.#all.tokens < 1 || !this.#sources.allows(source, now)) return false;
    this.#all = { ...this.#all, tokens: this.#all.tokens - 1 };
    return true;
  }
}
