import { expect, test } from 'vitest';
import { ENDPOINT_QUIET_MS, ENDPOINT_SPACING_MS, ENDPOINT_SPACING_MS_MAX } from '../limits.ts';
import { EndpointPace } from './endpoint-pace.ts';

test('a node that goes on changing its endpoints is slowed down, one that rests is not', () => {
  let nowMs = 0;
  const pace = new EndpointPace(() => nowMs);
  const waits: number[] = [];
  for (let i = 0; i < 8; i += 1) {
    nowMs += pace.waitMs('a');
    pace.noteChange('a');
    waits.push(pace.waitMs('a'));
  }
  expect(waits.slice(0, 3)).toEqual([1, 2, 4].map((factor) => factor * ENDPOINT_SPACING_MS));
  expect(waits.at(-1)).toBe(ENDPOINT_SPACING_MS_MAX);
  expect(pace.waitMs('b')).toBe(0);
  nowMs += ENDPOINT_QUIET_MS;
  expect(pace.waitMs('a')).toBe(0);
  pace.noteChange('a');
  expect(pace.waitMs('a')).toBe(ENDPOINT_SPACING_MS);
});

test('a clock that goes back holds a node up no longer than its spacing', () => {
  let nowMs = 1_000_000;
  const pace = new EndpointPace(() => nowMs);
  pace.noteChange('a');
  nowMs = 0;
  expect(pace.waitMs('a')).toBe(ENDPOINT_SPACING_MS);
});
