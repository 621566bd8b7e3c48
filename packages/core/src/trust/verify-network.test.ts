import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromBase64url, toBase64url } from '@etherloom/api';
import type { Member, NetworkProof, NetworkState, SignedStatement } from '@etherloom/api';
import { advanceAuthority } from './authority.ts';
import type { Authority } from './authority.ts';
import { judgePeerRoster, readPeerRevocation } from './gossip.ts';
import { applyProofDelta, rosterHash } from './roster.ts';
import { addSignature, hashStatement, signStatement } from './statement.ts';
import {
  ISSUED_MS,
  KEY,
  NETWORK_ID,
  afterDays,
  authorityVersion,
  memberOf,
  networkOf,
  nodeIdOf,
  opened,
  signerNumber,
} from './trust-fixture.ts';
import type { NetworkWish } from './trust-fixture.ts';
import { isValidAt } from './validity.ts';
import { isRevokedBy, verifyNetworkState } from './verify-network.ts';
import type { NetworkVerification, VerifiedNetwork, VersionMarks } from './verify-network.ts';

const FIRST = authorityVersion();
const AUTHORITY = opened([FIRST]);
const NEXT = signerNumber(KEY.next);
const STRANGER = signerNumber(KEY.stranger);
const DAY_MS = 86_400_000;
const MEMBERS = [memberOf(1), memberOf(2), memberOf(3)];
const HONEST = networkOf({ members: MEMBERS, revocations: { [nodeIdOf(9)]: 1 }, renewedDays: 40 });
const A = nodeIdOf(1);

