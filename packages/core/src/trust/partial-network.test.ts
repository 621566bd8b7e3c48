import type { MemberProof, NetworkState, PartialUpdate, SignedStatement } from '@etherloom/api';
import { describe, expect, it } from 'vitest';
import {
  applyPartial,
  namedBy,
  toPartial,
  verifyPartialState,
  withoutMembers,
} from './partial-network.ts';
import type { StateAndProof } from './partial-network.ts';
import {
  KEY,
  afterDays,
  authorityVersion,
  memberOf,
  networkOf,
  nodeIdOf,
  opened,
  signerNumber,
} from './trust-fixture.ts';
import type { NetworkWish } from './trust-fixture.ts';
import { hashStatement } from './statement.ts';
import type { NetworkVerification, VerifiedNetwork } from './verify-network.ts';
import { verifyNetworkState } from './verify-network.ts';

const SIZE = 40;
const OWN = 1;
const authority = opened([authorityVersion()]);
const everybody = Array.from({ length: SIZE }, (_, at) => memberOf(at + 1));

/** The whole network at a version of its roster, as only its controller knows it. */
const whole = (version: number, wish: Partial<NetworkWish> = {}): StateAndProof =>
  networkOf({ members: everybody, rosterVersion: version, revision: version, ...wish });

/** What an honest controller tells of some members. */
function updateOf(
  all: StateAndProof,
  numbers: readonly number[],
  change: Partial<PartialUpdate> = {},
): PartialUpdate {
  const ids = new Set(numbers.map(nodeIdOf));
  const { state, proof } = toPartial(all);
  const members = Object.entries(proof.members).filter(([id]) => ids.has(id));
  const { network, roster, revocations } = proof;
  return {
    type: 'partial',
    networkId: state.config.id,
    revision: state.revision,
    isReply: true,
    config: state.config,
    upserts: state.members.filter(({ nodeId }) => ids.has(nodeId)),
    proof: { network, roster, revocations, members: Object.fromEntries(members) },
    ...change,
  };
}

/** The same with what differs in the revocations in place of all. */
function newsOf(
  all: StateAndProof,
  added: readonly number[],
  gone: readonly SignedStatement[],
): PartialUpdate {
  const update = updateOf(all, []);
  const { revocations = [], ...proof } = update.proof;
  const ids = added.map(nodeIdOf);
  const revocationNews = {
    added: revocations.filter(({ statement }) => ids.some((id) => statement.includes(id))),
    gone: gone.map(({ statement }) => hashStatement(statement)),
  };
  return { ...update, proof: { ...proof, revocationNews } };
}

const endsOf = ({ revocations }: VerifiedNetwork): string[] =>
  revocations.map(({ nodeId }) => nodeId).toSorted();

function take(held: VerifiedNetwork | undefined, update: PartialUpdate): NetworkVerification {
  const next = applyPartial(held, update);
  return verifyPartialState({ ...next, authority, held, named: namedBy(update) });
}

function taken(held: VerifiedNetwork | undefined, update: PartialUpdate): VerifiedNetwork {
  const result = take(held, update);
  if (!result.ok) throw new Error(JSON.stringify(result.refusal));
  return result.verified;
}

const idsOf = ({ state }: { state: NetworkState }): string[] =>
  state.members.map(({ nodeId }) => nodeId);
const codeOf = (result: NetworkVerification): string => (result.ok ? 'taken' : result.refusal.code);
const of = (held: StateAndProof, number: number): MemberProof => {
  const proof = held.proof.members[nodeIdOf(number)];
  if (proof === undefined) throw new Error(`${number} is not held`);
  return proof;
};

