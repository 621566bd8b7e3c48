/**
 * Whether a network's state may be acted on (docs/trust.md 4): everything that it says is signed,
 * complete, and not older than what was taken before. The time plays no part here: whether a member
 * is valid at a moment is for isValidAt to say, so that what is on disk can be verified again by a
 * host whose clock is wrong.
 */
import {
  credentialStatementSchema,
  networkStatementSchema,
  renewalStatementSchema,
  revocationStatementSchema,
  rosterStatementSchema,
} from '@etherloom/api';
import type {
  CredentialStatement,
  MemberProof,
  NetworkProof,
  NetworkState,
  NetworkStatement,
  RenewalStatement,
  RevocationStatement,
  RosterStatement,
  SignedStatement,
} from '@etherloom/api';
import { formerEndMs } from './authority.ts';
import type { Authority } from './authority.ts';
import { RENEWAL_SIGNERS, StatementChecker } from './checker.ts';
import type { CheckMemory, Checked } from './checker.ts';
import { compareBinding, firstRepeatedBinding } from './member-binding.ts';
import { verifyMemberEndpoints } from './member-endpoints.ts';
import { TrustRefused } from './refusal.ts';
import type { TrustRefusal } from './refusal.ts';
import { rosterHash } from './roster.ts';
import { rosterTreeRoot } from './roster-tree.ts';
import type { RosterEntry } from './roster-tree.ts';
import { hashStatement } from './statement.ts';
import { memberBegin, memberEnd } from './validity.ts';
import type { Validity } from './validity.ts';

/** The newest versions that were taken of a network; kept on disk, they only rise. */
export interface VersionMarks {
  readonly networkVersion: number;
  readonly networkHash: string;
  readonly rosterVersion: number;
  readonly rosterHash: string;
}

/** A member that is proved, and when it is valid. */
export interface VerifiedMember extends Validity {
  readonly credential: CredentialStatement;
  readonly renewal: RenewalStatement | null;
}

/** State and proof that belong together, and what follows from them. */
export interface VerifiedNetwork {
  readonly state: NetworkState;
  readonly proof: NetworkProof;
  readonly network: NetworkStatement;
  readonly roster: RosterStatement;
  readonly revocations: readonly RevocationStatement[];
  /** By node id; exactly the members of the state. */
  readonly members: ReadonlyMap<string, VerifiedMember>;
  readonly marks: VersionMarks;
  /** True once the newest version of the authority has signed the roster. */
  readonly isResigned: boolean;
  /** The newest `issuedAt` that the authority has signed, for the floor of trusted time. */
  readonly issuedAtMs: number;
  readonly memory: CheckMemory;
}

export type NetworkVerification =
  | { readonly ok: true; readonly verified: VerifiedNetwork }
  | { readonly ok: false; readonly refusal: TrustRefusal };

export interface NetworkEvidence {
  readonly state: NetworkState;
  readonly proof: NetworkProof;
  readonly authority: Authority;
  /** What was taken last; undefined: nothing in this run. */
  readonly held: VerifiedNetwork | undefined;
  /** What was taken in former runs. */
  readonly marks?: VersionMarks | undefined;
}

/** Verifies a state, as it would be after applying, against its proof. */
export function verifyNetworkState(evidence: NetworkEvidence): NetworkVerification {
  try {
    return { ok: true, verified: verify(evidence) };
  } catch (error) {
    if (!(error instanceof TrustRefused)) throw error;
    return { ok: false, refusal: error.refusal };
  }
}

function verify(evidence: NetworkEvidence): VerifiedNetwork {
  const { state, authority, held } = evidence;
  const checker = new StatementChecker(authority, state.config.id, held?.memory);
  const marks = newerMarks(evidence.marks, held?.marks);
  const network = checkNetwork(checker, evidence, marks);
  const roster = checkRoster(checker, evidence, marks);
  const members = checkMembers(checker, evidence);
  const revocations = checkRevocations(checker, evidence.proof);
  compareRoster(roster.statement, {
    network: network.hash,
    credentials: members.map(({ nodeId, credential }) => ({ nodeId, hash: credential.hash })),
    revocations: revocations.map(({ hash }) => hash),
  });
  compareMembers(state, members, revocations);
  verifyMemberEndpoints(state.members, held?.state.members ?? []);
  const signed = [network, roster, ...revocations, ...members.map((m) => m.credential)];
  return {
    state,
    proof: { ...evidence.proof, members: proofsOf(members) },
    network: network.statement,
    roster: roster.statement,
    revocations: revocations.map(({ statement }) => statement),
    members: validities(members, [network, roster], authority),
    marks: marksOf(network, roster),
    isResigned: roster.rank === 'newest',
    issuedAtMs: signed.reduce((max, s) => Math.max(max, Date.parse(s.statement.issuedAt)), 0),
    memory: checker.memory,
  };
}

