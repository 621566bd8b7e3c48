/**
 * This controller among those that share its database: says that it runs, knows which others do and
 * which links they have, and passes on what one tells the others. What follows from it is the
 * matter of the links (link/) and of the lease judge (lease/).
 */
import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import {
  ATTEMPTS_GATHER_MS,
  ATTEMPTS_TOLD_MAX,
  BUS_QUESTIONS_MAX,
  BUS_SWEEP_MS,
  CONTROLLER_GONE_MS,
  HEARTBEAT_MS,
  LEASE_PROBE_MS,
  LOOK_NODES_MAX,
  LOOK_PROBLEMS_MS,
  LOOK_TRAVEL_MS,
  REMOTE_LINKS_READ_MS,
  REPORT_WAIT_MS,
} from '../limits.ts';
import { errorText } from '../startup-error.ts';
import type { SharedAttempt } from '../access/login-throttle.ts';
import type { Bus } from '../store/bus.ts';
import { closeLink, enterLink, readRemoteLinks, reenterLinks } from '../store/links.ts';
import type { LinkEntry } from '../store/links.ts';
import type { Tx } from '../store/store.ts';
import { parsePeerMessage } from './messages.ts';
import type { PeerMessage } from './messages.ts';
import type { LiveKind } from '../watch/event-text.ts';
import { LookAnswers } from './look-answers.ts';
import type { LookEntry } from './look-text.ts';
import { Looks } from './looks.ts';
import { beat, signOff } from './registry.ts';
import type { ControllerView, OwnEntry } from './registry.ts';
import { RemoteLinks } from './remote-links.ts';
import type { FoundLinks } from './remote-links.ts';
import { RemoteTrouble } from './remote-trouble.ts';

export type LinkedMessage = Extract<PeerMessage, { type: 'linked' }>;
type LiveMessage = Extract<PeerMessage, { type: 'live' }>;

/** What a controller answers of the link that it has of a node. */
export interface HolderAnswer {
  readonly isAnswered: boolean;
  readonly silentMs: number;
}

/** What follows from what others tell. */
export interface ClusterEvents {
  onChanges(lists: Readonly<Record<string, readonly unknown[]>>): void;
  /** Something may have been missed: whatever is held has to be compared with the database. */
  onGap(): void;
  /** A node has a link at another controller. */
  onLinked(link: Pick<LinkedMessage, 'nodeId' | 'instance' | 'epoch' | 'isReplaced'>): void;
  onHolder(nodeId: string, instance: string): void;
  /** The agent of `found`, if its link is open here, is to deal with another node. */
  onFollow(networkId: string, found: string, askerId: string): void;
  onLive(kind: LiveKind, nodeId: string, organizationId: string | null): void;
  /** Attempts to log in at another controller. */
  onAttempts(attempts: readonly SharedAttempt[]): void;
  /** Links at other controllers that came or went without having been told. */
  onFound(links: FoundLinks): void;
  /** The list of controllers is another one. */
  onControllers(): void;
  /** What is known of a node by its link here; null: nothing that has to be said. */
  look(nodeId: string, peersMax: number | null): Promise<LookEntry | null>;
  /** Nodes whose agents told of problems over links that are open here. */
  troubled(): readonly string[];
  /** Of the link that is open here. */
  ask(nodeId: string): Promise<HolderAnswer>;
  /** Links that are open here. */
  openLinks(): readonly LinkEntry[];
  /** The database can be reached again. */
  onReach(isReached: boolean): void;
}

/** What of it is the matter of links and of those who watch them. */
export type LinkEvents = Omit<ClusterEvents, 'onAttempts'>;

export interface ClusterDeps {
  readonly bus: Bus;
  readonly own: () => OwnEntry;
  readonly monotonicMs: () => number;
  readonly log: Logger;
}

interface Question {
  readonly answer: (answer: HolderAnswer | null) => void;
  readonly timer: NodeJS.Timeout;
}

/** Another controller has this long to say what its agent answered. */
const ANSWER_MS = LEASE_PROBE_MS + 500;