describe('a network that is held in part', () => {
  it('has those whom it was told of, each proved against the roster', () => {
    const verified = taken(undefined, updateOf(whole(1), [OWN, 7]));
    expect(idsOf(verified)).toEqual([OWN, 7].map(nodeIdOf));
    expect([...verified.members.keys()]).toEqual([OWN, 7].map(nodeIdOf));
    expect(verified.roster.memberCount).toBe(SIZE);
    expect(verified.state.isPartial).toBe(true);
  });

  it('keeps who was told before when somebody else is told', () => {
    const first = taken(undefined, updateOf(whole(1), [OWN, 7]));
    const second = taken(first, updateOf(whole(2), [8]));
    expect(idsOf(second)).toEqual([OWN, 7, 8].map(nodeIdOf));
    expect(second.marks.rosterVersion).toBe(2);
    expect(second.proof.formerRosters).toHaveLength(1);
  });

  it('is verified again from what was stored, with the rosters that members were proved against', () => {
    const second = taken(taken(undefined, updateOf(whole(1), [OWN, 7])), updateOf(whole(2), [8]));
    const { state, proof, marks } = second;
    const stored = JSON.parse(JSON.stringify({ state, proof })) as StateAndProof;
    const again = verifyPartialState({
      ...stored,
      authority,
      held: undefined,
      marks,
      named: new Set(),
    });
    expect(again.ok && idsOf(again.verified)).toEqual([OWN, 7, 8].map(nodeIdOf));
  });

  it('forgets a former roster with the last member that was proved against it', () => {
    const second = taken(
      taken(undefined, updateOf(whole(1), [OWN, 7])),
      updateOf(whole(2), [OWN, 8]),
    );
    expect(second.proof.formerRosters).toHaveLength(1);
    const less = withoutMembers(second, new Set([nodeIdOf(7)]));
    expect(less.proof.formerRosters).toEqual([]);
    expect(idsOf(less)).toEqual([OWN, 8].map(nodeIdOf));
  });

  it('is made of a network that was held whole, and nobody is lost by it', () => {
    const { state, proof } = whole(1);
    const before = verifyNetworkState({ state, proof, authority, held: undefined });
    if (!before.ok) throw new Error(JSON.stringify(before.refusal));
    const update = updateOf(whole(2, { members: [...everybody, memberOf(SIZE + 1)] }), [SIZE + 1]);
    const next = applyPartial(toPartial(before.verified), update);
    const result = verifyPartialState({
      ...next,
      authority,
      held: before.verified,
      named: namedBy(update),
    });
    expect(result.ok && result.verified.members.size).toBe(SIZE + 1);
  });

  it('drops a member that was revoked, though nothing names it', () => {
    const first = taken(undefined, updateOf(whole(1), [OWN, 7, 8]));
    const members = everybody.filter(({ nodeId }) => nodeId !== nodeIdOf(7));
    const after = whole(2, { members, revocations: { [nodeIdOf(7)]: 1 } });
    const second = taken(first, updateOf(after, []));
    expect(idsOf(second)).toEqual([OWN, 8].map(nodeIdOf));
  });

  it('takes what differs in the revocations, and has all of them', () => {
    const ending = (...numbers: readonly number[]): Partial<NetworkWish> => ({
      members: everybody.filter(({ nodeId }) => !numbers.map(nodeIdOf).includes(nodeId)),
      revocations: Object.fromEntries(numbers.map((number) => [nodeIdOf(number), 1])),
    });
    const first = taken(undefined, updateOf(whole(1, ending(9)), [OWN, 7, 8]));
    const second = taken(first, newsOf(whole(2, ending(7, 9)), [7], []));
    expect(idsOf(second)).toEqual([OWN, 8].map(nodeIdOf));
    expect(endsOf(second)).toEqual([7, 9].map(nodeIdOf));
    const [nine] = whole(2, ending(9)).proof.revocations;
    const third = taken(second, newsOf(whole(3, ending(7, 8)), [8], nine ? [nine] : []));
    expect(endsOf(third)).toEqual([7, 8].map(nodeIdOf));
    expect(idsOf(third)).toEqual([OWN].map(nodeIdOf));
  });

  it('drops whose address the authority has given to somebody who is told now', () => {
    const first = taken(undefined, updateOf(whole(1), [OWN, 7]));
    const moved = everybody
      .filter(({ nodeId }) => nodeId !== nodeIdOf(7))
      .map((m) => (m.nodeId === nodeIdOf(8) ? { ...m, addresses: memberOf(7).addresses } : m));
    const second = taken(first, updateOf(whole(2, { members: moved }), [8]));
    expect(idsOf(second)).toEqual([OWN, 8].map(nodeIdOf));
  });

  it('drops whom only keys prove that are given up, and keeps the others', () => {
    const first = taken(undefined, updateOf(whole(1), [OWN, 7]));
    const keys = [signerNumber(KEY.next)];
    const later = opened([authorityVersion({ keys: [keys[0]?.key ?? ''], signers: keys })]);
    const update = updateOf(whole(2, { signers: keys }), [OWN]);
    const result = verifyPartialState({
      ...applyPartial(first, update),
      authority: later,
      held: first,
      named: namedBy(update),
    });
    expect(result.ok && idsOf(result.verified)).toEqual([nodeIdOf(OWN)]);
  });
});

