import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ControllerMessage } from '@etherloom/api';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { StateDirectory } from './disk/state-directory.ts';
import { findRevisionsBack, forgetNetwork, recordJoin, takeNetworkMessage } from './networks.ts';
import { AgentTrust } from './trust/agent-trust.ts';
import {
  ISSUED_MS,
  NETWORK_ID as ID,
  ORGANIZATION_ID,
  TestOrganization,
  testMember,
  testSigner,
} from './trust/test-organization.ts';
import type { TestNetwork } from './trust/test-organization.ts';

type DeltaMessage = Extract<ControllerMessage, { type: 'delta' }>;

const ORGANIZATION = new TestOrganization();
const [A, B] = [testMember(1), testMember(2)];
const FIRST: TestNetwork = { members: [A], revision: 1 };
const SECOND: TestNetwork = { members: [A, B], revision: 2 };

let parent = '';
let directory: StateDirectory;
let trust: AgentTrust;

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'loom-networks-'));
  open();
  trust.takeAuthority(ORGANIZATION.chain);
});
afterEach(() => {
  directory.close();
  rmSync(parent, { recursive: true });
});

test('has a change on disk before it is told', () => {
  join1();
  expect(take(ORGANIZATION.snapshot(FIRST))).toEqual({
    kind: 'changed',
    networkId: ID,
    what: 'updated',
  });
  reopen();
  expect(directory.networks.get(ID)?.state.revision).toBe(1);
  expect(trust.revisions()).toEqual({ [ID]: 1 });
});

test('moves on by deltas that fit, proof and all', () => {
  join1();
  take(ORGANIZATION.snapshot(FIRST));
  expect(take(ORGANIZATION.delta(FIRST, SECOND))).toMatchObject({ kind: 'changed' });
  expect(names()).toEqual([A.name, B.name]);
  reopen();
  expect(take(ORGANIZATION.delta(SECOND, { members: [B], revision: 3 }))).toMatchObject({
    kind: 'changed',
  });
  expect(names()).toEqual([B.name]);
});

test.each<[string, (d: DeltaMessage) => DeltaMessage]>([
  ['that leaves a gap', (d) => ({ ...d, fromRevision: 4, toRevision: 5 })],
  ['whose digest differs', (d) => ({ ...d, digest: '0'.repeat(64) })],
  ['that adds whom nobody signed', (d) => ({ ...d, proof: { ...d.proof, members: {} } })],
  ['without the roster that it needs', (d) => ({ ...d, proof: { members: d.proof.members } })],
])('asks anew after a delta %s and keeps what it has', (_, change) => {
  join1();
  take(ORGANIZATION.snapshot(FIRST));
  expect(take(change(ORGANIZATION.delta(FIRST, SECOND)))).toMatchObject({ kind: 'resync' });
  expect(names()).toEqual([A.name]);
  reopen();
  expect(names()).toEqual([A.name]);
});

test('keeps what it has against a snapshot that nobody signed, and says so', () => {
  join1();
  take(ORGANIZATION.snapshot(FIRST));
  const forged = new TestOrganization(testSigner(9)).snapshot(SECOND);
  expect(take(forged)).toMatchObject({
    kind: 'refused',
    reason: expect.stringMatching(/^network_unsigned: /),
  });
  expect(names()).toEqual([A.name]);
  expect(trust.problems.of(ID)).toMatchObject([
    { code: 'network_unsigned', message: expect.stringContaining('what was held stays in use') },
  ]);
  take(ORGANIZATION.snapshot(SECOND));
  expect(trust.problems.all).toEqual([]);
});

test('takes no state before an authority', () => {
  join1();
  directory.saveTrust({ ...directory.trust, authority: null });
  reopen();
  expect(take(ORGANIZATION.snapshot(FIRST))).toMatchObject({
    kind: 'refused',
    reason: expect.stringMatching(/^authority_missing/),
  });
  expect(directory.networks.size).toBe(0);
});

test('refuses a snapshot that is older than what it has', () => {
  join1();
  take(ORGANIZATION.snapshot({ ...FIRST, revision: 5 }));
  expect(take(ORGANIZATION.snapshot({ ...FIRST, revision: 4 }))).toMatchObject({ kind: 'ignored' });
  expect(directory.networks.get(ID)?.state.revision).toBe(5);
});

test('notices a controller that went back, and no other', () => {
  join1();
  take(ORGANIZATION.snapshot({ ...FIRST, revision: 5 }));
  expect(findRevisionsBack(directory, { [ID]: 4 })).toEqual([{ networkId: ID, held: 5, given: 4 }]);
  for (const revisions of [{}, { [ID]: 5 }, { [ID]: 6 }])
    expect(findRevisionsBack(directory, revisions)).toEqual([]);
});

test('forgets a network that it is removed from, also on disk', () => {
  join1();
  take(ORGANIZATION.snapshot(FIRST));
  take({ type: 'removed', networkId: ID, reason: 'test' });
  reopen();
  expect([directory.networks.size, directory.memberships.networks.length]).toEqual([0, 0]);
});

test('takes no older roster of a network that it was removed from and added to again', () => {
  join1();
  take(ORGANIZATION.snapshot({ ...FIRST, rosterVersion: 7 }));
  take({ type: 'removed', networkId: ID, reason: 'test' });
  reopen();
  join1();
  const older = ORGANIZATION.snapshot({ ...SECOND, rosterVersion: 6 });
  expect(take(older)).toMatchObject({ reason: expect.stringMatching(/^roster_older/) });
  expect(take(ORGANIZATION.snapshot({ ...SECOND, rosterVersion: 8 }))).toMatchObject({
    kind: 'changed',
  });
});

test('does not come back into a network that is being left', () => {
  join1();
  directory.saveMemberships({ ...directory.memberships, leaving: [ID] });
  forgetNetwork({ directory, trust }, ID);
  expect(take(ORGANIZATION.snapshot(FIRST))).toMatchObject({ kind: 'ignored' });
  expect(directory.networks.size).toBe(0);
  join1();
  expect(take(ORGANIZATION.snapshot(FIRST))).toMatchObject({ kind: 'changed' });
});

test('takes up a membership that it died before recording', () => {
  take(ORGANIZATION.snapshot(FIRST));
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

function open(): void {
  directory = StateDirectory.open(parent);
  const clocks = { wallMs: () => ISSUED_MS, sinceBootMs: () => 0 };
  trust = new AgentTrust({ directory, clocks, onProblem: () => undefined });
}

function reopen(): void {
  directory.close();
  open();
}

function take(message: Parameters<typeof takeNetworkMessage>[1]) {
  return takeNetworkMessage({ directory, trust }, message);
}

function names(): string[] | undefined {
  return directory.networks.get(ID)?.state.members.map((m) => m.name);
}

function join1(interfaceName?: string): ReturnType<typeof recordJoin> {
  return recordJoin(directory, {
    controller: {
      urls: ['https://192.0.2.1:8443'],
      tlsFingerprint: '0'.repeat(64),
      organizationId: ORGANIZATION_ID,
    },
    reply: {
      nodeId: directory.identity.nodeId,
      nodeName: 'a',
      organizationId: ORGANIZATION_ID,
      networkId: ID,
      networkName: 'demo',
      authority: [...ORGANIZATION.chain],
      isPending: false,
    },
    interfaceName,
  });
}
