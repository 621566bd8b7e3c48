/**
 * Follows what the controller says of networks: takes its messages through trust/, keeps the host
 * and the controller told of what came of it, and looks again when a credential begins or ends. How
 * the link lives, and what a person asks for, is not its matter.
 */
import { NODE_NETWORKS_MAX } from '@etherloom/api';
import type { AgentMessage, AgentProblem, ControllerMessage } from '@etherloom/api';
import type { OwnStatement, PlanNetwork, TimeOutcome } from '@etherloom/core';
import type { Logger } from 'pino';
import { monotonicMs, sinceBootMs } from './clock.ts';
import type { StateDirectory } from './disk/state-directory.ts';
import { REASON_CHARS_MAX, RESYNC_TRIES_MAX, VALIDITY_CHECK_MS_MAX } from './limits.ts';
import { findRevisionsBack, takeNetworkMessage, takeNodeRemoval } from './networks.ts';
import type { NetworkMessage, NetworkOutcome } from './networks.ts';
import { AgentTrust } from './trust/agent-trust.ts';
import type { AuthorityOutcome, HostClocks } from './trust/agent-trust.ts';
import { noteOwnValidity } from './trust/own-validity.ts';
import { nextPlanChange, planNetworks } from './trust/plan-networks.ts';
import { Vouching } from './vouching/vouching.ts';

type AuthorityMessage = Extract<ControllerMessage, { type: 'authority' }>;
type WelcomeMessage = Extract<ControllerMessage, { type: 'welcome' }>;
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
}

export class StateFollower {
  readonly trust: AgentTrust;
  /** Members that vouchers have let in. */
  readonly vouching: Vouching;
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
    this.#isOpen = true;
  }

  stop(): void {
    clearTimeout(this.#validity);
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

  takeNetworkMessage(message: NetworkMessage): NetworkOutcome {
    const { directory, log, reconcile } = this.#deps;
    const outcome = takeNetworkMessage({ directory, trust: this.trust }, message);
    const { networkId } = outcome;
    if (outcome.kind !== 'changed') {
      log.warn({ networkId, reason: outcome.reason }, OUTCOME_TEXTS[outcome.kind]);
      if (outcome.kind === 'resync') this.#resync(networkId);
      if (outcome.kind === 'refused') this.#countFailure(networkId);
      return outcome;
    }
    this.#failures.delete(networkId);
    this.trust.problems.end(networkId, 'revision');
    this.#lookAtTimeAgain();
    const revision = directory.networks.get(networkId)?.state.revision;
    log.info({ networkId, what: outcome.what, by: message.type, revision }, 'network changed');
    const pass = reconcile();
    if (outcome.what === 'removed') void pass.then(() => this.#confirmRemoval(networkId));
    return outcome;
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