/** The network statement, as the state says and not older than what was taken. */
export function checkNetwork(
  checker: StatementChecker,
  { state, proof }: NetworkEvidence,
  marks: VersionMarks | undefined,
): Checked<NetworkStatement> {
  const network = checker.check(proof.network, {
    schema: networkStatementSchema,
    unsigned: 'network_unsigned',
    what: 'the network statement',
  });
  const { version, name, vni, mtuBytes, ipv4, ipv6 } = network.statement;
  const { config } = state;
  for (const [field, signed] of Object.entries({ name, vni, mtuBytes, ipv4, ipv6 }))
    if (signed !== config[field as 'name' | 'vni' | 'mtuBytes' | 'ipv4' | 'ipv6'])
      // the keys above
      throw new TrustRefused(
        'state_differs',
        `the network's ${field} is signed as ${JSON.stringify(signed)}`,
      );
  if (marks === undefined) return network;
  if (version < marks.networkVersion)
    throw new TrustRefused(
      'network_older',
      `version ${version} of the network, ${marks.networkVersion} is held`,
    );
  if (version === marks.networkVersion && network.hash !== marks.networkHash)
    throw new TrustRefused(
      'network_forked',
      `another text for version ${version} of the network: ${network.hash}, ${marks.networkHash} is held`,
    );
  return network;
}

/** The roster, not older than what was taken. */
export function checkRoster(
  checker: StatementChecker,
  { proof, held, authority }: NetworkEvidence,
  marks: VersionMarks | undefined,
): Checked<RosterStatement> {
  const roster = checker.check(proof.roster, {
    schema: rosterStatementSchema,
    unsigned: 'roster_unsigned',
    what: 'the roster',
  });
  if (roster.rank === 'former' && held?.isResigned === true)
    if (held.memory.authorityHash === authority.hash)
      throw new TrustRefused(
        'roster_unsigned',
        'the roster has signatures of former keys alone, and the one held has those of the newest',
      );
  if (marks === undefined) return roster;
  const { version } = roster.statement;
  if (version < marks.rosterVersion)
    throw new TrustRefused(
      'roster_older',
      `version ${version} of the roster, ${marks.rosterVersion} is held`,
    );
  if (version === marks.rosterVersion && roster.hash !== marks.rosterHash)
    throw new TrustRefused(
      'roster_forked',
      `another text for version ${version} of the roster: ${roster.hash}, ${marks.rosterHash} is held`,
    );
  return roster;
}

/** All that the authority has signed to end credentials. */
export function checkRevocations(
  checker: StatementChecker,
  proof: NetworkProof,
): Checked<RevocationStatement>[] {
  return proof.revocations.map((signed) =>
    checker.check(signed, {
      schema: revocationStatementSchema,
      unsigned: 'revocation_unsigned',
      what: 'a revocation',
    }),
  );
}

/** A member whose own statements are good. */
export interface CheckedMember {
  readonly nodeId: string;
  /** The proof that holds: the one given, or with the renewal that is held. */
  readonly proof: MemberProof;
  readonly credential: Checked<CredentialStatement>;
  readonly renewal: Checked<RenewalStatement> | undefined;
}

function checkMembers(checker: StatementChecker, evidence: NetworkEvidence): CheckedMember[] {
  const { state, proof, held } = evidence;
  const names = new Map(state.members.map(({ nodeId, name }) => [nodeId, name]));
  return Object.entries(proof.members).map(([nodeId, given]) =>
    checkMember(checker, given, {
      nodeId,
      who: names.get(nodeId) ?? nodeId,
      before: held?.proof.members[nodeId],
    }),
  );
}

/** Checks what a member's proof says; `before` is what is held of the same node. */
export function checkMember(
  checker: StatementChecker,
  given: MemberProof,
  of: {
    readonly nodeId: string;
    readonly who: string;
    readonly before: MemberProof | undefined;
  },
): CheckedMember {
  const { nodeId, who, before } = of;
  const credential = checker.check(given.credential, {
    schema: credentialStatementSchema,
    unsigned: 'credential_unsigned',
    what: `the credential of ${who}`,
  });
  if (credential.statement.nodeId !== nodeId)
    throw new TrustRefused(
      'statement_misplaced',
      `the credential of ${who} is that of the node ${credential.statement.nodeId}`,
    );
  const renewal = checkRenewal(checker, credential, given.renewal);
  const kept = before === given ? undefined : laterRenewal(checker, credential, before, renewal);
  return kept === undefined || before === undefined
    ? { nodeId, proof: given, credential, renewal }
    : { nodeId, proof: { ...given, renewal: before.renewal }, credential, renewal: kept };
}

function checkRenewal(
  checker: StatementChecker,
  credential: Checked<CredentialStatement>,
  renewal: SignedStatement | null,
): Checked<RenewalStatement> | undefined {
  if (renewal === null) return undefined;
  const { nodeId, name } = credential.statement;
  const checked = checker.check(renewal, {
    schema: renewalStatementSchema,
    unsigned: 'renewal_unsigned',
    what: `the renewal of ${name}`,
    signedBy: RENEWAL_SIGNERS,
  });
  const { statement } = checked;
  if (statement.nodeId !== nodeId || statement.credential !== credential.hash)
    throw new TrustRefused(
      'statement_misplaced',
      `the renewal of ${name} is that of another credential`,
    );
  return checked;
}

