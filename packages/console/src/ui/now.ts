/** The time, for what is shown as "4 min ago": one timer for the whole page. */
import { useSyncExternalStore } from 'react';

const TICK_MS = 5_000;

const readers = new Set<() => void>();
let nowMs = Date.now();
let timer: ReturnType<typeof setInterval> | null = null;

function subscribe(reader: () => void): () => void {
  readers.add(reader);
  if (timer === null) {
    nowMs = Date.now();
    timer = setInterval(() => {
      nowMs = Date.now();
      for (const read of readers) read();
    }, TICK_MS);
  }
  return () => {
    readers.delete(reader);
    if (readers.size > 0 || timer === null) return;
    clearInterval(timer);
    timer = null;
  };
}

/** Milliseconds since 1970, as of the last tick; a component that reads it is drawn anew by it. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => nowMs);
}
