/** Waiting, with an end. Time is the monotonic clock; the wall clock is for display alone. */
import { uptime } from 'node:os';
import { performance } from 'node:perf_hooks';

/** Monotonic milliseconds. */
export function monotonicMs(): number {
  return performance.now();
}

/**
 * Milliseconds since the host booted, those in which it slept among them, which monotonicMs leaves
 * out: for what ends on a day, not for timers.
 */
export function sinceBootMs(): number {
  return uptime() * 1_000;
}

/** Resolves after a time, or at once when the signal is aborted; never rejects. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
  });
}
