/**
 * What this node believes (docs/trust.md): the authority that it pins, the networks that it has
 * verified, and the time. Everything that a controller or a peer says passes through here before it
 * is stored or acted on; what is refused leaves what is held as it was, and becomes a problem.
 */
import {
  NETWORK_REVOCATIONS_MAX,
  authorityStatementSchema,
  signedStatementSchema,
} from '@etherloom/api';
import type {
  AgentProblem,
  CloneRule,
  JoinReply,
  NetworkProof,
  SignedStatement,
} from '@etherloom/api';
import {
  TrustedClock,
  networkDigest,
  readStatement,
  strictestRule,
  verifyState,
} from '@etherloom/core';
import type {
  Authority,
  OwnStatement,
  StatementVerdict,
  TimeOutcome,
  TrustRefusal,
  VerifiedNetwork,
} from '@etherloom/core';
import type { StateDirectory, StoredNetwork, TrustRecord } from '../disk/state-directory.ts';
import { AgentError } from '../errors.ts';
import { VERSION_MARKS_MAX } from '../limits.ts';
import {
  openStoredAuthority,
  storedAuthorityOf,
  takeFirstAuthority,
  takeNextAuthority,
  takeTokenAuthority,
} from './pinned-authority.ts';
import type { PinResult } from './pinned-authority.ts';
import { PeerWord, newStatementsOf } from './peer-word.ts';
import { latestBorneOut } from './plan-networks.ts';
import { ProblemBook } from './problem-book.ts';

/** The clocks of the host, Unix milliseconds and milliseconds since it booted. */
export interface HostClocks {
  readonly wallMs: () => number;
  readonly sinceBootMs: () => number;
}

export interface AgentTrustDeps {
  readonly directory: StateDirectory;
  readonly clocks: HostClocks;
  /** A problem began, or (undefined) one has ended. */
  readonly onProblem: (added: AgentProblem | undefined) => void;
  /** The controller has brought a statement that peers should hear of. */
  readonly onStatement?: ((own: OwnStatement) => void) | undefined;
}

/** A network that may be acted on; without a proof only as a former version left it. */
export interface TrustedNetwork {
  readonly stored: StoredNetwork;
  readonly verified: VerifiedNetwork | undefined;
  /** The authority does not bear it out any more: nobody in it is valid. */
  readonly isEnded: boolean;
}

/** How a chain of authority versions was taken. */
export type AuthorityOutcome =
  | { readonly kind: 'same' }
  /** `ended` are the networks whose state the newest version does not bear out. */
  | { readonly kind: 'changed'; readonly isFirst: boolean; readonly ended: readonly string[] }
  | { readonly kind: 'refused'; readonly code: string };

export class AgentTrust {
  readonly problems: ProblemBook;
  readonly #directory: StateDirectory;
  readonly #clocks: HostClocks;
  readonly #clock: TrustedClock;
  readonly #verified = new Map<string, VerifiedNetwork>();
  /** Held from a former version of the program, and used until the first proof comes. */
  readonly #unproved = new Set<string>();
  readonly #ended = new Set<string>();
  readonly #peerWord: PeerWord;
  readonly #onStatement: AgentTrustDeps['onStatement'];
  #authority: Authority | undefined;
  /** What a controller says the time is, and is not believed. */
  #refusedTime: { readonly timeMs: number; readonly sinceBootMs: number } | undefined;

