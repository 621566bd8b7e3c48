import { expect, test } from 'vitest';
import { drawFlame, fitted } from './flame-svg.ts';
import { flameTree } from './stacks.ts';
import type { StackSample } from './stacks.ts';

const run = { name: 'run', kind: 'program' } as const;
const sample = (pid: number, ...names: string[]): StackSample => ({
  pid,
  frames: [run, ...names.map((name) => ({ name, kind: 'kernel' }) as const)],
});

const treeOf = (samples: readonly StackSample[]) => flameTree(samples, () => 'host');

/** Place and width of the bar with this tooltip. */
function barOf(svg: string, tip: string): { x: number; y: number; width: number } {
  const pattern = /<title>([^<]*)<\/title><rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)"/g;
  const match = [...svg.matchAll(pattern)].find(([, title]) => title === tip);
  if (match === undefined) throw new Error(`no bar says ${tip}`);
  return { x: Number(match[2]), y: Number(match[3]), width: Number(match[4]) };
}

test('what is called stands on its caller and is as wide as its samples', () => {
  const svg = drawFlame(treeOf([sample(1, 'a'), sample(1, 'a'), sample(1, 'b'), sample(1)]), 'x');
  const caller = barOf(svg, 'run: 4 samples, 100.0 %');
  const left = barOf(svg, 'a: 2 samples, 50.0 %');
  const right = barOf(svg, 'b: 1 samples, 25.0 %');
  expect(left.y).toBeLessThan(caller.y);
  expect(left.y).toBe(right.y);
  expect(left.x).toBe(caller.x);
  expect(left.width / caller.width).toBeCloseTo(0.5, 2);
  expect(right.x).toBeCloseTo(caller.x + caller.width / 2, 0);
});

test('the title says how many samples there are', () => {
  expect(drawFlame(treeOf([sample(1)]), 'Data path')).toContain('>Data path: 1 samples</text>');
});

test('names cannot become markup, and nothing in it runs or is fetched', () => {
  const svg = drawFlame(treeOf([sample(1, 'operator<<script>&')]), 'a<b');
  expect(svg).toContain('operator&lt;&lt;script&gt;&amp;');
  expect(svg).toContain('a&lt;b');
  expect(svg).not.toMatch(/<script|<style|href|url\(|onload/);
});

test('all bars lie within the picture', () => {
  const deep = Array.from({ length: 60 }, (_, index) => `f${index}`);
  const svg = drawFlame(treeOf([sample(1, ...deep)]), 'x');
  const height = Number(/height="(\d+)" viewBox/.exec(svg)?.[1]);
  const tops = [...svg.matchAll(/<rect x="[\d.]+" y="([\d.]+)"/g)].map((match) => Number(match[1]));
  expect(Math.min(...tops)).toBeGreaterThan(30);
  expect(Math.max(...tops) + 16).toBeLessThan(height);
});

test('a label is whole, cut, or nothing', () => {
  expect(fitted('run', 100)).toBe('run');
  expect(fitted('entry_SYSCALL_64', 60)).toBe('entry_…');
  expect(fitted('entry_SYSCALL_64', 12)).toBe('');
});

test('without samples there is nothing to draw', () => {
  expect(() => drawFlame(treeOf([]), 'x')).toThrow('needs a sample');
});
