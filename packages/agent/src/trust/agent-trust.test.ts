import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SignedStatement } from '@etherloom/api';
import {
  encodeStatement,
  hashStatement,
  networkDigest,
  parseGossip,
  signStatement,
} from '@etherloom/core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { StateDirectory } from '../disk/state-directory.ts';
import { AgentTrust } from './agent-trust.ts';
import { noteOwnValidity } from './own-validity.ts';
import { budgetOf, nextPlanChange, planNetworks } from './plan-networks.ts';
import {
  DAY_MS,
  ENDS_MS,
  ISSUED_MS,
  NETWORK_ID,
  ORGANIZATION_ID,
  TestOrganization,
  testMember,
  testSigner,
} from './test-organization.ts';
import type { TestNetwork } from './test-organization.ts';

const ORGANIZATION = new TestOrganization();
const STRANGER = new TestOrganization(testSigner(9));
const NEXT = testSigner(201);
const PEER = testMember(2);

let parent = '';
let directory: StateDirectory;
let trust: AgentTrust;
let wallMs = ISSUED_MS;
let bootMs = 0;

beforeEach(() => {
  wallMs = ISSUED_MS;
  bootMs = 0;
  parent = mkdtempSync(join(tmpdir(), 'loom-trust-'));
  open();
});
afterEach(() => {
  directory.close();
  rmSync(parent, { recursive: true });
});

describe('the authority', () => {
  test('is pinned by the join token, and no other is taken', () => {
    const { authorityHash, chain } = ORGANIZATION;
    expect(() => join1(authorityHash, STRANGER.chain)).toThrow(/authority_unknown/);
    expect(trust.authority).toBe(undefined);
    expect(join1(authorityHash, chain)).toMatchObject({
      kind: 'changed',
      isFirst: true,
    });
    reopen();
    expect(trust.authority?.hash).toBe(authorityHash);
    expect(trust.takeAuthority(STRANGER.chain)).toMatchObject({ kind: 'refused' });
    expect(trust.authority?.hash).toBe(authorityHash);
    expect(trust.problems.all).toMatchObject([{ networkId: null, code: 'authority_unsigned' }]);
    expect(trust.takeAuthority(chain)).toEqual({ kind: 'same' });
    expect(trust.problems.all).toEqual([]);
  });

  test('is taken from the controller once when a token of a former version named none', () => {
    expect(join1(null, ORGANIZATION.chain)).toMatchObject({ isFirst: true });
    expect(() => join1(null, STRANGER.chain)).toThrow(/does not follow/);
  });

  test('moves on with the controller, and is not led back by a token of another one', () => {
    join1(ORGANIZATION.authorityHash, ORGANIZATION.chain);
    expect(trust.takeAuthority(ORGANIZATION.rotated(NEXT))).toMatchObject({ kind: 'changed' });
    reopen();
    expect(trust.authority?.statement.version).toBe(2);
    expect(trust.authority?.former?.statement.version).toBe(1);
    const again = join1(ORGANIZATION.authorityHash, ORGANIZATION.rotated(NEXT));
    expect(again).toEqual({ kind: 'same' });
    expect(() => join1(STRANGER.authorityHash, ORGANIZATION.rotated(NEXT))).toThrow(
      /is no version of the one that this node holds/,
    );
  });

  test('of another organization than the controller joined the node to is not pinned', () => {
    const { authorityHash, chain } = ORGANIZATION;
    const reply = { authority: [...chain], organizationId: 'org_zzzzzzzzzzzzzzzzzzzz' };
    expect(() => trust.pinForJoin(authorityHash, reply)).toThrow(/is that of org_0/);
    expect(trust.authority).toBe(undefined);
  });

  test('of another organization than the one that was joined is not taken', () => {
    joined('org_zzzzzzzzzzzzzzzzzzzz');
    expect(trust.takeAuthority(ORGANIZATION.chain)).toEqual({
      kind: 'refused',
      code: 'authority_other_organization',
    });
    expect(trust.authority).toBe(undefined);
  });

  test('on disk that proves nothing ends the start', () => {
    const [signed] = ORGANIZATION.chain;
    const statement = signed?.statement.replace('"threshold":1', '"threshold":2') ?? '';
    const chain = [{ statement, signatures: signed?.signatures ?? [] }];
    directory.saveTrust({
      ...directory.trust,
      authority: { hash: hashStatement(statement), chain },
    });
    expect(reopen).toThrow(/trust\.json .*not signed \(authority_malformed\)/);
  });
});

