import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JoinToken } from '@etherloom/api';
import { encodeJoinToken, toBase64url } from '@etherloom/api';
import {
  encodeOrdinal,
  encodeStatement,
  parseEndpoint,
  signEndpointRecord,
  signStatement,
  signerOf,
} from '@etherloom/core';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openIdentity, generateIdentity } from '../disk/identity.ts';
import { StateDirectory } from '../disk/state-directory.ts';
import { AgentTrust } from '../trust/agent-trust.ts';
import { planNetworks } from '../trust/plan-networks.ts';
import {
  DAY_MS,
  ISSUED_AT,
  ISSUED_MS,
  NETWORK_ID,
  ORGANIZATION_ID,
  TestOrganization,
  testMember,
  testSigner,
} from '../trust/test-organization.ts';
import { introduce, openToken } from './own-voucher.ts';
import { Vouching } from './vouching.ts';

const ORGANIZATION = new TestOrganization();
const CONTACT = testMember(2);
const PRIVATE_KEY = new Uint8Array(32).fill(77);
const VOUCHER = {
  type: 'voucher' as const,
  organizationId: ORGANIZATION_ID,
  networkId: NETWORK_ID,
  voucherId: 'tok_00000000000000000001',
  vni: 5,
  key: signerOf(PRIVATE_KEY).key,
  addresses: ['10.1.0.77'],
  groups: [],
  issuedAt: ISSUED_AT,
  expiresAt: new Date(ISSUED_MS + 7 * DAY_MS).toISOString(),
};
const TOKEN = tokenWith(VOUCHER);

let path: string;
let directory: StateDirectory;
let trust: AgentTrust;
let vouching: Vouching;
let bootMs = 0;

beforeEach(() => {
  bootMs = 1_000;
  path = mkdtempSync(join(tmpdir(), 'loom-vouching-'));
  open();
});
afterEach(() => {
  directory.close();
  rmSync(path, { recursive: true });
});

describe('the voucher of a join token', () => {
  test('makes this host a member, with the members that the token names', () => {
    begin();
    expect(planned()).toEqual([CONTACT.name, 'own']);
    expect(trust.problems.of(NETWORK_ID)).toMatchObject([{ code: 'membership_vouched' }]);
    reopen();
    expect(planned(), 'after a start').toEqual([CONTACT.name, 'own']);
    expect(vouching.introduction).toEqual(encodeStatement(ownIntroduction()));
  });

  test('goes on beside the state that a member gave, until the roster names this host', () => {
    begin();
    const own = memberOfThisHost();
    take([CONTACT, testMember(3)], 1);
    expect(planned()).toEqual([CONTACT.name, 'host-3', 'own']);
    expect(vouching.isBorrowed(NETWORK_ID)).toBe(true);
    reopen();
    expect(planned()).toEqual([CONTACT.name, 'host-3', 'own']);
    take([CONTACT, testMember(3), own], 2);
    expect(planned()).toEqual([CONTACT.name, 'host-3', 'own']);
    expect(vouching.own).toBe(null);
    expect(trust.problems.all).toEqual([]);
    expect(existsSync(join(path, 'vouched.json'))).toBe(false);
  });

  test('ends with its credential, and with the network', () => {
    begin();
    take([CONTACT], 1);
    bootMs += 37 * DAY_MS;
    expect(planned(), 'nobody is valid for who is not').toEqual([]);
    bootMs = 1_000;
    vouching.end();
    expect(vouching.own).toBe(null);
    expect(vouching.introduction).toBe(undefined);
  });

  test.each<[string, () => string]>([
    ['is altered', () => tokenWith(VOUCHER, { alter: (text) => text.replace('.0.77', '.0.78') })],
    ['is signed by somebody else', () => tokenWith(VOUCHER, { signer: testSigner(250) })],
    ['has another key', () => tokenWith({ ...VOUCHER, key: testSigner(249).key })],
    ['is of another network', () => tokenWith({ ...VOUCHER, networkId: `net_${'z'.repeat(20)}` })],
  ])('that %s is no good', (_what, token) => {
    expect(() => openToken(token())).toThrow(/proves nothing without a controller/);
  });

  test('cannot be used after its end', () => {
    bootMs += 8 * DAY_MS;
    expect(begin).toThrow(/no good without a controller/);
    expect(vouching.own).toBe(null);
    expect(existsSync(join(path, 'vouched.json'))).toBe(false);
  });
});

