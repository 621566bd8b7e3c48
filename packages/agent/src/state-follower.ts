/**
 * Follows what the controller says of networks: takes its messages through trust/, keeps the host
 * and the controller told of what came of it, and looks again when a credential begins or ends. How
 * the link lives, and what a person asks for, is not its matter.
 */
import { INTEREST_MAX, NODE_NETWORKS_MAX } from '@etherloom/api';
import type { AgentMessage, AgentProblem, ControllerMessage, PartialUpdate } from '@etherloom/api';
import type { OwnStatement, PlanNetwork, TimeOutcome } from '@etherloom/core';
import type { Logger } from 'pino';
import { monotonicMs, sinceBootMs } from './clock.ts';
import type { StateDirectory } from './disk/state-directory.ts';
import { messageOf } from './errors.ts';
import type { FoundAddress } from './interest/first-packets.ts';
import { InterestRoom } from './interest/interest-room.ts';
import { MemberUses } from './interest/member-uses.ts';
import {
  MEMBER_IDLE_CHECK_MS,
  REASON_CHARS_MAX,
  RESYNC_TRIES_MAX,
  ROSTER_REFRESH_MS,
  VALIDITY_CHECK_MS_MAX,
} from './limits.ts';
import { randomUnit } from './random.ts';
import { dropMembers, findRevisionsBack, takeNetworkMessage, takeNodeRemoval } from './networks.ts';
import type { NetworkMessage, NetworkOutcome } from './networks.ts';
import { AgentTrust } from './trust/agent-trust.ts';
import type { AuthorityOutcome, HostClocks } from './trust/agent-trust.ts';
import { noteOwnValidity } from './trust/own-validity.ts';
import { nextPlanChange, planNetworks } from './trust/plan-networks.ts';
import { Vouching } from './vouching/vouching.ts';

type AuthorityMessage = Extract<ControllerMessage, { type: 'authority' }>;
type WelcomeMessage = Extract<ControllerMessage, { type: 'welcome' }>;
type InterestMessage = Extract<ControllerMessage, { type: 'interestWanted' | 'resolved' }>;
type RefusedMessage = Extract<ControllerMessage, { type: 'refused' }>;

export interface StateFollowerDeps {
  readonly directory: StateDirectory;
  readonly log: Logger;
  /** Asks for a pass over the host; resolves after it. */
  readonly reconcile: () => Promise<void>;
  /** True when nothing of a network is left on the host. */
  readonly isGone: (networkId: string) => boolean;
  /** Tells the controller, when there is a link. */
  readonly send: (message: AgentMessage) => void;
  readonly reopenLink: (reason: string) => void;
  /** Default: those of this host. */
  readonly clocks?: HostClocks;
  /** A statement that the controller brought and peers should hear of. */
  readonly onStatement: (own: OwnStatement) => void;
  /** Default: there is a link. */
  readonly isLinked?: () => boolean;
  /** Frames of each peer, by node id; without it nobody is let go of. */
  readonly frames?: () => Promise<ReadonlyMap<string, number> | undefined>;
  /** A program's address was found. */
  readonly onFound?: (found: FoundAddress) => void;
  /** Default: that of this host. */
  readonly monotonicMs?: () => number;
  /** Members of interest of one network; default: INTEREST_MAX. */
  readonly interestMax?: number;
}

export class StateFollower {
  readonly trust: AgentTrust;
  /** Members that vouchers have let in. */
  readonly vouching: Vouching;
  /** Members of networks that are held in part. */
  readonly interest: InterestRoom;
  readonly #uses = new MemberUses();
  readonly #timers: readonly NodeJS.Timeout[];
  /** Versions of rosters that peers have shown and the controller was asked for. */
  readonly #wantedRosters = new Map<string, number>();
  readonly #deps: StateFollowerDeps;
  /** Messages of each network that did not fit or were refused, since the last that did. */
  readonly #failures = new Map<string, number>();
  /** Looks at the plan when the next credential ends or begins. */
  #validity: NodeJS.Timeout | undefined;
  #isOpen = false;