describe('a network on disk', () => {
  beforeEach(() => {
    joined();
    trust.takeAuthority(ORGANIZATION.chain);
    take({ members: [own(), PEER], revision: 3 });
  });

  test('is verified again at the start', () => {
    reopen();
    expect(planned()).toEqual([own().name, PEER.name]);
    expect(trust.problems.all).toEqual([]);
  });

  test.each<[string, (content: StoredContent) => void, string]>([
    ['an address', (c) => c.state.members[0]?.addresses.push('10.1.0.99'), 'state_differs'],
    ['a member', (c) => c.state.members.push(testMember(7)), 'credential_unsigned'],
    ['a member left out', (c) => c.state.members.pop(), 'state_differs'],
    ['no proof', (c) => void (c.proof = null), 'proof_missing'],
  ])(
    'with %s changed and its checksum made anew is set aside, shown and not used',
    (_name, change, code) => {
      rewrite(change);
      reopen();
      expect(planned()).toBe(undefined);
      expect(directory.networks.size).toBe(0);
      expect(directory.setAside).toMatchObject([{ networkId: NETWORK_ID }]);
      expect(trust.problems.of(NETWORK_ID)).toMatchObject([{ code }]);
      expect(trust.revisions(), 'is asked for again').toEqual({});
      take({ members: [own(), PEER], revision: 3 });
      expect(planned()).toEqual([own().name, PEER.name]);
      expect(trust.problems.all).toEqual([]);
    },
  );

  test('in an older copy is noticed by the versions that are kept apart', () => {
    const file = join(parent, 'networks', `${NETWORK_ID}.json`);
    const older = readFileSync(file);
    take({ members: [own()], revision: 4 });
    writeFileSync(file, older);
    reopen();
    expect(planned()).toBe(undefined);
    expect(trust.problems.of(NETWORK_ID)).toMatchObject([{ code: 'roster_older' }]);
    expect(trust.takeNetwork(given({ members: [own(), PEER], revision: 3 }))).toMatchObject({
      code: 'roster_older',
    });
  });

  test('that is newer than the versions kept apart, as after a kill between, is used', () => {
    const file = join(parent, 'trust.json');
    const older = readFileSync(file);
    take({ members: [own()], revision: 4 });
    writeFileSync(file, older);
    reopen();
    expect(planned()).toEqual([own().name]);
    expect(trust.problems.all).toEqual([]);
  });

  test('outlives an authority that moves on, and ends when it is two versions behind', () => {
    const rotated = ORGANIZATION.rotated(NEXT);
    expect(trust.takeAuthority(rotated)).toMatchObject({ kind: 'changed', ended: [] });
    expect(planned()).toEqual([own().name, PEER.name]);
    const last = testSigner(202);
    const third = thirdVersion(rotated, last);
    expect(trust.takeAuthority(third)).toMatchObject({ kind: 'changed', ended: [NETWORK_ID] });
    expect(planned(), 'the port stays, nobody is a peer').toEqual([own().name]);
    expect(trust.revisions(), 'is asked for again').toEqual({});
    expect(trust.problems.of(NETWORK_ID)).toMatchObject([{ code: 'network_unsigned' }]);
    take({ members: [own(), PEER], revision: 4, signer: last });
    expect(planned()).toEqual([own().name, PEER.name]);
    expect(trust.problems.all).toEqual([]);
  });
});

