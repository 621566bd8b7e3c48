/**
 * What a key that signed once, or a clock that is a year off, can do to members: nothing that
 * lasts.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SignedStatement } from '@etherloom/api';
import { networkDigest, signStatement } from '@etherloom/core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { StateDirectory } from '../disk/state-directory.ts';
import { AgentTrust } from './agent-trust.ts';
import { readRevocations } from './own-end.ts';
import { planNetworks } from './plan-networks.ts';
import {
  DAY_MS,
  ISSUED_MS,
  NETWORK_ID,
  ORGANIZATION_ID,
  TestOrganization,
  testMember,
  testSigner,
} from './test-organization.ts';
import type { TestNetwork } from './test-organization.ts';

const ORGANIZATION = new TestOrganization();
const NEXT = testSigner(201);
const PEER = testMember(2);
const LAST_SERIAL = Number.MAX_SAFE_INTEGER;

let parent = '';
let directory: StateDirectory;
let trust: AgentTrust;

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'loom-stolen-'));
  open();
  directory.saveMemberships({
    controller: {
      urls: ['https://192.0.2.1:8443'],
      tlsFingerprint: '0'.repeat(64),
      organizationId: ORGANIZATION_ID,
    },
    nodeName: 'a',
    networks: [{ networkId: NETWORK_ID, networkName: 'demo', interface: 'loom-demo' }],
    leaving: [],
  });
  trust.takeAuthority(ORGANIZATION.chain);
  take({ members: [own(), PEER], revision: 5 });
});
afterEach(() => {
  directory.close();
  rmSync(parent, { recursive: true });
});

describe('a key of the former authority', () => {
  test('revokes nobody by gossip once the newest keys have signed the roster', () => {
    trust.takeAuthority(ORGANIZATION.rotated(NEXT));
    take({ members: [own(), PEER], revision: 6, signer: NEXT });
    expect(hear(ORGANIZATION.revocation(PEER.nodeId, LAST_SERIAL)).verdict).not.toBe('fresh');
    expect(planned()).toEqual([own().name, PEER.name]);
  });

  test('has revoked nobody for good when the newest keys sign the roster', () => {
    trust.takeAuthority(ORGANIZATION.rotated(NEXT));
    expect(hear(ORGANIZATION.revocation(PEER.nodeId, LAST_SERIAL)).verdict).toBe('fresh');
    expect(planned(), 'until then it counts').toEqual([own().name]);
    take({ members: [own(), PEER], revision: 6, signer: NEXT });
    expect(planned()).toEqual([own().name, PEER.name]);
    reopen();
    expect(planned()).toEqual([own().name, PEER.name]);
  });

  test('ends no membership that the newest keys have signed, whoever shows it', () => {
    const shown = [ORGANIZATION.revocation(own().nodeId, LAST_SERIAL)];
    trust.takeAuthority(ORGANIZATION.rotated(NEXT));
    expect(readRevocations(trust, shown)).toHaveLength(1);
    take({ members: [own(), PEER], revision: 6, signer: NEXT });
    expect(readRevocations(trust, shown)).toEqual([]);
  });

  test('shows no withheld roster once the newest keys have signed one', () => {
    trust.takeAuthority(ORGANIZATION.rotated(NEXT));
    take({ members: [own(), PEER], revision: 6, signer: NEXT });
    hear(ORGANIZATION.network({ members: [own()], revision: 999 }).proof.roster);
    expect(trust.problems.all).toEqual([]);
  });
});

test('forks of a roster are each passed on once, however often they come by', () => {
  const forks = [testMember(3), testMember(4), testMember(6)].map(
    (member) => ORGANIZATION.network({ members: [member], revision: 5 }).proof.roster,
  );
  const verdicts = [...forks, ...forks, ...forks].map((signed) => hear(signed).verdict);
  expect(verdicts.filter((verdict) => verdict === 'fresh')).toHaveLength(forks.length);
});

describe('a statement that was issued a year ahead', () => {
  test('does not move time on while members are valid, so nobody ends by it', () => {
    const before = trust.nowMs();
    take({ members: [own(), PEER], revision: 6, issuedAtMs: ISSUED_MS + 365 * DAY_MS });
    expect(trust.nowMs()).toBe(before);
    reopen();
    expect(trust.nowMs()).toBe(before);
    expect(planned()).toEqual([own().name, PEER.name]);
  });

  test('of an authority does not either', () => {
    const ahead = new Date(ISSUED_MS + 365 * DAY_MS).toISOString();
    const [first, second] = ORGANIZATION.rotated(NEXT);
    const content = { ...JSON.parse(second?.statement ?? ''), issuedAt: ahead };
    const version = signStatement(content, [ORGANIZATION.signer, NEXT]);
    if (first === undefined) throw new Error('was made');
    expect(trust.takeAuthority([first, version])).toMatchObject({ kind: 'changed' });
    expect(trust.nowMs()).toBe(ISSUED_MS);
    expect(planned()).toEqual([own().name, PEER.name]);
  });
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

function own() {
  return testMember(1, directory.identity.nodeId);
}

/** `issuedAtMs` is that of the roster alone: the members' credentials are the ones before. */
function take({ issuedAtMs, ...wish }: TestNetwork & { readonly issuedAtMs?: number }): void {
  const { state, proof } = ORGANIZATION.network(wish);
  const roster = JSON.parse(proof.roster.statement);
  const issuedAt = issuedAtMs === undefined ? roster.issuedAt : new Date(issuedAtMs).toISOString();
  const signed = signStatement({ ...roster, issuedAt }, [wish.signer ?? ORGANIZATION.signer]);
  const given = { state, proof: { ...proof, roster: signed }, digest: networkDigest(state) };
  expect(trust.takeNetwork(given)).toBe(undefined);
}

function hear(signed: SignedStatement) {
  return trust.judgeStatement(signed, PEER.nodeId);
}

function planned(): string[] | undefined {
  const times = { trustedMs: trust.nowMs(), meshMs: 0 };
  const [network] = planNetworks(trust, directory.identity.nodeId, times);
  return network?.members.map(({ name }) => name);
}
