import { expect, test } from 'vitest';
import { RATE_SOURCES_MAX } from '../limits.ts';
import { SourceRate, plainAddress, sourceOf } from './token-bucket.ts';

test('a source has its burst, then the steady rate, and is told how long to wait', () => {
  let nowMs = 0;
  const rate = new SourceRate({ burst: 3, perSecond: 0.5 }, () => nowMs);
  expect([1, 2, 3, 4].map(() => rate.take('192.0.2.1'))).toEqual([0, 0, 0, 2]);
  expect(rate.take('192.0.2.2')).toBe(0);
  nowMs += 2_000;
  expect([1, 2].map(() => rate.take('192.0.2.1'))).toEqual([0, 2]);
});

test('a clock that goes back gives nothing', () => {
  let nowMs = 10_000;
  const rate = new SourceRate({ burst: 1, perSecond: 1 }, () => nowMs);
  rate.take('192.0.2.1');
  nowMs = 0;
  expect(rate.take('192.0.2.1')).toBe(1);
});

test('the addresses of one IPv6 /64 are one source', () => {
  expect(sourceOf('2001:db8:1:2::1')).toBe(sourceOf('2001:db8:1:2:ffff::9'));
  expect(sourceOf('2001:db8:1:2::1')).not.toBe(sourceOf('2001:db8:1:3::1'));
  expect(sourceOf('192.0.2.1')).not.toBe(sourceOf('192.0.2.2'));
});

test('more sources than are kept do not reset one that goes on', () => {
  const rate = new SourceRate({ burst: 1, perSecond: 0.001 }, () => 0);
  rate.take('attacker');
  for (let i = 0; i < RATE_SOURCES_MAX - 1; i += 1) rate.take(`10.0.${i >> 8}.${i & 255}`);
  expect(rate.take('attacker')).toBeGreaterThan(0);
  for (let i = 0; i < RATE_SOURCES_MAX; i += 1) rate.take(`10.1.${i >> 8}.${i & 255}`);
  expect(rate.take('attacker')).toBe(0); // forgotten, as the bound demands
});

test('an address loses what its socket added', () => {
  expect(plainAddress('::ffff:192.0.2.1')).toBe('192.0.2.1');
  expect(plainAddress('fe80::1%eth0')).toBe('fe80::1');
  expect(plainAddress(undefined)).toBe('');
});
