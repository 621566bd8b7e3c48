/** Waiting, with an end. Time is the monotonic clock; the wall clock is for display alone. */
import { performance } from 'node:perf_hooks';

/** Monotonic milliseconds. */
export function monotonicMs(): number {
  return performance.now();
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