describe('verifyNetworkState', () => {
  it('takes what the authority signed, and says what follows', () => {
    const verified = taken(verify(HONEST));
    expect([...verified.members.keys()]).toEqual(MEMBERS.map(({ nodeId }) => nodeId));
    expect(verified.members.get(A)).toMatchObject({
      beginMs: ISSUED_MS - 300_000,
      endMs: ISSUED_MS + 40 * DAY_MS,
    });
    expect(verified.issuedAtMs).toBe(ISSUED_MS);
    expect(verified.marks).toMatchObject({ networkVersion: 1, rosterVersion: 1 });
  });

  it('does not mind the order of members, credentials and revocations', () => {
    const { state, proof } = networkOf({
      members: MEMBERS,
      revocations: { [nodeIdOf(8)]: 1, [nodeIdOf(9)]: 1 },
    });
    const turned = {
      state: { ...state, members: state.members.toReversed() },
      proof: {
        ...proof,
        revocations: proof.revocations.toReversed(),
        members: Object.fromEntries(Object.entries(proof.members).toReversed()),
      },
    };
    expect(codeOf(verify(turned))).toBe('taken');
  });

  it.each<[string, (honest: Given) => Given, string]>([
    ['adds a node', (h) => withMember(h, memberOf(4)), 'credential_unsigned'],
    [
      'adds a node with a credential of its own making',
      (h) => {
        const forged = networkOf({ members: [memberOf(4)], signers: [STRANGER] });
        const members = { ...h.proof.members, ...forged.proof.members };
        return { ...withMember(h, memberOf(4)), proof: { ...h.proof, members } };
      },
      'credential_unsigned',
    ],
    [
      'adds a node with a true credential that the roster does not know',
      (h) => {
        const other = networkOf({ members: [memberOf(4)] });
        const members = { ...h.proof.members, ...other.proof.members };
        return { ...withMember(h, memberOf(4)), proof: { ...h.proof, members } };
      },
      'roster_mismatch',
    ],
    ['leaves a member out of state and proof', (h) => withoutMember(h, A), 'roster_mismatch'],
    [
      'leaves a member out of the state alone',
      (h) => ({ ...withoutMember(h, A), proof: h.proof }),
      'state_differs',
    ],
    [
      'leaves a revocation out',
      (h) => ({ ...h, proof: { ...h.proof, revocations: [] } }),
      'roster_mismatch',
    ],
    [
      'signs the roster itself',
      (h) => ({ ...h, proof: { ...h.proof, roster: forged(h.proof.roster) } }),
      'roster_unsigned',
    ],
    [
      'signs the network itself',
      (h) => ({ ...h, proof: { ...h.proof, network: forged(h.proof.network) } }),
      'network_unsigned',
    ],
    [
      'signs a revocation itself',
      (h) => ({ ...h, proof: { ...h.proof, revocations: h.proof.revocations.map(forged) } }),
      'revocation_unsigned',
    ],
    [
      'renews with a key that is no renewal key',
      () => networkOf({ members: MEMBERS, renewedDays: 40, renewalSigner: STRANGER }),
      'renewal_unsigned',
    ],
    [
      'has an authority key make what only a renewal key may',
      () =>
        networkOf({
          members: MEMBERS,
          renewedDays: 40,
          renewalSigner: signerNumber(KEY.authority),
        }),
      'renewal_unsigned',
    ],
    [
      'has a renewal key sign a credential',
      () => networkOf({ members: MEMBERS, signers: [signerNumber(KEY.renewal)] }),
      'network_unsigned',
    ],
    ['gives one member the renewal of another', swapRenewals, 'statement_misplaced'],
    [
      'gives a member the renewal of its former credential',
      () => {
        const former = networkOf({ members: MEMBERS, renewedDays: 40 }).proof.members[A];
        const { state, proof } = networkOf({ members: MEMBERS, serial: 2, renewedDays: 40 });
        const member = { ...proof.members[A], renewal: former?.renewal ?? null };
        const members = { ...proof.members, [A]: member } as NetworkProof['members']; // A is one
        return { state, proof: { ...proof, members } };
      },
      'statement_misplaced',
    ],
    [
      'shows what the same keys signed for another organization',
      () =>
        networkOf({
          members: MEMBERS,
          credential: () => ({ organizationId: 'org_bbbbbbbbbbbbbbbbbbbb' }),
        }),
      'statement_misplaced',
    ],
    ['gives one member the credential of another', swapCredentials, 'statement_misplaced'],
    [
      'puts a credential in the place of the roster',
      (h) => ({ ...h, proof: { ...h.proof, roster: credentialOf(h, A) } }),
      'statement_malformed',
    ],
    [
      'shows another network',
      (h) => ({
        ...h,
        state: { ...h.state, config: { ...h.state.config, id: 'net_bbbbbbbbbbbbbbbbbbbb' } },
      }),
      'statement_misplaced',
    ],
    [
      'keeps a revoked member',
      () => networkOf({ members: MEMBERS, revocations: { [A]: 1 } }),
      'credential_revoked',
    ],
    [
      'gives two members one MAC',
      () => networkOf({ members: [memberOf(1), { ...memberOf(2), mac: memberOf(1).mac }] }),
      'binding_repeated',
    ],
    [
      'gives two members one address under two texts',
      () =>
        networkOf({
          members: [
            { ...memberOf(1), addresses: ['fd00::a'] },
            { ...memberOf(2), addresses: ['fd00:0::a'] },
          ],
        }),
      'binding_repeated',
    ],
    [
      'gives two members one session key',
      () =>
        networkOf({
          members: [memberOf(1), { ...memberOf(2), sessionKey: memberOf(1).sessionKey }],
        }),
      'binding_repeated',
    ],
    [
      'names other endpoints',
      (h) => changeMember(h, { endpoints: ['198.51.100.1:8002'] }),
      'endpoints_unsigned',
    ],
    [
      'names endpoints without a record',
      (h) => changeMember(h, { endpointRecord: null }),
      'endpoints_unsigned',
    ],
    [
      'gives the record of another node',
      (h) =>
        changeMember(h, {
          endpoints: memberOf(2).endpoints,
          endpointRecord: memberOf(2).endpointRecord,
        }),
      'endpoints_unsigned',
    ],
    [
      'gives what is no record',
      (h) => changeMember(h, { endpointRecord: 'A' }),
      'endpoints_unsigned',
    ],
  ])('refuses a controller that %s', (_name, lie, code) => {
    expect(codeOf(verify(lie(HONEST)))).toBe(code);
  });

  const other = memberOf(5);
  it.each(
    Object.entries({
      name: 'else',
      sessionKey: other.sessionKey,
      signKey: other.signKey,
      mac: other.mac,
      addresses: ['10.0.0.77'],
    } satisfies Partial<Member>),
  )('refuses a member whose %s is not the signed one', (field, value) => {
    const change = { [field]: value, endpoints: [], endpointRecord: null };
    expect(codeOf(verify(changeMember(HONEST, change)))).toBe('state_differs');
  });

  it.each(
    Object.entries({
      name: 'other',
      vni: 8,
      mtuBytes: 1_280,
      ipv4: '10.9.0.0/24',
      ipv6: null,
    } satisfies Partial<NetworkState['config']>),
  )('refuses a network whose %s is not the signed one', (field, value) => {
    const config = { ...HONEST.state.config, [field]: value };
    expect(codeOf(verify({ ...HONEST, state: { ...HONEST.state, config } }))).toBe('state_differs');
  });

  it('refuses every change of one character in any statement', () => {
    const places = statementsOf(HONEST.proof);
    const place = fc.nat({ max: places.length - 1 });
    fc.assert(
      fc.property(place, fc.double({ min: 0, max: 1, noNaN: true }), (index, share) => {
        const { signed, put } = at(places, index);
        const { statement } = signed;
        const offset = Math.min(statement.length - 1, Math.floor(share * statement.length));
        const letter = statement[offset] === '1' ? '2' : '1';
        const text = statement.slice(0, offset) + letter + statement.slice(offset + 1);
        expect(codeOf(verify(put({ ...signed, statement: text })))).not.toBe('taken');
      }),
      { numRuns: 200 },
    );
  });

  it('refuses every signature that was taken from another statement', () => {
    const places = statementsOf(HONEST.proof);
    for (const [index, { signed, put }] of places.entries()) {
      const { signatures } = at(places, (index + 1) % places.length).signed;
      expect(codeOf(verify(put({ ...signed, signatures })))).not.toBe('taken');
    }
  });

  it('asks for the threshold in every statement', () => {
    const signers = [1, 2, 3].map((number) => signerNumber(number));
    const [a, b] = [at(signers, 0), at(signers, 1)];
    const keys = signers.map(({ key }) => key);
    const authority = opened([authorityVersion({ keys, threshold: 2, signers })]);
    const both = networkOf({ members: MEMBERS, signers: [a, b] });
    expect(codeOf(verify(both, { authority }))).toBe('taken');
    for (const { signed, put } of statementsOf(both.proof, both.state)) {
      const one = { ...signed, signatures: signed.signatures.slice(1) };
      expect(codeOf(verify(put(one), { authority }))).toMatch(/_unsigned$/);
      const twice = { ...signed, signatures: [at(signed.signatures, 0), at(signed.signatures, 0)] };
      expect(codeOf(verify(put(twice), { authority }))).toMatch(/_unsigned$/);
    }
  });
});

