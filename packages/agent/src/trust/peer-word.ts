/**
 * What peers pass on of an authority's word (docs/trust.md 6): rosters that show what a controller
 * withholds or tells otherwise, and revocations, which act at once. Bounded by the members of the
 * networks that are held.
 */
import {
  NETWORK_REVOCATIONS_MAX,
  revocationStatementSchema,
  rosterStatementSchema,
} from '@etherloom/api';
import type { CredentialStatement, RevocationStatement, SignedStatement } from '@etherloom/api';
import {
  hashStatement,
  isRevokedBy,
  judgePeerRoster,
  readPeerRevocation,
  readStatement,
  signedByAuthority,
} from '@etherloom/core';
import type { Authority, OwnStatement, StatementVerdict, VerifiedNetwork } from '@etherloom/core';
import { ROSTER_FORKS_PASSED_MAX } from '../limits.ts';
import type { ProblemBook } from './problem-book.ts';

interface HeldRevocation {
  readonly signed: SignedStatement;
  readonly statement: RevocationStatement;
}

/** What a word of a peer is compared with. */
export interface PeerWordContext {
  readonly authority: Authority;
  readonly networks: ReadonlyMap<string, VerifiedNetwork>;
  /** null: from this node's own disk. */
  readonly fromNodeId: string | null;
}

interface PassedRosters {
  readonly version: number;
  readonly hashes: Set<string>;
}

const KNOWN: StatementVerdict = { verdict: 'known' };
const REFUSED: StatementVerdict = { verdict: 'refused' };

export class PeerWord {
  readonly #problems: ProblemBook;
  /** By network and node; one for each member at most. */
  readonly #revocations = new Map<string, HeldRevocation>();
  /** Newest version of a roster that was shown and is not held, by network. */
  readonly #withheld = new Map<string, number>();
  /** The rosters of one version that were passed on, by topic: each goes on once. */
  readonly #passed = new Map<string, PassedRosters>();

  constructor(problems: ProblemBook) {
    this.#problems = problems;
  }

  get revocations(): SignedStatement[] {
    return [...this.#revocations.values()].map(({ signed }) => signed);
  }

  isRevoked(credential: CredentialStatement): boolean {
    const held = this.#revocations.get(keyOf(credential));
    return held !== undefined && isRevokedBy(held.statement, credential);
  }

  judge(signed: SignedStatement, context: PeerWordContext): StatementVerdict {
    const rank = signedByAuthority(context.authority, signed);
    if (rank === undefined) return REFUSED;
    const roster = readStatement(signed, rosterStatementSchema);
    const revocation = roster.ok ? roster : readStatement(signed, revocationStatementSchema);
    if (!revocation.ok) return REFUSED;
    const { networkId } = revocation.statement;
    // A former key may have been replaced because it was stolen.
    if (rank === 'former' && context.networks.get(networkId)?.isResigned === true) return KNOWN;
    return roster.ok
      ? this.#judgeRoster(signed, networkId, context)
      : this.#judgeRevocation(signed, context);
  }

  /** A later state was taken: what it bears out, or has the last word on, is not remembered. */
  takeVerified(networkId: string, verified: VerifiedNetwork, authority: Authority): void {
    for (const [key, { signed, statement }] of this.#revocations) {
      if (statement.networkId !== networkId) continue;
      const credential = verified.members.get(statement.nodeId)?.credential;
      if (credential === undefined && isWantedLater(verified, statement)) continue;
      const isOutvoted = verified.isResigned && signedByAuthority(authority, signed) !== 'newest';
      if (credential === undefined || !isRevokedBy(statement, credential) || isOutvoted)
        this.#revocations.delete(key);
    }
    const withheld = this.#withheld.get(networkId) ?? 0;
    const isOpen = [...this.#revocations.values()].some(
      ({ statement: of }) => of.networkId === networkId && verified.members.has(of.nodeId),
    );
    if (isOpen || verified.marks.rosterVersion < withheld) return;
    this.#withheld.delete(networkId);
    const isShown = this.#problems.of(networkId).some(({ code }) => code === 'roster_withheld');
    if (isShown) this.#problems.end(networkId, 'peers');
  }

  forget(networkId: string): void {
    this.#withheld.delete(networkId);
    this.#passed.delete(topicOf('roster', networkId));
    this.#passed.delete(topicOf('fork', networkId));
    for (const [key, { statement }] of this.#revocations)
      if (statement.networkId === networkId) this.#revocations.delete(key);
  }

  #judgeRoster(
    signed: SignedStatement,
    networkId: string,
    { authority, networks, fromNodeId }: PeerWordContext,
  ): StatementVerdict {
    const verified = networks.get(networkId);
    if (verified === undefined) return REFUSED;
    const { marks } = verified;
    const judged = judgePeerRoster(signed, authority, { networkId, marks });
    if (judged.verdict === 'refused') return REFUSED;
    if (judged.verdict === 'same' || judged.verdict === 'older') return KNOWN;
    const who = verified.members.get(fromNodeId ?? '')?.credential.name ?? fromNodeId ?? 'a peer';
    if (judged.verdict === 'forked') {
      const texts = `${signed.statement} against ${verified.proof.roster.statement}`;
      const detail = `${who} holds another roster of version ${judged.version}: ${texts}`;
      this.#problems.note(networkId, 'peers', { code: 'roster_forked', detail });
      return this.#passOnce(signed, { networkId, version: judged.version }, 'fork');
    }
    const known = this.#withheld.get(networkId) ?? 0;
    if (judged.version < known) return KNOWN;
    this.#withheld.set(networkId, judged.version);
    // Whoever holds a network in part is told of what concerns him, and is behind most of the time.
    if (verified.state.isPartial === true) return KNOWN;
    const detail = `${who} holds version ${judged.version} of the roster, the controller has sent ${marks.rosterVersion}`;
    if (judged.version > known)
      this.#problems.note(networkId, 'peers', { code: 'roster_withheld', detail });
    return this.#passOnce(signed, { networkId, version: judged.version }, 'roster');
  }

  /** The newest version of the roster that peers have shown and is not held; undefined: none. */
  withheldVersion(networkId: string): number | undefined {
    return this.#withheld.get(networkId);
  }

  #passOnce(
    signed: SignedStatement,
    { networkId, version }: { readonly networkId: string; readonly version: number },
    what: 'roster' | 'fork',
  ): StatementVerdict {
    const topic = topicOf(what, networkId);
    const hash = hashStatement(signed.statement);
    const held = this.#passed.get(topic);
    const passed = held?.version === version ? held : { version, hashes: new Set<string>() };
    if (passed.hashes.has(hash) || passed.hashes.size >= ROSTER_FORKS_PASSED_MAX) return KNOWN;
    passed.hashes.add(hash);
    this.#passed.set(topic, passed);
    return { verdict: 'fresh', networkId, topic };
  }

