import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { monotonicMs } from './clock.ts';
import { PUNT_BURST_MS, PUNT_QUEUE_MAX, PUNT_TURN_MS } from './limits.ts';
import { PuntQueue } from './punt-queue.ts';

test('handles what it took, in order, and not in the call that brings it', async () => {
  const handled: string[] = [];
  const queue = new PuntQueue<string>(1, (item) => void handled.push(item));
  expect(queue.push(1, 'a')).toBe(true);
  expect(queue.push(1, 'b')).toBe(true);
  expect(handled).toEqual([]);
  await until(() => handled.length === 2);
  expect(handled).toEqual(['a', 'b']);
});

test('refuses more of a kind than its bound, and takes other kinds all the same', async () => {
  const handled: number[] = [];
  const queue = new PuntQueue<number>(1, (item) => void handled.push(item));
  for (let i = 0; i < PUNT_QUEUE_MAX; i++) expect(queue.push(0xe1, i)).toBe(true);
  expect(queue.push(0xe1, -1)).toBe(false);
  expect(queue.push(0xe2, -2)).toBe(true);
  await until(() => handled.length === PUNT_QUEUE_MAX + 1);
  expect(handled.indexOf(-2)).toBeLessThan(2);
  expect(handled).not.toContain(-1);
  expect(queue.push(0xe1, 0)).toBe(true);
  queue.clear();
});

test('lets other work have its turn between expensive items', async () => {
  let handled = 0;
  const queue = new PuntQueue<number>(1, () => {
    handled++;
    for (const end = monotonicMs() + PUNT_TURN_MS; monotonicMs() < end;);
  });
  for (let i = 0; i < 5; i++) queue.push(1, i);
  await setImmediate();
  await setImmediate();
  expect(handled).toBeLessThan(5);
  await until(() => handled === 5);
});

test('takes no more than its share of the time, and goes on when that is due', async () => {
  const busyMs = 10;
  const share = 0.1;
  let handled = 0;
  const queue = new PuntQueue<number>(share, () => {
    handled++;
    for (const end = monotonicMs() + busyMs; monotonicMs() < end;);
  });
  const began = monotonicMs();
  for (let i = 0; i < 10; i++) queue.push(1, i);
  await until(() => handled === 10);
  // The last is handled when the nine before it have been paid for, but for the burst.
  expect(monotonicMs() - began).toBeGreaterThanOrEqual((9 * busyMs) / share - PUNT_BURST_MS);
});

test('forgets what waits when it is cleared', async () => {
  const handled: number[] = [];
  const queue = new PuntQueue<number>(1, (item) => void handled.push(item));
  queue.push(1, 1);
  queue.clear();
  await setImmediate();
  expect(handled).toEqual([]);
});

async function until(look: () => boolean): Promise<void> {
  for (const end = monotonicMs() + 5_000; !look() && monotonicMs() < end;) await setImmediate();
}