describe('versions', () => {
  const held = taken(
    verify(networkOf({ members: MEMBERS, rosterVersion: 5, network: { version: 3 } })),
  );

  it.each<[string, NetworkWish, string]>([
    ['an older roster', { members: MEMBERS, rosterVersion: 4 }, 'roster_older'],
    ['another roster of that version', { members: MEMBERS.slice(1) }, 'roster_forked'],
    ['an older network', { members: MEMBERS, network: { version: 2 } }, 'network_older'],
    [
      'another network of that version',
      { members: MEMBERS, network: { version: 3, mtuBytes: 1_280 } },
      'network_forked',
    ],
  ])('refuses %s, with what is held and with the marks alone', (_name, wish, code) => {
    const given = networkOf({
      rosterVersion: 5,
      ...wish,
      network: { version: 3, ...wish.network },
    });
    expect(codeOf(verify(given, { held }))).toBe(code);
    expect(codeOf(verify(given, { marks: held.marks }))).toBe(code);
  });

  it('takes the held versions again, and later ones', () => {
    const same = networkOf({ members: MEMBERS, rosterVersion: 5, network: { version: 3 } });
    expect(codeOf(verify(same, { held }))).toBe('taken');
    const later = networkOf({ members: MEMBERS, rosterVersion: 6, network: { version: 4 } });
    expect(codeOf(verify(later, { held }))).toBe('taken');
  });
});

