import { expect, test } from 'vitest';
import { scenarioOf, verdictOf } from './scenario.ts';
import type { ScenarioPlan } from './scenario.ts';

const plan: ScenarioPlan = {
  name: 'one stream / vxlan',
  unit: 'Gbit/s',
  better: 'more',
  reference: 'vxlan',
  wanted: 0.5,
  aim: 0.65,
};

test('the ratio is that of the medians', () => {
  const rounds = [
    { value: 6, reference: 10 },
    { value: 1, reference: 30 },
    { value: 7, reference: 12 },
  ];
  expect(scenarioOf(plan, rounds)).toMatchObject({
    value: 6,
    reference: { name: 'vxlan', value: 12 },
    ratio: 0.5,
    verdict: 'enough',
  });
});

test('the error is that of the ratios, so what slows both alike does not count', () => {
  const rounds = [1, 2, 3, 4, 5].map((speed) => ({ value: 6 * speed, reference: 10 * speed }));
  expect(scenarioOf(plan, rounds)).toMatchObject({ ratio: 0.6, error: 0 });
});

test('without a reference the value is judged', () => {
  const memory = { ...plan, better: 'less', reference: null, wanted: 64, aim: 32 } as const;
  expect(scenarioOf(memory, [{ value: 40, reference: null }])).toMatchObject({
    reference: null,
    ratio: null,
    verdict: 'enough',
  });
});

test.each([
  [0.65, 'more', 'aim'],
  [0.649, 'more', 'enough'],
  [0.5, 'more', 'enough'],
  [0.499, 'more', 'missed'],
  [0.4, 'less', 'aim'],
  [0.65, 'less', 'aim'],
  [0.66, 'less', 'missed'],
] as const)('%d, where %s is better: %s', (value, better, verdict) => {
  const bounds = { wanted: better === 'more' ? 0.5 : 0.65, aim: 0.65 };
  expect(verdictOf(value, better, bounds)).toBe(verdict);
});

test('where nothing is wanted nothing is judged', () => {
  expect(verdictOf(1, 'more', { wanted: null, aim: null })).toBeNull();
  expect(verdictOf(0.1, 'less', { wanted: 1, aim: null })).toBe('enough');
});