  /** Takes one that ends the credential of a member. */
  #judgeRevocation(
    signed: SignedStatement,
    { authority, networks }: PeerWordContext,
  ): StatementVerdict {
    const statement = readPeerRevocation(signed, authority);
    const verified = statement && networks.get(statement.networkId);
    if (statement === undefined || verified === undefined) return REFUSED;
    const { networkId, nodeId } = statement;
    const credential = verified.members.get(nodeId)?.credential;
    if (credential === undefined) {
      if (!isWantedLater(verified, statement)) return KNOWN;
      if (this.#revocations.size >= NETWORK_REVOCATIONS_MAX) return KNOWN;
      const serial = this.#revocations.get(keyOf(statement))?.statement.serial ?? 0;
      if (serial >= statement.serial) return KNOWN;
      this.#revocations.set(keyOf(statement), { signed, statement });
      return { verdict: 'fresh', networkId, topic: topicOf('revocation', networkId, nodeId) };
    }
    if (!isRevokedBy(statement, credential)) return KNOWN;
    if (this.isRevoked(credential)) return KNOWN;
    this.#revocations.set(keyOf(statement), { signed, statement });
    this.#problems.note(networkId, 'peers', {
      code: 'roster_withheld',
      detail: `peers have the revocation of ${credential.name}, which the controller has not sent; it acts all the same`,
    });
    return { verdict: 'fresh', networkId, topic: topicOf('revocation', networkId, nodeId) };
  }
}

/**
 * True for a revocation that the controller has not sent of somebody who may become a member of
 * interest: where not all members are held, one that is unknown is worth keeping.
 */
function isWantedLater(
  verified: VerifiedNetwork,
  { nodeId, serial }: RevocationStatement,
): boolean {
  return (
    verified.state.isPartial === true &&
    !verified.revocations.some((held) => held.nodeId === nodeId && held.serial >= serial)
  );
}

/** What of a verified network is not in the one before: its roster, and revocations. */
export function newStatementsOf(
  before: VerifiedNetwork | undefined,
  verified: VerifiedNetwork,
): OwnStatement[] {
  const networkId = verified.state.config.id;
  const { proof, revocations } = verified;
  if (before?.proof.roster.statement === proof.roster.statement) return [];
  const known = new Set(before?.proof.revocations.map(({ statement }) => statement));
  const fresh = proof.revocations.flatMap((signed, at) => {
    const nodeId = revocations[at]?.nodeId ?? '';
    const topic = topicOf('revocation', networkId, nodeId);
    return known.has(signed.statement) ? [] : [{ signed, networkId, topic }];
  });
  return [...fresh, { signed: proof.roster, networkId, topic: topicOf('roster', networkId) }];
}

/** A later statement of a topic replaces the former one. */
function topicOf(what: 'roster' | 'fork' | 'revocation', networkId: string, nodeId = ''): string {
  return `${what} ${networkId} ${nodeId}`.trim();
}

function keyOf({ networkId, nodeId }: { networkId: string; nodeId: string }): string {
  return `${networkId} ${nodeId}`;
}
