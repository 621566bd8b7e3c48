/**
 * All links: takes WebSocket upgrades at /v1/agent, bounds how many there are, and tells links of
 * changes, coalesced, so that a hundred joins in a moment are a few messages to each agent and not
 * a hundred.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { AgentProblem } from '@etherloom/api';
import type { Logger } from 'pino';
import type { WebSocket } from 'ws';
import { WebSocketServer } from 'ws';
import { LeaseJudge } from '../lease/judge.ts';
import { Silence } from '../lease/silence.ts';
import type { SourceRate } from '../http/token-bucket.ts';
import { plainAddress, sourceOf } from '../http/token-bucket.ts';
import {
  AGENT_MESSAGE_BYTES_MAX,
  COALESCE_MS,
  HOLDER_NEWS_MS,
  LINKS_MAX,
  LINK_PING_MS,
  PENDING_LINKS_MAX,
  PENDING_LINKS_PER_SOURCE_MAX,
} from '../limits.ts';
import { noteSeen } from '../store/nodes.ts';
import { revisionsOfNode } from '../store/revisions.ts';
import type { Changes, Store } from '../store/store.ts';
import { AgentLink } from './agent-link.ts';
import { EndpointPace } from './endpoint-pace.ts';
import { NetworkFeed } from './network-feed.ts';

export interface LinkServerDeps {
  readonly store: Store;
  readonly tlsFingerprint: string;
  readonly authFailures: SourceRate;
  readonly now: () => number;
  readonly monotonicMs: () => number;
  readonly log: Logger;
}

/** Path of the upgrade. */
const LINK_PATH = '/v1/agent';

/** Holds the links of this controller. */
export class LinkServer {
  readonly #deps: LinkServerDeps;
  readonly #feed: NetworkFeed;
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
  readonly #pending = new Set<AgentLink>();
  readonly #open = new Map<string, AgentLink>();
  readonly #pingTimer: NodeJS.Timeout;
  readonly #changedNetworks = new Set<string>();
  readonly #changedNodes = new Set<string>();
  readonly #removedNodes = new Set<string>();
  readonly #changedOrganizations = new Set<string>();
  readonly #writes = new Set<Promise<void>>();
  /** Instances that are to be told to the peers of their nodes. */
  readonly #holders = new Map<string, string>();
  #holderTimer: NodeJS.Timeout | null = null;
  #coalesceTimer: NodeJS.Timeout | null = null;
  #isStopping = false;

  constructor(deps: LinkServerDeps) {
    this.#deps = deps;
    this.#feed = new NetworkFeed(deps.store);
    this.#endpointPace = new EndpointPace(deps.now);
    this.#silence = new Silence(deps.monotonicMs);
    this.#judge = new LeaseJudge({
      store: deps.store,
      silence: this.#silence,
      linkOf: (nodeId) => this.#open.get(nodeId),
      onHolderKnown: (nodeId, instance) => this.#noteHolder(nodeId, instance),
      log: deps.log,
    });
    this.#pingTimer = setInterval(() => {
      for (const link of this.#open.values()) link.ping();
    }, LINK_PING_MS);
    this.#pingTimer.unref();
  }

  isConnected(nodeId: string): boolean {
    return this.#open.has(nodeId);
  }

  /** What the agent of a node refuses or misses; empty while it is not connected. */
  problemsOf(nodeId: string): readonly AgentProblem[] {
    return this.#open.get(nodeId)?.problems ?? [];
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
      endpointPace: this.#endpointPace,
      tlsFingerprint: this.#deps.tlsFingerprint,
      source,
      now: this.#deps.now,
      monotonicMs: this.#deps.monotonicMs,
      judge: this.#judge,
      log: this.#deps.log,
      onOpen: (opened) => this.#onOpen(opened),
      onClosed: (closed) => this.#onClosed(closed),
      isFailureLimited: () => this.#deps.authFailures.take(source) > 0,
    });
    this.#pending.add(link);
  }

  #onOpen(link: AgentLink): void {
    this.#pending.delete(link);
    if (link.nodeId === null) return;
    this.#countOpen(link, 1);
    const older = this.#open.get(link.nodeId);
    this.#open.set(link.nodeId, link);
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
    const write = this.#deps.store
      .transact((tx) => noteSeen(tx, nodeId))
      .catch((error: unknown) =>
        this.#deps.log.error({ nodeId, err: error }, 'last seen could not be written'),
      )
      .finally(() => this.#writes.delete(write));
    this.#writes.add(write);
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
      const revisions = await this.#deps.store.transact((tx) => revisionsOfNode(tx, nodeId));
      const networkIds = [...revisions.keys()];
      for (const link of this.#open.values()) link.tellHolder(networkIds, nodeId, instance);
    }
  }

  /** To be called after each commit. */
  onChanged(changes: Changes): void {
    for (const id of changes.networkIds) this.#changedNetworks.add(id);
    for (const id of changes.nodeIds) this.#changedNodes.add(id);
    for (const id of changes.removedNodeIds) this.#removedNodes.add(id);
    for (const id of changes.organizationIds) this.#changedOrganizations.add(id);
    this.#coalesceTimer ??= setTimeout(() => this.#tellLinks(), COALESCE_MS);
  }

  #tellLinks(): void {
    this.#coalesceTimer = null;
    const networkIds = [...this.#changedNetworks];
    for (const link of this.#open.values()) link.onAuthoritiesChanged(this.#changedOrganizations);
    for (const [nodeId, link] of this.#open)
      link.onNetworksChanged(networkIds, this.#changedNodes.has(nodeId));
    for (const nodeId of this.#removedNodes) this.#open.get(nodeId)?.expel();
    this.#changedOrganizations.clear();
    this.#changedNetworks.clear();
    this.#changedNodes.clear();
    this.#removedNodes.clear();
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
    await Promise.all(this.#writes);
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
