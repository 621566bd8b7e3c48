/**
 * A token bucket as plain data and a pure function of time: so many tokens a second, so many kept
 * at most.
 */
export interface TokenBucket {
  readonly tokens: number;
  readonly at: number;
}

export interface TokenRate {
  readonly perSecond: number;
  readonly burst: number;
}

/** The bucket as it is at `now`. A clock that goes back adds nothing. */
export function refilled(bucket: TokenBucket, rate: TokenRate, now: number): TokenBucket {
  const gained = (Math.max(0, now - bucket.at) * rate.perSecond) / 1_000;
  return { tokens: Math.min(rate.burst, bucket.tokens + gained), at: now };
}

export function isFull(bucket: TokenBucket, rate: TokenRate, now: number): boolean {
  return refilled(bucket, rate, now).tokens >= rate.burst;
}
