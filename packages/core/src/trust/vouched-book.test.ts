import { NETWORK_VOUCHED_MAX } from '@etherloom/api';
import type { CredentialStatement, SignedStatement, VoucherStatement } from '@etherloom/api';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Signer } from './ed25519.ts';
import { makeIntroduction, readIntroduction } from './introduction.ts';
import type { VouchedNode } from './introduction.ts';
import { INTRODUCTION_BYTES_MAX, VOUCHER_DISPLACED_MAX } from './limits.ts';
import { introductionBytes } from './introduction.ts';
import { hashStatement, signStatement } from './statement.ts';
import {
  ISSUED_AT,
  ISSUED_MS,
  KEY,
  NETWORK_ID,
  ORGANIZATION_ID,
  afterDays,
  authorityVersion,
  memberOf,
  networkOf,
  opened,
  signerNumber,
} from './trust-fixture.ts';
import { VouchedBook, memberOfIntroduction } from './vouched-book.ts';
import type { VouchingNetwork } from './vouched-book.ts';
import { verifyNetworkState } from './verify-network.ts';

const AUTHORITY = opened([authorityVersion()]);
const ROSTER = [memberOf(1), memberOf(2)];
const VERIFIED = (() => {
  const result = verifyNetworkState({
    ...networkOf({ members: ROSTER }),
    authority: AUTHORITY,
    held: undefined,
  });
  if (!result.ok) throw new Error(result.refusal.detail);
  return result.verified;
})();
const HOUR_MS = 3_600_000;

let book: VouchedBook;
let members = ROSTER;
let revoked = new Set<string>();
beforeEach(() => {
  book = new VouchedBook();
  members = ROSTER;
  revoked = new Set();
});

describe('an introduction', () => {
  test('within its voucher is taken, once, and is a member like others', () => {
    const signed = introduce(nodeOf(9), voucherOf(1));
    expect(take(signed)).toMatchObject({ verdict: 'fresh', displaced: undefined });
    expect(take(signed)).toEqual({ verdict: 'known' });
    expect(take(introduce(nodeOf(9), voucherOf(1), 3)), 'made again').toEqual({ verdict: 'known' });
    const [entry] = book.of(NETWORK_ID);
    if (entry === undefined) throw new Error('was taken');
    expect(memberOfIntroduction(entry)).toMatchObject({
      nodeId: nodeOf(9).nodeId,
      addresses: ['10.0.9.1'],
      endpoints: [],
    });
    expect(entry.endMs).toBe(Date.parse(afterDays(7 + 30)));
    expect(introductionBytes(signed)).toBeLessThan(INTRODUCTION_BYTES_MAX);
  });

  test.each<[string, Partial<CredentialStatement>]>([
    ['another address', { addresses: ['10.0.9.2'] }],
    ['one more address', { addresses: ['10.0.9.1', '10.0.9.2'] }],
    ['a group', { groups: ['admins'] }],
    ['another MAC', { mac: '02:00:00:00:00:01' }],
    ['another VNI', { vni: 8 }],
    ['a later end', { expiresAt: afterDays(38), renewableUntil: afterDays(38) }],
    ['a renewal', { renewableUntil: afterDays(900) }],
    ['an issue after the end of the voucher', { issuedAt: afterDays(8) }],
    ['an issue before the voucher', { issuedAt: afterDays(-1) }],
    ['a serial that no revocation reaches', { serial: 1_000_000 }],
    ['a time that there is not', { issuedAt: '2026-02-31T99:00:00.000Z' }],
  ])('that wants %s is refused', (_what, change) => {
    const verdict = take(introduce(nodeOf(9), voucherOf(1), 1, change));
    expect(verdict).toMatchObject({ verdict: 'refused' });
    expect(book.entries).toEqual([]);
  });

  test('of another network or organization is refused', () => {
    const other = voucherOf(1, { networkId: 'net_bbbbbbbbbbbbbbbbbbbb' });
    expect(codeOf(take(introduce(nodeOf(9), other)))).toBe('network_unknown');
    const [voucher, own] = [voucherOf(1, { organizationId: 'org_b'.padEnd(24, 'b') }), nodeOf(9)];
    expect(codeOf(take(introduce(own, voucher)))).toBe('voucher_exceeded');
  });

  test('is refused when the voucher is altered, or not signed by the authority', () => {
    const forged = voucherOf(1, {}, signerNumber(KEY.stranger));
    expect(codeOf(take(introduce(nodeOf(9), forged)))).toBe('voucher_unsigned');
    const { signed, ...rest } = voucherOf(1);
    const altered = { ...signed, statement: signed.statement.replace('10.0.9.1', '10.0.9.7') };
    const statement = { ...rest.statement, addresses: ['10.0.9.7'] };
    const given = { ...rest, signed: altered, statement };
    expect(codeOf(take(introduce(nodeOf(9), given)))).toBe('voucher_unsigned');
  });

  test('is refused when the key of the voucher has not signed it', () => {
    const voucher = voucherOf(1);
    const stolen = { ...voucher, signer: signerNumber(KEY.stranger) };
    expect(codeOf(take(introduce(nodeOf(9), stolen)))).toBe('introduction_unsigned');
    const honest = introduce(nodeOf(9), voucher);
    const altered = { ...honest, statement: honest.statement.replace('host-9', 'host-8') };
    expect(codeOf(take(altered))).toBe('introduction_unsigned');
  });

  test('is refused after the end of its voucher, but not from the own disk', () => {
    const signed = introduce(nodeOf(9), voucherOf(1));
    const late = ISSUED_MS + 8 * 24 * HOUR_MS;
    expect(codeOf(take(signed, late))).toBe('voucher_ended');
    expect(book.restore(signed, context(late))).toMatchObject({ verdict: 'fresh' });
    expect(book.prune(context(late))).toEqual([]);
    const [gone] = book.prune(context(Date.parse(afterDays(37))));
    expect(gone?.credential.nodeId).toBe(nodeOf(9).nodeId);
    expect(book.entries).toEqual([]);
    expect(codeOf(book.restore(signed, context(Date.parse(afterDays(37)))))).toBe('voucher_ended');
  });

  test.each<[string, Partial<VouchedNode>, readonly string[]]>([
    ['signing key', { signKey: memberOf(1).signKey }, ['10.0.9.1']],
    ['session key', { sessionKey: memberOf(2).sessionKey }, ['10.0.9.1']],
    ['address', {}, [memberOf(2).addresses[0] ?? '']],
  ])('with the %s of a member is refused', (_what, change, addresses) => {
    const signed = introduce(
      { ...nodeOf(9), ...change },
      voucherOf(1, { addresses: [...addresses] }),
    );
    expect(codeOf(take(signed))).toBe('binding_taken');
  });

  test('of a node that the roster names changes nothing', () => {
    const { nodeId, name, signKey, sessionKey } = memberOf(1);
    const signed = introduce({ nodeId, name, signKey, sessionKey }, voucherOf(1));
    expect(take(signed)).toEqual({ verdict: 'known' });
  });

  test('of a node whose membership was revoked is refused', () => {
    revoked.add(nodeOf(9).nodeId);
    expect(codeOf(take(introduce(nodeOf(9), voucherOf(1))))).toBe('credential_revoked');
  });

  test('is refused beyond the number that a network has room for', () => {
    for (let number = 0; number < NETWORK_VOUCHED_MAX; number++)
      expect(take(introduce(nodeOf(100 + number), voucherOf(number))).verdict).toBe('fresh');
    expect(codeOf(take(introduce(nodeOf(99), voucherOf(200))))).toBe('vouched_full');
  });
});