  /** Verifies what is on disk. Throws AgentError when the authority there proves nothing. */
  constructor({ directory, clocks, onProblem, onStatement }: AgentTrustDeps) {
    this.#directory = directory;
    this.#clocks = clocks;
    this.#onStatement = onStatement;
    this.#clock = new TrustedClock({
      wallMs: clocks.wallMs(),
      monotonicMs: clocks.sinceBootMs(),
      record: directory.trust.clock,
    });
    this.problems = new ProblemBook({ now: () => this.now(), onChange: onProblem });
    this.#authority = openStoredAuthority(directory);
    for (const stored of directory.networks.values()) this.#takeStored(stored);
    this.#peerWord = new PeerWord(this.problems);
    if (this.#authority !== undefined)
      for (const signed of directory.trust.revocations)
        this.#peerWord.judge(signed, {
          authority: this.#authority,
          networks: this.#verified,
          fromNodeId: null,
        });
  }

  get authority(): Authority | undefined {
    return this.#authority;
  }

  /** Trusted time, Unix milliseconds. */
  nowMs(): number {
    return this.#clock.nowMs(this.#clocks.sinceBootMs());
  }

  /** Trusted time, RFC 3339. */
  now(): string {
    return new Date(this.nowMs()).toISOString();
  }

  get clockOffsetMs(): number {
    return this.#clock.record.offsetMs;
  }

  /** The strictest that the networks of this node have signed; undefined: it has none. */
  get cloneRule(): CloneRule | undefined {
    const networks = [...this.#verified.values()];
    return strictestRule(networks.map(({ network }) => network.settings.clones));
  }

  get networks(): TrustedNetwork[] {
    return [...this.#directory.networks].flatMap(([networkId, stored]) => {
      const verified = this.#verified.get(networkId);
      if (verified === undefined && !this.#unproved.has(networkId)) return [];
      return [{ stored, verified, isEnded: this.#ended.has(networkId) }];
    });
  }

  verifiedOf(networkId: string): VerifiedNetwork | undefined {
    return this.#verified.get(networkId);
  }

  /**
   * Revisions that a controller need not send again; what lacks a proof is not among them, and of
   * what is held in part it asks.
   */
  revisions(): Record<string, number> {
    const proved = [...this.#verified].filter(
      ([networkId, { state }]) => !this.#ended.has(networkId) && state.isPartial !== true,
    );
    return Object.fromEntries(proved.map(([networkId, { state }]) => [networkId, state.revision]));
  }

  /**
   * Version of the newest roster that peers have shown and that is not held here; undefined: none.
   */
  withheldVersion(networkId: string): number | undefined {
    const version = this.#peerWord.withheldVersion(networkId) ?? 0;
    const held = this.#verified.get(networkId)?.marks.rosterVersion ?? 0;
    return version > held ? version : undefined;
  }

  /** True when peers have passed on that the authority revoked this member. */
  isRevoked(networkId: string, nodeId: string): boolean {
    const member = this.#verified.get(networkId)?.members.get(nodeId);
    return member !== undefined && this.#peerWord.isRevoked(member.credential);
  }

  /**
   * Verifies a state, as it is after applying, and stores it with its proof; gives why not. Throws
   * AgentError when the disk does not take it: then what was held is held. Of a network that is
   * held in part `named` are those whom the controller told.
   */
  takeNetwork(
    given: StoredNetwork & { readonly proof: NetworkProof },
    named?: ReadonlySet<string>,
  ): TrustRefusal | undefined {
    const { state, digest, proof } = given;
    const { id } = state.config;
    const result = this.#verify({ state, digest, proof }, named);
    if (!result.ok) {
      const { code, detail } = result.refusal;
      this.problems.note(id, 'state', {
        code,
        detail: `the controller sent revision ${state.revision}, which is not proved: ${detail}; what was held stays in use`,
      });
      return result.refusal;
    }
    const { verified } = result;
    const isLess = verified.state.members.length < state.members.length;
    this.#directory.saveNetwork({
      state: verified.state,
      digest: isLess ? networkDigest(verified.state) : digest,
      proof: verified.proof,
    });
    this.#raiseFloor(verified.issuedAtMs);
    const before = this.#verified.get(id);
    this.#verified.set(id, verified);
    this.#unproved.delete(id);
    this.#ended.delete(id);
    if (this.#authority !== undefined) this.#peerWord.takeVerified(id, verified, this.#authority);
    for (const matter of ['state', 'removal'] as const) this.problems.end(id, matter);
    for (const own of newStatementsOf(before, verified)) this.#onStatement?.(own);
    this.#save();
    return undefined;
  }

  /** Takes versions that the controller of the link shows. */
  takeAuthority(chain: readonly SignedStatement[]): AuthorityOutcome {
    const held = this.#authority;
    const result = held === undefined ? takeFirstAuthority(chain) : takeNextAuthority(held, chain);
    if (result.ok && !this.#isOwnOrganization(result.authority)) {
      const code = 'authority_other_organization';
      this.problems.note(null, 'authority', {
        code,
        detail:
          'the controller showed the authority of another organization than the one that this node joined',
      });
      return { kind: 'refused', code };
    }
    const outcome = this.#takePin(result);
    this.#tellVersion(outcome);
    return outcome;
  }

  /** Takes what a controller showed for a join token. Throws AgentError `authority_mismatch`. */
  pinForJoin(
    tokenHash: string | null,
    reply: Pick<JoinReply, 'authority' | 'organizationId'>,
  ): AuthorityOutcome {
    const result = takeTokenAuthority(this.#authority, tokenHash, reply.authority);
    if (!result.ok) throw new AgentError('authority_mismatch', `${result.detail} (${result.code})`);
    const { organizationId } = result.authority.statement;
    if (organizationId !== reply.organizationId)
      throw new AgentError(
        'authority_mismatch',
        `the controller joined this node to ${reply.organizationId}, and the authority is that of ${organizationId}`,
      );
    return this.#takePin(result);
  }

  /** Takes a controller's time, RFC 3339, as far as it is borne out. */
  takeTime(time: string): TimeOutcome {
    const sinceBootMs = this.#clocks.sinceBootMs();
    const timeMs = Date.parse(time);
    const latestMs = latestBorneOut(this);
    const outcome = this.#clock.takeControllerTime(timeMs, sinceBootMs, latestMs);
    this.#refusedTime = outcome === 'refused' ? { timeMs, sinceBootMs } : undefined;
    const isMoved = this.#clock.moveSeen(sinceBootMs);
    if (isMoved || outcome === 'changed') this.#save();
    return outcome;
  }

  /** Looks again at a time that was refused; undefined: there is none. */
  takeTimeAgain(): TimeOutcome | undefined {
    const refused = this.#refusedTime;
    if (refused === undefined || !Number.isFinite(refused.timeMs)) return undefined;
    const passedMs = this.#clocks.sinceBootMs() - refused.sinceBootMs;
    return this.takeTime(new Date(refused.timeMs + passedMs).toISOString());
  }

  /** Keeps on disk how far time has come; a disk that does not take it changes nothing. */
  keepTime(): void {
    if (!this.#clock.moveSeen(this.#clocks.sinceBootMs())) return;
    try {
      this.#save();
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      this.problems.note(null, 'disk', { code: error.code, detail: error.message });
    }
  }

  /**
   * Judges a statement that a peer passed on, and acts on it. Only rosters and revocations of
   * networks that are held concern this node.
   */
  judgeStatement(
    heard: { readonly statement: string; readonly signatures: unknown },
    fromNodeId: string,
  ): StatementVerdict {
    const { statement, signatures } = heard; // what carried it may hold more
    const parsed = signedStatementSchema.safeParse({ statement, signatures });
    if (!parsed.success || this.#authority === undefined) return { verdict: 'refused' };
    try {
      return this.#judge(parsed.data, this.#authority, fromNodeId);
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      // It acts, and is written with whatever is written next.
      this.problems.note(null, 'disk', { code: error.code, detail: error.message });
      return { verdict: 'known' };
    }
  }

  #judge(signed: SignedStatement, authority: Authority, fromNodeId: string): StatementVerdict {
    const version = readStatement(signed, authorityStatementSchema);
    if (version.ok) return this.#judgeVersion(authority, signed, fromNodeId);
    const context = { authority, networks: this.#verified, fromNodeId };
    const verdict = this.#peerWord.judge(signed, context);
    if (verdict.verdict === 'fresh') this.#save();
    return verdict;
  }

  /** What is held and peers should hear of, as after a start. */
  ownStatements(): OwnStatement[] {
    const statements = [...this.#verified.values()].flatMap((verified) =>
      newStatementsOf(undefined, verified),
    );
    return [...this.#versionStatements(), ...statements];
  }

  /** A version that follows from the one held is taken from anybody: its keys have signed it. */
  #judgeVersion(held: Authority, signed: SignedStatement, fromNodeId: string): StatementVerdict {
    const result = takeNextAuthority(held, [signed]);
    if (!result.ok) {
      if (result.code !== 'authority_forked') return { verdict: 'refused' };
      this.problems.note(null, 'peers', {
        code: result.code,
        detail: `${fromNodeId} holds another version of the authority than the controller sent here: ${signed.statement}`,
      });
      return { verdict: 'known' };
    }
    const sender = [...this.#verified].find(([, { members }]) => members.has(fromNodeId));
    if (result.authority.hash === held.hash || sender === undefined) return { verdict: 'known' };
    this.#tellVersion(this.#takePin(result));
    const [networkId] = sender;
    return { verdict: 'fresh', networkId, topic: `authority ${networkId}` };
  }

  #tellVersion(outcome: AuthorityOutcome): void {
    if (outcome.kind === 'changed')
      for (const own of this.#versionStatements()) this.#onStatement?.(own);
  }

  #versionStatements(): OwnStatement[] {
    const signed = this.#authority?.signed;
    if (signed === undefined) return [];
    const networks = [...this.#verified.keys()];
    return networks.map((networkId) => ({ signed, networkId, topic: `authority ${networkId}` }));
  }

  /** A network is left; its versions are remembered. */
  forget(networkId: string): void {
    this.#verified.delete(networkId);
    this.#unproved.delete(networkId);
    this.#ended.delete(networkId);
    this.#peerWord.forget(networkId);
    this.problems.endNetwork(networkId);
  }

  /** Of a network that is held in part: `named` are those whom the update told. */
  #verify(given: StoredNetwork, named?: ReadonlySet<string>): ReturnType<typeof verifyState> {
    const { state, proof } = given;
    const authority = this.#authority;
    if (authority === undefined)
      return refused('authority_missing', 'it came before any authority');
    if (proof === null) return refused('proof_missing', 'it has no proof');
    const { id } = state.config;
    const held = this.#verified.get(id);
    const evidence = { state, proof, authority, held, marks: this.#directory.trust.marks[id] };
    return verifyState(evidence, named);
  }

  /** A network that is on disk: verified, taken over from a former version, or set aside. */
  #takeStored(stored: StoredNetwork): void {
    const { id } = stored.state.config;
    if (this.#authority === undefined && stored.proof === null) {
      this.#unproved.add(id);
      return;
    }
    const result = this.#verify(stored);
    if (result.ok) {
      this.#verified.set(id, result.verified);
      return;
    }
    const { code, detail } = result.refusal;
    const { path } = this.#directory.setNetworkAside(id, `${code}: ${detail}`);
    this.problems.note(id, 'state', {
      code,
      detail: `what this host held on disk is not proved: ${detail}; it is set aside as ${path} and asked for again`,
    });
  }

  #isOwnOrganization(authority: Authority): boolean {
    const organizationId = this.#directory.memberships.controller?.organizationId;
    return organizationId === undefined || organizationId === authority.statement.organizationId;
  }

  #takePin(result: PinResult): AuthorityOutcome {
    if (!result.ok) {
      this.problems.note(null, 'authority', result);
      return { kind: 'refused', code: result.code };
    }
    this.problems.end(null, 'authority');
    const { authority } = result;
    const before = this.#authority;
    if (before?.hash === authority.hash) return { kind: 'same' };
    this.#authority = authority;
    this.#raiseFloor(Date.parse(authority.statement.issuedAt));
    const ended = [...this.#verified.keys()].filter((id) => !this.#verifyAgain(id));
    this.#save();
    return { kind: 'changed', isFirst: before === undefined, ended };
  }

  /** As far as those who are valid bear it out, and before what is taken changes who that is. */
  #raiseFloor(issuedAtMs: number): void {
    this.#clock.raiseFloor(issuedAtMs, this.#clocks.sinceBootMs(), latestBorneOut(this));
  }

  /** What is held, under another authority; false: it does not bear it out. */
  #verifyAgain(networkId: string): boolean {
    const stored = this.#directory.networks.get(networkId);
    if (stored === undefined) return true;
    const result = this.#verify(stored);
    if (result.ok) {
      this.#verified.set(networkId, result.verified);
      this.#ended.delete(networkId);
      return true;
    }
    this.#ended.add(networkId);
    const { code, detail } = result.refusal;
    this.problems.note(networkId, 'state', {
      code,
      detail: `the authority has changed, and what is held is not signed again: ${detail}; nobody in the network is valid until it is`,
    });
    return false;
  }

  /** Writes the trust record when anything in it differs. */
  #save(): void {
    const before = this.#directory.trust;
    const authority = this.#authority === undefined ? null : storedAuthorityOf(this.#authority);
    const next: TrustRecord = {
      authority,
      clock: { ...this.#clock.record },
      marks: this.#marks(),
      revocations: this.#peerWord.revocations.slice(0, NETWORK_REVOCATIONS_MAX),
    };
    if (JSON.stringify(next) !== JSON.stringify(before)) this.#directory.saveTrust(next);
    this.problems.end(null, 'disk');
  }

  /** Those of networks that were left are kept as long as there is room. */
  #marks(): TrustRecord['marks'] {
    const held = [...this.#verified].map(([id, { marks }]) => [id, { ...marks }] as const);
    const own = new Set(this.#verified.keys());
    const left = Object.entries(this.#directory.trust.marks).filter(([id]) => !own.has(id));
    const excess = Math.max(0, left.length + held.length - VERSION_MARKS_MAX);
    return Object.fromEntries([...left.slice(excess), ...held]);
  }
}

function refused(
  code: TrustRefusal['code'],
  detail: string,
): {
  readonly ok: false;
  readonly refusal: TrustRefusal;
} {
  return { ok: false, refusal: { code, detail } };
}
