/** Histories that are right, and each way in which one can be wrong. */
import { expect, test } from 'vitest';
import { judgeHistory } from './history.ts';
import type { FinalState, Operation } from './history.ts';

let clock = 0;
const timed = () => ({ beganAt: (clock += 1), endedAt: (clock += 1) });
const create = (name: string, vni: number): Operation => ({
  what: 'create',
  name,
  outcome: { kind: 'acknowledged', value: { id: `id-${name}`, vni } },
  ...timed(),
});
const join = (nodeId: string, address: string): Operation => ({
  what: 'join',
  network: 'a',
  nodeId,
  outcome: { kind: 'acknowledged', value: { addresses: [address] } },
  ...timed(),
});
const leave = (nodeId: string, kind: 'acknowledged' | 'unknown'): Operation => ({
  what: 'leave',
  network: 'a',
  nodeId,
  outcome: kind === 'unknown' ? { kind } : { kind, value: null },
  ...timed(),
});
const remove = (name: string): Operation => ({
  what: 'delete',
  name,
  outcome: { kind: 'acknowledged', value: null },
  ...timed(),
});
const as = (operation: Operation, kind: 'refused' | 'unknown'): Operation => ({
  ...operation,
  outcome: { kind },
});
const network = (name: string, vni: number) => ({ id: `id-${name}`, name, vni });
const member = (nodeId: string, ...addresses: string[]) => ({ network: 'a', nodeId, addresses });
const end = (given: Partial<FinalState>): FinalState => ({ networks: [], members: [], ...given });

const A = create('a', 1);
const WITH_A = { networks: [network('a', 1)] };

test('a history whose answers the database bears out is right', () => {
  const history = [A, create('b', 2), join('n', '10.0.0.1'), join('m', '10.0.0.2')];
  const members = [member('n', '10.0.0.1'), member('m', '10.0.0.2')];
  expect(judgeHistory(history, { networks: [network('a', 1), network('b', 2)], members })).toEqual(
    [],
  );
});

test('what got no answer may be there or not', () => {
  const history = [A, as(create('b', 2), 'unknown'), as(join('n', '10.0.0.1'), 'unknown')];
  expect(judgeHistory(history, end(WITH_A))).toEqual([]);
  const networks = [network('a', 1), network('b', 2)];
  expect(judgeHistory(history, { networks, members: [member('n', '10.0.0.1')] })).toEqual([]);
});

test('an address that was left may be given again, also when the leave got no answer', () => {
  for (const kind of ['acknowledged', 'unknown'] as const) {
    const history = [A, join('n', '10.0.0.1'), leave('n', kind), join('m', '10.0.0.1')];
    expect(judgeHistory(history, end({ ...WITH_A, members: [member('m', '10.0.0.1')] }))).toEqual(
      [],
    );
  }
});

test('a VNI may be given again once its network was deleted', () => {
  const history = [A, remove('a'), create('b', 1)];
  expect(judgeHistory(history, end({ networks: [network('b', 1)] }))).toEqual([]);
});

test.each<[string, Operation[], Partial<FinalState>, RegExp]>([
  ['a network that is lost', [A], {}, /network a was acknowledged and is not there/],
  ['another network under its name', [A], { networks: [network('a', 9)] }, /another one/],
  ['a network that was refused', [as(A, 'refused')], WITH_A, /was refused and is there/],
  ['a network that was deleted', [A, remove('a')], WITH_A, /was deleted and is there/],
  ['a network of nobody', [], WITH_A, /nobody asked/],
  [
    'a member that is lost',
    [A, join('n', '10.0.0.1')],
    WITH_A,
    /n in a was acknowledged and is not/,
  ],
  [
    'a member that was refused',
    [A, as(join('n', '10.0.0.1'), 'refused')],
    { ...WITH_A, members: [member('n', '10.0.0.1')] },
    /was refused and is there/,
  ],
  ['a member of nobody', [A], { ...WITH_A, members: [member('n')] }, /never asked/],
  [
    'another address',
    [A, join('n', '10.0.0.1')],
    { ...WITH_A, members: [member('n', '10.0.0.2')] },
    /was given 10.0.0.1 and has 10.0.0.2/,
  ],
  [
    'a VNI of two networks',
    [A, create('b', 1)],
    { networks: [network('a', 1), network('b', 1)] },
    /VNI 1 was given to a and b/,
  ],
  [
    'a VNI that was given before its network was deleted',
    [A, create('b', 1), remove('a')],
    { networks: [network('b', 1)] },
    /VNI 1 was given to a and b/,
  ],
  [
    'an address of two members',
    [A, join('n', '10.0.0.1'), join('m', '10.0.0.1')],
    { ...WITH_A, members: [member('n', '10.0.0.1'), member('m', '10.0.0.1')] },
    /10.0.0.1 of a was given to n and m/,
  ],
  [
    'an address that was given before it was left',
    [A, join('n', '10.0.0.1'), join('m', '10.0.0.1'), leave('n', 'acknowledged')],
    { ...WITH_A, members: [member('m', '10.0.0.1')] },
    /10.0.0.1 of a was given to n and m/,
  ],
  [
    'an address whose second holder got no answer',
    [A, join('n', '10.0.0.1'), as(join('m', '10.0.0.1'), 'unknown')],
    { ...WITH_A, members: [member('n', '10.0.0.1'), member('m', '10.0.0.1')] },
    /10.0.0.1 of a was given to n and m/,
  ],
])('finds %s', (_, history, state, problem) => {
  expect(judgeHistory(history, end(state)).join('; ')).toMatch(problem);
});