/**
 * The renewal that is held, when it ends later: an old one that is sent again takes nothing back.
 */
function laterRenewal(
  checker: StatementChecker,
  credential: Checked<CredentialStatement>,
  before: MemberProof | undefined,
  given: Checked<RenewalStatement> | undefined,
): Checked<RenewalStatement> | undefined {
  if (before === undefined || hashStatement(before.credential.statement) !== credential.hash)
    return undefined;
  try {
    const held = checkRenewal(checker, credential, before.renewal);
    if (held === undefined || given === undefined) return held;
    const [a, b] = [held, given].map(({ statement }) => Date.parse(statement.expiresAt));
    return (a ?? 0) > (b ?? 0) ? held : undefined;
  } catch (error) {
    if (!(error instanceof TrustRefused)) throw error;
    return undefined; // it was signed by a key that counts no more
  }
}

/** The proofs that hold, by node id. */
export function proofsOf(members: readonly CheckedMember[]): Record<string, MemberProof> {
  return Object.fromEntries(members.map(({ nodeId, proof }) => [nodeId, proof]));
}

function compareRoster(
  roster: RosterStatement,
  given: { network: string; credentials: RosterEntry[]; revocations: string[] },
): void {
  const pairs: readonly [what: string, signed: string | number, given: string | number][] = [
    ['the network statement', roster.network, given.network],
    ['the number of credentials', roster.memberCount, given.credentials.length],
    ['the credentials', roster.credentials, rosterTreeRoot(given.credentials)],
    ['the number of revocations', roster.revocationCount, given.revocations.length],
    ['the revocations', roster.revocations, rosterHash(given.revocations)],
  ];
  for (const [what, signed, actual] of pairs)
    if (signed !== actual)
      throw new TrustRefused(
        'roster_mismatch',
        `${what}: version ${roster.version} of the roster says ${signed}, given is ${actual}`,
      );
}

function compareMembers(
  state: NetworkState,
  members: readonly CheckedMember[],
  revocations: readonly Checked<RevocationStatement>[],
): void {
  const proved = new Map(members.map((member) => [member.nodeId, member.credential.statement]));
  const byNode = Map.groupBy(revocations, ({ statement }) => statement.nodeId);
  for (const member of state.members) {
    const credential = proved.get(member.nodeId);
    if (credential === undefined)
      throw new TrustRefused('credential_unsigned', `${member.name} has no credential`);
    const difference = compareBinding(member, credential, state.config.vni);
    if (difference !== undefined) throw new TrustRefused('state_differs', difference);
    const end = byNode
      .get(member.nodeId)
      ?.find(({ statement }) => isRevokedBy(statement, credential));
    if (end !== undefined)
      throw new TrustRefused(
        'credential_revoked',
        `${member.name} was revoked up to serial ${end.statement.serial}, its credential has ${credential.serial}`,
      );
    proved.delete(member.nodeId);
  }
  const [left] = proved.values();
  if (left !== undefined)
    throw new TrustRefused('state_differs', `${left.name} has a credential and is no member`);
  const repeated = firstRepeatedBinding(state.members);
  if (repeated !== undefined) throw new TrustRefused('binding_repeated', repeated);
}

/** True when a revocation ends a credential. */
export function isRevokedBy(
  revocation: RevocationStatement,
  credential: CredentialStatement,
): boolean {
  return (
    revocation.networkId === credential.networkId &&
    revocation.nodeId === credential.nodeId &&
    credential.serial <= revocation.serial
  );
}

/** What the former version signed ends some time after the rotation; else nothing is bounded. */
export function validities(
  members: readonly CheckedMember[],
  of: readonly [Checked<NetworkStatement>, Checked<RosterStatement>],
  authority: Authority,
): Map<string, VerifiedMember> {
  const [network] = of;
  const formerEnd = formerEndMs(authority, network.statement.settings.stalenessDays);
  const isWholeFormer = of.some(({ rank }) => rank === 'former');
  return new Map(
    members.map(({ nodeId, credential, renewal }) => {
      const isFormer = isWholeFormer || credential.rank === 'former' || renewal?.rank === 'former';
      const { statement } = credential;
      const validity = {
        beginMs: memberBegin(statement),
        endMs: memberEnd(statement, renewal?.statement ?? null, isFormer ? [formerEnd] : []),
      };
      return [nodeId, { credential: statement, renewal: renewal?.statement ?? null, ...validity }];
    }),
  );
}

/** What is remembered of a network and its roster. */
export function marksOf(
  network: Checked<NetworkStatement>,
  roster: Checked<RosterStatement>,
): VersionMarks {
  return {
    networkVersion: network.statement.version,
    networkHash: network.hash,
    rosterVersion: roster.statement.version,
    rosterHash: roster.hash,
  };
}

/** The later of two. */
export function newerMarks(
  a: VersionMarks | undefined,
  b: VersionMarks | undefined,
): VersionMarks | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a.rosterVersion > b.rosterVersion ? a : b;
}
