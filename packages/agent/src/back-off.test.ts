import { expect, test } from 'vitest';
import { BackOff } from './back-off.ts';

test('doubles to its ceiling and starts again after a success', () => {
  const backOff = new BackOff({ minMs: 100, maxMs: 700, random: () => 1, jitter: 'full' });
  expect(Array.from({ length: 5 }, () => backOff.nextMs())).toEqual([100, 200, 400, 700, 700]);
  backOff.reset();
  expect(backOff.nextMs()).toBe(100);
});

test('spreads over the whole wait with full jitter and over its upper half with half', () => {
  const full = new BackOff({ minMs: 100, maxMs: 100, random: () => 0, jitter: 'full' });
  const half = new BackOff({ minMs: 100, maxMs: 100, random: () => 0, jitter: 'half' });
  expect([full.nextMs(), half.nextMs()]).toEqual([0, 50]);
});

test('stays finite however often it fails', () => {
  const backOff = new BackOff({ minMs: 500, maxMs: 30_000, random: () => 1, jitter: 'full' });
  for (let n = 0; n < 5_000; n++) backOff.nextMs();
  expect(backOff.nextMs()).toBe(30_000);
});
