import { expect, test } from 'vitest';
import {
  MEMBER_IDLE_FRAMES,
  MEMBER_IDLE_MS,
  MEMBER_RETURNED_MS,
  MEMBER_USES_KEPT_MAX,
} from '../limits.ts';
import { MemberUses } from './member-uses.ts';

const frames = (counts: Readonly<Record<string, number>>): Map<string, number> =>
  new Map(Object.entries(counts));

test('a member is idle when hardly a frame went to or came from it for long', () => {
  const uses = new MemberUses();
  expect(uses.look(frames({ a: 0, b: 0 }), 0)).toEqual([]);
  expect(uses.look(frames({ a: MEMBER_IDLE_FRAMES, b: 1 }), MEMBER_IDLE_MS - 1)).toEqual([]);
  expect(uses.look(frames({ a: MEMBER_IDLE_FRAMES, b: 2 }), MEMBER_IDLE_MS)).toEqual(['b']);
});

test('a data path that counts anew ends nobody', () => {
  const uses = new MemberUses();
  uses.look(frames({ a: 1_000 }), 0);
  expect(uses.look(frames({ a: 3 }), MEMBER_IDLE_MS)).toEqual([]);
});

test('one that was let go of and comes back is let go of soon, unless it is of use', () => {
  const uses = new MemberUses();
  uses.look(frames({ a: 0, b: 0 }), 0);
  expect(uses.look(frames({ a: 0, b: 0 }), MEMBER_IDLE_MS)).toEqual(['a', 'b']);
  uses.look(frames({}), MEMBER_IDLE_MS + 1);
  const back = MEMBER_IDLE_MS + 2;
  expect(uses.look(frames({ a: 0, b: MEMBER_IDLE_FRAMES }), back)).toEqual([]);
  expect(uses.look(frames({ a: 0, b: 9 }), back + MEMBER_RETURNED_MS)).toEqual(['a']);
});

test('those that were of use longest ago go first when there is no room', () => {
  const uses = new MemberUses();
  uses.look(frames({ a: 0, b: 0, c: 0 }), 0);
  uses.look(frames({ a: 50, b: 0, c: 50 }), 10);
  uses.look(frames({ a: 50, b: 0, c: 90 }), 20);
  expect(uses.leastUsed(['a', 'b', 'c', 'unknown'], 2)).toEqual(['b', 'a']);
});

test('remembers so many and no more', () => {
  const uses = new MemberUses();
  for (let round = 0; round < 3; round++) {
    const names = Array.from({ length: MEMBER_USES_KEPT_MAX }, (_, at) => `${round} ${at}`);
    uses.look(new Map(names.map((name) => [name, 0])), round);
  }
  expect(uses.size).toBeLessThanOrEqual(MEMBER_USES_KEPT_MAX);
});