  /** Verifies what is on disk. Throws AgentError. */
  constructor(deps: StateFollowerDeps) {
    this.#deps = deps;
    this.trust = new AgentTrust({
      directory: deps.directory,
      clocks: deps.clocks ?? { wallMs: () => Date.now(), sinceBootMs },
      onProblem: (added) => this.#tellProblem(added),
      onStatement: (own) => deps.onStatement(own),
    });
    this.vouching = new Vouching({
      stateDirectory: deps.directory.path,
      identity: () => deps.directory.identity,
      trust: this.trust,
      log: deps.log,
    });
    this.interest = new InterestRoom({
      trust: this.trust,
      nodeId: () => deps.directory.identity.nodeId,
      monotonicMs: deps.monotonicMs ?? monotonicMs,
      isLinked: deps.isLinked ?? (() => true),
      send: (message) => deps.send(message),
      onFound: (found) => deps.onFound?.(found),
    });
    this.#timers = [
      setInterval(() => void this.#letGoOfIdle(), MEMBER_IDLE_CHECK_MS).unref(),
      setInterval(() => this.#askForRosters(), ROSTER_REFRESH_MS * (0.5 + randomUnit())).unref(),
    ];
    this.#isOpen = true;
  }

  stop(): void {
    clearTimeout(this.#validity);
    for (const timer of this.#timers) clearInterval(timer);
  }

  /** Why the state of a network is not followed; null: it is. */
  problemOf(networkId: string): string | null {
    return this.trust.problems.of(networkId)[0]?.message ?? null;
  }

  /**
   * The networks with those who are valid at this time; asks for another pass when that changes.
   */
  planNetworks(): PlanNetwork[] {
    const { nodeId } = this.#deps.directory.identity;
    const trustedMs = this.trust.nowMs();
    noteOwnValidity(this.trust, nodeId);
    this.trust.keepTime();
    clearTimeout(this.#validity);
    const next = Math.min(
      nextPlanChange(this.trust, trustedMs) ?? Infinity,
      this.vouching.nextChange(trustedMs) ?? Infinity,
    );
    if (next !== Infinity)
      this.#validity = setTimeout(
        () => void this.#deps.reconcile(),
        Math.min(Math.ceil(next - trustedMs) + 1, VALIDITY_CHECK_MS_MAX),
      );
    const times = { trustedMs, meshMs: monotonicMs() };
    const isVouched = (id: string): boolean => this.vouching.isOwnValid(id, trustedMs);
    return this.vouching.planInto(planNetworks(this.trust, nodeId, times, isVouched), times);
  }

  /** Should be called with each welcome, before anything else is sent. */
  takeWelcome({ revisions, time }: WelcomeMessage): void {
    this.#failures.clear();
    this.trust.problems.end(null, 'place');
    this.#tellTime(this.trust.takeTime(time), time);
    this.#compareRevisions(revisions);
    this.#sendProblems();
  }

  takeAuthority({ chain }: AuthorityMessage): void {
    this.tellAuthority(this.trust.takeAuthority(chain));
  }

  /** Acts on an authority that was taken. */
  tellAuthority(outcome: AuthorityOutcome): void {
    if (outcome.kind !== 'changed') return;
    const { authority } = this.trust;
    const facts = { version: authority?.statement.version, hash: authority?.hash };
    const text = outcome.isFirst
      ? 'the authority is pinned from here on'
      : 'the authority has moved on';
    this.#deps.log.info(facts, text);
    for (const networkId of outcome.ended) this.#resync(networkId);
    void this.#deps.reconcile();
  }

  takeInterest(message: InterestMessage): void {
    if (message.type === 'resolved') this.interest.takeResolved(message);
    else if (!this.#deps.directory.memberships.leaving.includes(message.networkId))
      this.interest.tell(message.networkId);
  }

  takeNetworkMessage(message: NetworkMessage): NetworkOutcome {
    const { directory, log, reconcile } = this.#deps;
    if (message.type === 'partial') this.#makeRoom(message);
    const asked = message.type === 'partial' && message.isReply ? message.networkId : undefined;
    const outcome = takeNetworkMessage({ directory, trust: this.trust }, message);
    const { networkId } = outcome;
    if (outcome.kind !== 'changed') {
      log.warn({ networkId, reason: outcome.reason }, OUTCOME_TEXTS[outcome.kind]);
      if (outcome.kind === 'resync') this.#resync(networkId);
      if (outcome.kind === 'refused') this.#countFailure(networkId);
      return outcome;
    }
    this.#failures.delete(networkId);
    if (asked !== undefined) {
      this.#compareRoster(asked);
      this.interest.settle(asked);
    }
    this.trust.problems.end(networkId, 'revision');
    this.#lookAtTimeAgain();
    const revision = directory.networks.get(networkId)?.state.revision;
    log.info({ networkId, what: outcome.what, by: message.type, revision }, 'network changed');
    const pass = reconcile();
    if (outcome.what === 'removed') void pass.then(() => this.#confirmRemoval(networkId));
    return outcome;
  }

  /** Members that were not dealt with for long make room for those that are told. */
  #makeRoom({ networkId, upserts }: PartialUpdate): void {
    const members = this.trust.verifiedOf(networkId)?.state.members ?? [];
    const told = new Set(upserts.map(({ nodeId }) => nodeId));
    const kept = members.map(({ nodeId }) => nodeId).filter((nodeId) => !told.has(nodeId));
    const most = (this.#deps.interestMax ?? INTEREST_MAX) + 1; // the node itself is beside them
    const excess = kept.length + told.size - most;
    if (excess <= 0) return;
    const ownId = this.#deps.directory.identity.nodeId;
    const others = kept.filter((nodeId) => nodeId !== ownId);
    this.#letGo(networkId, this.#uses.leastUsed(others, excess));
  }

  /** A controller that was asked has to have what peers had before. */
  #compareRoster(networkId: string): void {
    const wanted = this.#wantedRosters.get(networkId);
    this.#wantedRosters.delete(networkId);
    const held = this.trust.verifiedOf(networkId)?.marks.rosterVersion ?? 0;
    if (wanted === undefined || held >= wanted) return;
    const detail = `peers hold version ${wanted} of the roster, the controller was asked and has sent ${held}`;
    this.trust.problems.note(networkId, 'peers', { code: 'roster_withheld', detail });
  }

  /** Asks for the newest roster of networks that are held in part, where peers have shown it. */
  #askForRosters(): void {
    if (this.#deps.isLinked?.() === false) return;
    for (const { stored } of this.trust.networks) {
      const networkId = stored.state.config.id;
      const wanted = this.trust.withheldVersion(networkId);
      if (stored.state.isPartial !== true || wanted === undefined) continue;
      this.#wantedRosters.set(networkId, wanted);
      this.interest.tell(networkId);
    }
  }

  /** Only while there is a controller to ask for those that are needed again. */
  async #letGoOfIdle(): Promise<void> {
    const { frames, isLinked, directory, log } = this.#deps;
    const partial = this.trust.networks.filter(({ stored }) => stored.state.isPartial === true);
    if (frames === undefined || partial.length === 0 || isLinked?.() === false) return;
    const counts = await frames().catch((error: unknown) => {
      log.warn({ error: messageOf(error) }, 'the data path does not say who is dealt with');
      return undefined;
    });
    if (counts === undefined || isLinked?.() === false) return;
    const ownId = directory.identity.nodeId;
    const held = new Set(
      partial.flatMap(({ stored }) => stored.state.members.map((m) => m.nodeId)),
    );
    held.delete(ownId);
    const known = new Map([...held].map((nodeId) => [nodeId, counts.get(nodeId) ?? 0]));
    const idle = this.#uses.look(known, (this.#deps.monotonicMs ?? monotonicMs)());
    for (const { stored } of partial) {
      const members = new Set(stored.state.members.map(({ nodeId }) => nodeId));
      this.#letGo(
        stored.state.config.id,
        idle.filter((nodeId) => members.has(nodeId)),
      );
    }
  }

  #letGo(networkId: string, nodeIds: readonly string[]): void {
    const { log } = this.#deps;
    if (nodeIds.length === 0) return;
    try {
      dropMembers(this.trust, networkId, new Set(nodeIds));
    } catch (error) {
      log.error({ networkId, error: messageOf(error) }, 'a change could not be stored');
      return;
    }
    log.info({ networkId, members: nodeIds.length }, 'members were not needed for long');
    this.interest.tell(networkId);
    void this.#deps.reconcile();
  }

  /** The controller says that another host is this node; the signed rule does not bear it out. */
  noteDispute(message: string): void {
    const detail = `the controller says: ${message.slice(0, REASON_CHARS_MAX)}; it took this host for the node before, and what is signed does not end that: the networks go on; if another host has its state directory, end the wrong one`;
    this.trust.problems.note(null, 'place', { code: 'verdict_disputed', detail });
  }

  /** The controller says that this node was removed. */
  takeNodeRemoval({ message, removal }: RefusedMessage): void {
    const { directory, log, reconcile } = this.#deps;
    if (removal !== undefined) this.tellAuthority(this.trust.takeAuthority(removal.authority));
    const store = { directory, trust: this.trust };
    const said = { reason: message, shown: removal?.revocations ?? [] };
    const ended = takeNodeRemoval(store, said);
    if (ended.length === 0) return;
    log.error({ networks: ended }, 'this node was removed: its networks are taken down');
    void reconcile();
  }

  #compareRevisions(revisions: Readonly<Record<string, number>>): void {
    const { directory } = this.#deps;
    for (const networkId of directory.networks.keys())
      this.trust.problems.end(networkId, 'revision');
    // What is held is what the controller has: nothing that was refused before is wanted any more.
    for (const [networkId, revision] of Object.entries(this.trust.revisions()))
      if (revisions[networkId] === revision)
        for (const matter of ['state', 'removal'] as const)
          this.trust.problems.end(networkId, matter);
    for (const { networkId, held, given } of findRevisionsBack(directory, revisions)) {
      if (this.vouching.isBorrowed(networkId)) continue;
      const detail =
        `the controller is at revision ${given} and this host at ${held}: the controller's database was restored from an older backup; ` +
        'changes are not taken until it is started once with --restored';
      this.trust.problems.note(networkId, 'revision', { code: 'revision_older', detail });
    }
  }

