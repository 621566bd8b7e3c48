/**
 * All links: takes WebSocket upgrades at /v1/agent, bounds how many there are, and tells links of
 * changes, coalesced, so that a hundred joins in a moment are a few messages to each agent and not
 * a hundred.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { CONTROLLER_PING_MS_MAX, CONTROLLER_PING_MS_MIN } from '@etherloom/api';
import type { AgentProblem } from '@etherloom/api';
import type { Logger } from 'pino';
import type { WebSocket } from 'ws';
import { WebSocketServer } from 'ws';
import type { Cluster, ClusterEvents, LinkEvents } from '../cluster/cluster.ts';
import type { LookEntry } from '../cluster/look-text.ts';
import { LeaseJudge, REPLACED_TEXT } from '../lease/judge.ts';
import { Silence } from '../lease/silence.ts';
import type { SourceRate } from '../http/token-bucket.ts';
import { plainAddress, sourceOf } from '../http/token-bucket.ts';
import {
  AGENT_MESSAGE_BYTES_MAX,
  AGENT_PINGS_PER_SECOND,
  COALESCE_MS,
  HOLDER_NEWS_MS,
  LINKS_MAX,
  LINK_PING_MS,
  PENDING_LINKS_MAX,
  PENDING_LINKS_PER_SOURCE_MAX,
} from '../limits.ts';
import type { LiveKind } from '../watch/event-text.ts';
import { revisionsOfNode } from '../store/revisions.ts';
import type { Changes, Store } from '../store/store.ts';
import type { LinkEntry } from '../store/links.ts';
import { AgentLink } from './agent-link.ts';
import type { ControllersMessage } from './agent-link-deps.ts';
import { ClosedLinks } from './closed-links.ts';
import { EndpointPace } from './endpoint-pace.ts';
import { PartialFeed } from './feed-partial.ts';
import { InterestBook } from './interest.ts';
import { NetworkFeed } from './network-feed.ts';
import { ReportBook } from './report-book.ts';

export interface LinkServerDeps {
  readonly store: Store;
  readonly tlsFingerprint: string;
  readonly authFailures: SourceRate;
  readonly now: () => number;
  readonly monotonicMs: () => number;
  readonly log: Logger;
  /** The other controllers of the database; null: nobody shares it. */
  readonly cluster: Cluster | null;
  /** Members up to which a network is pushed whole; default: PUSHED_WHOLE_MAX. */
  readonly pushedWholeMax?: number | undefined;
  /** Told what people who watch see of links. */
  readonly onLive?: (kind: LiveKind, nodeId: string, organizationId: string | null) => void;
}

/** Path of the upgrade. */
const LINK_PATH = '/v1/agent';

