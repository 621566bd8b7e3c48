/**
 * One agent's WebSocket: proves who it is, then keeps it at the latest revision of its networks.
 *
 *   pending -> open      `authenticate` with a right signature and the node's lease (lease/)
 *   pending -> closed    wrong signature, silence for LINK_AUTHENTICATE_MS, anything else
 *   open    -> closed    by either side; a newer link of the holder; more messages than allowed
 *
 * Nothing is queued for an agent: it has a set of networks that it may be behind in, and what it
 * lacks is read when its socket has room. An agent that reads slowly therefore costs one socket
 * buffer, and gets fewer and larger deltas.
 */
import { randomBytes } from 'node:crypto';
import type { AgentMessage, AgentProblem, ControllerMessage } from '@etherloom/api';
import { agentMessageSchema, linkSigningText, toBase64url } from '@etherloom/api';
import { removalOf } from '../authority/removal.ts';
import type { Logger } from 'pino';
import type { RawData, WebSocket } from 'ws';
import type { HostMarks } from '@etherloom/core';
import { toRequestError } from '../http/error-reply.ts';
import { SourceRate } from '../http/token-bucket.ts';
import {
  AGENT_MESSAGES,
  AGENT_QUEUE_MAX,
  LINK_AUTHENTICATE_MS,
  LINK_BUFFER_BYTES,
  PROBLEMS_KEPT_MAX,
} from '../limits.ts';
import { RequestError } from '../request-error.ts';
import type { HolderLink, LeaseJudge } from '../lease/judge.ts';
import { LeaseProbe } from '../lease/probe.ts';
import { verifyEd25519 } from '../signature.ts';
import { nodeById } from '../store/find-node.ts';
import { endMembership } from '../store/members.ts';
import { setEndpoints } from '../store/nodes.ts';
import { revisionsOfNode } from '../store/revisions.ts';
import type { Store } from '../store/store.ts';
import { awaitedReleases, confirmReleased } from '../store/vni.ts';
import type { EndpointPace } from './endpoint-pace.ts';
import { AuthoritySender } from './authority-sender.ts';
import type { EndpointReport } from './endpoint-report.ts';
import { checkEndpointReport } from './endpoint-report.ts';
import type { NetworkFeed } from './network-feed.ts';
import { NO_REVISION } from './network-feed.ts';

/** Close codes of RFC 6455, 7.4.1. */
export const CLOSE = { goingAway: 1001, policy: 1008 } as const;

export interface AgentLinkDeps {
  readonly store: Store;
  readonly feed: NetworkFeed;
  readonly endpointPace: EndpointPace;
  readonly tlsFingerprint: string;
  readonly source: string;
  readonly now: () => number;
  readonly monotonicMs: () => number;
  readonly judge: Pick<LeaseJudge, 'judge'>;
  readonly log: Logger;
  /** The link is open: it replaces any other of its node. */
  readonly onOpen: (link: AgentLink) => void;
  readonly onClosed: (link: AgentLink) => void;
  readonly isFailureLimited: () => boolean;
}

type AuthenticateMessage = Extract<AgentMessage, { type: 'authenticate' }>;

/** One link. Messages are handled one after the other, in order. */
export class AgentLink implements HolderLink {
  readonly #socket: WebSocket;
  readonly #deps: AgentLinkDeps;
  readonly #nonce = toBase64url(randomBytes(32));
  readonly #rate: SourceRate;
  readonly #authenticateTimer: NodeJS.Timeout;
  /** Revision that the agent holds, by network. */
  readonly #held = new Map<string, number>();
  /** Networks that the agent may be behind in. */
  readonly #behind = new Set<string>();
  readonly #leaving = new Set<string>();
  readonly #probe: LeaseProbe;
  #nodeId: string | null = null;
  #signKey = '';
  /** null until the link is open. */
  #authority: AuthoritySender | null = null;
  #problems: readonly AgentProblem[] = [];
  #marks: HostMarks | null = null;
  #queued = 0;
  #work: Promise<void> = Promise.resolve();
  #isPumping = false;
  #isAuthorityBehind = false;
  #isExpelled = false;
  #isClosed = false;
  #unansweredPings = 0;
  #heardAtMs: number;
  /** The last report of endpoints, until it is stored. */
  #reportedEndpoints: EndpointReport | null = null;
  #endpointTimer: NodeJS.Timeout | null = null;

