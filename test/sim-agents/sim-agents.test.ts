/** The fleet in small: every phase of a run, and what it must show whatever the machine is. */
import { expect, test } from 'vitest';
import { exponentOf, measure } from './measure.ts';

test('a fleet joins, links, hears of a change, and is back after a kill', async () => {
  const figures = await measure({
    agents: 200,
    sizes: [40, 200],
    idleMs: 500,
    nodeFlags: [],
    say: () => {},
  });
  // Links, the change and the storm have ended for everybody, or it had thrown.
  expect(figures.agents).toBe(300);
  expect(figures.verifiedSamples).toBe(8);
  expect(Object.keys(figures.storm.refusals).filter((text) => /clone|token/.test(text))).toEqual(
    [],
  );
  const [few, many] = figures.joins;
  expect((many?.cpuMsPerJoin ?? 0) / (few?.cpuMsPerJoin ?? 1)).toBeLessThan(3);
}, 240_000);

test('the exponent is the slope between logarithms', () => {
  const at = (members: number, cpuMsPerJoin: number) => ({
    members,
    cpuMsPerJoin,
    joinsPerSecond: 1,
  });
  expect(exponentOf([at(100, 2), at(1_000, 2), at(10_000, 2)])).toBeCloseTo(0);
  expect(exponentOf([at(100, 1), at(10_000, 10)])).toBeCloseTo(0.5);
});