describe('what is remembered', () => {
  const held = taken(verify(HONEST));

  it('never lets a signature pass that was not verified', () => {
    for (const { signed, put } of statementsOf(HONEST.proof))
      expect(codeOf(verify(put(forged(signed)), { held }))).toMatch(/_unsigned$/);
  });

  it('never lets an endpoint record pass that was not verified', () => {
    const bytes = fromBase64url(memberOf(1).endpointRecord ?? '');
    const endpointRecord = toBase64url(bytes.with(-1, (bytes.at(-1) ?? 0) ^ 1));
    expect(codeOf(verify(changeMember(HONEST, { endpointRecord }), { held }))).toBe(
      'endpoints_unsigned',
    );
  });

  it('does not outlive a change of the authority', () => {
    const stranger = opened([authorityVersion({ keys: [STRANGER.key], signers: [STRANGER] })]);
    expect(codeOf(verify(HONEST, { held, authority: stranger }))).toBe('network_unsigned');
  });

  it('comes to the same result as a first look', () => {
    const wish = fc.record({
      count: fc.integer({ min: 1, max: 4 }),
      days: fc.integer({ min: 31, max: 90 }),
      serial: fc.integer({ min: 1, max: 3 }),
    });
    fc.assert(
      fc.property(fc.array(wish, { minLength: 1, maxLength: 4 }), (wishes) => {
        let before: VerifiedNetwork | undefined;
        for (const [index, { count, days, serial }] of wishes.entries()) {
          const members = [memberOf(1), memberOf(2), memberOf(3), memberOf(4)].slice(0, count);
          const given = networkOf({ members, rosterVersion: index + 1, serial, renewedDays: days });
          const remembered = taken(verify(given, { held: before }));
          const { memory: _, proof: __, members: ends, ...fresh } = taken(verify(given));
          expect(remembered).toMatchObject(fresh);
          for (const [nodeId, { endMs }] of ends)
            expect(remembered.members.get(nodeId)?.endMs).toBeGreaterThanOrEqual(endMs);
          before = remembered;
        }
      }),
      { numRuns: 20 },
    );
  });

  it('keeps a later renewal when an old one is sent again', () => {
    const older = networkOf({
      members: MEMBERS,
      revocations: { [nodeIdOf(9)]: 1 },
      renewedDays: 31,
    });
    const again = taken(verify(older, { held }));
    expect(again.members.get(A)?.endMs).toBe(ISSUED_MS + 40 * DAY_MS);
    expect(again.proof.members[A]?.renewal).toEqual(HONEST.proof.members[A]?.renewal);
    expect(codeOf(verify({ state: again.state, proof: again.proof }))).toBe('taken');
  });
});

describe('validity', () => {
  it.each([
    ['a renewal moves the end', { renewedDays: 45 }, 45],
    ['an earlier renewal takes nothing away', { renewedDays: 2 }, 30],
    ['no renewal leads beyond renewableUntil', { renewedDays: 900 }, 365],
    ['without a renewal the credential says it', {}, 30],
  ])('%s', (_name, wish, days) => {
    const verified = taken(verify(networkOf({ members: MEMBERS, ...wish })));
    const member = verified.members.get(A);
    if (member === undefined) throw new Error('is a member');
    expect(member.endMs).toBe(ISSUED_MS + days * DAY_MS);
    expect(isValidAt(member, member.endMs - 1)).toBe(true);
    expect(isValidAt(member, member.endMs)).toBe(false);
    expect(isValidAt(member, member.beginMs)).toBe(true);
    expect(isValidAt(member, member.beginMs - 1)).toBe(false);
  });

  it('is not given for times that there are not', () => {
    const renewableUntil = '2026-12-31T23:59:60Z';
    const given = networkOf({ members: MEMBERS, credential: () => ({ renewableUntil }) });
    expect(codeOf(verify(given))).toBe('statement_malformed');
  });
});

