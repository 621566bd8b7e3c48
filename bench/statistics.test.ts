import { expect, test } from 'vitest';
import { median, relativeError, rounded } from './statistics.ts';

test('the median is the middle, whatever the order', () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([7])).toBe(7);
  expect(() => median([])).toThrow('needs a value');
});

test('equal values have no error, and a single one says nothing of it', () => {
  expect(relativeError([3, 3, 3])).toBe(0);
  expect(relativeError([3])).toBe(0);
});

test('the error is relative and shrinks with the root of the rounds', () => {
  const rounds = [9, 9.5, 10, 10.5, 11];
  // Quartiles 9.5 and 10.5: 1 / 1.349 * 1.2533 / sqrt(5) / 10.
  expect(relativeError(rounds)).toBeCloseTo(0.04155, 5);
  expect(relativeError(rounds.map((value) => value * 100))).toBeCloseTo(0.04155, 5);
  const fourfold = rounds.flatMap((value) => [value, value, value, value]);
  expect(relativeError(fourfold)).toBeCloseTo(0.04155 / 2, 5);
});

test('a single disturbed round of five hardly counts', () => {
  expect(relativeError([10, 10.1, 1, 10.2, 10.3])).toBeLessThan(0.01);
});

test('keeps four significant places', () => {
  expect(rounded(123.456)).toBe(123.5);
  expect(rounded(0.000123456)).toBe(0.0001235);
});
