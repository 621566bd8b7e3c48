/**
 * Networks that are not held whole (docs/trust.md 4, "In part"): the state has this node and those
 * that it deals with, and each of them is shown alone to be in a roster. What a controller sends
 * adds and replaces; it ends nobody. A member that is told must be in the newest roster; one that
 * was told before stays as it was proved then, until it is told again, revoked by the list that the
 * newest roster commits to, or somebody proved later has a binding of it.
 */
import { rosterStatementSchema } from '@etherloom/api';
import type {
  Inclusion,
  Member,
  MemberProof,
  NetworkProof,
  NetworkState,
  PartialUpdate,
  RevocationStatement,
  RosterStatement,
  SignedStatement,
} from '@etherloom/api';
import { compareText } from '../network-state/canonical.ts';
import { StatementChecker } from './checker.ts';
import type { Checked } from './checker.ts';
import { bindingsOf, compareBinding } from './member-binding.ts';
import { verifyMemberEndpoints } from './member-endpoints.ts';
import { TrustRefused } from './refusal.ts';
import { rosterHash } from './roster.ts';
import {
  isRosterEntryProved,
  proveRosterEntry,
  rosterBranchOf,
  rosterBucketOf,
  rosterTree,
} from './roster-tree.ts';
import { hashStatement } from './statement.ts';
import {
  checkMember,
  checkNetwork,
  checkRevocations,
  checkRoster,
  isRevokedBy,
  marksOf,
  newerMarks,
  proofsOf,
  validities,
  verifyNetworkState,
} from './verify-network.ts';
import type {
  CheckedMember,
  NetworkEvidence,
  NetworkVerification,
  VerifiedNetwork,
} from './verify-network.ts';

/** A state and its proof, verified or not. */
export interface StateAndProof {
  readonly state: NetworkState;
  readonly proof: NetworkProof;
}

/**
 * What a network that is held whole becomes when it is not pushed whole any more: the same members,
 * each proved alone against the roster that is held.
 */
export function toPartial({ state, proof }: StateAndProof): StateAndProof {
  const entries = Object.entries(proof.members).map(([nodeId, { credential }]) => ({
    nodeId,
    hash: hashStatement(credential.statement),
  }));
  const tree = rosterTree(entries);
  const buckets = Map.groupBy(entries, ({ nodeId }) => rosterBucketOf(nodeId));
  const roster = hashStatement(proof.roster.statement);
  const inclusionOf = (nodeId: string): Inclusion => {
    const bucket = rosterBucketOf(nodeId);
    const branch = rosterBranchOf(tree, bucket);
    return { roster, proof: proveRosterEntry(nodeId, buckets.get(bucket) ?? [], branch) };
  };
  const members = Object.entries(proof.members).map(
    ([nodeId, of]) => [nodeId, { ...of, inclusion: inclusionOf(nodeId) }] as const,
  );
  return {
    state: { ...state, isPartial: true },
    proof: { ...proof, members: Object.fromEntries(members) },
  };
}

/**
 * The state after an update, not verified. `held` is a state in part, or undefined for a network of
 * which nothing is held.
 */
export function applyPartial(
  held: StateAndProof | undefined,
  update: PartialUpdate,
): StateAndProof {
  const members = new Map(held?.state.members.map((member) => [member.nodeId, member]));
  for (const member of update.upserts) members.set(member.nodeId, member);
  const { network, roster } = update.proof;
  const former = held === undefined ? [] : [...(held.proof.formerRosters ?? []), held.proof.roster];
  return {
    state: {
      config: update.config,
      revision: update.revision,
      members: [...members.values()].toSorted((a, b) => compareText(a.nodeId, b.nodeId)),
      isPartial: true,
    },
    proof: {
      network,
      roster,
      revocations: revocationsAfter(held?.proof.revocations ?? [], update.proof),
      members: { ...held?.proof.members, ...update.proof.members },
      formerRosters: former.filter(({ statement }) => statement !== roster.statement),
    },
  };
}

/** That nothing is left out, or left in, shows by the roster, which commits to all of them. */
function revocationsAfter(
  held: readonly SignedStatement[],
  { revocations, revocationNews: news }: PartialUpdate['proof'],
): SignedStatement[] {
  const all = [...(revocations ?? held)];
  if (news === undefined) return all;
  const gone = new Set(news.gone);
  const left =
    gone.size === 0 ? all : all.filter(({ statement }) => !gone.has(hashStatement(statement)));
  // One that was signed anew replaces the same text.
  const byText = new Map([...left, ...news.added].map((signed) => [signed.statement, signed]));
  return [...byText.values()];
}

/** The same without some members: they are asked for again when they are needed. */
export function withoutMembers(held: StateAndProof, nodeIds: ReadonlySet<string>): StateAndProof {
  const proofs = Object.entries(held.proof.members).filter(([nodeId]) => !nodeIds.has(nodeId));
  const members = held.state.members.filter(({ nodeId }) => !nodeIds.has(nodeId));
  return pruned({
    state: { ...held.state, members },
    proof: { ...held.proof, members: Object.fromEntries(proofs) },
  });
}