describe('after a rotation', () => {
  const rotated = rotate(AUTHORITY);

  it('what the former version signed ends with the grace', () => {
    const verified = taken(verify(HONEST, { authority: rotated }));
    expect(verified.members.get(A)?.endMs).toBe(ISSUED_MS + (10 + 30) * DAY_MS);
    expect(verified.isResigned).toBe(false);
    const short = networkOf({ members: MEMBERS, network: { settings: settingsOf(2) } });
    const ends = taken(verify(short, { authority: rotated })).members;
    expect(ends.get(A)?.endMs).toBe(ISSUED_MS + 12 * DAY_MS);
  });

  it('bounds what one former signature is left on', () => {
    const all = networkOf({ members: MEMBERS, signers: [NEXT], renewedDays: 90 });
    const formers = networkOf({ members: MEMBERS, renewedDays: 90 });
    const former = formers.proof.members[A];
    if (former === undefined) throw new Error('is a member');
    const days = (given: Given) =>
      [...taken(verify(given, { authority: rotated })).members.values()].map(
        ({ endMs }) => (endMs - ISSUED_MS) / DAY_MS,
      );
    const members = { ...all.proof.members, [A]: former };
    expect(days({ ...all, proof: { ...all.proof, members } })).toEqual([40, 90, 90]);
    const { network, roster } = formers.proof;
    expect(days({ ...all, proof: { ...all.proof, roster } })).toEqual([40, 40, 40]);
    expect(days({ ...all, proof: { ...all.proof, network } })).toEqual([40, 40, 40]);
  });

  it('has no bound once all is signed again', () => {
    const again = networkOf({ members: MEMBERS, signers: [NEXT], renewedDays: 90 });
    const verified = taken(verify(again, { authority: rotated }));
    expect(verified.isResigned).toBe(true);
    expect(verified.members.get(A)?.endMs).toBe(ISSUED_MS + 90 * DAY_MS);
  });

  it('takes no roster of former keys after one of the newest', () => {
    const again = networkOf({ members: MEMBERS, signers: [NEXT] });
    const held = taken(verify(again, { authority: rotated }));
    const back = networkOf({
      members: MEMBERS,
      signers: [NEXT],
      rosterSigners: [signerNumber(KEY.authority)],
      rosterVersion: 2,
    });
    expect(codeOf(verify(back, { authority: rotated }))).toBe('taken');
    expect(codeOf(verify(back, { authority: rotated, held }))).toBe('roster_unsigned');
  });

  it('takes nothing that the version before the former one signed', () => {
    const twice = rotate(rotated, signerNumber(KEY.next + 1));
    expect(codeOf(verify(HONEST, { authority: twice }))).toBe('network_unsigned');
  });

  it('drops a renewal that is held when its key counts no more', () => {
    const held = taken(verify(HONEST));
    const renewer = signerNumber(KEY.renewal + 1);
    const wish = { renewalKeys: [renewer.key] };
    const twice = rotate(rotate(AUTHORITY, NEXT, wish), signerNumber(KEY.next + 1), wish);
    const again = networkOf({
      members: MEMBERS,
      revocations: { [nodeIdOf(9)]: 1 },
      renewedDays: 35,
      signers: [signerNumber(KEY.next + 1), signerNumber(KEY.authority)],
      renewalSigner: renewer,
    });
    const verified = taken(verify(again, { authority: twice, held }));
    expect(verified.members.get(A)?.endMs).toBe(ISSUED_MS + 35 * DAY_MS);
  });
});

describe('applyProofDelta', () => {
  it('comes to the proof of the next state', () => {
    const next = networkOf({
      members: [memberOf(2), { ...memberOf(3), mac: '02:00:5e:10:00:aa' }, memberOf(4)],
      rosterVersion: 2,
      revision: 2,
      revocations: { [A]: 1, [nodeIdOf(9)]: 1 },
      renewedDays: 40,
    });
    const { [nodeIdOf(3)]: third, [nodeIdOf(4)]: fourth } = next.proof.members;
    if (third === undefined || fourth === undefined) throw new Error('are members');
    const proof = applyProofDelta(HONEST.proof, {
      removals: [A],
      proof: {
        roster: next.proof.roster,
        revocations: next.proof.revocations,
        members: { [nodeIdOf(3)]: third, [nodeIdOf(4)]: fourth },
      },
    });
    expect(proof).toEqual(next.proof);
    const held = taken(verify(HONEST));
    expect(codeOf(verify({ state: next.state, proof }, { held }))).toBe('taken');
    expect(Object.keys(HONEST.proof.members), 'left as it was').toHaveLength(3);
  });
});

