import { expect, test } from 'vitest';
import { chanceOf } from './chance.ts';
import { OPERATIONS, nextOperation } from './operations.ts';
import { verdictOf } from './watch.ts';

const MEGABYTE = 1_048_576;

function operationsOf(seed: number): string[] {
  const chance = chanceOf(seed);
  return Array.from({ length: 200 }, () => nextOperation(chance, true).name);
}

test('the same seed does the same things in the same order', () => {
  expect(operationsOf(7)).toEqual(operationsOf(7));
  expect(operationsOf(7)).not.toEqual(operationsOf(8));
});

test('every operation has its turn, and early ones none later', () => {
  expect(new Set(operationsOf(7)).size).toBe(OPERATIONS.length);
  const chance = chanceOf(7);
  const late = Array.from({ length: 200 }, () => nextOperation(chance, false));
  expect(late.filter(({ isEarly }) => isEarly === true)).toEqual([]);
});

const seriesOf = (bytesAt: (minute: number) => number) => ({
  name: 'agent of alpha 1',
  points: Array.from({ length: 61 }, (_, minute) => ({
    atMs: minute * 60_000,
    bytes: bytesAt(minute) * MEGABYTE,
  })),
});

test('a heap that finds its size and stays there is flat', () => {
  const verdict = verdictOf(seriesOf((minute) => (minute < 15 ? 50 + minute * 4 : 110)));
  expect(verdict.growthMb).toBe(0);
  expect(verdict.maxMb).toBe(110);
});

test('a leak shows as its rate, whatever breathes around it', () => {
  const verdict = verdictOf(seriesOf((minute) => 50 + minute + (minute % 2)));
  expect(verdict.growthMbPerHour).toBeCloseTo(60, 0);
});
