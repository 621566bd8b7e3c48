/**
 * Keeps a session with every peer: the one machine that the agent drives between data path, peers
 * and clock. It does no IO: the shell reports facts by the handle... methods, calls handleTimeout
 * when pollTimeout says so, and does what drainActions returns, in order. The picture of a peer's
 * states is in docs/state-machines.md; the rules by which two ends agree are in session-book.ts.
 *
 * After a start: setPeers, then adoptSessions with the dump of a data path that was running already
 * (or handleDatapathRestarted when it is another process than before), setGuard, then drainActions.
 * Nothing is started before handleTimeout.
 *
 * Bounds: per peer 4 sessions, 1 handshake under way, 1 held, 64 pings; for all peers 128 messages
 * of which fragments wait; for senders that are not peers the tables of handshake/source-limiter.ts
 * and handshake/parts.ts.
 */
import { ACTIVITY } from '../datapath-control/messages.ts';
import { sameEndpoint } from '../endpoint.ts';
import type { Endpoint } from '../endpoint.ts';
import type { PostQuantum } from '../handshake/exchange.ts';
import type { RefusalReason } from '../handshake/refusals.ts';
import { INSTANCE_BYTES } from '../handshake/payload.ts';
import { encodePing, encodePong, KEEPALIVE, parseControl } from './control-messages.ts';
import type { Answerer, ParsedControl, Pong } from './control-messages.ts';
import { Handshaker } from './handshaker.ts';
import {
  CONFIRM_RETRY_MS,
  CONFIRM_TIMEOUT_MS,
  HANDSHAKE_RETRY_MS,
  HANDSHAKE_STARTS_PER_TIMEOUT_MAX,
  PINGS_PER_PEER_MAX,
  PROBE_TIMEOUT_MS,
  QUARANTINE_MS,
  REKEY_JITTER_MS,
  RESTART_SPREAD_MS,
  RESTART_SPREAD_PEERS,
} from './limits.ts';
import { markDown, markHeard, maySearch, moveEndpoint } from './liveness.ts';
import { MessageCarrier } from './message-carrier.ts';
import { Outbox } from './outbox.ts';
import { PeerAddresses } from './peer-addresses.ts';
import { checkPeers, isSameList, isSameParty } from './peer-config.ts';
import {
  candidatesOf,
  deadlineOf,
  hasState,
  isUnconfirmedAnswer,
  keepaliveAt,
  makePeerRecord,
  pingTimeoutAt,
  silentAt,
} from './peer-record.ts';
import type { PeerRecord, Session } from './peer-record.ts';
import { statusOf } from './peer-status.ts';
import { SessionBook } from './session-book.ts';
import { isSame, TwoHolders } from './two-holders.ts';
import type {
  AdoptedSession,
  MeshAction,
  MeshDeps,
  MeshOptions,
  MeshTimeout,
  PeerConfig,
  PeerDownReason,
  PeerStatus,
} from './types.ts';

/** `now` is any monotonic clock in milliseconds, the same for all calls. */
export class Mesh {
  readonly #nodeId: Uint8Array;
  readonly #self: Answerer;
  readonly #outbox = new Outbox();
  readonly #book: SessionBook;
  readonly #handshaker: Handshaker;
  readonly #records = new Map<number, PeerRecord>();
  readonly #byKey = new Map<string, PeerRecord>();
  readonly #twoHolders: TwoHolders;
  readonly #carrier = new MessageCarrier(this.#outbox);
  #pingId = 0n;

