import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Delta, Member, NetworkState } from '@etherloom/api';
import { networkDigest } from '@etherloom/core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { StateDirectory } from './disk/state-directory.ts';
import { findRevisionsBack, forgetNetwork, recordJoin, takeNetworkMessage } from './networks.ts';

const ID = 'net_00000000000000000001';
let parent = '';
let directory: StateDirectory;

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'loom-networks-'));
  directory = StateDirectory.open(parent);
});
afterEach(() => {
  directory.close();
  rmSync(parent, { recursive: true });
});

test('has a change on disk before it is told', () => {
  join1();
  expect(takeNetworkMessage(directory, snapshot(1))).toEqual({
    kind: 'changed',
    networkId: ID,
    what: 'updated',
  });
  directory.close();
  directory = StateDirectory.open(parent);
  expect(directory.networks.get(ID)?.state.revision).toBe(1);
});

test('moves on by deltas that fit', () => {
  join1();
  takeNetworkMessage(directory, snapshot(1));
  expect(takeNetworkMessage(directory, delta(1, 2, [member('a')]))).toMatchObject({
    kind: 'changed',
  });
  expect(directory.networks.get(ID)?.state.members.map((m) => m.name)).toEqual(['a']);
});

test.each<[string, (d: Delta) => Delta]>([
  ['that leaves a gap', (d) => ({ ...d, fromRevision: 4, toRevision: 5 })],
  ['whose digest differs', (d) => ({ ...d, digest: '0'.repeat(64) })],
])('asks anew after a delta %s and keeps what it has', (_, change) => {
  join1();
  takeNetworkMessage(directory, snapshot(1));
  expect(takeNetworkMessage(directory, change(delta(1, 2, [member('a')])))).toMatchObject({
    kind: 'resync',
  });
  expect(directory.networks.get(ID)?.state.revision).toBe(1);
});

test('refuses a snapshot that is older than what it has', () => {
  join1();
  takeNetworkMessage(directory, snapshot(5));
  expect(takeNetworkMessage(directory, snapshot(4))).toMatchObject({ kind: 'ignored' });
  expect(directory.networks.get(ID)?.state.revision).toBe(5);
});

test('notices a controller that went back, and no other', () => {
  join1();
  takeNetworkMessage(directory, snapshot(5));
  expect(findRevisionsBack(directory, { [ID]: 4 })).toEqual([{ networkId: ID, held: 5, given: 4 }]);
  for (const revisions of [{}, { [ID]: 5 }, { [ID]: 6 }])
    expect(findRevisionsBack(directory, revisions)).toEqual([]);
});

test('forgets a network that it is removed from, also on disk', () => {
  join1();
  takeNetworkMessage(directory, snapshot(1));
  takeNetworkMessage(directory, { type: 'removed', networkId: ID, reason: 'test' });
  directory.close();
  directory = StateDirectory.open(parent);
  expect([directory.networks.size, directory.memberships.networks.length]).toEqual([0, 0]);
});

test('does not come back into a network that is being left', () => {
  join1();
  directory.saveMemberships({ ...directory.memberships, leaving: [ID] });
  forgetNetwork(directory, ID);
  expect(takeNetworkMessage(directory, snapshot(1))).toMatchObject({ kind: 'ignored' });
  expect(directory.networks.size).toBe(0);
  join1();
  expect(takeNetworkMessage(directory, snapshot(1))).toMatchObject({ kind: 'changed' });
});

test('takes up a membership that it died before recording', () => {
  takeNetworkMessage(directory, snapshot(1));
  expect(directory.memberships.networks).toEqual([
    { networkId: ID, networkName: 'demo', interface: 'loom-demo' },
  ]);
});

test('keeps the interface when it joins again, unless another is asked for', () => {
  expect(join1('blue').interface).toBe('blue');
  expect(join1().interface).toBe('blue');
  expect(join1('green').interface).toBe('green');
  expect(directory.memberships.networks).toHaveLength(1);
});

function join1(interfaceName?: string): ReturnType<typeof recordJoin> {
  const organizationId = 'org_00000000000000000000';
  return recordJoin(directory, {
    controller: {
      urls: ['https://192.0.2.1:8443'],
      tlsFingerprint: '0'.repeat(64),
      organizationId,
    },
    reply: {
      nodeId: directory.identity.nodeId,
      nodeName: 'a',
      organizationId,
      networkId: ID,
      networkName: 'demo',
    },
    interfaceName,
  });
}

function state(revision: number, members: Member[] = []): NetworkState {
  return {
    config: { id: ID, name: 'demo', vni: 5, mtuBytes: 1_370, ipv4: '10.1.0.0/24', ipv6: null },
    revision,
    members,
  };
}

function snapshot(revision: number): Parameters<typeof takeNetworkMessage>[1] {
  return { type: 'snapshot', state: state(revision), digest: networkDigest(state(revision)) };
}

function delta(fromRevision: number, toRevision: number, upserts: Member[]): Delta {
  return {
    type: 'delta',
    networkId: ID,
    fromRevision,
    toRevision,
    upserts,
    removals: [],
    digest: networkDigest(state(toRevision, upserts)),
  };
}

function member(name: string): Member {
  const key = 'A'.repeat(43);
  return {
    nodeId: '1'.repeat(32),
    name,
    sessionKey: key,
    signKey: key,
    mac: '02:00:00:00:00:02',
    addresses: [],
    endpoints: [],
  };
}
