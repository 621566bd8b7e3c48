import { expect, test } from 'vitest';
import { parseBaseline } from './baseline.ts';
import { TOLERANCE_MIN, compareScenarios, formatComparison, hasWorse } from './compare.ts';
import type { Scenario } from './scenario.ts';

const scenario = (ratio: number, other: Partial<Scenario> = {}): Scenario => ({
  name: 'one stream / vxlan',
  value: 10 * ratio,
  unit: 'Gbit/s',
  better: 'more',
  reference: { name: 'vxlan', value: 10 },
  ratio,
  error: 0,
  wanted: 0.5,
  aim: 0.65,
  verdict: 'enough',
  ...other,
});

const outcomeOf = (base: Scenario, now: Scenario): string | undefined =>
  compareScenarios([base], [now])[0]?.outcome;

test('a machine of another speed changes nothing as long as the ratio stays', () => {
  const slower = scenario(0.6, { value: 1, reference: { name: 'vxlan', value: 1.667 } });
  expect(outcomeOf(scenario(0.6), slower)).toBe('same');
});

test('changes within the tolerance are none, beyond it they have a direction', () => {
  const beyond = TOLERANCE_MIN * 1.1;
  expect(outcomeOf(scenario(1), scenario(1 - TOLERANCE_MIN * 0.9))).toBe('same');
  expect(outcomeOf(scenario(1), scenario(1 - beyond))).toBe('worse');
  expect(outcomeOf(scenario(1), scenario(1 + beyond))).toBe('better');
  const less = { better: 'less' } as const;
  expect(outcomeOf(scenario(1, less), scenario(1 + beyond, less))).toBe('worse');
  expect(outcomeOf(scenario(1, less), scenario(1 - beyond, less))).toBe('better');
});

test('the tolerance is three errors of both runs together', () => {
  const [one] = compareScenarios([scenario(1, { error: 0.03 })], [scenario(0.86, { error: 0.04 })]);
  expect(one?.tolerance).toBeCloseTo(0.15);
  expect(one?.outcome).toBe('same');
});

test('without a reference the share of what is allowed is compared', () => {
  const idle = (value: number): Scenario =>
    scenario(1, { name: 'idle', value, better: 'less', reference: null, ratio: null, wanted: 1 });
  // Twice of very little is still very little.
  expect(outcomeOf(idle(0.03), idle(0.06))).toBe('same');
  expect(outcomeOf(idle(0.03), idle(0.4))).toBe('worse');
});

test('what only one side has, and what has another reference, is named and fails nothing', () => {
  const added = scenario(1, { name: 'added' });
  const elsewhere = scenario(0.1, { name: 'ping', reference: { name: 'zerotier', value: 1 } });
  const comparisons = compareScenarios(
    [scenario(1), scenario(1, { name: 'ping' })],
    [elsewhere, added],
  );
  expect(comparisons.map(({ outcome }) => outcome)).toEqual(['absent', 'unlike', 'added']);
  expect(hasWorse(comparisons)).toBe(false);
});

test('one that is worse fails the run', () => {
  const comparisons = compareScenarios([scenario(1)], [scenario(0.5)]);
  expect(hasWorse(comparisons)).toBe(true);
  expect(formatComparison(comparisons)).toBe(`\
                    base   now   change  tolerance       
one stream / vxlan  1.00  0.50  -50.0 %      8.0 %  WORSE`);
});

test('a baseline is read back as it was written', () => {
  const text = JSON.stringify({ machine: {}, rows: [], scenarios: [scenario(0.6)] });
  expect(parseBaseline('base.json', text)).toEqual([scenario(0.6)]);
});

test.each([
  ['{', 'base.json is none'],
  ['{}', 'scenarios'],
  ['{"scenarios":[]}', 'scenarios'],
  ['{"scenarios":[{"name":"x"}]}', 'value'],
])('refuses %s as a baseline', (text, message) => {
  expect(() => parseBaseline('base.json', text)).toThrow(message);
});