describe('a roster that a member was proved against', () => {
  it('of keys that were replaced bounds the stay of the member', () => {
    const [old, next] = [signerNumber(KEY.authority), signerNumber(KEY.next)];
    const second = { version: 2, keys: [next.key], previous: authority.hash };
    const later = opened([
      authorityVersion(),
      authorityVersion({ ...second, signers: [old, next] }),
    ]);
    const renewed = { signers: [next], renewedDays: 90 };
    const update = updateOf(whole(1, { ...renewed, rosterSigners: [old] }), [OWN, 7]);
    const of1 = applyPartial(undefined, update);
    const named = namedBy(update);
    const first = verifyPartialState({ ...of1, authority: later, held: undefined, named });
    if (!first.ok) throw new Error(JSON.stringify(first.refusal));
    const held = first.verified;
    const again = updateOf(whole(2, renewed), [OWN]);
    const of2 = applyPartial(held, again);
    const result = verifyPartialState({ ...of2, authority: later, held, named: namedBy(again) });
    const endOf = (number: number): number | undefined =>
      result.ok ? result.verified.members.get(nodeIdOf(number))?.endMs : undefined;
    expect(endOf(OWN)).toBe(Date.parse(afterDays(90)));
    expect(endOf(7)).toBe(Date.parse(afterDays(30)));
  });

  it('and that says to be later than the newest proves nothing', () => {
    const first = taken(undefined, updateOf(whole(3), [OWN, 7]));
    const { state, proof } = applyPartial(first, updateOf(whole(2), [OWN]));
    const result = verifyPartialState({
      state,
      proof,
      authority,
      held: undefined,
      named: new Set(),
    });
    expect(result.ok && idsOf(result.verified)).toEqual([nodeIdOf(OWN)]);
  });
});