/** What is verified of a network that is held in part. */
export interface PartialEvidence extends NetworkEvidence {
  /** Whom the update told: what is wrong with one of them refuses the whole. */
  readonly named: ReadonlySet<string>;
}

/** Those whom an update names, in any way. */
export function namedBy({ upserts, proof }: PartialUpdate): Set<string> {
  return new Set([...upserts.map(({ nodeId }) => nodeId), ...Object.keys(proof.members)]);
}

/**
 * Verifies a state in part, as it would be after an update. Members that were told before and are
 * not borne out any more are left out of what is verified.
 */
export function verifyPartialState(evidence: PartialEvidence): NetworkVerification {
  try {
    return { ok: true, verified: verify(evidence) };
  } catch (error) {
    if (!(error instanceof TrustRefused)) throw error;
    return { ok: false, refusal: error.refusal };
  }
}

const NOBODY: ReadonlySet<string> = new Set();

/** Verifies a state, whole or in part; `named` are those whom an update of a part has told. */
export function verifyState(
  evidence: NetworkEvidence,
  named: ReadonlySet<string> = NOBODY,
): NetworkVerification {
  return evidence.state.isPartial === true
    ? verifyPartialState({ ...evidence, named })
    : verifyNetworkState(evidence);
}

function verify(evidence: PartialEvidence): VerifiedNetwork {
  const { state, proof, authority, held } = evidence;
  const checker = new StatementChecker(authority, state.config.id, held?.memory);
  const marks = newerMarks(evidence.marks, held?.marks);
  const network = checkNetwork(checker, evidence, marks);
  const roster = checkRoster(checker, evidence, marks);
  const revocations = checkRevocations(checker, proof);
  compareRoster(roster.statement, network.hash, revocations);
  const proved = withoutConflicts(
    provedMembers(evidence, { checker, roster, revocations }),
    evidence.named,
  );
  const kept = pruned({
    state: { ...state, members: proved.map(({ member }) => member) },
    proof: { ...proof, members: proofsOf(proved) },
  });
  const signed = [network, roster, ...revocations, ...proved.map((m) => m.credential)];
  return {
    ...kept,
    network: network.statement,
    roster: roster.statement,
    revocations: revocations.map(({ statement }) => statement),
    members: validities(proved, [network, roster], authority),
    marks: marksOf(network, roster),
    isResigned: roster.rank === 'newest',
    issuedAtMs: signed.reduce((max, s) => Math.max(max, Date.parse(s.statement.issuedAt)), 0),
    memory: checker.memory,
  };
}

/** All that a roster says of a network but for its members. */
function compareRoster(
  roster: RosterStatement,
  network: string,
  revocations: readonly Checked<RevocationStatement>[],
): void {
  const pairs: readonly [what: string, signed: string | number, given: string | number][] = [
    ['the network statement', roster.network, network],
    ['the number of revocations', roster.revocationCount, revocations.length],
    ['the revocations', roster.revocations, rosterHash(revocations.map(({ hash }) => hash))],
  ];
  for (const [what, signed, given] of pairs)
    if (signed !== given)
      throw new TrustRefused(
        'roster_mismatch',
        `${what}: version ${roster.version} of the roster says ${signed}, given is ${given}`,
      );
}

interface ProvedMember extends CheckedMember {
  readonly member: Member;
  /** Version of the roster that it was proved against. */
  readonly rosterVersion: number;
}

interface Checks {
  readonly checker: StatementChecker;
  readonly roster: Checked<RosterStatement>;
  readonly revocations: readonly Checked<RevocationStatement>[];
}

function provedMembers(evidence: PartialEvidence, checks: Checks): ProvedMember[] {
  const { state, named } = evidence;
  const rosters = rostersOf(evidence.proof, checks);
  const ends = Map.groupBy(checks.revocations, ({ statement }) => statement.nodeId);
  const present = new Set(state.members.map(({ nodeId }) => nodeId));
  for (const nodeId of named)
    if (!present.has(nodeId))
      throw new TrustRefused('state_differs', `${nodeId} has a credential and is no member`);
  const of: MemberChecks = {
    evidence,
    checker: checks.checker,
    rosters,
    newest: checks.roster.hash,
    heldMembers: new Map(evidence.held?.state.members.map((member) => [member.nodeId, member])),
  };
  return state.members.flatMap((member) => {
    try {
      const proved = proveMember(member, of);
      assertNotRevoked(member, proved, ends.get(member.nodeId) ?? []);
      return [proved];
    } catch (error) {
      if (!(error instanceof TrustRefused) || named.has(member.nodeId)) throw error;
      return []; // it was borne out once, and is not any more
    }
  });
}

/** The rosters that members were proved against, by hash; those that do not count are left out. */
function rostersOf(
  proof: NetworkProof,
  { checker, roster }: Checks,
): Map<string, Checked<RosterStatement>> {
  const rosters = new Map([[roster.hash, roster]]);
  for (const signed of proof.formerRosters ?? []) {
    const former = readFormer(checker, signed);
    if (former === undefined || former.statement.version >= roster.statement.version) continue;
    rosters.set(former.hash, former);
  }
  return rosters;
}

