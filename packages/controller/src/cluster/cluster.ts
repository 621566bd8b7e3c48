/**
 * This controller among those that share its database: says that it runs, knows which others do and
 * which links they have, and passes on what one tells the others. What follows from it is the
 * matter of the links (link/) and of the lease judge (lease/).
 */
import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import {
  BUS_QUESTIONS_MAX,
  BUS_SWEEP_MS,
  CONTROLLER_GONE_MS,
  HEARTBEAT_MS,
  LEASE_PROBE_MS,
  REMOTE_LINKS_READ_MS,
} from '../limits.ts';
import { errorText } from '../startup-error.ts';
import type { Bus } from '../store/bus.ts';
import { closeLink, enterLink, readRemoteLinks, reenterLinks } from '../store/links.ts';
import type { LinkEntry } from '../store/links.ts';
import type { Tx } from '../store/store.ts';
import { parsePeerMessage } from './messages.ts';
import type { PeerMessage } from './messages.ts';
import type { LiveKind } from '../watch/event-text.ts';
import { beat, signOff } from './registry.ts';
import type { ControllerView, OwnEntry } from './registry.ts';

export type LinkedMessage = Extract<PeerMessage, { type: 'linked' }>;

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
  /** The list of controllers is another one. */
  onControllers(): void;
  /** Of the link that is open here. */
  ask(nodeId: string): Promise<HolderAnswer>;
  /** Links that are open here. */
  openLinks(): readonly LinkEntry[];
  /** The database can be reached again. */
  onReach(isReached: boolean): void;
}

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
  /** Links at other controllers, by node. */
  #remote = new Map<string, { readonly controllerId: string; readonly epoch: number }>();
  readonly #questions = new Map<string, Question>();
  #timer: NodeJS.Timeout | undefined;
  /** Since when each heartbeat went through; null: the last one did not. */
  #steadySinceMs: number | null = null;
  #remoteReadAtMs = Number.NEGATIVE_INFINITY;
  #beating: Promise<void> = Promise.resolve();
  #sweptAtMs = Number.NEGATIVE_INFINITY;
  #hasBeaten = false;
  #isStopped = false;

  constructor(deps: ClusterDeps) {
    this.#deps = deps;
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
    try {
      await signOff(this.#deps.bus, this.#deps.own());
      await this.#deps.bus.say(JSON.stringify({ type: 'controllers' }));
    } catch (error) {
      this.#deps.log.warn({ reason: errorText(error) }, 'the others find this controller gone');
    }
  }

  isLinkedElsewhere(nodeId: string): boolean {
    return this.#remote.has(nodeId);
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

  /** What people who watch at other controllers see of a link that is here. */
  tellLive(kind: LiveKind, nodeId: string, organizationId: string | null): void {
    this.#say({ type: 'live', kind, nodeId, organizationId });
  }

  /** `found` is to deal with `askerId`, in a network that is told in part. */
  tellFollow(networkId: string, found: string, askerId: string): void {
    if (this.#remote.has(found)) this.#say({ type: 'follow', networkId, found, askerId });
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
        if (this.#remote.get(message.nodeId)?.epoch === message.epoch)
          this.#remote.delete(message.nodeId);
        return;
      case 'holder':
        return events.onHolder(message.nodeId, message.instance);
      case 'follow':
        return events.onFollow(message.networkId, message.found, message.askerId);
      case 'live':
        return events.onLive(message.kind, message.nodeId, message.organizationId);
      case 'controllers':
        return this.#beatSoon();
      case 'ask':
        if (message.controllerId === this.id) void this.#answer(message, events);
        return;
      case 'answer':
        return this.#questions.get(message.id)?.answer(message);
      default:
        return assertNever(message);
    }
  }

  #takeLinked(message: LinkedMessage, events: ClusterEvents): void {
    const { nodeId, controllerId, epoch } = message;
    const known = this.#remote.get(nodeId);
    if (known === undefined || known.epoch <= epoch)
      this.#remote.set(nodeId, { controllerId, epoch });
    events.onLinked(message);
  }

  /** A link was opened here: whatever others had is past. */
  noteOwn(nodeId: string): void {
    this.#remote.delete(nodeId);
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
      if (startedAtMs - this.#remoteReadAtMs >= REMOTE_LINKS_READ_MS) await this.#readRemote();
      if (maySweep && this.isFirst && startedAtMs - this.#sweptAtMs >= BUS_SWEEP_MS) {
        this.#sweptAtMs = startedAtMs;
        await bus.sweep();
      }
      this.#takeControllers(controllers);
    } catch (error) {
      this.#steadySinceMs = null;
      log.debug({ reason: errorText(error) }, 'no heartbeat');
    }
  }

  async #reenter(): Promise<void> {
    const links = this.#events?.openLinks() ?? [];
    if (links.length > 0) await reenterLinks(this.#deps.bus, links);
    this.#remoteReadAtMs = Number.NEGATIVE_INFINITY;
  }

  async #readRemote(): Promise<void> {
    this.#remoteReadAtMs = this.#deps.monotonicMs(); // before: a gap meanwhile asks for another
    const rows = await readRemoteLinks(this.#deps.bus, this.id);
    this.#remote = new Map(
      rows.map(({ node_id, controller_id, epoch }) => [
        node_id,
        { controllerId: controller_id, epoch },
      ]),
    );
    for (const { nodeId, instance, epoch } of this.#events?.openLinks() ?? []) {
      const remote = this.#remote.get(nodeId);
      if (remote !== undefined && remote.epoch > epoch)
        this.#events?.onLinked({ nodeId, instance, epoch: remote.epoch, isReplaced: false });
    }
  }

  #takeControllers(controllers: readonly ControllerView[]): void {
    if (isDeepStrictEqual(controllers, this.#controllers)) return;
    const up = controllers.filter(({ isUp }) => isUp);
    this.#controllers = controllers;
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
