import { beforeEach, expect, test } from 'vitest';
import {
  LOGIN_ATTEMPTS_FREE,
  LOGIN_FORGET_MS,
  LOGIN_SOURCE_ATTEMPTS_FREE,
  LOGIN_WAIT_MS_MAX,
} from '../limits.ts';
import { RequestError } from '../request-error.ts';
import type { SharedAttempt } from './login-throttle.ts';
import { LoginThrottle } from './login-throttle.ts';

let nowMs: number;
let throttle: LoginThrottle;
beforeEach(() => {
  nowMs = 1_000_000;
  throttle = new LoginThrottle(() => nowMs);
});

/** Seconds to wait, or 0 when the attempt was let through. */
function tryOnce(account: string, source: string): number {
  try {
    throttle.begin(account, source);
    return 0;
  } catch (error) {
    expect(error).toBeInstanceOf(RequestError);
    return (error as RequestError).retryAfterSeconds ?? -1; // asserted above
  }
}

test('a few wrong passwords cost nothing, then the wait doubles up to a quarter of an hour', () => {
  for (let i = 0; i < LOGIN_ATTEMPTS_FREE; i += 1) expect(tryOnce('a', '192.0.2.1')).toBe(0);
  const waits: number[] = [];
  for (let i = 0; i < 12; i += 1) {
    const wait = tryOnce('a', '192.0.2.1');
    waits.push(wait);
    nowMs += wait * 1_000;
    expect(tryOnce('a', '192.0.2.1')).toBe(0);
  }
  expect(waits.slice(0, 4)).toEqual([1, 2, 4, 8]);
  expect(waits.at(-1)).toBe(LOGIN_WAIT_MS_MAX / 1_000);
});

test('who waits is not let through by trying meanwhile, and waits no longer for it', () => {
  for (let i = 0; i <= LOGIN_ATTEMPTS_FREE; i += 1) tryOnce('a', '192.0.2.1');
  for (let i = 0; i < 100; i += 1) expect(tryOnce('a', '192.0.2.1')).toBe(1);
});

test('nobody is locked out by attempts from elsewhere', () => {
  for (let i = 0; i < 40; i += 1) tryOnce('a', '192.0.2.1');
  expect(tryOnce('a', '198.51.100.1')).toBe(0);
  expect(tryOnce('b', '192.0.2.1')).toBe(0);
});

test('one source may not try many names, and names that logged in from there go on', () => {
  throttle.begin('known', '192.0.2.1').succeed();
  let passed = 0;
  while (passed < 1_000 && tryOnce(`name-${passed}`, '192.0.2.1') === 0) passed += 1;
  expect(passed).toBe(LOGIN_SOURCE_ATTEMPTS_FREE);
  expect(tryOnce('known', '192.0.2.1')).toBe(0);
  expect(tryOnce('name-x', '198.51.100.1')).toBe(0);
});

test('an IPv6 host is one source, whichever of its addresses it uses', () => {
  for (let i = 0; i < LOGIN_ATTEMPTS_FREE; i += 1)
    expect(tryOnce('a', `2001:db8::${i + 1}`)).toBe(0);
  expect(tryOnce('a', '2001:db8::ffff')).toBe(1);
  expect(tryOnce('a', '2001:db8:0:1::1')).toBe(0);
});

test('a right password clears what was counted', () => {
  for (let i = 1; i < LOGIN_ATTEMPTS_FREE; i += 1) tryOnce('a', '192.0.2.1');
  throttle.begin('a', '192.0.2.1').succeed();
  for (let i = 0; i < LOGIN_ATTEMPTS_FREE; i += 1) expect(tryOnce('a', '192.0.2.1')).toBe(0);
});

test('right passwords of many people behind one address do not add up', () => {
  for (let i = 0; i < 500; i += 1) throttle.begin(`name-${i}`, '192.0.2.1').succeed();
  expect(tryOnce('somebody', '192.0.2.1')).toBe(0);
});

test('attempts are forgotten after a day', () => {
  for (let i = 0; i < 5; i += 1) {
    tryOnce('a', '192.0.2.1');
    nowMs += LOGIN_WAIT_MS_MAX;
  }
  nowMs += LOGIN_FORGET_MS + LOGIN_WAIT_MS_MAX;
  for (let i = 0; i < LOGIN_ATTEMPTS_FREE; i += 1) expect(tryOnce('a', '192.0.2.1')).toBe(0);
});

test('many at once are counted before any is judged', () => {
  const passed = Array.from({ length: 50 }, () => tryOnce('a', '192.0.2.1')).filter((w) => w === 0);
  expect(passed).toHaveLength(LOGIN_ATTEMPTS_FREE);
});

test('controllers that tell each other count as one, for names, sources and right passwords', () => {
  const other = new LoginThrottle(
    () => nowMs,
    (attempt) => throttle.take(attempt),
  );
  for (let i = 0; i < LOGIN_ATTEMPTS_FREE; i += 1) other.begin('a', '192.0.2.1');
  expect(tryOnce('a', '192.0.2.1')).toBe(1);
  other.begin('known', '192.0.2.1').succeed();
  for (let i = 0; i < LOGIN_SOURCE_ATTEMPTS_FREE; i += 1) {
    other.begin(`name-${i}`, '198.51.100.1').succeed();
    other.begin(`name-${i}`, '192.0.2.1').succeed();
  }
  expect(tryOnce('b', '192.0.2.1'), 'right ones count nothing').toBe(0);
  for (let i = 0; i < LOGIN_SOURCE_ATTEMPTS_FREE; i += 1) tryOnce(`more-${i}`, '192.0.2.1');
  expect(tryOnce('c', '192.0.2.1')).toBeGreaterThan(0);
  expect(tryOnce('known', '192.0.2.1'), 'it logged in from there at the other one').toBe(0);
});

test('what is told of an attempt names neither the user nor where it came from', () => {
  const told: SharedAttempt[] = [];
  const telling = new LoginThrottle(
    () => nowMs,
    (attempt) => told.push(attempt),
  );
  telling.begin('olga', '192.0.2.1');
  expect(told).toHaveLength(1);
  expect(JSON.stringify(told)).not.toMatch(/olga|192/);
});