  constructor(socket: WebSocket, deps: AgentLinkDeps) {
    this.#socket = socket;
    this.#deps = deps;
    this.#rate = new SourceRate(AGENT_MESSAGES, deps.now);
    this.#probe = new LeaseProbe(deps.monotonicMs, (payload) => {
      if (socket.readyState === socket.OPEN) socket.ping(payload);
    });
    this.#heardAtMs = deps.monotonicMs();
    this.#authenticateTimer = setTimeout(() => {
      this.refuse('unauthenticated', `no authenticate message came in ${LINK_AUTHENTICATE_MS} ms`);
    }, LINK_AUTHENTICATE_MS);
    socket.on('message', (data, isBinary) => this.#onMessage(data, isBinary));
    socket.on('pong', (payload) => {
      this.#unansweredPings = 0;
      this.#heardAtMs = deps.monotonicMs();
      this.#probe.take(payload);
    });
    socket.on('error', () => socket.terminate()); // a broken frame or connection; `close` follows
    socket.once('close', () => this.#onClose());
    this.#send({ type: 'challenge', nonce: this.#nonce });
  }

  /** null until the link is open. */
  get nodeId(): string | null {
    return this.#nodeId;
  }

  get source(): string {
    return this.#deps.source;
  }

  /** Which start of which host the agent is; null until the link is open. */
  get marks(): HostMarks | null {
    return this.#marks;
  }

  /** When the agent was last heard, by the monotonic clock. */
  get heardAtMs(): number {
    return this.#heardAtMs;
  }

  answers(sinceMs: number): Promise<boolean> {
    return this.#probe.ask(sinceMs);
  }

  /** Says which of two hosts a peer is, where they share a network. */
  tellHolder(networkIds: readonly string[], nodeId: string, instance: string): void {
    if (nodeId === this.#nodeId || !networkIds.some((id) => this.#held.has(id))) return;
    this.#send({ type: 'holder', nodeId, instance });
  }

  /** Networks changed, the node's own or not: brings the agent up to date where it is concerned. */
  onNetworksChanged(networkIds: Iterable<string>, isNodeConcerned: boolean): void {
    for (const id of networkIds) {
      if (isNodeConcerned || this.#held.has(id)) this.#behind.add(id);
    }
    this.#startPump();
  }

  /** Authorities of these organizations have a further version: it goes before what it signed. */
  onAuthoritiesChanged(organizationIds: ReadonlySet<string>): void {
    if (this.#authority === null || !organizationIds.has(this.#authority.organizationId)) return;
    this.#isAuthorityBehind = true;
    this.#startPump();
  }

  /** What the agent refuses or misses, as it last said. */
  get problems(): readonly AgentProblem[] {
    return this.#problems;
  }

  /** The node was removed for good: says what it lost, then why, and closes. */
  expel(): void {
    this.#isExpelled = true;
    for (const id of this.#held.keys()) this.#behind.add(id);
    this.#startPump();
  }

  /** Says why and closes. */
  refuse(code: string, message: string): void {
    this.#send({ type: 'refused', code, message });
    this.#socket.close(CLOSE.policy, code);
  }

  /** Closes because the controller stops. */
  stop(): void {
    this.#socket.close(CLOSE.goingAway, 'the controller is stopping');
  }

  terminate(): void {
    this.#socket.terminate();
  }

  /**
   * Called at a steady pace: pings, and gives up on an agent that answered none of the last two.
   */
  ping(): void {
    if (this.#unansweredPings >= 2) {
      this.#deps.log.warn(
        { nodeId: this.#nodeId, bufferedBytes: this.#socket.bufferedAmount },
        'agent does not answer',
      );
      this.#socket.terminate();
      return;
    }
    this.#unansweredPings += 1;
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.ping();
  }

  #onClose(): void {
    this.#isClosed = true;
    // A close is a sign of life as well, but for the one that silence brought about.
    if (this.#unansweredPings < 2) this.#heardAtMs = this.#deps.monotonicMs();
    this.#probe.close();
    clearTimeout(this.#authenticateTimer);
    if (this.#endpointTimer !== null) clearTimeout(this.#endpointTimer);
    this.#deps.onClosed(this);
  }

  #onMessage(data: RawData, isBinary: boolean): void {
    if (this.#isClosed || this.#socket.readyState !== this.#socket.OPEN) return;
    if (isBinary) return this.refuse('invalid_request', 'messages are text');
    this.#heardAtMs = this.#deps.monotonicMs();
    if (this.#rate.take(this.#deps.source) > 0 || this.#queued >= AGENT_QUEUE_MAX) {
      return this.refuse('too_many_requests', 'more messages than an agent may send');
    }
    this.#queued += 1;
    const text = (data as Buffer).toString('utf8'); // ws gives a Buffer
    this.#work = this.#work
      .then(() => this.#handle(text))
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#queued -= 1;
      });
  }

  #fail(error: unknown): void {
    const refused = toRequestError(error);
    if (refused !== error && (refused.code === 'internal' || refused.code === 'unavailable'))
      this.#deps.log.error({ nodeId: this.#nodeId, err: error }, 'a link failed');
    this.refuse(refused.code, refused.message);
  }

  async #handle(text: string): Promise<void> {
    if (this.#isClosed) return;
    const message = parseMessage(text);
    if (message.type === 'authenticate') return this.#authenticate(message);
    const nodeId = this.#nodeId;
    if (nodeId === null)
      throw new RequestError('unauthenticated', 'the first message must be authenticate');
    switch (message.type) {
      case 'endpoints':
        this.#reportedEndpoints = checkEndpointReport(message, nodeId, this.#signKey);
        if (this.#reportedEndpoints === null)
          this.#deps.log.warn(
            { nodeId, endpoints: message.endpoints },
            'endpoints that lead nowhere from another host are not passed on',
          );
        return this.#storeEndpoints(nodeId);
      case 'problems':
        this.#problems = message.problems.slice(0, PROBLEMS_KEPT_MAX);
        return;
      case 'released':
        return this.#deps.store.transact((tx) => confirmReleased(tx, message.networkId, nodeId));
      case 'resync':
        this.#held.set(message.networkId, NO_REVISION);
        this.#behind.add(message.networkId);
        return this.#startPump();
      case 'leave':
        this.#leaving.add(message.networkId);
        await this.#deps.store.transact((tx) => endMembership(tx, message.networkId, nodeId));
        // Answered with `removed` even when the node was no member.
        if (!this.#held.has(message.networkId)) this.#held.set(message.networkId, NO_REVISION);
        this.#behind.add(message.networkId);
        return this.#startPump();
      default:
        return assertNever(message);
    }
  }

  async #authenticate(message: AuthenticateMessage): Promise<void> {
    if (this.#nodeId !== null)
      throw new RequestError('invalid_request', 'the link is authenticated already');
    const node = await this.#deps.store.transact((tx) => nodeById(tx, message.nodeId));
    const text = linkSigningText(this.#nonce, message.nodeId, this.#deps.tlsFingerprint);
    if (!node || !verifyEd25519(node.sign_key, text, message.signature)) {
      if (this.#deps.isFailureLimited()) return this.#socket.terminate();
      throw new RequestError(
        'unauthenticated',
        node ? 'the signature is not one of this node' : 'the node is not known here: join first',
      );
    }
    if (node.removed_at !== null) return this.#refuseRemoved(node.id);
    if (this.#isClosed) return;
    clearTimeout(this.#authenticateTimer);
    this.#signKey = node.sign_key;
    this.#authority = new AuthoritySender(this.#deps.store, node.organization_id, (text) =>
      this.#sendText(text),
    );
    const epoch = await this.#provePlace(node.id, message);
    if (epoch === null || this.#isClosed) return;
    const revisions = await this.#deps.store.transact((tx) => revisionsOfNode(tx, node.id));
    this.#send({
      type: 'welcome',
      nodeId: node.id,
      observedAddress: this.#deps.source,
      revisions: Object.fromEntries(revisions),
      time: new Date(this.#deps.now()).toISOString(),
      lease: { epoch },
      nodeState: node.state,
      record: node.endpoint_record,
    });
    this.#probe.begin();
    // Before any state: by it the state is judged.
    await this.#authority.sendHistory(message.authority);
    await this.#askForReleases(node.id);
    for (const id of new Set([...revisions.keys(), ...Object.keys(message.revisions)])) {
      this.#held.set(id, message.revisions[id] ?? NO_REVISION);
      this.#behind.add(id);
      this.#warnOfOlderDatabase(id, revisions.get(id), message.revisions[id]);
    }
    this.#deps.log.info(
      { nodeId: node.id, source: this.#deps.source, version: message.version },
      'agent connected',
    );
    this.#startPump();
  }

  /** Says that the node was removed, with what proves it. */
  async #refuseRemoved(nodeId: string): Promise<void> {
    const removal = await this.#deps.store.transact((tx) => removalOf(tx, nodeId));
    const message = 'the node was removed from its organization';
    this.#send({ type: 'refused', code: 'node_removed', message, removal });
    this.#socket.close(CLOSE.policy, 'node_removed');
  }

  /** Networks whose VNI waits for this node: answered with `released` once it took them down. */
  async #askForReleases(nodeId: string): Promise<void> {
    const awaited = await this.#deps.store.transact((tx) => awaitedReleases(tx, nodeId));
    for (const id of awaited) {
      this.#held.set(id, NO_REVISION);
      this.#behind.add(id);
    }
  }

  /**
   * Shows the lease to the judge; gives the epoch that the agent holds from here on, null when it
   * was given a ticket in place of a link.
   */
  async #provePlace(nodeId: string, message: AuthenticateMessage): Promise<number | null> {
    const { lease, instance, host: hints } = message;
    let epoch: number | null = null;
    const judgement = await this.#deps.judge.judge({
      nodeId,
      lease,
      instance,
      hints,
      source: this.#deps.source,
      cameAtMs: this.#deps.monotonicMs(),
      isGone: () => this.#isClosed,
      open: (reached) => {
        epoch = reached;
        if (this.#isClosed) return;
        this.#marks = { instance, hints };
        this.#nodeId = nodeId;
        // Known to the others before its revisions are read: a change between is not missed.
        this.#deps.onOpen(this);
      },
    });
    if (judgement.kind === 'split') {
      const { ticket, message: text } = judgement;
      this.#send({ type: 'split', ticket, message: text });
      this.#socket.close(CLOSE.policy, 'split');
    }
    return epoch;
  }

  /** An agent follows rising revisions only: it takes nothing from a database that went back. */
  #warnOfOlderDatabase(networkId: string, own: number | undefined, held: number | undefined): void {
    if (own === undefined || held === undefined || held <= own) return;
    this.#deps.log.warn(
      { nodeId: this.#nodeId, networkId, revision: own, agentRevision: held },
      'an agent holds a later revision than this database, as after a restored backup: start once with --restored',
    );
  }

  /** Stores the last report, as soon as the node may change its endpoints again. */
  async #storeEndpoints(nodeId: string): Promise<void> {
    const report = this.#reportedEndpoints;
    if (report === null || this.#endpointTimer !== null || this.#isClosed) return;
    const { store, endpointPace } = this.#deps;
    const waitMs = endpointPace.waitMs(nodeId);
    if (waitMs > 0) {
      this.#endpointTimer = setTimeout(() => {
        this.#endpointTimer = null;
        this.#storeEndpoints(nodeId).catch((error: unknown) => this.#fail(error));
      }, waitMs);
      return;
    }
    this.#reportedEndpoints = null;
    if (await store.transact((tx) => setEndpoints(tx, nodeId, report)))
      endpointPace.noteChange(nodeId);
  }

  #startPump(): void {
    this.#pump().catch((error: unknown) => this.#fail(error));
  }

  /** Sends what the agent lacks while its socket has room; the end of a write starts it again. */
  async #pump(): Promise<void> {
    const nodeId = this.#nodeId;
    if (nodeId === null || this.#isPumping) return;
    this.#isPumping = true;
    try {
      for (const networkId of this.#behind) {
        if (this.#isClosed || this.#socket.bufferedAmount > LINK_BUFFER_BYTES) return;
        this.#behind.delete(networkId);
        await this.#bringUpToDate(networkId, nodeId);
      }
      if (this.#isAuthorityBehind) {
        this.#isAuthorityBehind = false;
        await this.#authority?.sendNewest();
      }
      if (this.#isExpelled) await this.#refuseRemoved(nodeId);
    } finally {
      this.#isPumping = false;
    }
  }

  async #bringUpToDate(networkId: string, nodeId: string): Promise<void> {
    const held = this.#held.get(networkId);
    const result = await this.#deps.feed.read(networkId, nodeId, held ?? NO_REVISION);
    switch (result.kind) {
      case 'current':
        return;
      case 'message':
        // State never goes before the authority that signed it, whatever told of it first.
        if (result.authorityVersion > (this.#authority?.version ?? 0))
          await this.#authority?.sendNewest();
        this.#leaving.delete(networkId);
        this.#held.set(networkId, result.revision);
        return this.#sendText(result.text);
      case 'gone': {
        if (held === undefined) return;
        this.#held.delete(networkId);
        if (this.#isAuthorityBehind) await this.#authority?.sendNewest();
        const hasLeft = this.#leaving.delete(networkId);
        return this.#send({
          type: 'removed',
          networkId,
          reason: hasLeft ? 'the node left' : result.reason,
          ...(result.revocation === undefined ? {} : { revocation: result.revocation }),
        });
      }
      default:
        return assertNever(result);
    }
  }

  #send(message: ControllerMessage): void {
    this.#sendText(JSON.stringify(message));
  }

  #sendText(text: string): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#socket.send(text, () => {
      if (this.#behind.size > 0 && !this.#isClosed) this.#startPump();
    });
  }
}

function parseMessage(text: string): AgentMessage {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new RequestError('invalid_request', 'the message is no JSON');
  }
  const parsed = agentMessageSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new RequestError(
    'invalid_request',
    `${issue?.path.join('.') || 'message'}: ${issue?.message ?? 'does not fit'}`,
  );
}

function assertNever(value: never): never {
  throw new Error(`unexpected ${JSON.stringify(value)}`);
}