describe('rosterHash', () => {
  it('is SHA-256 of the sorted hashes, joined by line feeds', () => {
    const [a, b] = ['0'.repeat(64), 'f'.repeat(64)];
    expect(rosterHash([b, a])).toBe(hashStatement(`${a}\n${b}`));
    expect(rosterHash([])).toBe(hashStatement(''));
  });

  it('tells every set of hashes from every other, and counts what comes twice', () => {
    const hash = fc.integer({ min: 0, max: 6 }).map((n) => n.toString(16).repeat(64));
    fc.assert(
      fc.property(fc.array(hash, { maxLength: 5 }), fc.array(hash, { maxLength: 5 }), (x, y) => {
        const isSame = x.toSorted().join() === y.toSorted().join();
        expect(rosterHash(x) === rosterHash(y)).toBe(isSame);
      }),
    );
  });
});

describe('gossip', () => {
  const { marks } = taken(verify(networkOf({ members: MEMBERS, rosterVersion: 5 })));
  const held: { networkId: string; marks: VersionMarks } = { networkId: NETWORK_ID, marks };
  const rosterOf = (wish: Partial<NetworkWish>): SignedStatement =>
    networkOf({ members: MEMBERS, ...wish }).proof.roster;

  it.each<[string, Partial<NetworkWish>, object]>([
    ['the same', { rosterVersion: 5 }, { verdict: 'same' }],
    ['an older one', { rosterVersion: 4 }, { verdict: 'older' }],
    ['what the controller withholds', { rosterVersion: 7 }, { verdict: 'newer', version: 7 }],
    ['a fork', { rosterVersion: 5, members: [] }, { verdict: 'forked', version: 5 }],
    ['a forgery', { rosterVersion: 9, signers: [STRANGER] }, { verdict: 'refused' }],
  ])('tells %s', (_name, wish, verdict) => {
    expect(judgePeerRoster(rosterOf(wish), AUTHORITY, held)).toEqual(verdict);
  });

  it('refuses the roster of another network', () => {
    const other = { ...held, networkId: 'net_bbbbbbbbbbbbbbbbbbbb' };
    const verdict = judgePeerRoster(rosterOf({ rosterVersion: 9 }), AUTHORITY, other);
    expect(verdict).toEqual({ verdict: 'refused' });
  });

  it('takes a revocation of the authority for its network, and no other', () => {
    const [signed] = HONEST.proof.revocations;
    if (signed === undefined) throw new Error('has one');
    const revocation = readPeerRevocation(signed, AUTHORITY, NETWORK_ID);
    expect(revocation).toMatchObject({ nodeId: nodeIdOf(9), serial: 1 });
    expect(readPeerRevocation(forged(signed), AUTHORITY, NETWORK_ID)).toBe(undefined);
    expect(readPeerRevocation(signed, AUTHORITY, 'net_bbbbbbbbbbbbbbbbbbbb')).toBe(undefined);
    expect(readPeerRevocation(rosterOf({}), AUTHORITY, NETWORK_ID)).toBe(undefined);
  });

  it('ends credentials up to its serial, of its node alone', () => {
    const verified = taken(verify(networkOf({ members: [memberOf(9), memberOf(8)], serial: 2 })));
    const revocation = readPeerRevocation(at(HONEST.proof.revocations, 0), AUTHORITY, NETWORK_ID);
    if (revocation === undefined) throw new Error('is signed');
    const of = (n: number) => {
      const member = verified.members.get(nodeIdOf(n));
      if (member === undefined) throw new Error('is a member');
      return member.credential;
    };
    expect(isRevokedBy(revocation, of(9))).toBe(false);
    expect(isRevokedBy({ ...revocation, serial: 2 }, of(9))).toBe(true);
    expect(isRevokedBy({ ...revocation, serial: 2 }, of(8))).toBe(false);
  });
});

interface Given {
  readonly state: NetworkState;
  readonly proof: NetworkProof;
}

interface Setting {
  readonly authority?: Authority;
  readonly held?: VerifiedNetwork | undefined;
  readonly marks?: VersionMarks;
}

