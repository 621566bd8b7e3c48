/** Which controller an agent tries first, and which after it. */
import { expect, test } from 'vitest';
import { orderCandidates, weightOf } from './candidates.ts';
import type { Knowledge } from './candidates.ts';

const IDS = ['ctl_a', 'ctl_b', 'ctl_c'] as const;
const controller = (id: string, isUp = true) => ({
  id,
  urls: [`https://${id}:1`, `https://${id}:2`],
  isUp,
});
const knowledge = (changes: Partial<Knowledge> = {}): Knowledge => ({
  nodeId: '0'.repeat(32),
  seeds: [],
  known: IDS.map((id) => controller(id)),
  last: null,
  lastUrl: null,
  failedAtMs: new Map(),
  ...changes,
});
const keys = (given: Knowledge): string[] => [
  ...new Set(orderCandidates(given).map(({ key }) => key)),
];
const byWeight = (nodeId: string): string[] =>
  IDS.toSorted((a, b) => weightOf(nodeId, b) - weightOf(nodeId, a));

test('nodes spread evenly, and those of a controller that is gone spread over the others', () => {
  const firsts = (known: Knowledge['known']): string[] =>
    Array.from({ length: 3_000 }, (_, i) =>
      keys(knowledge({ nodeId: i.toString(16).padStart(32, '0'), known })),
    ).map(([first = '']) => first);
  const before = firsts(IDS.map((id) => controller(id)));
  const after = firsts(IDS.map((id) => controller(id, id !== 'ctl_a')));
  for (const id of IDS) {
    const share = before.filter((first) => first === id).length;
    expect(share, id).toBeGreaterThan(900);
    expect(share, id).toBeLessThan(1_100);
  }
  const moved = before.flatMap((first, i) => (first === 'ctl_a' ? [after[i]] : []));
  expect(moved.filter((first) => first === 'ctl_b').length).toBeGreaterThan(moved.length * 0.4);
  expect(moved.filter((first) => first === 'ctl_c').length).toBeGreaterThan(moved.length * 0.4);
  expect(before.every((first, i) => first === 'ctl_a' || after[i] === first)).toBe(true);
});

test('the first URL of each controller comes before the second of any', () => {
  const urls = orderCandidates(knowledge()).map(({ url }) => url.split(':').at(-1));
  expect(urls).toEqual(['1', '1', '1', '2', '2', '2']);
});

test('the controller of the last link comes first, by the URL that led to it', () => {
  const [, , least = ''] = byWeight(knowledge().nodeId);
  const [first] = orderCandidates(knowledge({ last: least, lastUrl: `https://${least}:2` }));
  expect(first).toEqual({ key: least, url: `https://${least}:2` });
});

test('one that failed comes last, whatever else speaks for it, the longest ago first', () => {
  const [best = '', middle = '', least = ''] = byWeight(knowledge().nodeId);
  const failedAtMs = new Map([
    [best, 2],
    [middle, 1],
  ]);
  expect(keys(knowledge({ last: best, failedAtMs }))).toEqual([least, middle, best]);
});

test('one that is said to be down comes after those that are up', () => {
  const [best = '', middle = '', least = ''] = byWeight(knowledge().nodeId);
  const known = IDS.map((id) => controller(id, id !== best));
  expect(keys(knowledge({ known }))).toEqual([middle, least, best]);
});

test('no controller can take the URLs of the join token away', () => {
  const lies = [{ id: 'ctl_x', urls: ['https://nowhere:1'], isUp: true }];
  const seeds = ['https://ctl_a:1', 'https://ctl_b:1'];
  const urls = orderCandidates(knowledge({ seeds, known: lies })).map(({ url }) => url);
  expect(urls).toEqual(['https://nowhere:1', ...seeds]);
});

test('a URL of the join token that a controller has as its own is tried once', () => {
  const urls = orderCandidates(knowledge({ seeds: ['https://ctl_a:1', 'https://else:1'] }));
  expect(urls.filter(({ url }) => url === 'https://ctl_a:1')).toHaveLength(1);
  expect(urls.map(({ url }) => url)).toContain('https://else:1');
});