describe('a member that came in by a voucher', () => {
  beforeEach(() => {
    begin();
    take([CONTACT, memberOfThisHost()], 1);
    planned();
  });

  test('is heard of in a handshake, passed on once, and known after a start', () => {
    const signed = strangersIntroduction();
    const news = vouching.hear(encodeStatement(signed));
    expect(news).toMatchObject({ signed, networkId: NETWORK_ID });
    expect(vouching.hear(encodeStatement(signed))).toBe(undefined);
    expect(vouching.judge(signed)).toEqual({ verdict: 'known' });
    expect(planned()).toEqual([CONTACT.name, 'own', 'stranger']);
    reopen();
    expect(planned()).toEqual([CONTACT.name, 'own', 'stranger']);
    expect(vouching.ownStatements()).toMatchObject([{ signed }]);
  });

  test('is in use when the disk does not take it, which is shown', () => {
    const file = join(path, 'vouched.json.tmp');
    symlinkSync('/dev/full', file);
    expect(vouching.judge(strangersIntroduction())).toMatchObject({ verdict: 'fresh' });
    expect(planned()).toEqual([CONTACT.name, 'own', 'stranger']);
    expect(trust.problems.all.map(({ code }) => code)).toEqual(['state_directory_unusable']);
    rmSync(file, { force: true });
  });

  test('is nobody when what is said is noise, or no introduction', () => {
    expect(vouching.hear(new Uint8Array(600).fill(7))).toBe(undefined);
    const { statement, signatures } = strangersIntroduction();
    expect(vouching.judge({ statement, signatures: 'none' })).toEqual({ verdict: 'refused' });
    const other = { statement: '{"type":"roster"}', signatures };
    expect(vouching.judge(other), 'for others to judge').toBe(undefined);
    expect(planned()).toEqual([CONTACT.name, 'own']);
  });

  test('a damaged file ends the start and says what to do', () => {
    writeFileSync(join(path, 'vouched.json'), '{');
    expect(reopen).toThrow(/vouched\.json.*Delete the file/s);
    rmSync(join(path, 'vouched.json'));
    open();
  });
});

function open(): void {
  directory = StateDirectory.open(path);
  const clocks = { wallMs: () => ISSUED_MS, sinceBootMs: () => bootMs };
  trust = new AgentTrust({ directory, clocks, onProblem: () => undefined });
  try {
    const log = pino({ level: 'silent' });
    const identity = () => directory.identity;
    vouching = new Vouching({ stateDirectory: path, identity, trust, log });
  } catch (error) {
    directory.close();
    throw error;
  }
}

function reopen(): void {
  directory.close();
  open();
}

function begin(): void {
  const opened = openToken(TOKEN);
  if (opened === undefined) throw new Error('has a voucher');
  trust.pinForJoin(opened.token.authorityHash, {
    authority: [opened.authority.signed],
    organizationId: ORGANIZATION_ID,
  });
  directory.saveMemberships({
    controller: {
      urls: ['https://192.0.2.1:8443'],
      tlsFingerprint: '0'.repeat(64),
      organizationId: ORGANIZATION_ID,
    },
    nodeName: 'own',
    networks: [{ networkId: NETWORK_ID, networkName: 'demo', interface: 'loom-demo' }],
    leaving: [],
  });
  vouching.begin(TOKEN, opened, 'own');
}

function ownIntroduction() {
  const { own } = vouching;
  if (own === null) throw new Error('has begun');
  return own.introduction;
}

function memberOfThisHost() {
  const { credential } = JSON.parse(ownIntroduction().statement);
  const { nodeId, name, signKey, sessionKey, mac, addresses } = credential;
  const endpoints: string[] = [];
  return { nodeId, name, signKey, sessionKey, mac, addresses, endpoints, endpointRecord: null };
}

function strangersIntroduction() {
  const wish = { ...VOUCHER, voucherId: 'tok_00000000000000000002', addresses: ['10.1.0.78'] };
  const opened = openToken(tokenWith(wish));
  if (opened === undefined) throw new Error('has a voucher');
  const identity = openIdentity(generateIdentity());
  return introduce(opened, identity, { name: 'stranger', issuedAt: trust.now() });
}

function take(members: Parameters<typeof ORGANIZATION.network>[0]['members'], revision: number) {
  const { state, proof, digest } = ORGANIZATION.snapshot({ members, revision });
  expect(trust.takeNetwork({ state, proof, digest })).toBe(undefined);
}

/** Names of those in the tables; none where this host is no member. */
function planned(): string[] {
  const times = { trustedMs: trust.nowMs(), meshMs: 0 };
  const { nodeId } = directory.identity;
  const isVouched = (id: string) => vouching.isOwnValid(id, times.trustedMs);
  const networks = vouching.planInto(planNetworks(trust, nodeId, times, isVouched), times);
  return networks.flatMap(({ members }) => members.map(({ name }) => name)).toSorted();
}

function tokenWith(
  voucher: typeof VOUCHER,
  change: {
    readonly signer?: ReturnType<typeof testSigner>;
    readonly alter?: (text: string) => string;
  } = {},
): string {
  const [authority] = ORGANIZATION.chain;
  const { proof } = ORGANIZATION.network({ members: [CONTACT], revision: 1 });
  const signed = signStatement(voucher, [change.signer ?? ORGANIZATION.signer]);
  const record = signEndpointRecord(
    {
      nodeId: Uint8Array.from(Buffer.from(CONTACT.nodeId, 'hex')),
      ordinal: encodeOrdinal(1, 1n),
      endpoints: [parseEndpoint('192.0.2.2:8002')],
    },
    testSigner(2).sign,
  );
  const credential = proof.members[CONTACT.nodeId]?.credential;
  if (authority === undefined || credential === undefined) throw new Error('were made');
  const token: JoinToken = {
    urls: ['https://192.0.2.1:8443'],
    tlsFingerprint: '0'.repeat(64),
    networkName: 'demo',
    tokenId: voucher.voucherId,
    secret: 's'.repeat(43),
    authorityHash: ORGANIZATION.authorityHash,
    voucher: {
      voucher: { ...signed, statement: (change.alter ?? String)(signed.statement) },
      privateKey: toBase64url(PRIVATE_KEY),
      authority,
      network: proof.network,
      contacts: [{ credential, endpointRecord: toBase64url(record) }],
    },
  };
  return encodeJoinToken(token);
}