function verify(given: Given, setting: Setting = {}): NetworkVerification {
  const { authority = AUTHORITY, held, marks } = setting;
  return verifyNetworkState({ ...given, authority, held, marks });
}

function taken(result: NetworkVerification): VerifiedNetwork {
  if (!result.ok) throw new Error(JSON.stringify(result.refusal));
  return result.verified;
}

function codeOf(result: NetworkVerification): string {
  return result.ok ? 'taken' : result.refusal.code;
}

/** The version after one that is held, ten days later. */
function rotate(held: Authority, to = NEXT, wish: object = {}): Authority {
  const before = held.statement.version === 1 ? signerNumber(KEY.authority) : NEXT;
  const next = authorityVersion({
    version: held.statement.version + 1,
    keys: [to.key],
    previous: held.hash,
    issuedAt: afterDays(10),
    signers: [before, to],
    ...wish,
  });
  const result = advanceAuthority(held, next);
  if (!result.ok) throw new Error(JSON.stringify(result.refusal));
  return result.authority;
}

function settingsOf(stalenessDays: number) {
  return {
    clones: 'split',
    cloneAdmission: 'approve',
    stalenessDays,
    postQuantum: 'required',
  } as const;
}

function withMember({ state, proof }: Given, member: Member): Given {
  return { state: { ...state, members: [...state.members, member] }, proof };
}

function withoutMember({ state, proof }: Given, nodeId: string): Given {
  const { [nodeId]: _, ...members } = proof.members;
  return {
    state: { ...state, members: state.members.filter((member) => member.nodeId !== nodeId) },
    proof: { ...proof, members },
  };
}

function changeMember({ state, proof }: Given, change: Partial<Member>): Given {
  const members = state.members.map((m) => (m.nodeId === A ? { ...m, ...change } : m));
  return { state: { ...state, members }, proof };
}

function credentialOf({ proof }: Given, nodeId: string): SignedStatement {
  const member = proof.members[nodeId];
  if (member === undefined) throw new Error('is a member');
  return member.credential;
}

function swapRenewals({ state, proof }: Given): Given {
  const [a, b] = [proof.members[A], proof.members[nodeIdOf(2)]];
  if (a === undefined || b === undefined) throw new Error('are members');
  return {
    state,
    proof: { ...proof, members: { ...proof.members, [A]: { ...a, renewal: b.renewal } } },
  };
}

function swapCredentials({ state, proof }: Given): Given {
  const { [A]: a, [nodeIdOf(2)]: b, ...others } = proof.members;
  if (a === undefined || b === undefined) throw new Error('are members');
  return { state, proof: { ...proof, members: { ...others, [A]: b, [nodeIdOf(2)]: a } } };
}

/** Signed by a stranger under the name of the key that should have signed. */
function forged(signed: SignedStatement): SignedStatement {
  const { signatures } = signStatement(JSON.parse(signed.statement), [STRANGER]);
  const stolen = signatures.map((s) => ({ ...s, key: signerNumber(KEY.authority).key }));
  return addSignature({ ...signed, signatures: stolen }, STRANGER);
}

interface Place {
  readonly signed: SignedStatement;
  readonly put: (signed: SignedStatement) => Given;
}

/** Every statement of a proof that the authority signed, and a way to put another in its place. */
function statementsOf(proof: NetworkProof, state = HONEST.state): Place[] {
  const places: Place[] = [
    { signed: proof.network, put: (network) => ({ state, proof: { ...proof, network } }) },
    { signed: proof.roster, put: (roster) => ({ state, proof: { ...proof, roster } }) },
    ...proof.revocations.map((signed, index) => ({
      signed,
      put: (given: SignedStatement) => ({
        state,
        proof: { ...proof, revocations: proof.revocations.with(index, given) },
      }),
    })),
    ...Object.entries(proof.members).map(([nodeId, member]) => ({
      signed: member.credential,
      put: (credential: SignedStatement) => ({
        state,
        proof: { ...proof, members: { ...proof.members, [nodeId]: { ...member, credential } } },
      }),
    })),
  ];
  return places;
}

function at<T>(list: readonly T[], index: number): T {
  const value = list[index];
  if (value === undefined) throw new Error(`nothing at ${index}`);
  return value;
}