export class Cluster {
  readonly #deps: ClusterDeps;
  #events: ClusterEvents | undefined;
  #controllers: readonly ControllerView[] = [];
  readonly #remote = new RemoteLinks();
  readonly #trouble: RemoteTrouble;
  readonly #looks: Looks;
  readonly #lookAnswers: LookAnswers;
  readonly #attempts: SharedAttempt[] = [];
  readonly #questions = new Map<string, Question>();
  #timer: NodeJS.Timeout | undefined;
  /** Since when each heartbeat went through; null: the last one did not. */
  #steadySinceMs: number | null = null;
  #remoteReadAtMs = Number.NEGATIVE_INFINITY;
  #beating: Promise<void> = Promise.resolve();
  #sweptAtMs = Number.NEGATIVE_INFINITY;
  #hasBeaten = false;
  /** Others were told of problems, or have to be told that there are none. */
  #wereTroubled = false;
  #isStopped = false;

  constructor(deps: ClusterDeps) {
    this.#deps = deps;
    const say = (message: PeerMessage): void => this.#say(message);
    const { bus, log } = deps;
    this.#trouble = new RemoteTrouble(deps.monotonicMs);
    this.#looks = new Looks({ say, collect: (key) => bus.collect(key), log });
    this.#lookAnswers = new LookAnswers({
      say,
      leave: (key, text) => bus.leave(key, text),
      look: async (nodeId, peersMax) => (await this.#events?.look(nodeId, peersMax)) ?? null,
      log,
    });
  }

  get id(): string {
    return this.#deps.own().id;
  }

  /** All that are known, this one among them. */
  get controllers(): readonly ControllerView[] {
    return this.#controllers;
  }

  /** What is to be done by one of them is done by the first that is up. */
  get isFirst(): boolean {
    return this.#controllers.find(({ isUp }) => isUp)?.id === this.id;
  }

  get isReached(): boolean {
    return this.#deps.bus.isReached;
  }

  /** Enters this controller and listens. Rejects with `unavailable`. */
  async start(events: ClusterEvents): Promise<void> {
    this.#events = events;
    await this.#deps.bus.listen({
      onMessage: (text) => this.#take(text),
      onGap: () => {
        this.#remoteReadAtMs = Number.NEGATIVE_INFINITY;
        events.onGap();
      },
      onReach: (isReached) => {
        events.onReach(isReached);
        if (isReached) this.#beatSoon();
      },
    });
    // Agents may have come before this controller heard of what the others change.
    events.onGap();
    await this.#beat();
    this.#say({ type: 'controllers' });
    this.#timer = setInterval(() => this.#beatSoon(), HEARTBEAT_MS);
    this.#timer.unref();
  }

  /** No further agents are sent here; the links are still open. */
  async leave(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    clearInterval(this.#timer);
    await this.#beating;
    for (const { answer } of this.#questions.values()) answer(null);
    this.#looks.stop();
    try {
      await signOff(this.#deps.bus, this.#deps.own());
      await this.#deps.bus.say(JSON.stringify({ type: 'controllers' }));
    } catch (error) {
      this.#deps.log.warn({ reason: errorText(error) }, 'the others find this controller gone');
    }
  }

  isLinkedElsewhere(nodeId: string): boolean {
    return this.#remote.get(nodeId) !== undefined;
  }

  /** The report of a node, from the controller that has its link; null: no other one has. */
  askReport(nodeId: string, peersMax: number): Promise<LookEntry | undefined> | null {
    return this.#look(nodeId, peersMax, REPORT_WAIT_MS + LOOK_TRAVEL_MS);
  }

  /** The same of the problems that its agent told; null, too, where it told none. */
  askProblems(nodeId: string): Promise<LookEntry | undefined> | null {
    return this.hasProblems(nodeId) ? this.#look(nodeId, null, LOOK_PROBLEMS_MS) : null;
  }

  /** Whether an agent has told another controller of problems. */
  hasProblems(nodeId: string): boolean {
    const link = this.#remote.get(nodeId);
    return link !== undefined && this.#trouble.has(link.controllerId, nodeId);
  }

  #look(
    nodeId: string,
    peersMax: number | null,
    deadlineMs: number,
  ): Promise<LookEntry | undefined> | null {
    const link = this.#remote.get(nodeId);
    if (link === undefined) return null;
    return this.#looks.ask({ controllerId: link.controllerId, peersMax, deadlineMs }, nodeId);
  }

  /** In the transaction that gives a node its lease. */
  async enterLink(
    tx: Tx,
    link: Omit<LinkEntry, 'controllerId'>,
    isReplaced: boolean,
  ): Promise<void> {
    const { nodeId, instance, epoch } = link;
    await enterLink(tx, { ...link, controllerId: this.id });
    const message: PeerMessage = {
      type: 'linked',
      controllerId: this.id,
      nodeId,
      instance,
      epoch,
      isReplaced,
    };
    await this.#deps.bus.mention(tx.db, JSON.stringify(message));
  }

  async closeLink(tx: Tx, nodeId: string, epoch: number): Promise<void> {
    await closeLink(tx, { nodeId, controllerId: this.id, epoch });
    const message: PeerMessage = { type: 'unlinked', controllerId: this.id, nodeId, epoch };
    await this.#deps.bus.mention(tx.db, JSON.stringify(message));
  }

  /** Which of two hosts is a node, for the peers that other controllers have. */
  tellHolder(nodeId: string, instance: string): void {
    this.#say({ type: 'holder', nodeId, instance });
  }

  /** What people at other controllers see of a link that is here. */
  tellLive(event: Omit<LiveMessage, 'type' | 'problemsAt'>, hasProblems: boolean): void {
    this.#say({ type: 'live', ...event, problemsAt: hasProblems ? this.id : null });
  }

  /** An attempt to log in here counts at the other controllers as well. */
  tellAttempt(attempt: SharedAttempt): void {
    if (this.#attempts.length >= ATTEMPTS_TOLD_MAX) return;
    this.#attempts.push(attempt);
    if (this.#attempts.length > 1) return;
    setTimeout(() => {
      this.#say({ type: 'attempts', attempts: this.#attempts.splice(0) });
    }, ATTEMPTS_GATHER_MS);
  }

  /** `found` is to deal with `askerId`, in a network that is told in part. */
  tellFollow(networkId: string, found: string, askerId: string): void {
    if (this.isLinkedElsewhere(found)) this.#say({ type: 'follow', networkId, found, askerId });
  }

  /** Whether the agent of a link at another controller answers; null: that one does not either. */
  ask(controllerId: string, nodeId: string): Promise<HolderAnswer | null> {
    if (this.#questions.size >= BUS_QUESTIONS_MAX) return Promise.resolve(null);
    const id = randomBytes(8).toString('hex');
    return new Promise((resolve) => {
      const answer = (given: HolderAnswer | null): void => {
        clearTimeout(timer);
        this.#questions.delete(id);
        resolve(given);
      };
      const timer = setTimeout(() => answer(null), ANSWER_MS);
      this.#questions.set(id, { answer, timer });
      this.#say({ type: 'ask', id, controllerId, nodeId });
    });
  }

  /** To those who listen; whoever does not reads the same from the database. */
  #say(message: PeerMessage): void {
    this.#deps.bus.say(JSON.stringify(message)).catch((error: unknown) => {
      this.#deps.log.debug({ type: message.type, reason: errorText(error) }, 'not said');
    });
  }

  #take(text: string): void {
    const message = parsePeerMessage(text);
    const events = this.#events;
    if (message === undefined || events === undefined) return;
    switch (message.type) {
      case 'changes':
        return events.onChanges(message.lists);
      case 'linked':
        return this.#takeLinked(message, events);
      case 'unlinked':
        return this.#remote.close(message.nodeId, message.epoch);
      case 'holder':
        return events.onHolder(message.nodeId, message.instance);
      case 'follow':
        return events.onFollow(message.networkId, message.found, message.askerId);
      case 'live':
        return this.#takeLive(message, events);
      case 'troubled':
        return this.#trouble.take(message.controllerId, message.nodeIds, message.isFirst);
      case 'controllers':
        this.#remoteReadAtMs = Number.NEGATIVE_INFINITY;
        this.#wereTroubled = true;
        return this.#beatSoon();
      case 'ask':
        if (message.controllerId === this.id) void this.#answer(message, events);
        return;
      case 'answer':
        return this.#questions.get(message.id)?.answer(message);
      case 'attempts':
        return events.onAttempts(message.attempts);
      case 'look':
        if (message.controllerId === this.id) this.#lookAnswers.answer(message);
        return;
      case 'looked':
        return this.#looks.take(message);
      default:
        return assertNever(message);
    }
  }

  #takeLinked(message: LinkedMessage, events: ClusterEvents): void {
    const { nodeId, controllerId, epoch } = message;
    this.#remote.open(nodeId, { controllerId, epoch });
    events.onLinked(message);
  }

  #takeLive(message: LiveMessage, events: ClusterEvents): void {
    const { kind, nodeId, organizationId, problemsAt } = message;
    const controllerId = problemsAt ?? this.#remote.get(nodeId)?.controllerId;
    // Who lost the link knows nothing of the one that the node has by then.
    if (controllerId !== undefined && kind !== 'disconnected')
      this.#trouble.note(controllerId, nodeId, problemsAt !== null);
    events.onLive(kind, nodeId, organizationId);
  }

  /** A link was opened here: whatever others had is past. */
  noteOwn(nodeId: string): void {
    this.#remote.forget(nodeId);
  }

  async #answer(
    { id, nodeId }: Extract<PeerMessage, { type: 'ask' }>,
    events: ClusterEvents,
  ): Promise<void> {
    this.#say({ type: 'answer', id, ...(await events.ask(nodeId)) });
  }

  #beatSoon(): void {
    this.#beating = this.#beating.then(() => (this.#isStopped ? undefined : this.#beat()));
  }

  /** Never rejects. */
  async #beat(): Promise<void> {
    const { bus, own, log, monotonicMs } = this.#deps;
    const startedAtMs = monotonicMs();
    try {
      this.#steadySinceMs ??= startedAtMs;
      const maySweep = startedAtMs - this.#steadySinceMs >= CONTROLLER_GONE_MS;
      const { controllers, wasGone, isDoubled } = await beat(bus, own(), maySweep);
      if (wasGone) await this.#reenter();
      if (isDoubled && this.#hasBeaten)
        log.warn({ id: this.id }, 'another controller has the same id: remove its controller.id');
      this.#hasBeaten = true;
      if (maySweep && this.isFirst && startedAtMs - this.#sweptAtMs >= BUS_SWEEP_MS) {
        this.#sweptAtMs = startedAtMs;
        await bus.sweep();
      }
      this.#takeControllers(controllers);
      if (startedAtMs - this.#remoteReadAtMs >= REMOTE_LINKS_READ_MS) await this.#readRemote();
    } catch (error) {
      this.#steadySinceMs = null;
      log.debug({ reason: errorText(error) }, 'no heartbeat');
    }
  }

  async #reenter(): Promise<void> {
    const links = this.#events?.openLinks() ?? [];
    if (links.length > 0) await reenterLinks(this.#deps.bus, links);
    this.#say({ type: 'controllers' }); // the others read whose links are whose anew
    this.#remoteReadAtMs = Number.NEGATIVE_INFINITY;
  }

  async #readRemote(): Promise<void> {
    this.#remoteReadAtMs = this.#deps.monotonicMs(); // before: a gap meanwhile asks for another
    const found = await this.#remote.readAnew(async () => {
      const rows = await readRemoteLinks(this.#deps.bus, this.id);
      return rows.map(
        ({ node_id, controller_id, epoch }) =>
          [node_id, { controllerId: controller_id, epoch }] as const,
      );
    });
    this.#events?.onFound(found);
    this.#tellTroubled();
    for (const { nodeId, instance, epoch } of this.#events?.openLinks() ?? []) {
      const remote = this.#remote.get(nodeId);
      if (remote !== undefined && remote.epoch > epoch)
        this.#events?.onLinked({ nodeId, instance, epoch: remote.epoch, isReplaced: false });
    }
  }

  /** To those who missed something; nothing where all is well, and was. */
  #tellTroubled(): void {
    const troubled = this.#events?.troubled() ?? [];
    if (troubled.length === 0 && !this.#wereTroubled) return;
    this.#wereTroubled = troubled.length > 0;
    for (let at = 0; at === 0 || at < troubled.length; at += LOOK_NODES_MAX) {
      const nodeIds = troubled.slice(at, at + LOOK_NODES_MAX);
      this.#say({ type: 'troubled', controllerId: this.id, nodeIds, isFirst: at === 0 });
    }
  }

  #takeControllers(controllers: readonly ControllerView[]): void {
    if (isDeepStrictEqual(controllers, this.#controllers)) return;
    const up = controllers.filter(({ isUp }) => isUp);
    this.#controllers = controllers;
    this.#trouble.keep(new Set(up.map(({ id }) => id)));
    this.#remoteReadAtMs = Number.NEGATIVE_INFINITY;
    this.#deps.log.info(
      { controllers: controllers.map(({ id, urls, isUp }) => ({ id, url: urls[0], isUp })) },
      `${up.length} controllers serve`,
    );
    this.#events?.onControllers();
  }
}

function assertNever(value: never): never {
  throw new Error(`unexpected ${JSON.stringify(value)}`);
}