describe('a controller that has come back', () => {
  test('takes the place of the voucher when its roster names the node or gives its address away', () => {
    take(introduce(nodeOf(9), voucherOf(1)));
    take(introduce(nodeOf(10), voucherOf(2)));
    take(introduce(nodeOf(11), voucherOf(3)));
    const [first] = book.entries;
    if (first === undefined) throw new Error('was taken');
    members = [...ROSTER, memberOfIntroduction(first), { ...memberOf(5), addresses: ['10.0.9.2'] }];
    const gone = book.prune(context()).map(({ credential }) => credential.name);
    expect(gone).toEqual(['host-9', 'host-10']);
    expect(book.entries.map(({ credential }) => credential.name)).toEqual(['host-11']);
  });
});

test('a network that is left takes its vouched members with it', () => {
  take(introduce(nodeOf(9), voucherOf(1)));
  book.prune({ ...context(), networkOf: () => undefined });
  expect(book.entries).toEqual([]);
});

describe('a voucher that two nodes use', () => {
  test('is that of the one whose credential was issued first, whoever was heard first', () => {
    const [early, late] = [
      introduce(nodeOf(10), voucherOf(1), 1),
      introduce(nodeOf(9), voucherOf(1), 2),
    ];
    take(early);
    expect(take(late)).toMatchObject({ verdict: 'used', by: { signed: early } });
    expect(book.entries).toHaveLength(1);
    book = new VouchedBook();
    take(late);
    expect(take(early)).toMatchObject({ verdict: 'fresh', displaced: { signed: late } });
    expect(take(late)).toMatchObject({ verdict: 'used' });
  });

  test('is held alike by hosts that heard the same in any order', () => {
    const all = [
      introduce(nodeOf(9), voucherOf(1), 2),
      introduce(nodeOf(10), voucherOf(1), 2),
      introduce(nodeOf(11), voucherOf(1), 3),
      introduce(nodeOf(12), voucherOf(2), 1),
      introduce(nodeOf(13), voucherOf(2), 1),
    ];
    const settle = (order: readonly SignedStatement[]): string[] => {
      book = new VouchedBook();
      for (const signed of order) take(signed);
      return book.entries.map(({ credential }) => credential.name).toSorted();
    };
    fc.assert(
      fc.property(fc.shuffledSubarray(all, { minLength: all.length }), (order) => {
        expect(settle(order)).toEqual(['host-12', 'host-9']);
      }),
      { numRuns: 50 },
    );
  });
});