describe('a state directory of a former version', () => {
  beforeEach(() => {
    joined();
    const { state } = ORGANIZATION.network({ members: [own(), PEER], revision: 3 });
    directory.saveNetwork({ state, digest: networkDigest(state), proof: null });
    reopen();
  });

  test('is used until the controller proves it, and asked for', () => {
    expect(planned()).toEqual([own().name, PEER.name]);
    expect(trust.revisions()).toEqual({});
    trust.takeAuthority(ORGANIZATION.chain);
    expect(planned(), 'until the proof comes').toEqual([own().name, PEER.name]);
    take({ members: [own(), PEER], revision: 3 });
    expect(trust.verifiedOf(NETWORK_ID)?.state.revision).toBe(3);
  });

  test('is not led to another authority after the first contact', () => {
    trust.takeAuthority(ORGANIZATION.chain);
    reopen();
    expect(trust.takeAuthority(STRANGER.chain)).toMatchObject({ kind: 'refused' });
  });
});

describe('the time', () => {
  beforeEach(() => {
    joined();
    trust.takeAuthority(ORGANIZATION.chain);
    take({ members: [own(), { ...PEER }], revision: 1 });
  });

  test('leaves out whose credential has ended, keeps the port, and says so', () => {
    expect(nextPlanChange(trust, trust.nowMs())).toBe(ENDS_MS);
    bootMs = 30 * DAY_MS;
    noteOwnValidity(trust, own().nodeId);
    expect(planned()).toEqual([own().name]);
    expect(trust.problems.of(NETWORK_ID)).toMatchObject([{ code: 'credential_ended' }]);
    expect(budget()).toMatchObject({ membersValid: 0, ownSecondsLeft: 0, firstPeer: null });
    expect(directory.networks.size, 'nothing is deleted').toBe(1);
  });

  test('tells the mesh when a peer ends, on its own clock', () => {
    bootMs = DAY_MS;
    const [network] = planNetworks(trust, own().nodeId, { trustedMs: trust.nowMs(), meshMs: 5 });
    expect(network?.endsAt?.get(PEER.nodeId)).toBe(5 + 29 * DAY_MS);
    expect(network?.postQuantum).toBe('required');
  });

  test('shows what is left without a controller', () => {
    bootMs = DAY_MS;
    expect(budget()).toEqual({
      membersValid: 2,
      ownSecondsLeft: 29 * 86_400,
      firstPeerSecondsLeft: 29 * 86_400,
      firstPeer: PEER.name,
    });
  });

  test('does not follow a wall clock that jumps while the agent runs', () => {
    wallMs = ISSUED_MS + 365 * DAY_MS;
    expect(planned()).toEqual([own().name, PEER.name]);
    wallMs = 0;
    expect(planned()).toEqual([own().name, PEER.name]);
  });

  test('is not before what was verified, over restarts', () => {
    wallMs = ISSUED_MS - 365 * DAY_MS;
    reopen();
    expect(trust.nowMs()).toBe(ISSUED_MS);
    expect(planned()).toEqual([own().name, PEER.name]);
  });

  test('of a wall clock a year ahead ends sessions, until a controller says otherwise', () => {
    wallMs = ISSUED_MS + 365 * DAY_MS;
    reopen();
    noteOwnValidity(trust, own().nodeId);
    expect(planned()).toEqual([own().name]);
    expect(trust.problems.of(NETWORK_ID)).toMatchObject([{ code: 'credential_ended' }]);
    expect(trust.takeTime(new Date(ISSUED_MS + DAY_MS).toISOString())).toBe('changed');
    noteOwnValidity(trust, own().nodeId);
    expect(planned()).toEqual([own().name, PEER.name]);
    expect(trust.problems.all).toEqual([]);
    reopen();
    expect(planned(), 'without a controller').toEqual([own().name, PEER.name]);
  });
});

