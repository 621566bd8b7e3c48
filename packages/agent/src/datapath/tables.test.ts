import type { TablePlan } from '@etherloom/core';
import { UNKNOWN_ENDPOINT } from '@etherloom/core';
import { expect, test } from 'vitest';
import { differenceOf, rowsOf } from './tables.ts';

const MAC_OWN = Uint8Array.of(2, 0, 0, 0, 0, 1);
const MAC_B = Uint8Array.of(2, 0, 0, 0, 0, 2);
const IP_B = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, 0, 3);

test('sets ports and peers before the entries that refer to them', () => {
  expect(names(differenceOf(new Map(), rows(plan({})), 7).sets)).toEqual([
    'portSet',
    'peerSet',
    'fdbSet',
    'neighbourSet',
    'floodSet',
  ]);
});

test('has nothing to do when nothing differs', () => {
  expect(differenceOf(rows(plan({})), rows(plan({})), 7)).toEqual({ sets: [], removals: [] });
});

test('moves a MAC to another peer without taking it away in between', () => {
  const moved = plan({ fdb: [{ vni: 5, mac: MAC_B, peer: 2 }] });
  const { sets, removals } = differenceOf(rows(plan({})), rows(moved), 7);
  expect(sets).toMatchObject([{ name: 'fdbSet', values: { peer: 2, generation: 7 } }]);
  expect(removals).toEqual([]);
});

test('opens a port anew when its device has another name', () => {
  const { sets } = differenceOf(rows(plan({})), rows(plan({}), 'blue'), 7);
  expect(names(sets)).toEqual(['portDelete', 'portSet']);
});

test('sets nothing of a network whose device is not usable', () => {
  expect(names(differenceOf(new Map(), rows(plan({}), undefined), 7).sets)).toEqual(['peerSet']);
});

test('removes entries before what they refer to', () => {
  const none: TablePlan = { ...plan({}), ports: [], peers: [], fdb: [], neighbours: [], flood: [] };
  expect(names(differenceOf(rows(plan({})), rows(none), 7).removals)).toEqual([
    'floodDelete',
    'neighbourDelete',
    'fdbDelete',
    'peerDelete',
    'portDelete',
  ]);
});

test('leaves the endpoint of a peer to the mesh', () => {
  const elsewhere = rowsOf(plan({}), {
    interfaceOf: () => 'loom-demo',
    endpointOf: () => new Uint8Array(18).fill(1),
  });
  expect(differenceOf(rows(plan({})), elsewhere, 7).sets).toEqual([]);
});

function rows(of: TablePlan, ...names: (string | undefined)[]): ReturnType<typeof rowsOf> {
  const name = names.length === 0 ? 'loom-demo' : names[0];
  return rowsOf(of, { interfaceOf: () => name, endpointOf: () => UNKNOWN_ENDPOINT });
}

function names(requests: readonly { readonly name: string }[]): string[] {
  return requests.map(({ name }) => name);
}

function plan(change: Partial<TablePlan>): TablePlan {
  return {
    peerIds: { next: 3, ids: {} },
    ports: [
      {
        networkId: 'net_00000000000000000001',
        vni: 5,
        mac: MAC_OWN,
        mtuBytes: 1_370,
        addresses: [],
      },
    ],
    peers: [{ peer: 1, nodeId: new Uint8Array(16), sessionKey: new Uint8Array(32), endpoints: [] }],
    fdb: [{ vni: 5, mac: MAC_B, peer: 1 }],
    neighbours: [{ vni: 5, mac: MAC_B, ip: IP_B, peer: 1 }],
    flood: [{ vni: 5, peer: 1 }],
    skipped: [],
    ...change,
  };
}