describe('whoever has a voucher, or a former key,', () => {
  test('makes members change the holder of its place a few times, and no more', () => {
    const all = Array.from({ length: 50 }, (_, at) =>
      introduce(nodeOf(9 + at), voucherOf(1), 4 - at / 50),
    );
    const fresh = all.filter((signed) => take(signed).verdict === 'fresh');
    expect(fresh).toHaveLength(1 + VOUCHER_DISPLACED_MAX);
  });

  test('vouches for nobody by the former key once the newest have signed the network anew', () => {
    const next = signerNumber(KEY.next);
    const first = authorityVersion();
    const second = authorityVersion({
      version: 2,
      keys: [next.key],
      previous: hashStatement(first.statement),
      signers: [signerNumber(KEY.authority), next],
    });
    const authority = opened([first, second]);
    const signed = introduce(nodeOf(9), voucherOf(1));
    const givenTo = (isResigned: boolean) => ({
      ...context(),
      networkOf: () => ({ ...network(), authority, isResigned }),
    });
    expect(codeOf(book.take(signed, givenTo(true)))).toBe('voucher_unsigned');
    expect(book.restore(signed, givenTo(true)).verdict, 'from the own disk').toBe('fresh');
    book = new VouchedBook();
    expect(book.take(signed, givenTo(false)).verdict, 'until then').toBe('fresh');
  });
});

test('no text of anybody makes it throw', () => {
  const honest = introduce(nodeOf(9), voucherOf(1));
  fc.assert(
    fc.property(fc.json({ maxDepth: 3 }), fc.nat(honest.statement.length), (noise, at) => {
      const cut = { ...honest, statement: honest.statement.slice(0, at) + noise };
      for (const statement of [cut, { ...honest, statement: noise }])
        expect(readIntroduction(statement, () => network()).ok).toBe(false);
    }),
    { numRuns: 200 },
  );
});

interface TestVoucher {
  readonly signed: SignedStatement;
  readonly statement: VoucherStatement;
  readonly signer: Signer;
}

function voucherOf(
  number: number,
  change: Partial<VoucherStatement> = {},
  by = signerNumber(KEY.authority),
): TestVoucher {
  const signer = signerNumber(5_000 + number);
  const statement: VoucherStatement = {
    type: 'voucher',
    organizationId: ORGANIZATION_ID,
    networkId: NETWORK_ID,
    voucherId: `tok_${String(number).padStart(20, '0')}`,
    vni: 7,
    key: signer.key,
    addresses: [`10.0.9.${number}`],
    groups: [],
    issuedAt: ISSUED_AT,
    expiresAt: afterDays(7),
    ...change,
  };
  return { statement, signer, signed: signStatement(statement, [by]) };
}

function nodeOf(number: number): VouchedNode {
  const { nodeId, name, signKey, sessionKey } = memberOf(number);
  return { nodeId, name, signKey, sessionKey };
}

/** Made some hours after the voucher. */
function introduce(
  node: VouchedNode,
  { signed: voucher, statement, signer }: TestVoucher,
  hours = 1,
  change: Partial<CredentialStatement> = {},
): SignedStatement {
  const issuedAt = new Date(ISSUED_MS + hours * HOUR_MS).toISOString();
  const honest = makeIntroduction(node, {
    voucher,
    statement,
    signer,
    stalenessDays: 30,
    issuedAt,
  });
  const body = JSON.parse(honest.statement);
  return signStatement({ ...body, credential: { ...body.credential, ...change } }, [signer]);
}

function network(): VouchingNetwork {
  return {
    authority: AUTHORITY,
    network: VERIFIED.network,
    members,
    isRevoked: ({ nodeId }) => revoked.has(nodeId),
  };
}

function context(nowMs = ISSUED_MS + 5 * HOUR_MS) {
  const networkOfId = (id: string) => (id === NETWORK_ID ? network() : undefined);
  return { networkOf: networkOfId, nowMs };
}

function take(signed: SignedStatement, nowMs?: number) {
  return book.take(signed, context(nowMs));
}

function codeOf(verdict: ReturnType<VouchedBook['take']>): string {
  return verdict.verdict === 'refused' ? verdict.refusal.code : verdict.verdict;
}
