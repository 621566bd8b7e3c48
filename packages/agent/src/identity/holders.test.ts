import { beforeEach, expect, test } from 'vitest';
import { HOLDERS_TOLD_MAX, HOLDER_TOLD_MS } from '../limits.ts';
import { Holders } from './holders.ts';

const NODE = 'a'.repeat(32);
const FIRST = '01'.repeat(8);
let nowMs = 0;
let doubled: string[] = [];
let chosen: string[] = [];
let holders: Holders;
beforeEach(() => {
  [nowMs, doubled, chosen] = [0, [], []];
  holders = new Holders({
    monotonicMs: () => nowMs,
    isDoubled: (nodeId) => doubled.includes(nodeId),
    choose: (nodeId, instance) => chosen.push(`${nodeId} ${Buffer.from(instance).toString('hex')}`),
  });
});

test('a decision about a node of which one agent was seen cuts nobody off', () => {
  holders.take(NODE, FIRST);
  expect(chosen).toEqual([]);
});

test('a decision is followed when both were seen, whichever comes first', () => {
  doubled = [NODE];
  holders.take(NODE, FIRST);
  expect(chosen).toEqual([`${NODE} ${FIRST}`]);
  holders.takeDoubled(NODE);
  expect(chosen).toHaveLength(2);
  holders.takeDoubled('b'.repeat(32));
  expect(chosen).toHaveLength(2);
});

test('an old decision is not followed, and those kept are bounded', () => {
  holders.take(NODE, FIRST);
  nowMs = HOLDER_TOLD_MS + 1;
  holders.takeDoubled(NODE);
  holders.take(NODE, FIRST);
  for (let i = 0; i < HOLDERS_TOLD_MAX; i += 1) holders.take(String(i), FIRST);
  holders.takeDoubled(NODE);
  expect(chosen).toEqual([]);
});
