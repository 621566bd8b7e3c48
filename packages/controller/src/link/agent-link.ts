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
import { linkSigningText, toBase64url } from '@etherloom/api';
import { removalOf } from '../authority/removal.ts';
import type { RawData, WebSocket } from 'ws';
import type { HostMarks } from '@etherloom/core';
import { toRequestError } from '../http/error-reply.ts';
import { randomUnit } from '../identifiers.ts';
import { SourceRate } from '../http/token-bucket.ts';
import {
  AGENT_MESSAGES,
  AGENT_QUEUE_MAX,
  LINK_AUTHENTICATE_MS,
  LINK_BUFFER_BYTES,
  LINK_PING_MS,
  LINK_RETRY_MS,
  PROBLEMS_KEPT_MAX,
} from '../limits.ts';
import { RequestError } from '../request-error.ts';
import type { HolderLink } from '../lease/judge.ts';
import { LeaseProbe } from '../lease/probe.ts';
import { verifyEd25519 } from '../signature.ts';
import { nodeById } from '../store/find-node.ts';
import { leaveNetwork } from '../store/members.ts';
import { confirmReleased } from '../store/vni.ts';
import type { AgentLinkDeps } from './agent-link-deps.ts';
import { parseMessage } from './agent-message.ts';
import { AuthoritySender } from './authority-sender.ts';
import { checkEndpointReport } from './endpoint-report.ts';
import { EndpointStore } from './endpoint-store.ts';
import { NO_REVISION } from './network-feed.ts';
import { readBegin } from './link-begin.ts';
import { LinkNetworks } from './link-networks.ts';
import { PartialLink } from './partial-link.ts';

/** Close codes of RFC 6455, 7.4.1. */
export const CLOSE = { goingAway: 1001, policy: 1008 } as const;

type AuthenticateMessage = Extract<AgentMessage, { type: 'authenticate' }>;

/** One link. Messages are handled one after the other, in order. */
export class AgentLink implements HolderLink {
  readonly #socket: WebSocket;
  readonly #deps: AgentLinkDeps;
  readonly #nonce = toBase64url(randomBytes(32));
  readonly #rate: SourceRate;
  readonly #authenticateTimer: NodeJS.Timeout;
  readonly #networks: LinkNetworks;
  readonly #probe: LeaseProbe;
  readonly #partial: PartialLink;
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
  /** The welcome was sent: what fails from here on for want of a database is done later. */
  #isWelcomed = false;
  /** A message could not be dealt with: the agent tells all of it when it opens its link anew. */
  #hasLostMessage = false;
  #retryTimer: NodeJS.Timeout | null = null;
  #epoch = 0;
  #unansweredPings = 0;
  #heardAtMs: number;
  /** null until the link is open. */
  #endpoints: EndpointStore | null = null;