function readFormer(
  checker: StatementChecker,
  signed: SignedStatement,
): Checked<RosterStatement> | undefined {
  try {
    const schema = rosterStatementSchema;
    return checker.check(signed, { schema, unsigned: 'roster_unsigned', what: 'a former roster' });
  } catch (error) {
    if (!(error instanceof TrustRefused)) throw error;
    return undefined; // signed by keys that count no more
  }
}

interface MemberChecks {
  readonly evidence: PartialEvidence;
  readonly checker: StatementChecker;
  readonly rosters: ReadonlyMap<string, Checked<RosterStatement>>;
  /** Hash of the roster that came. */
  readonly newest: string;
  readonly heldMembers: ReadonlyMap<string, Member>;
}

function proveMember(
  member: Member,
  { evidence, checker, rosters, newest, heldMembers }: MemberChecks,
): ProvedMember {
  const { state, proof, held, named } = evidence;
  const { nodeId, name: who } = member;
  const given = proof.members[nodeId];
  if (given === undefined)
    throw new TrustRefused('credential_unsigned', `${who} has no credential`);
  const before = held?.proof.members[nodeId];
  const checked = checkMember(checker, given, { nodeId, who, before });
  const difference = compareBinding(member, checked.credential.statement, state.config.vni);
  if (difference !== undefined) throw new TrustRefused('state_differs', difference);
  const roster = rosterOf(given, rosters);
  if (roster === undefined || (named.has(nodeId) && roster.hash !== newest))
    throw new TrustRefused(
      'inclusion_unproved',
      `${who} is not shown to be in the roster ${newest}: its proof is for ${given.inclusion?.roster ?? 'none'}`,
    );
  const entry = { nodeId, hash: checked.credential.hash };
  // A verification of the same proof against the same roster came to the same.
  const isSame = before === given;
  if (
    !isSame &&
    !isRosterEntryProved(roster.statement.credentials, entry, given.inclusion?.proof ?? '')
  )
    throw new TrustRefused(
      'inclusion_unproved',
      `version ${roster.statement.version} of the roster does not have this credential of ${who}`,
    );
  const heldMember = heldMembers.get(nodeId);
  verifyMemberEndpoints([member], heldMember === undefined ? [] : [heldMember]);
  // Who was proved by keys that are given up ends with them.
  const { credential } = checked;
  const ranked = roster.rank === 'former' ? { ...credential, rank: roster.rank } : credential;
  return { ...checked, credential: ranked, member, rosterVersion: roster.statement.version };
}

function rosterOf(
  { inclusion }: MemberProof,
  rosters: ReadonlyMap<string, Checked<RosterStatement>>,
): Checked<RosterStatement> | undefined {
  return inclusion === undefined ? undefined : rosters.get(inclusion.roster);
}

function assertNotRevoked(
  { name }: Member,
  { credential }: CheckedMember,
  ends: readonly Checked<RevocationStatement>[],
): void {
  const end = ends.find(({ statement }) => isRevokedBy(statement, credential.statement));
  if (end === undefined) return;
  throw new TrustRefused(
    'credential_revoked',
    `${name} was revoked up to serial ${end.statement.serial}, its credential has ${credential.statement.serial}`,
  );
}

/**
 * One holder for each binding: whoever was proved against the later roster, since the authority has
 * moved the binding on since. Two holders in one roster are refused.
 */
function withoutConflicts(
  proved: readonly ProvedMember[],
  named: ReadonlySet<string>,
): ProvedMember[] {
  const holders = new Map<string, ProvedMember>();
  const kept = proved
    .toSorted(
      (a, b) =>
        b.rosterVersion - a.rosterVersion ||
        Number(named.has(a.nodeId)) - Number(named.has(b.nodeId)),
    )
    .filter((candidate) => {
      const bindings = bindingsOf(candidate.member);
      const taken = bindings.find((binding) => holders.has(binding));
      const holder = taken === undefined ? undefined : holders.get(taken);
      if (holder !== undefined && !named.has(candidate.nodeId)) return false;
      if (holder !== undefined)
        throw new TrustRefused(
          'binding_repeated',
          `${holder.member.name} and ${candidate.member.name} both have the ${taken}`,
        );
      for (const binding of bindings) holders.set(binding, candidate);
      return true;
    });
  return kept.toSorted((a, b) => compareText(a.nodeId, b.nodeId));
}

/** Keeps of the former rosters those that a member was proved against. */
function pruned({ state, proof }: StateAndProof): StateAndProof {
  const wanted = new Set(Object.values(proof.members).map(({ inclusion }) => inclusion?.roster));
  const kept = new Map(
    (proof.formerRosters ?? [])
      .map((signed) => [hashStatement(signed.statement), signed] as const)
      .filter(([hash]) => wanted.has(hash)),
  );
  return { state, proof: { ...proof, formerRosters: [...kept.values()] } };
}