/** Holds the links of this controller. */
export class LinkServer {
  readonly #deps: LinkServerDeps;
  readonly #feed: NetworkFeed;
  readonly #partialFeed: PartialFeed;
  readonly #interests = new InterestBook();
  readonly #endpointPace: EndpointPace;
  readonly #silence: Silence;
  readonly #judge: LeaseJudge;
  /** Open links by source. */
  readonly #openFrom = new Map<string, number>();
  readonly #webSockets = new WebSocketServer({
    noServer: true,
    maxPayload: AGENT_MESSAGE_BYTES_MAX,
    perMessageDeflate: false,
  });
  /** What nodes say of themselves when they are asked. */
  readonly reports: ReportBook;
  readonly #pending = new Set<AgentLink>();
  readonly #open = new Map<string, AgentLink>();
  readonly #pingTimer: NodeJS.Timeout;
  readonly #changedNetworks = new Set<string>();
  readonly #changedNodes = new Set<string>();
  readonly #removedNodes = new Set<string>();
  readonly #changedOrganizations = new Set<string>();
  readonly #closed: ClosedLinks;
  /** Instances that are to be told to the peers of their nodes. */
  readonly #holders = new Map<string, string>();
  #holderTimer: NodeJS.Timeout | null = null;
  #coalesceTimer: NodeJS.Timeout | null = null;
  #telling: Promise<void> = Promise.resolve();
  #isStopping = false;
  /** What agents were told last of how often they may ask. */
  #toldPingMs = CONTROLLER_PING_MS_MIN;

  constructor(deps: LinkServerDeps) {
    this.#deps = deps;
    this.#feed = new NetworkFeed(deps.store, deps.pushedWholeMax);
    this.#partialFeed = new PartialFeed(deps.store);
    this.#endpointPace = new EndpointPace(deps.now);
    this.#silence = new Silence(deps.monotonicMs);
    this.#closed = new ClosedLinks({
      ...deps,
      isOpen: (nodeId) => this.#open.has(nodeId),
      onTried: ({ nodeId, organizationId }) =>
        this.#tellLive('disconnected', nodeId, organizationId),
    });
    this.#judge = new LeaseJudge({
      store: deps.store,
      silence: this.#silence,
      linkOf: (nodeId) => this.#open.get(nodeId),
      cluster: deps.cluster,
      monotonicMs: deps.monotonicMs,
      onHolderKnown: (nodeId, instance) => {
        this.#noteHolder(nodeId, instance);
        deps.cluster?.tellHolder(nodeId, instance);
      },
      log: deps.log,
    });
    this.reports = new ReportBook({
      now: deps.now,
      ask: (nodeId, requestId, peersMax) => {
        const link = this.#open.get(nodeId);
        link?.askReport(requestId, peersMax);
        return link !== undefined;
      },
      askElsewhere: (nodeId, peersMax) => deps.cluster?.askReport(nodeId, peersMax) ?? null,
    });
    this.#pingTimer = setInterval(() => {
      for (const link of this.#open.values()) link.ping();
      this.#followLinkCount();
    }, LINK_PING_MS);
    this.#pingTimer.unref();
  }

  /** Agents that are connected here. */
  get openCount(): number {
    return this.#open.size;
  }

  /** Links that have not authenticated. */
  get pendingCount(): number {
    return this.#pending.size;
  }

  isConnected(nodeId: string): boolean {
    return this.#open.has(nodeId) || this.#deps.cluster?.isLinkedElsewhere(nodeId) === true;
  }

  /**
   * What the agent of a node refuses or misses; empty while it is not connected, or while another
   * controller, which has its link, does not answer.
   */
  async problemsOf(nodeId: string): Promise<readonly AgentProblem[]> {
    const link = this.#open.get(nodeId);
    if (link !== undefined) return link.problems;
    return (await this.#deps.cluster?.askProblems(nodeId))?.problems ?? [];
  }

  /** Whether there are any, as far as is known without asking. */
  hasProblems(nodeId: string): boolean {
    const link = this.#open.get(nodeId);
    if (link !== undefined) return link.problems.length > 0;
    return this.#deps.cluster?.hasProblems(nodeId) === true;
  }

  /** What another controller is told of a node. */
  async #lookFor(nodeId: string, peersMax: number | null): Promise<LookEntry | null> {
    const problems = [...(this.#open.get(nodeId)?.problems ?? [])];
    const none = { nodeId, report: null, ageMs: 0, reason: null, problems };
    if (peersMax === null) return problems.length === 0 ? null : none;
    const { held, reason } = await this.reports.readHere(nodeId, peersMax);
    if (held === null) return { ...none, reason };
    const ageMs = Math.max(0, this.#deps.now() - held.atMs);
    return { ...none, report: held.report, ageMs, reason };
  }

  /** Links of a source (as sourceOf names it) that have proved themselves. */
  openFrom(source: string): number {
    return this.#openFrom.get(source) ?? 0;
  }

  #countOpen(link: AgentLink, change: 1 | -1): void {
    const source = sourceOf(link.source);
    const count = this.openFrom(source) + change;
    if (count === 0) this.#openFrom.delete(source);
    else this.#openFrom.set(source, count);
  }

  /** Takes over a socket whose request asks for an upgrade, or answers it with a refusal. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const source = plainAddress(request.socket.remoteAddress);
    const path = (request.url ?? '').replace(/\?.*$/s, '');
    if (path !== LINK_PATH) return refuseUpgrade(socket, '404 Not Found');
    if (this.#isStopping || this.#isFull(source))
      return refuseUpgrade(socket, '503 Service Unavailable');
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) =>
      this.#accept(webSocket, source),
    );
  }

  #isFull(source: string): boolean {
    if (this.#open.size >= LINKS_MAX || this.#pending.size >= PENDING_LINKS_MAX) return true;
    let count = 0;
    for (const link of this.#pending) if (sourceOf(link.source) === sourceOf(source)) count += 1;
    return count >= PENDING_LINKS_PER_SOURCE_MAX;
  }

  #accept(webSocket: WebSocket, source: string): void {
    const link = new AgentLink(webSocket, {
      store: this.#deps.store,
      feed: this.#feed,
      partial: {
        feed: this.#partialFeed,
        book: this.#interests,
        onFound: (networkId, found, askerId) => this.#follow(networkId, found, askerId),
      },
      endpointPace: this.#endpointPace,
      tlsFingerprint: this.#deps.tlsFingerprint,
      source,
      now: this.#deps.now,
      monotonicMs: this.#deps.monotonicMs,
      judge: this.#judge,
      log: this.#deps.log,
      onOpen: (opened) => this.#onOpen(opened),
      onReport: (nodeId, requestId, report) => this.reports.take(nodeId, requestId, report),
      onProblems: ({ nodeId, organizationId }) =>
        nodeId !== null && this.#tellLive('reported', nodeId, organizationId),
      onClosed: (closed) => this.#onClosed(closed),
      isFailureLimited: () => this.#deps.authFailures.take(source) > 0,
      controllers: () => this.#controllersMessage(),
    });
    this.#pending.add(link);
  }

  /** `found` is to deal with `askerId`, at whichever controller its link is. */
  #follow(networkId: string, found: string, askerId: string): void {
    const link = this.#open.get(found);
    if (link !== undefined) link.follow(networkId, askerId);
    else this.#deps.cluster?.tellFollow(networkId, found, askerId);
  }

  #controllersMessage(): ControllersMessage | null {
    const { cluster } = this.#deps;
    if (cluster === null || cluster.controllers.length === 0) return null;
    this.#toldPingMs = this.#agentPingMs();
    return {
      type: 'controllers',
      self: cluster.id,
      controllers: cluster.controllers.map(({ id, urls, isUp }) => ({ id, urls: [...urls], isUp })),
      pingMs: this.#toldPingMs,
    };
  }

  /** How often each agent may ask, so that all of them together do not ask too often. */
  #agentPingMs(): number {
    const wantedMs = (1_000 * this.#open.size) / AGENT_PINGS_PER_SECOND;
    return Math.round(Math.min(CONTROLLER_PING_MS_MAX, Math.max(CONTROLLER_PING_MS_MIN, wantedMs)));
  }

  /** Tells links anew when there are far more of them, or fewer, than when they were told. */
  #followLinkCount(): void {
    const ratio = this.#agentPingMs() / this.#toldPingMs;
    if (ratio >= 2 || ratio <= 0.5) this.#tellControllers();
  }

  /** What follows here from what other controllers tell. */
  clusterEvents(
    onChanges: ClusterEvents['onChanges'],
    onReach: ClusterEvents['onReach'] = () => undefined,
  ): LinkEvents {
    return {
      onChanges,
      onGap: () => this.#compareAll(),
      onLinked: (link) => this.#onLinkedElsewhere(link),
      onHolder: (nodeId, instance) => this.#noteHolder(nodeId, instance),
      onFollow: (networkId, found, askerId) => this.#open.get(found)?.follow(networkId, askerId),
      onLive: (kind, nodeId, organizationId) => this.#deps.onLive?.(kind, nodeId, organizationId),
      onFound: () => undefined, // who watches is told by the hub
      onControllers: () => this.#tellControllers(),
      look: (nodeId, peersMax) => this.#lookFor(nodeId, peersMax),
      troubled: () =>
        [...this.#open].flatMap(([nodeId, { problems }]) => (problems.length > 0 ? [nodeId] : [])),
      ask: (nodeId) => this.#judge.askHolder(nodeId),
      openLinks: () => this.#openLinks(),
      onReach: (isReached) => {
        // Nobody could come as the holder while leases could not be read.
        if (isReached) this.#silence.restart();
        onReach(isReached);
      },
    };
  }

  #openLinks(): LinkEntry[] {
    const controllerId = this.#deps.cluster?.id ?? '';
    return [...this.#open].flatMap(([nodeId, { epoch, marks }]) =>
      marks === null ? [] : [{ nodeId, controllerId, instance: marks.instance, epoch }],
    );
  }

  #tellControllers(): void {
    for (const link of this.#open.values()) link.tellControllers();
  }

  #compareAll(): void {
    this.#feed.forgetAll();
    this.#partialFeed.forgetAll();
    for (const link of this.#open.values()) link.compareAll();
  }

  /** The node has its link at another controller: the one that is here is an older one. */
  #onLinkedElsewhere(link: Parameters<ClusterEvents['onLinked']>[0]): void {
    const older = this.#open.get(link.nodeId);
    if (older === undefined || older.epoch > link.epoch) return;
    if (link.isReplaced) older.refuse('clone_replaced', REPLACED_TEXT);
    else older.refuse('replaced', 'another agent of this node connected to another controller');
  }

  #onOpen(link: AgentLink): void {
    this.#pending.delete(link);
    if (link.nodeId === null) return;
    this.#countOpen(link, 1);
    const older = this.#open.get(link.nodeId);
    this.#open.set(link.nodeId, link);
    this.#deps.cluster?.noteOwn(link.nodeId);
    this.#tellLive('connected', link.nodeId, link.organizationId);
    older?.refuse('replaced', 'another agent of this node connected');
  }

  #onClosed(link: AgentLink): void {
    this.#pending.delete(link);
    const { nodeId } = link;
    if (nodeId !== null) this.#countOpen(link, -1);
    if (nodeId === null || this.#open.get(nodeId) !== link) return;
    this.#open.delete(nodeId);
    this.#silence.noteClosed(nodeId, link.heardAtMs);
    this.#deps.log.info({ nodeId }, 'agent disconnected');
    void this.#closed.note({ nodeId, epoch: link.epoch, organizationId: link.organizationId });
  }

  /** To people who watch, at whichever controller. */
  #tellLive(kind: LiveKind, nodeId: string, organizationId: string | null): void {
    this.#deps.onLive?.(kind, nodeId, organizationId);
    const hasProblems = (this.#open.get(nodeId)?.problems.length ?? 0) > 0;
    this.#deps.cluster?.tellLive({ kind, nodeId, organizationId }, hasProblems);
  }

  #noteHolder(nodeId: string, instance: string): void {
    this.#holders.set(nodeId, instance);
    this.#holderTimer ??= setTimeout(() => {
      this.#holderTimer = null;
      this.#tellHolders().catch((error: unknown) =>
        this.#deps.log.error(
          { err: error },
          'peers could not be told which of two hosts is a node',
        ),
      );
    }, HOLDER_NEWS_MS);
  }

  async #tellHolders(): Promise<void> {
    const holders = [...this.#holders];
    this.#holders.clear();
    for (const [nodeId, instance] of holders) {
      const revisions = await this.#deps.store.read((tx) => revisionsOfNode(tx, nodeId));
      const networkIds = [...revisions.keys()];
      for (const link of this.#open.values()) link.tellHolder(networkIds, nodeId, instance);
    }
  }

  /** To be called after each commit. */
  onChanged(changes: Changes): void {
    this.#feed.noteChanged(changes.networkIds);
    for (const id of changes.networkIds) this.#changedNetworks.add(id);
    for (const id of changes.nodeIds) this.#changedNodes.add(id);
    for (const id of changes.removedNodeIds) this.#removedNodes.add(id);
    for (const id of changes.organizationIds) this.#changedOrganizations.add(id);
    this.#coalesceTimer ??= setTimeout(() => this.#tellLinks(), COALESCE_MS);
  }

  #tellLinks(): void {
    this.#coalesceTimer = null;
    const isInPart = (id: string): boolean => this.#interests.has(id);
    const networkIds = [...this.#changedNetworks].filter((id) => !isInPart(id));
    const inPart = [...this.#changedNetworks].filter(isInPart);
    for (const link of this.#open.values()) link.onAuthoritiesChanged(this.#changedOrganizations);
    for (const [nodeId, link] of this.#open)
      link.onNetworksChanged(networkIds, this.#changedNodes.has(nodeId));
    for (const nodeId of this.#changedNodes)
      this.#open.get(nodeId)?.onNetworksChanged(inPart, true);
    this.#tellInPart(inPart);
    for (const nodeId of this.#removedNodes) this.#open.get(nodeId)?.expel();
    this.#changedOrganizations.clear();
    this.#changedNetworks.clear();
    this.#changedNodes.clear();
    this.#removedNodes.clear();
  }

  /** Of a network that is told in part only those learn who deal with a member that changed. */
  #tellInPart(networkIds: readonly string[]): void {
    this.#telling = this.#telling
      .then(async () => {
        for (const id of networkIds) {
          const changed = await this.#partialFeed.changedMembers(id);
          this.#interests.wake(id, (await this.#feed.isWhole(id)) ? 'all' : changed);
        }
      })
      .catch((error: unknown) => {
        this.#deps.log.error({ err: error }, 'who is concerned by a change could not be read');
        for (const id of networkIds) {
          this.#partialFeed.forget(id);
          this.#interests.wake(id, 'all');
        }
      });
  }

  /** Closes all links and refuses others; resolves when they are closed or `timeoutMs` is over. */
  async stop(timeoutMs: number): Promise<void> {
    this.#isStopping = true;
    clearInterval(this.#pingTimer);
    if (this.#coalesceTimer) clearTimeout(this.#coalesceTimer);
    if (this.#holderTimer) clearTimeout(this.#holderTimer);
    const sockets = [...this.#open.values(), ...this.#pending];
    for (const link of sockets) link.stop();
    await this.#untilClosed(timeoutMs);
    for (const link of [...this.#open.values(), ...this.#pending]) link.terminate();
    await this.#untilClosed(timeoutMs);
    await this.#closed.stop();
  }

  async #untilClosed(timeoutMs: number): Promise<void> {
    const deadlineMs = Date.now() + timeoutMs;
    while (this.#open.size + this.#pending.size > 0 && Date.now() < deadlineMs) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

function refuseUpgrade(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