  constructor(socket: WebSocket, deps: AgentLinkDeps) {
    this.#socket = socket;
    this.#deps = deps;
    this.#rate = new SourceRate(AGENT_MESSAGES, deps.now);
    this.#probe = new LeaseProbe(deps.monotonicMs, (payload) => {
      if (socket.readyState === socket.OPEN) socket.ping(payload);
    });
    // State never goes before the authority that signed it, whatever told of it first.
    const sendAuthority = async (version: number) => this.#authority?.sendUpTo(version);
    this.#partial = new PartialLink({
      room: deps.partial,
      send: (message) => this.#send(message),
      sendData: (data) => this.#sendText(data),
      wake: (networkId) => {
        this.#networks.wake(networkId);
        this.#startPump();
      },
      sendAuthority,
      now: deps.now,
    });
    this.#networks = new LinkNetworks({
      feed: deps.feed,
      partial: this.#partial,
      send: (message) => this.#send(message),
      sendData: (data) => this.#sendText(data),
      sendAuthority,
      beforeEnd: async () => {
        if (this.#isAuthorityBehind) await this.#authority?.sendNewest();
      },
    });
    this.#heardAtMs = deps.monotonicMs();
    this.#authenticateTimer = setTimeout(() => {
      this.refuse('unauthenticated', `no authenticate message came in ${LINK_AUTHENTICATE_MS} ms`);
    }, LINK_AUTHENTICATE_MS);
    socket.on('message', (data, isBinary) => this.#onMessage(data, isBinary));
    socket.on('pong', (payload) => {
      this.#noteLife();
      this.#probe.take(payload);
    });
    // Agents ask as well: who does is alive, and need not be asked.
    socket.on('ping', () => this.#noteLife());
    socket.on('error', () => socket.terminate()); // a broken frame or connection; `close` follows
    socket.once('close', () => this.#onClose());
    this.#send({ type: 'challenge', nonce: this.#nonce });
  }

  /** null until it is authenticated. */
  get organizationId(): string | null {
    return this.#authority?.organizationId ?? null;
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

  /** Of the lease with which it was opened. */
  get epoch(): number {
    return this.#epoch;
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
    if (nodeId === this.#nodeId || !networkIds.some((id) => this.#networks.isHeld(id))) return;
    this.#send({ type: 'holder', nodeId, instance });
  }

  /** Networks changed, the node's own or not: brings the agent up to date where it is concerned. */
  onNetworksChanged(networkIds: Iterable<string>, isNodeConcerned: boolean): void {
    for (const id of networkIds) this.#networks.note(id, isNodeConcerned);
    this.#startPump();
  }

  /** Another node of a network that is told in part looks for this one. */
  follow(networkId: string, nodeId: string): void {
    this.#partial.follow(networkId, nodeId);
  }

  /** Which controllers there are has changed. */
  tellControllers(): void {
    const message = this.#isWelcomed ? this.#deps.controllers() : null;
    if (message !== null) this.#send(message);
  }

  /** All that the agent holds is compared with the database. */
  compareAll(): void {
    this.#networks.compareAll();
    this.#isAuthorityBehind = this.#authority !== null;
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

  /** Asks for a report; the answer comes as onReport. */
  askReport(requestId: number, peersMax: number): void {
    this.#send({ type: 'reportWanted', requestId, peersMax });
  }

  /** The node was removed for good: says what it lost, then why, and closes. */
  expel(): void {
    this.#isExpelled = true;
    this.#networks.compareAll();
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
    if (this.#deps.monotonicMs() - this.#heardAtMs < LINK_PING_MS) return;
    this.#unansweredPings += 1;
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.ping();
  }

  #noteLife(): void {
    this.#unansweredPings = 0;
    this.#heardAtMs = this.#deps.monotonicMs();
  }

  #onClose(): void {
    this.#isClosed = true;
    // A close is a sign of life as well, but for the one that silence brought about.
    if (this.#unansweredPings < 2) this.#heardAtMs = this.#deps.monotonicMs();
    this.#probe.close();
    this.#partial.close();
    clearTimeout(this.#authenticateTimer);
    this.#endpoints?.close();
    if (this.#retryTimer !== null) clearTimeout(this.#retryTimer);
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
      .catch((error: unknown) => {
        this.#hasLostMessage = true;
        this.#fail(error);
      })
      .finally(() => {
        this.#queued -= 1;
      });
  }

  #fail(error: unknown): void {
    const refused = toRequestError(error);
    if (refused.code === 'unavailable' && this.#isWelcomed) return this.#tryLater();
    if (refused !== error && (refused.code === 'internal' || refused.code === 'unavailable'))
      this.#deps.log.error({ nodeId: this.#nodeId, err: error }, 'a link failed');
    this.refuse(refused.code, refused.message);
  }

  /** What the agent holds stays good while the database is away, and it goes on from there. */
  #tryLater(): void {
    if (this.#isClosed || this.#retryTimer !== null) return;
    // By chance, so that the links of a database that is back do not come to it in one moment.
    const waitMs = LINK_RETRY_MS * (0.5 + randomUnit());
    this.#retryTimer = setTimeout(() => {
      this.#retryTimer = null;
      this.#retry().catch((error: unknown) => this.#fail(error));
    }, waitMs);
  }

  async #retry(): Promise<void> {
    await this.#deps.store.read(() => Promise.resolve()); // rejects while the database is away
    if (this.#hasLostMessage)
      return this.#socket.close(CLOSE.goingAway, 'the database was away: tell it anew');
    await this.#endpoints?.store();
    this.#isAuthorityBehind = true; // what failed may have been to send it
    this.#startPump();
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
        // Kept until they are stored: a failure loses nothing.
        return this.#endpoints
          ?.take(checkEndpointReport(message, nodeId, this.#signKey))
          .catch((error: unknown) => this.#fail(error));
      case 'problems':
        this.#problems = message.problems.slice(0, PROBLEMS_KEPT_MAX);
        this.#deps.onProblems(this);
        return;
      case 'report':
        this.#deps.onReport(nodeId, message.requestId, message.report);
        return;
      case 'released':
        return this.#deps.store.transact((tx) => confirmReleased(tx, message.networkId, nodeId));
      case 'interest':
        return this.#partial.take(nodeId, message);
      case 'resolve':
        return this.#partial.resolve(nodeId, message);
      case 'resync':
        this.#networks.resync(message.networkId);
        return this.#startPump();
      case 'leave':
        this.#networks.beginLeave(message.networkId);
        await this.#deps.store.transact((tx) => leaveNetwork(tx, message.networkId, nodeId));
        this.#networks.endLeave(message.networkId);
        return this.#startPump();
      default:
        throw new Error(`unexpected ${JSON.stringify(message satisfies never)}`);
    }
  }

  async #authenticate(message: AuthenticateMessage): Promise<void> {
    if (this.#nodeId !== null)
      throw new RequestError('invalid_request', 'the link is authenticated already');
    const node = await this.#deps.store.read((tx) => nodeById(tx, message.nodeId));
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
    const sendText = (text: string): void => this.#sendText(text);
    this.#authority = new AuthoritySender(this.#deps.store, node.organization_id, sendText);
    const epoch = await this.#provePlace(node.id, message);
    if (epoch === null || this.#isClosed) return;
    const { revisions, history, awaited, isRemoved } = await readBegin(this.#deps.store, node);
    if (isRemoved) return this.#refuseRemoved(node.id);
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
    this.#isWelcomed = true;
    this.tellControllers();
    this.#probe.begin();
    // Before any state: by it the state is judged.
    this.#authority.sendHistory(history, message.authority);
    // Their VNIs wait for this node: answered with `released` once it took them down.
    for (const id of awaited) this.#networks.hold(id);
    for (const id of new Set([...revisions.keys(), ...Object.keys(message.revisions)])) {
      this.#networks.hold(id, message.revisions[id]);
      this.#deps.feed.noteRevision(id, revisions.get(id) ?? NO_REVISION);
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
        this.#epoch = reached;
        this.#marks = { instance, hints };
        this.#nodeId = nodeId;
        this.#endpoints = new EndpointStore(nodeId, this.#deps, (error) => this.#fail(error));
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

  #startPump(): void {
    if (!this.#isPumping) this.#pump().catch((error: unknown) => this.#fail(error));
  }

  /** Sends what the agent lacks while its socket has room; the end of a write starts it again. */
  async #pump(): Promise<void> {
    const nodeId = this.#nodeId;
    if (nodeId === null) return;
    this.#isPumping = true;
    try {
      // Whoever notes something meanwhile finds this busy: it is dealt with here.
      do {
        await this.#networks.bringUpToDate(nodeId, () => this.#hasRoom());
        if (this.#networks.isBehind && !this.#hasRoom()) return;
        if (!this.#networks.isBehind) await this.#sendRest(nodeId);
      } while (this.#networks.isBehind || (this.#isAuthorityBehind && !this.#isClosed));
    } finally {
      this.#isPumping = false;
    }
  }

  /** What goes after the networks. */
  async #sendRest(nodeId: string): Promise<void> {
    if (this.#isAuthorityBehind) {
      this.#isAuthorityBehind = false;
      await this.#authority?.sendNewest();
    }
    if (this.#isExpelled && !this.#networks.isBehind) await this.#refuseRemoved(nodeId);
  }

  #hasRoom(): boolean {
    return !this.#isClosed && this.#socket.bufferedAmount <= LINK_BUFFER_BYTES;
  }

  #send(message: ControllerMessage): void {
    this.#sendText(JSON.stringify(message));
  }

  #sendText(text: string | Buffer): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#socket.send(text, { binary: false }, () => {
      if (this.#networks.isBehind && !this.#isClosed) this.#startPump();
    });
  }
}