  constructor(options: MeshOptions, deps: MeshDeps) {
    const { random } = deps;
    const instance = options.instance ?? random(INSTANCE_BYTES);
    this.#nodeId = options.nodeId;
    this.#self = { instance, startCount: options.startCount };
    const outbox = this.#outbox;
    const book = new SessionBook(outbox, options.rekeyAfterMs);
    const twoHolders = new TwoHolders(outbox, () => ++this.#pingId);
    const addresses = new PeerAddresses(() => this.#records.values());
    this.#book = book;
    this.#twoHolders = twoHolders;
    this.#handshaker = new Handshaker(
      { ...options, instance },
      {
        random,
        outbox,
        book,
        twoHolders,
        findPeer: (sessionKey) => this.#byKey.get(sessionKey.join()),
        isPeerAddress: (source, now) => addresses.has(source, now),
      },
    );
  }

  /** What tells this agent from another that holds the same keys. */
  get instance(): Uint8Array {
    return this.#self.instance;
  }

  /**
   * Replaces the peers. A peer that stays keeps its sessions; one that goes loses them; one whose
   * key or node id differs begins anew. Throws RangeError when an id or a key is given twice, or
   * for more than PEERS_MAX.
   */
  setPeers(peers: readonly PeerConfig[], now: number): void {
    checkPeers(peers);
    const wanted = new Map(peers.map((config) => [config.peer, config]));
    for (const record of this.#records.values()) {
      const config = wanted.get(record.peer);
      if (config === undefined) this.#remove(record, 'removed');
      else if (!isSameParty(config, record)) this.#remove(record, 'key_changed');
    }
    for (const config of peers) this.#setPeer(config, now);
  }

  /** Should be called for every data path that is attached: by these keys it judges handshakes. */
  setGuard(now: number): void {
    this.#handshaker.setGuard(now);
  }

  /** Takes over the sessions of a running data path. Sessions of unknown peers are deleted. */
  adoptSessions(entries: readonly AdoptedSession[], now: number): void {
    for (const entry of entries) {
      const record = this.#records.get(entry.peer);
      if (record === undefined) {
        this.#outbox.push({ kind: 'deleteSession', localId: entry.localId });
        continue;
      }
      if (entry.endpoint !== undefined) record.endpoint ??= entry.endpoint;
      const jitterMs = this.#handshaker.jitterMs(REKEY_JITTER_MS);
      this.#book.adopt(record, entry, { now, jitterMs });
    }
    for (const record of this.#records.values()) {
      if (record.active === undefined) continue;
      this.#handshaker.cancel(record);
      markHeard(record, this.#outbox, now);
    }
  }

  /** Should be called with every handshake datagram that the data path punts. */
  handleDatagram(from: Endpoint, bytes: Uint8Array, now: number): void {
    this.#handshaker.handleDatagram(from, bytes, now);
  }

  /** Should be called with every control body that the data path opened. */
  handleControl(
    peer: number,
    localId: number,
    from: Endpoint,
    bytes: Uint8Array,
    now: number,
  ): void {
    const held = this.#book.sessionOf(localId);
    if (held === undefined || held.record.peer !== peer)
      return this.#outbox.refuse('control_session_unknown');
    const { record, session } = held;
    // A late datagram of a former session must not pull the endpoint back to where the peer has
    // been.
    const isCurrent = session === record.active || isUnconfirmedAnswer(session);
    if (isCurrent || record.endpoint === undefined) moveEndpoint(record, from, this.#outbox);
    this.#confirm(record, session, now);
    record.probeAt = Infinity;
    markHeard(record, this.#outbox, now);
    const message = parseControl(bytes);
    if (message === undefined) this.#outbox.refuse('control_invalid');
    else this.#handleMessage(held, message, from, now);
  }

  /** Should be called when the data path has opened the first datagram of a session. */
  handleSessionConfirmed(localId: number, now: number): void {
    const held = this.#book.sessionOf(localId);
    if (held === undefined) return;
    const { record, session } = held;
    // The first datagram proves that the handshake was no replay, and with it where that came from.
    const isFirst = isUnconfirmedAnswer(session);
    if (isFirst && session.source !== undefined) moveEndpoint(record, session.source, this.#outbox);
    this.#confirm(record, session, now);
    markHeard(record, this.#outbox, now);
  }

  /** Should be called when a frame waits for a peer without a usable session. */
  handleSessionNeeded(peer: number, now: number): void {
    const record = this.#records.get(peer);
    if (record === undefined || record.handshakeAt !== Infinity) return;
    const isJustSet = record.active !== undefined && now - record.active.setAt < HANDSHAKE_RETRY_MS;
    if (!isJustSet) record.handshakeAt = now; // else the report and the session have crossed
  }

  /** Should be called when a lane of a session has sent as much as it may before a rekey. */
  handleSessionSpent(localId: number, now: number): void {
    const held = this.#book.sessionOf(localId);
    if (held !== undefined && held.session === held.record.active)
      held.session.rekeyAt = Math.min(held.session.rekeyAt, now);
  }

  /** Should be called for peerActivity; `flags` are ACTIVITY bits. */
  handleActivity(peer: number, flags: number, now: number): void {
    const record = this.#records.get(peer);
    if (record !== undefined && (flags & ACTIVITY.received) !== 0)
      markHeard(record, this.#outbox, now);
  }

  /**
   * Should be called when the data path is another process than before: its keys are gone, and all
   * peers get fresh ones.
   */
  handleDatapathRestarted(now: number): void {
    const spreadMs = this.#records.size > RESTART_SPREAD_PEERS ? RESTART_SPREAD_MS : 0;
    for (const record of this.#records.values()) {
      this.#book.forgetLost(record);
      this.#handshaker.cancel(record);
      record.pings.clear();
      record.probeAt = Infinity;
      const { peer, endpoint } = record;
      if (endpoint !== undefined) this.#outbox.push({ kind: 'setEndpoint', peer, endpoint });
      markDown(record, 'datapath_restarted', this.#outbox);
      record.handshakeAt = now + this.#handshaker.jitterMs(spreadMs);
    }
  }

  /**
   * Should be called when an address or route of this host has changed: peers have to learn it, and
   * may be reached otherwise.
   */
  handleUnderlayChanged(now: number): void {
    for (const record of this.#records.values()) {
      record.tries = 0;
      if (!record.isUp) record.handshakeAt = now;
      if (record.active === undefined) continue;
      this.ping(record.peer, now);
      record.probeAt = now + PROBE_TIMEOUT_MS;
    }
  }

  /**
   * Should be called with a peer's own word of where it is (an endpoint record). A peer that is
   * looked for is tried there at once; one that is up and seems to be elsewhere is asked.
   */
  learnEndpoints(peer: number, endpoints: readonly Endpoint[], now: number): void {
    const record = this.#records.get(peer);
    if (record === undefined || isSameList(record.heardEndpoints, endpoints)) return;
    record.heardEndpoints = endpoints;
    if (endpoints.length === 0 || !maySearch(record, now)) return;
    // The first try of a rekey goes to the endpoint in use and is no search.
    if (!record.isUp || record.probeAt !== Infinity || record.tries > 1) {
      record.probeAt = Infinity;
      record.tries = record.isUp ? 1 : 0;
      const answeredAt = record.sessions.findLast(isUnconfirmedAnswer)?.setAt ?? -Infinity;
      record.handshakeAt = Math.max(now, answeredAt + HANDSHAKE_RETRY_MS);
    } else if (!endpoints.some((endpoint) => sameEndpoint(endpoint, record.endpoint))) {
      this.ping(peer, now);
      record.probeAt = now + PROBE_TIMEOUT_MS;
    }
  }

  /**
   * Sends a message to a room of the peer's agent, its type (from MESSAGE_TYPE_MIN up) first. False
   * without a session; nothing tells whether it arrives. RangeError: over MESSAGE_BYTES_MAX.
   */
  sendMessage(peer: number, bytes: Uint8Array, now: number): boolean {
    const record = this.#records.get(peer);
    if (record?.active === undefined) return false;
    this.#carrier.send(record, bytes, now);
    return true;
  }

  /**
   * Should be called when a controller has decided which of two holders of a peer's key stays: its
   * handshakes are taken again, and sessions with the other one end. What is neither of the two
   * that this host has seen changes nothing, so that a lie cuts nobody off.
   */
  setSurvivor(peer: number, instance: Uint8Array, now: number): void {
    const record = this.#records.get(peer);
    const quarantined = record?.quarantine?.instance;
    if (record === undefined || !isSame(quarantined, instance)) return;
    const former = record.active?.instance;
    for (const session of record.sessions) this.#book.forget(record, session);
    this.#handshaker.cancel(record);
    markDown(record, 'instance_replaced', this.#outbox);
    if (former !== undefined) record.quarantine = { instance: former, until: now + QUARANTINE_MS };
    record.held = undefined;
    record.ordinal = undefined;
    record.handshakeAt = now;
  }

  /**
   * Sends a ping. Returns its id, which the pong or pingTimedOut event names; undefined without a
   * session or with 64 under way.
   */
  ping(peer: number, now: number): bigint | undefined {
    const record = this.#records.get(peer);
    if (record?.active === undefined || record.pings.size >= PINGS_PER_PEER_MAX) return undefined;
    const id = ++this.#pingId;
    record.pings.set(id, now);
    this.#outbox.sendControl(record, encodePing(id), now);
    return id;
  }

  /** Does what pollTimeout says is due; more may be at once when many handshakes are. */
  handleTimeout(now: number): void {
    let starts = 0;
    for (const record of this.#records.values()) {
      if (deadlineOf(record).at > now) continue;
      if (record.validUntil <= now && hasState(record)) this.#endCredential(record);
      this.#runSessionTimers(record, now);
      this.#runPeerTimers(record, now);
      if (record.handshakeAt > now || starts >= HANDSHAKE_STARTS_PER_TIMEOUT_MAX) continue;
      starts++;
      this.#handshaker.start(record, now);
    }
  }

  /** When handleTimeout is due next; undefined: never, as things are. */
  pollTimeout(): MeshTimeout | undefined {
    let due: MeshTimeout = { at: Infinity, reason: '' };
    for (const record of this.#records.values()) {
      const deadline = deadlineOf(record);
      if (deadline.at < due.at) due = deadline;
    }
    return due.at === Infinity ? undefined : due;
  }

  /** What to do since the last call, in order. Should be called after every other call. */
  drainActions(): MeshAction[] {
    return this.#outbox.drain();
  }

  status(now: number): PeerStatus[] {
    return [...this.#records.values()].map((record) => statusOf(record, now));
  }

  /** Refused messages by reason since the start. */
  refusals(): ReadonlyMap<RefusalReason, number> {
    return this.#outbox.refusals;
  }

  #setPeer(config: PeerConfig, now: number): void {
    const held = this.#records.get(config.peer);
    const record = held ?? makePeerRecord(config, this.#nodeId);
    const isNewCandidates = held === undefined || !isSameList(held.candidates, config.endpoints);
    const wasEnded = record.validUntil <= now;
    record.candidates = config.endpoints;
    record.validUntil = config.validUntil ?? Infinity;
    record.introduction = config.introduction;
    this.#setPostQuantum(record, config.postQuantum ?? 'required', now);
    this.#records.set(config.peer, record);
    this.#byKey.set(config.sessionKey.join(), record);
    const isWanted = isNewCandidates || (wasEnded && record.validUntil > now);
    if (record.isUp || !isWanted || candidatesOf(record).length === 0) return;
    record.tries = 0;
    record.handshakeAt = now;
  }

  /** What is sealed without a post-quantum secret is rekeyed at once when that is required. */
  #setPostQuantum(record: PeerRecord, wanted: PostQuantum, now: number): void {
    const isRaised = record.postQuantum === 'off' && wanted === 'required';
    record.postQuantum = wanted;
    if (isRaised && record.active !== undefined) record.active.rekeyAt = now;
    if (!isRaised || record.pending === undefined) return;
    this.#handshaker.cancel(record);
    record.handshakeAt = now;
  }

  #endCredential(record: PeerRecord): void {
    this.#handshaker.cancel(record);
    for (const session of record.sessions) this.#book.forget(record, session);
    record.probeAt = Infinity;
    markDown(record, 'credential_ended', this.#outbox);
  }

  #remove(record: PeerRecord, reason: PeerDownReason): void {
    this.#handshaker.cancel(record);
    for (const session of record.sessions) this.#book.forget(record, session);
    markDown(record, reason, this.#outbox);
    this.#records.delete(record.peer);
    this.#byKey.delete(record.sessionKey.join());
  }

  #confirm(record: PeerRecord, session: Session, now: number): void {
    if (session.isConfirmed) return;
    const isActivated = this.#book.confirm(record, session, now);
    if (session === record.active && session.rekeyAt !== Infinity) this.#handshaker.cancel(record);
    // The initiator learns by this that the responder holds the session, and lets the former one
    // go.
    if (isActivated) this.#outbox.sendControl(record, KEEPALIVE, now);
  }

  #handleMessage(
    { record, session }: { readonly record: PeerRecord; readonly session: Session },
    message: ParsedControl,
    from: Endpoint,
    now: number,
  ): void {
    switch (message.type) {
      case 'ping':
        return this.#outbox.sendControl(
          record,
          encodePong(message.id, from, this.#self),
          now,
          from,
        );
      case 'pong':
        // Of two holders each answers on its own session.
        if (record.pings.has(message.id)) session.instance = message.instance;
        return this.#handlePong(record, message, from, now);
      case 'fragment':
        return this.#carrier.takeFragment(record, message, now);
      case 'message':
        return this.#carrier.deliver(record, message.bytes);
      case 'keepalive':
      case 'unknown':
        return;
    }
  }

  #handlePong(record: PeerRecord, pong: Pong, from: Endpoint, now: number): void {
    const sentAt = record.pings.get(pong.id);
    if (sentAt === undefined) return this.#outbox.refuse('pong_unmatched');
    record.pings.delete(pong.id);
    record.rttMs = now - sentAt;
    this.#twoHolders.takePong(record, pong, now);
    const { id: pingId, seenAs } = pong;
    this.#outbox.tell({
      type: 'pong',
      peer: record.peer,
      pingId,
      rttMs: record.rttMs,
      endpoint: from,
      seenAs,
    });
  }

  #runSessionTimers(record: PeerRecord, now: number): void {
    const before = record.active;
    for (const session of record.sessions) {
      if (session.expiresAt <= now || session.deleteAt <= now) this.#book.forget(record, session);
    }
    const { active } = record;
    if (active === undefined) {
      markDown(record, 'expired', this.#outbox);
      if (before !== undefined) record.handshakeAt = Math.min(record.handshakeAt, now);
      return;
    }
    if (active.rekeyAt <= now) {
      active.rekeyAt = Infinity;
      record.handshakeAt = Math.min(record.handshakeAt, now);
    }
    if (active.confirmAt <= now) this.#confirmAgain(record, active, now);
  }

  #confirmAgain(record: PeerRecord, session: Session, now: number): void {
    if (now - session.setAt >= CONFIRM_TIMEOUT_MS) {
      session.confirmAt = Infinity;
      record.handshakeAt = Math.min(record.handshakeAt, now);
      return;
    }
    session.confirmTries++;
    session.confirmAt = Math.min(
      now + CONFIRM_RETRY_MS * 2 ** session.confirmTries,
      session.setAt + CONFIRM_TIMEOUT_MS,
    );
    this.#outbox.sendControl(record, KEEPALIVE, now);
  }

  #runPeerTimers(record: PeerRecord, now: number): void {
    this.#twoHolders.handleTimeout(record, now);
    if (silentAt(record) <= now) {
      markDown(record, 'silent', this.#outbox);
      record.tries = 0;
      record.handshakeAt = now;
    }
    if (record.probeAt <= now) {
      record.probeAt = Infinity;
      record.tries = Math.max(record.tries, 1);
      record.handshakeAt = now;
    }
    if (keepaliveAt(record) <= now) this.#outbox.sendControl(record, KEEPALIVE, now);
    while (pingTimeoutAt(record) <= now) {
      const [pingId = 0n] = record.pings.keys();
      record.pings.delete(pingId);
      this.#outbox.tell({ type: 'pingTimedOut', peer: record.peer, pingId });
    }
  }
}