  #tellTime(outcome: TimeOutcome, time: string): void {
    const { problems } = this.trust;
    const offsetSeconds = Math.round(this.trust.clockOffsetMs / 1_000);
    if (outcome === 'refused') {
      const detail = `the controller says that it is ${time}, this host takes it to be ${this.trust.now()}: that time is not taken, since it is before what this host has seen, or memberships would end by it that nobody has renewed; set the wrong clock right, and start the agent again if it is that of this host`;
      problems.note(null, 'clock', { code: 'clock_refused', detail });
    } else if (offsetSeconds === 0) problems.end(null, 'clock');
    else {
      const detail = `the controller's clock is ${offsetSeconds} s ahead of that of this host: set the wrong one right; the controller's time counts here`;
      problems.note(null, 'clock', { code: 'clock_differs', detail });
    }
    if (outcome === 'changed') void this.#deps.reconcile();
  }

  /** Renewals that came may bear out what was not believed before. */
  #lookAtTimeAgain(): void {
    const outcome = this.trust.takeTimeAgain();
    if (outcome === 'changed' || outcome === 'same') this.#tellTime(outcome, '');
  }

  #tellProblem(added: AgentProblem | undefined): void {
    if (added !== undefined) this.#deps.log.error(added, added.message);
    this.#sendProblems();
  }

  #sendProblems(): void {
    if (!this.#isOpen) return; // what was found on disk is told with the first welcome
    this.#deps.send({ type: 'problems', problems: [...this.trust.problems.all] });
  }

  /** Its VNI may go to another network once nothing here carries it. */
  #confirmRemoval(networkId: string): void {
    if (this.#deps.isGone(networkId)) this.#deps.send({ type: 'released', networkId });
  }

  #resync(networkId: string): void {
    if (this.#countFailure(networkId)) this.#deps.send({ type: 'resync', networkId });
  }

  /** Verifying costs time: who sends one state after another that is refused has to wait. */
  #countFailure(networkId: string): boolean {
    const failures = (this.#failures.get(networkId) ?? 0) + 1;
    this.#failures.set(networkId, failures);
    if (failures <= RESYNC_TRIES_MAX && this.#failures.size <= NODE_NETWORKS_MAX) return true;
    this.#deps.reopenLink('the state that the controller sends does not fit, or is not proved');
    return false;
  }
}

const OUTCOME_TEXTS = {
  ignored: 'state ignored',
  refused: 'state refused',
  resync: 'state does not fit; asking anew',
} as const;