describe('the word of peers', () => {
  const HELD: TestNetwork = { members: [], revision: 5 };
  beforeEach(() => {
    joined();
    trust.takeAuthority(ORGANIZATION.chain);
    take({ ...HELD, members: [own(), PEER] });
  });

  test('ends a member by a revocation that the controller withholds, over restarts', () => {
    const signed = ORGANIZATION.revocation(PEER.nodeId, 1);
    expect(hear(signed)).toMatchObject({ verdict: 'fresh', networkId: NETWORK_ID });
    expect(hear(signed), 'once').toEqual({ verdict: 'known' });
    expect(planned()).toEqual([own().name]);
    expect(trust.problems.of(NETWORK_ID)).toMatchObject([{ code: 'roster_withheld' }]);
    reopen();
    expect(planned()).toEqual([own().name]);
    take({ members: [own(), PEER], revision: 6, serial: 2 });
    expect(planned(), 'with a later credential').toEqual([own().name, PEER.name]);
    expect(trust.problems.all).toEqual([]);
  });

  test('acts although the disk does not take it, and says so', () => {
    const file = join(parent, 'trust.json.tmp');
    symlinkSync('/dev/full', file);
    expect(hear(ORGANIZATION.revocation(PEER.nodeId, 1))).toEqual({ verdict: 'known' });
    expect(planned()).toEqual([own().name]);
    const codes = trust.problems.all.map(({ code }) => code);
    expect(codes).toEqual(['roster_withheld', 'state_directory_unusable']);
    rmSync(file, { force: true });
    trust.takeTime(new Date(ISSUED_MS + 9 * DAY_MS).toISOString());
    expect(directory.trust.revocations).toHaveLength(1);
    expect(trust.problems.all.map(({ code }) => code)).toEqual(['roster_withheld']);
  });

  test('ends nobody without a signature of the authority, or for a stranger', () => {
    expect(hear(ORGANIZATION.revocation(PEER.nodeId, 1, NEXT)).verdict).toBe('refused');
    expect(hear(ORGANIZATION.revocation('f'.repeat(32), 1)).verdict).toBe('known');
    expect(planned()).toEqual([own().name, PEER.name]);
    expect(directory.trust.revocations).toEqual([]);
  });

  test('shows what the controller withholds, until it sends it', () => {
    const { roster } = ORGANIZATION.network({ members: [own()], revision: 7 }).proof;
    hear(roster);
    expect(trust.problems.of(NETWORK_ID)).toMatchObject([
      { code: 'roster_withheld', message: expect.stringContaining('host-2 holds version 7') },
    ]);
    take({ members: [own()], revision: 6 });
    expect(trust.problems.of(NETWORK_ID)).toHaveLength(1);
    take({ members: [own()], revision: 7 });
    expect(trust.problems.all).toEqual([]);
  });

  test('shows a fork with both texts', () => {
    const { roster } = ORGANIZATION.network({ ...HELD, members: [own()] }).proof;
    hear(roster);
    const [problem] = trust.problems.of(NETWORK_ID);
    expect(problem?.code).toBe('roster_forked');
    expect(problem?.message).toContain(roster.statement.slice(0, 200));
  });

  test('moves the authority on when the controller withholds a rotation, and to no other', () => {
    const [, second] = ORGANIZATION.rotated(NEXT);
    const [, other] = new TestOrganization(NEXT).rotated(testSigner(7));
    if (second === undefined || other === undefined) throw new Error('were made');
    expect(hear(other).verdict).toBe('refused');
    expect(hear(second)).toMatchObject({ verdict: 'fresh', networkId: NETWORK_ID });
    expect(hear(second)).toEqual({ verdict: 'known' });
    reopen();
    expect(trust.authority?.statement.version).toBe(2);
    expect(planned()).toEqual([own().name, PEER.name]);
    const [, fork] = ORGANIZATION.rotated(testSigner(202));
    if (fork === undefined) throw new Error('was made');
    expect(hear(fork)).toEqual({ verdict: 'known' });
    expect(trust.problems.all).toMatchObject([{ networkId: null, code: 'authority_forked' }]);
    expect(trust.authority?.statement.keys).toEqual([NEXT.key]);
  });

  test('counts as it comes from the wire, which says what kind of message carried it', () => {
    const signed = ORGANIZATION.revocation(PEER.nodeId, 1);
    const wire = parseGossip(encodeStatement(signed));
    if (wire?.type !== 'statement') throw new Error('is a statement');
    expect(Object.keys(wire)).toContain('type');
    expect(trust.judgeStatement(wire, PEER.nodeId)).toMatchObject({ verdict: 'fresh' });
    expect(planned()).toEqual([own().name]);
    const broken = { ...wire, signatures: 'none' };
    expect(trust.judgeStatement(broken, PEER.nodeId)).toEqual({ verdict: 'refused' });
  });

  test('of a roster that is the same, older or forged shows nothing', () => {
    const { proof } = ORGANIZATION.network({ members: [own()], revision: 4 });
    const forged = STRANGER.network({ members: [own()], revision: 9 }).proof;
    hear(proof.roster);
    hear(forged.roster);
    hear(directory.networks.get(NETWORK_ID)?.proof?.roster ?? forged.roster);
    expect(trust.problems.all).toEqual([]);
  });
});

