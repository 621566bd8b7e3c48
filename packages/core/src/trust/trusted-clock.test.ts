import { expect, test } from 'vitest';
import { NO_CLOCK_RECORD, TrustedClock } from './trusted-clock.ts';

const DAY = 86_400_000;
const YEAR = 365 * DAY;
const NOW = Date.parse('2026-11-20T00:00:00Z');

test('goes on by the monotonic clock alone', () => {
  const clock = new TrustedClock({ wallMs: NOW, monotonicMs: 500, record: NO_CLOCK_RECORD });
  expect(clock.nowMs(500)).toBe(NOW);
  expect(clock.nowMs(1_500)).toBe(NOW + 1_000);
});

test('is never before what the authority signed', () => {
  const clock = new TrustedClock({ wallMs: NOW - YEAR, monotonicMs: 0, record: NO_CLOCK_RECORD });
  expect(clock.raiseFloor(NOW, 0)).toBe(true);
  expect(clock.raiseFloor(NOW - 1, 0)).toBe(false);
  expect(clock.raiseFloor(Number.NaN, 0)).toBe(false);
  expect(clock.nowMs(10)).toBe(NOW);
  expect(clock.record.floorMs).toBe(NOW);
});

test('is not led on by a signer whose clock is ahead of what is borne out', () => {
  const clock = new TrustedClock({ wallMs: NOW, monotonicMs: 0, record: NO_CLOCK_RECORD });
  expect(clock.raiseFloor(NOW + YEAR, 0, NOW + DAY)).toBe(false);
  expect(clock.nowMs(0)).toBe(NOW);
  expect(clock.raiseFloor(NOW + DAY, 0, NOW + DAY)).toBe(true);
  expect(clock.raiseFloor(NOW + 2 * DAY, 2 * DAY, NOW), 'time has passed').toBe(true);
});

test('is corrected by a controller that is more than an hour away, and no other', () => {
  const clock = new TrustedClock({ wallMs: NOW, monotonicMs: 0, record: NO_CLOCK_RECORD });
  expect(clock.takeControllerTime(NOW + 3_600_000, 0)).toBe('same');
  expect(clock.nowMs(0)).toBe(NOW);
  expect(clock.takeControllerTime(NOW + YEAR, 0)).toBe('changed');
  expect(clock.nowMs(5)).toBe(NOW + YEAR + 5);
  expect(clock.takeControllerTime(NOW + YEAR + 60_000, 0), 'no rewrite for a minute').toBe('same');
  expect(clock.takeControllerTime(NOW, 0), 'right again').toBe('changed');
  expect(clock.nowMs(0)).toBe(NOW);
  expect(clock.takeControllerTime(Number.NaN, 0)).toBe('refused');
});

test('a controller cannot lead it below the floor', () => {
  const record = { ...NO_CLOCK_RECORD, floorMs: NOW };
  const clock = new TrustedClock({ wallMs: NOW + DAY, monotonicMs: 0, record });
  clock.takeControllerTime(NOW - YEAR, 0);
  expect(clock.nowMs(0)).toBe(NOW);
});

test.each([
  ['ahead, and still is', NOW + YEAR, -YEAR, NOW],
  ['ahead, and was set right', NOW, -YEAR, NOW],
  ['behind, and still is', NOW - YEAR, YEAR, NOW],
  ['behind, and was set right', NOW, YEAR, NOW],
])(
  'starts right without a controller when the wall clock was %s',
  (_name, wallMs, offsetMs, now) => {
    const record = { ...NO_CLOCK_RECORD, floorMs: NOW - 7 * DAY, offsetMs };
    expect(new TrustedClock({ wallMs, monotonicMs: 0, record }).nowMs(0)).toBe(now);
  },
);

test('starts at the floor when no clock can be right', () => {
  const record = { ...NO_CLOCK_RECORD, floorMs: NOW, offsetMs: -DAY };
  expect(new TrustedClock({ wallMs: 0, monotonicMs: 0, record }).nowMs(0)).toBe(NOW);
});

test('a controller does not lead it forward above what is borne out', () => {
  const clock = new TrustedClock({ wallMs: NOW, monotonicMs: 0, record: NO_CLOCK_RECORD });
  expect(clock.takeControllerTime(NOW + YEAR, 0, NOW + DAY)).toBe('refused');
  expect(clock.nowMs(0)).toBe(NOW);
  expect(clock.takeControllerTime(NOW + DAY, 0, NOW + DAY)).toBe('changed');
  expect(clock.nowMs(0)).toBe(NOW + DAY);
  expect(clock.takeControllerTime(NOW, 0, NOW - DAY), 'no way back is barred by it').toBe(
    'changed',
  );
  expect(clock.takeControllerTime(NOW + 60_000, 0, NOW - DAY), 'a minute is no lead').toBe('same');
});

test('a controller does not lead it back below what it agreed with, and what passed since', () => {
  const clock = new TrustedClock({ wallMs: NOW, monotonicMs: 0, record: NO_CLOCK_RECORD });
  expect(clock.takeControllerTime(NOW, 0)).toBe('same');
  expect(clock.takeControllerTime(NOW + DAY, 9 * DAY)).toBe('refused');
  expect(clock.nowMs(9 * DAY)).toBe(NOW + 9 * DAY);
  expect(clock.moveSeen(9 * DAY)).toBe(true);
  expect(clock.moveSeen(9 * DAY), 'once').toBe(false);
  const { record } = clock;
  expect(record.seenMs).toBe(NOW + 9 * DAY);
  const again = new TrustedClock({ wallMs: NOW + YEAR, monotonicMs: 0, record });
  expect(again.takeControllerTime(NOW, 0), 'nor after a start').toBe('refused');
  expect(again.takeControllerTime(NOW + 10 * DAY, 0), 'a wall clock that is ahead').toBe('changed');
  expect(again.moveSeen(0)).toBe(false);
});
