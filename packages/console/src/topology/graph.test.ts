/** What the topology shows, made of what nodes said. */
import type { Topology } from '@etherloom/api';
import { describe, expect, test } from 'vitest';
import { describeGraph, makeGraph, NOWHERE, pathsWith, placeOf, rateOf } from './graph.ts';

type Said = Topology['paths'][number];

const node = (
  id: string,
  changes: Partial<Topology['nodes'][number]> = {},
): Topology['nodes'][number] => ({
  id,
  name: `node-${id}`,
  connected: true,
  endpoints: ['198.51.100.1:8002'],
  reportedAt: null,
  peersTotal: 1,
  peersUp: 1,
  ...changes,
});

const path = (from: string, to: string, changes: Partial<Said> = {}): Said => ({
  from,
  to,
  state: 'up',
  path: 'direct',
  latencyMs: 2,
  sentBytes: 0,
  receivedBytes: 0,
  ...changes,
});

const topology = (paths: readonly Said[], nodes = [node('a'), node('b')]): Topology => ({
  nodes,
  paths: [...paths],
  memberCount: nodes.length,
});

describe('the place of a node', () => {
  test.each([
    [[], NOWHERE],
    [['198.51.100.7:8002', '203.0.113.1:8002'], '198.51.100.0/24'],
    [['[2001:db8:51:1::7]:8002'], '2001:db8:51::/48'],
    [['[2001:db8::1]:8002'], '2001:db8:0::/48'],
    [['[::1]:8002'], '0:0:0::/48'],
    [['nonsense'], NOWHERE],
  ])('of %j is %s', (endpoints, place) => {
    expect(placeOf(endpoints)).toBe(place);
  });
});

describe('the state of a node', () => {
  const kindOf = (changes: Partial<Topology['nodes'][number]>): string | undefined =>
    makeGraph({ atMs: 0, topology: topology([], [node('a', changes)]) }, null).nodes[0]?.kind;

  test('offline goes before all that it said', () => {
    expect(kindOf({ connected: false, peersUp: 0 })).toBe('off');
  });
  test('without any peer it is well', () => {
    expect(kindOf({ peersTotal: 0, peersUp: 0 })).toBe('good');
  });
  test('some peers down is a warning, all of them a fault', () => {
    expect(kindOf({ peersTotal: 3, peersUp: 1 })).toBe('warn');
    expect(kindOf({ peersTotal: 3, peersUp: 0 })).toBe('bad');
  });
});

describe('a path', () => {
  test('that both ends tell of is one', () => {
    const said = [path('a', 'b', { latencyMs: 4 }), path('b', 'a', { latencyMs: 3 })];
    const graph = makeGraph({ atMs: 0, topology: topology(said) }, null);
    expect(graph.paths).toEqual([
      { a: 'a', b: 'b', kind: 'direct', latencyMs: 3, bytesPerSecond: null },
    ]);
  });

  test('is down when neither end has it up', () => {
    const down = path('a', 'b', { state: 'connecting', path: 'none' });
    const graph = makeGraph({ atMs: 0, topology: topology([down]) }, null);
    expect(graph.paths[0]?.kind).toBe('down');
  });

  test('to nobody that is shown, or to oneself, is left out', () => {
    const said = [path('a', 'z'), path('a', 'a')];
    expect(makeGraph({ atMs: 0, topology: topology(said) }, null).paths).toEqual([]);
  });

  test('has a rate after two readings: what the end that saw more counted', () => {
    const before = topology([path('a', 'b', { sentBytes: 1_000, receivedBytes: 0 })]);
    const after = topology([
      path('a', 'b', { sentBytes: 3_000, receivedBytes: 1_000 }),
      path('b', 'a', { sentBytes: 900, receivedBytes: 2_900 }),
    ]);
    const graph = makeGraph({ atMs: 3_000, topology: after }, { atMs: 1_000, topology: before });
    expect(graph.paths[0]?.bytesPerSecond).toBe(1_500);
  });

  test('whose counters begin anew has no negative rate', () => {
    const before = topology([path('a', 'b', { sentBytes: 9_000 })]);
    const after = topology([path('a', 'b', { sentBytes: 10 })]);
    const graph = makeGraph({ atMs: 2_000, topology: after }, { atMs: 1_000, topology: before });
    expect(graph.paths[0]?.bytesPerSecond).toBe(0);
  });
});

test('the rate of a node is the sum of its paths, unknown before the second reading', () => {
  const three = [node('a'), node('b'), node('c')];
  const at = (bytes: number): Topology =>
    topology([path('a', 'b', { sentBytes: bytes }), path('a', 'c', { sentBytes: bytes })], three);
  const first = makeGraph({ atMs: 0, topology: at(0) }, null);
  expect(rateOf(pathsWith(first, 'a'))).toBeNull();
  const second = makeGraph({ atMs: 1_000, topology: at(50) }, { atMs: 0, topology: at(0) });
  expect(rateOf(pathsWith(second, 'a'))).toBe(100);
  expect(rateOf(pathsWith(second, 'b'))).toBe(50);
});

test('a sentence says what the picture shows', () => {
  const graph = makeGraph({ atMs: 0, topology: topology([path('a', 'b')]) }, null);
  expect(describeGraph(graph)).toBe(
    '2 nodes in 1 places; 2 online, 0 with peers down, 0 offline; 1 paths, 0 of them down',
  );
});

test('members beyond those that came are counted', () => {
  const large = { ...topology([]), memberCount: 2_500 };
  expect(makeGraph({ atMs: 0, topology: large }, null).hiddenCount).toBe(2_498);
});
