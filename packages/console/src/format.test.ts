/** Numbers and times as people read them. */
import { describe, expect, test } from 'vitest';
import {
  formatBytes,
  formatDuration,
  formatNumberOf,
  formatRate,
  formatRtt,
  formatSince,
  shorten,
} from './format.ts';

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1_000, '1.00 kB'],
  [1_239, '1.24 kB'],
  [12_345, '12.3 kB'],
  [999_400, '999 kB'],
  [999_900, '1.00 MB'],
  [9_999_000_000, '10.0 GB'],
  [2 ** 63, '9223 PB'],
])('%d bytes are %s: three digits, and never "1000 kB"', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test.each([
  [0, '0 bit/s'],
  [125, '1.00 kbit/s'],
  [4_760_000, '38.1 Mbit/s'],
  [1_250_000_000, '10.0 Gbit/s'],
])('%d bytes a second are %s', (bytes, text) => {
  expect(formatRate(bytes)).toBe(text);
});

test.each([
  [0, '0 s'],
  [59.4, '59 s'],
  [60, '1 min'],
  [3_599, '59 min'],
  [7_200, '2 h'],
  [172_800, '2 d'],
  [-5, '0 s'],
])('%d seconds are %s', (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text);
});

describe('a time as seen from now', () => {
  const nowMs = Date.parse('2026-03-01T12:00:00Z');

  test.each([
    ['2026-03-01T11:59:58Z', 'just now'],
    ['2026-03-01T12:00:02Z', 'just now'],
    ['2026-03-01T11:56:00Z', '4 min ago'],
    ['2026-03-04T12:00:00Z', 'in 3 d'],
    ['never', 'unknown'],
  ])('%s is %s', (time, text) => {
    expect(formatSince(time, nowMs)).toBe(text);
  });
});

test('a round trip shows the digits that matter', () => {
  expect([0.412, 3.14159, 41.9].map(formatRtt)).toEqual(['0.41 ms', '3.1 ms', '42 ms']);
});

test('one is not several', () => {
  expect(formatNumberOf(1, 'member')).toBe('1 member');
  expect(formatNumberOf(0, 'member')).toBe('0 members');
  expect(formatNumberOf(2_000, 'address', 'addresses')).toBe('2,000 addresses');
});

test('what is short stays whole', () => {
  expect(shorten('abcdefghi', 8)).toBe('abcdefghi');
  expect(shorten('abcdefghij', 8)).toBe('abcdefgh…');
});