describe('of a network that is held in part a controller that lies cannot', () => {
  const held = taken(undefined, updateOf(whole(5), [OWN, 7]));

  it('add a node, without a credential or with one that the authority did not sign', () => {
    const stranger = memberOf(SIZE + 9);
    const bare = updateOf(whole(5), [], { upserts: [stranger] });
    expect(codeOf(take(held, bare))).toBe('credential_unsigned');
    const own = whole(5, { members: [stranger], signers: [signerNumber(KEY.stranger)] });
    const { members } = toPartial(own).proof;
    const { proof } = updateOf(whole(5), []);
    const forged = { ...bare, proof: { ...proof, members } };
    expect(codeOf(take(held, forged))).toBe('credential_unsigned');
  });

  it('add who was once signed, and is in no roster any more', () => {
    const former = whole(4, { members: [...everybody, memberOf(SIZE + 1)] });
    const update = updateOf(former, [SIZE + 1]);
    const { proof } = updateOf(whole(5), []);
    const mixed = { ...update, proof: { ...proof, members: update.proof.members } };
    expect(codeOf(take(held, mixed))).toBe('inclusion_unproved');
    expect(codeOf(take(held, update))).toBe('roster_older');
  });

  it('prove a member by another roster that it sends beside the newest', () => {
    const former = whole(4, { members: [...everybody, memberOf(SIZE + 1)] });
    const update = updateOf(former, [SIZE + 1]);
    const { proof } = updateOf(whole(5), []);
    const next = applyPartial(held, {
      ...update,
      proof: { ...proof, members: update.proof.members },
    });
    const formerRosters = [...(next.proof.formerRosters ?? []), former.proof.roster];
    const result = verifyPartialState({
      ...next,
      proof: { ...next.proof, formerRosters },
      authority,
      held,
      named: namedBy(update),
    });
    expect(codeOf(result)).toBe('inclusion_unproved');
  });

  it('move a MAC or an address back to a credential that was superseded', () => {
    const moved = everybody.map((m) =>
      m.nodeId === nodeIdOf(7) ? { ...m, mac: '02:00:5e:20:00:07' } : m,
    );
    const serial = { serial: 2 };
    const now = taken(held, updateOf(whole(6, { members: moved, ...serial }), [7]));
    const old = updateOf(whole(5), [7]);
    const { proof } = updateOf(whole(6, { members: moved, ...serial }), []);
    const back = { ...old, proof: { ...proof, members: old.proof.members } };
    expect(codeOf(take(now, old))).toBe('roster_older');
    expect(codeOf(take(now, back))).toBe('inclusion_unproved');
  });

  it('hold a superseded credential up by renewals: they come with a proof against the newest roster', () => {
    const serial = { serial: 2 };
    const now = taken(held, updateOf(whole(6, serial), [OWN]));
    const renewed = updateOf(whole(5, { renewedDays: 60 }), [7]);
    const { proof } = updateOf(whole(6, serial), []);
    const lie = { ...renewed, proof: { ...proof, members: renewed.proof.members } };
    expect(codeOf(take(now, lie))).toBe('inclusion_unproved');
  });

  it('exchange two members, or say of one what is not signed', () => {
    const update = updateOf(whole(5), [7, 8]);
    const [a, b] = [nodeIdOf(7), nodeIdOf(8)];
    const { members } = update.proof;
    const exchanged = { [a]: members[b] ?? of(held, 7), [b]: members[a] ?? of(held, 7) };
    const swapped = { ...update, proof: { ...update.proof, members: exchanged } };
    expect(codeOf(take(held, swapped))).toBe('statement_misplaced');
    const renamed = update.upserts.map((m) => ({ ...m, addresses: ['10.0.9.9'] }));
    expect(codeOf(take(held, { ...update, upserts: renamed }))).toBe('state_differs');
  });

  it('use the proof of one member for another', () => {
    const update = updateOf(whole(5), [7, 8]);
    const [a, b] = [nodeIdOf(7), nodeIdOf(8)];
    const members = {
      ...update.proof.members,
      [a]: { ...of(toPartial(whole(5)), 7), inclusion: update.proof.members[b]?.inclusion },
    };
    const result = take(held, { ...update, proof: { ...update.proof, members } });
    expect(codeOf(result)).toBe('inclusion_unproved');
  });

  it('leave a revocation out, or bring back who was revoked', () => {
    const revocations = { [nodeIdOf(7)]: 1 };
    const members = everybody.filter(({ nodeId }) => nodeId !== nodeIdOf(7));
    const after = whole(6, { members, revocations });
    const update = updateOf(after, []);
    const without = { ...update, proof: { ...update.proof, revocations: [] } };
    expect(codeOf(take(held, without))).toBe('roster_mismatch');
    const now = taken(held, update);
    const back = updateOf(whole(5), [7]);
    const lie = { ...back, proof: { ...update.proof, members: back.proof.members } };
    expect(codeOf(take(now, lie))).toBe('inclusion_unproved');
  });

  it('leave a revocation out, bring one back, or tell more than there are, by what differs', () => {
    const ending = (...numbers: readonly number[]): Partial<NetworkWish> => ({
      members: everybody.filter(({ nodeId }) => !numbers.map(nodeIdOf).includes(nodeId)),
      revocations: Object.fromEntries(numbers.map((number) => [nodeIdOf(number), 1])),
    });
    const now = taken(held, updateOf(whole(6, ending(7, 9)), []));
    const next = whole(7, ending(7, 8, 9));
    expect(codeOf(take(now, newsOf(next, [], [])))).toBe('roster_mismatch');
    expect(codeOf(take(now, newsOf(next, [8], now.proof.revocations)))).toBe('roster_mismatch');
    const [seven] = now.proof.revocations;
    const back = newsOf(whole(6, ending(7, 9)), [], seven ? [seven] : []);
    expect(codeOf(take(now, back))).toBe('roster_mismatch');
    const more = newsOf(whole(8, ending(7, 8, 9, 10)), [8, 10], []);
    const lie = { ...more, proof: { ...newsOf(next, [8], []).proof, ...more.proof } };
    const { roster, network } = newsOf(next, [8], []).proof;
    expect(codeOf(take(now, { ...lie, proof: { ...lie.proof, roster, network } }))).toBe(
      'roster_mismatch',
    );
    expect(codeOf(take(now, newsOf(next, [8], [])))).toBe('taken');
  });

  it('put another revocation, or another network statement, in the place of the one meant', () => {
    const without = (number: number) =>
      everybody.filter(({ nodeId }) => nodeId !== nodeIdOf(number));
    const revoking = (number: number) =>
      updateOf(whole(6, { members: without(number), revocations: { [nodeIdOf(number)]: 1 } }), []);
    const { proof } = revoking(7);
    const { revocations = [] } = revoking(9).proof;
    const other = { ...revoking(7), proof: { ...proof, revocations } };
    expect(codeOf(take(held, other))).toBe('roster_mismatch');
    const wider = updateOf(whole(6, { network: { version: 2, mtuBytes: 1_400 } }), []);
    const { network } = wider.proof;
    const lie = { ...wider, proof: { ...updateOf(whole(6), []).proof, network } };
    expect(codeOf(take(held, lie))).toBe('roster_mismatch');
  });

  it('end anybody by leaving him out', () => {
    const again = taken(held, updateOf(whole(6), []));
    expect(idsOf(again)).toEqual([OWN, 7].map(nodeIdOf));
  });

  it('give endpoints that the node did not sign', () => {
    const update = updateOf(whole(5), [8]);
    const upserts = update.upserts.map((m) => ({ ...m, endpoints: ['198.51.100.1:1'] }));
    expect(codeOf(take(held, { ...update, upserts }))).toBe('endpoints_unsigned');
  });

  it('show another roster of the same version', () => {
    const other = whole(5, { members: everybody.slice(0, 9) });
    expect(codeOf(take(held, updateOf(other, [8])))).toBe('roster_forked');
  });
});