type StoredContent = {
  state: { members: { addresses: string[] }[] };
  proof: unknown;
};

function open(): void {
  directory = StateDirectory.open(parent);
  const clocks = { wallMs: () => wallMs, sinceBootMs: () => bootMs };
  trust = new AgentTrust({ directory, clocks, onProblem: () => undefined });
}

function reopen(): void {
  directory.close();
  open();
}

function join1(tokenHash: string | null, chain: readonly SignedStatement[]) {
  return trust.pinForJoin(tokenHash, { authority: [...chain], organizationId: ORGANIZATION_ID });
}

function own() {
  return testMember(1, directory.identity.nodeId);
}

function joined(organizationId = ORGANIZATION_ID): void {
  directory.saveMemberships({
    controller: {
      urls: ['https://192.0.2.1:8443'],
      tlsFingerprint: '0'.repeat(64),
      organizationId,
    },
    nodeName: 'a',
    networks: [{ networkId: NETWORK_ID, networkName: 'demo', interface: 'loom-demo' }],
    leaving: [],
  });
}

function given(wish: TestNetwork) {
  const { state, proof } = ORGANIZATION.network(wish);
  return { state, proof, digest: networkDigest(state) };
}

function hear(signed: SignedStatement) {
  return trust.judgeStatement(signed, PEER.nodeId);
}

function take(wish: TestNetwork): void {
  expect(trust.takeNetwork(given(wish))).toBe(undefined);
}

/** Names of the members that are planned; undefined: the network is not. */
function planned(): string[] | undefined {
  const times = { trustedMs: trust.nowMs(), meshMs: 0 };
  const [network] = planNetworks(trust, directory.identity.nodeId, times);
  return network?.members.map(({ name }) => name);
}

function budget() {
  const verified = trust.verifiedOf(NETWORK_ID);
  if (verified === undefined) throw new Error('is verified');
  return budgetOf(trust, verified, own().nodeId);
}

/** What somebody with write access could do, who cannot sign. */
function rewrite(change: (content: StoredContent) => void): void {
  const file = join(parent, 'networks', `${NETWORK_ID}.json`);
  const envelope = JSON.parse(readFileSync(file, 'utf8'));
  change(envelope.content);
  envelope.sha256 = createHash('sha256').update(JSON.stringify(envelope.content)).digest('hex');
  writeFileSync(file, JSON.stringify(envelope));
}

function thirdVersion(chain: ReturnType<TestOrganization['rotated']>, to: typeof NEXT) {
  const second = chain.at(-1)?.statement ?? '';
  const content = {
    ...JSON.parse(second),
    version: 3,
    keys: [to.key],
    previous: hashStatement(second),
  };
  return [...chain, signStatement(content, [NEXT, to])];
}
