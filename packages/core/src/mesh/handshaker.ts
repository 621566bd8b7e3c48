/**
 * Starts, answers and finishes handshakes. Every datagram passes the gate (handshake/gate.ts)
 * first; what it costs after that is said at each step.
 */
import { sameEndpoint } from '../endpoint.ts';
import type { Endpoint } from '../endpoint.ts';
import { openCookie } from '../handshake/cookie-jar.ts';
import { initiate, openInitiation, openResponse, respond } from '../handshake/exchange.ts';
import type {
  LocalParty,
  OpenedInitiation,
  OpenedResponse,
  StrangerDoor,
} from '../handshake/exchange.ts';
import { HandshakeGate } from '../handshake/gate.ts';
import type { Expectation } from '../handshake/gate.ts';
import { IntroductionLimiter } from '../handshake/introduction-limiter.ts';
import { RESPONSES_UNPROVED_MAX } from '../handshake/limits.ts';
import { appendMacs, mac1Of } from '../handshake/macs.ts';
import type { CookieReply, Initiation, Response } from '../handshake/messages.ts';
import { splitInitiation } from '../handshake/parts.ts';
import { isLaterOrdinal } from '../handshake/payload.ts';
import { KEM_SEED_BYTES } from '../noise/ml-kem.ts';
import { KEY_BYTES, keyPairOf } from '../noise/x25519.ts';
import { KEEPALIVE } from './control-messages.ts';
import {
  ANSWER_INTERVAL_MS,
  CROSSED_FRESH_MS,
  HANDSHAKE_JITTER,
  HANDSHAKE_RETRY_MS,
  HANDSHAKE_RETRY_MS_MAX,
  PRECEDENCE_MS,
  REKEY_JITTER_MS,
} from './limits.ts';
import { markHeard, moveEndpoint } from './liveness.ts';
import type { Outbox } from './outbox.ts';
import { candidatesOf, cookieOf, isUnconfirmedAnswer } from './peer-record.ts';
import type { PeerRecord, PendingHandshake } from './peer-record.ts';
import type { SessionBook } from './session-book.ts';
import type { TwoHolders } from './two-holders.ts';
import type { MeshOptions } from './types.ts';

export interface HandshakerDeps {
  readonly random: (bytes: number) => Uint8Array;
  readonly outbox: Outbox;
  readonly book: SessionBook;
  readonly twoHolders: TwoHolders;
  readonly findPeer: (sessionKey: Uint8Array) => PeerRecord | undefined;
  readonly isPeerAddress: (source: Endpoint, now: number) => boolean;
}

export class Handshaker {
  readonly #local: LocalParty;
  readonly #startCount: number;
  readonly #deps: HandshakerDeps;
  readonly #gate: HandshakeGate;
  readonly #introductions = new IntroductionLimiter();
  readonly #strangers = new IntroductionLimiter();
  #sequence = 0n;

  constructor(options: MeshOptions & { readonly instance: Uint8Array }, deps: HandshakerDeps) {
    const keys = keyPairOf(options.staticKeys.privateKey);
    const { nodeId, lanes, instance } = options;
    this.#local = { keys, nodeId, lanes, instance };
    this.#startCount = options.startCount;
    this.#deps = deps;
    this.#gate = new HandshakeGate(keys.publicKey, {
      random: deps.random,
      isPeerAddress: deps.isPeerAddress,
      onKeys: (guard) => deps.outbox.push({ kind: 'setGuard', guard }),
    });
  }

  /** Gives the data path the keys of its first look at handshakes. */
  setGuard(now: number): void {
    this.#deps.outbox.push({ kind: 'setGuard', guard: this.#gate.keys(now) });
  }

  /**
   * Makes and sends an initiation, in place of one under way, and sets when to try again. Without
   * candidates or credentials: rests.
   */
  start(record: PeerRecord, now: number): void {
    if (record.validUntil <= now) return this.cancel(record);
    const all = candidatesOf(record);
    const { pending } = record;
    if (pending !== undefined && now - pending.startedAt < CROSSED_FRESH_MS)
      return this.#extend(record, pending, now);
    if (!record.isUp || record.active === undefined) return this.#startTo(record, all, now);
    // The peer has just been answered and is about to use that: an own handshake in between would
    // cost frames.
    const answered = record.sessions.findLast(isUnconfirmedAnswer);
    if (answered !== undefined && now < answered.setAt + HANDSHAKE_RETRY_MS) {
      record.handshakeAt = answered.setAt + HANDSHAKE_RETRY_MS;
      return;
    }
    // A rekey disturbs nobody but the endpoint in use, unless it stays without an answer.
    this.#startTo(record, record.tries === 0 ? all.slice(0, 1) : all, now);
  }

  /** What left just now may still be answered: the same goes to where it did not. */
  #extend(record: PeerRecord, pending: PendingHandshake, now: number): void {
    const isNew = (endpoint: Endpoint) =>
      !pending.targets.some((target) => sameEndpoint(target, endpoint));
    const others = candidatesOf(record).filter(isNew);
    for (const target of others) this.#sendAll(record, pending.bodies, target, now);
    pending.targets = [...pending.targets, ...others];
    record.tries = Math.max(record.tries, 1);
    record.handshakeAt = now + this.#retryMs(record.tries);
  }

  /** Handshake under way or planned -> none. */
  cancel(record: PeerRecord): void {
    if (record.pending !== undefined) this.#deps.book.release(record.pending.localId);
    record.pending = undefined;
    record.handshakeAt = Infinity;
    record.tries = 0;
  }

  /** Should be called with every datagram that the data path punts. */
  handleDatagram(from: Endpoint, bytes: Uint8Array, now: number): void {
    const { outbox } = this.#deps;
    const admission = this.#gate.admit(from, bytes, now, (response) => this.#expect(response));
    if (admission.verdict === 'waiting') return;
    if (admission.verdict !== 'admitted') {
      outbox.refuse(admission.reason);
      if (admission.verdict === 'challenged') outbox.sendDatagram(from, admission.reply);
      return;
    }
    const { message } = admission;
    if (message.kind === 'initiation') this.#handleInitiation(from, message, now);
    else if (message.kind === 'response') this.#handleResponse(from, message, now);
    else this.#handleCookieReply(from, message, now);
  }

  /** Milliseconds from 0 to `max`. */
  jitterMs(max: number): number {
    return this.#randomU32() % (max + 1);
  }

  #startTo(record: PeerRecord, targets: readonly Endpoint[], now: number): void {
    const { tries } = record;
    this.cancel(record);
    if (targets.length === 0) return;
    const sessionId = this.#freshId();
    const ordinal = { startCount: this.#startCount, sequence: ++this.#sequence };
    const ephemeral = this.#deps.random(KEY_BYTES);
    const introduction = record.isUp ? undefined : record.introduction;
    // Who does not know this host looks for an introduction in hybrid initiations only.
    const isHybrid = record.postQuantum === 'required' || introduction !== undefined;
    const kemSeed = isHybrid ? this.#deps.random(KEM_SEED_BYTES) : undefined;
    const given = { sessionId, ordinal, ephemeral, kemSeed, introduction };
    const made = initiate(this.#local, record, given);
    if (typeof made === 'string') return this.#deps.outbox.refuse(made);
    const bodies = splitInitiation(made.body);
    record.pending = {
      localId: sessionId,
      state: made.state,
      bodies,
      startedAt: now,
      targets,
      responses: 0,
      hasFollowedCookie: false,
    };
    this.#deps.book.reserve(sessionId, record);
    for (const target of targets) this.#sendAll(record, bodies, target, now);
    record.tries = tries + 1;
    record.handshakeAt = now + this.#retryMs(record.tries);
  }

  #expect({ receiverId }: Response): Expectation {
    const pending = this.#deps.book.holderOf(receiverId)?.pending;
    if (pending?.localId !== receiverId) return 'nothing';
    return ++pending.responses <= RESPONSES_UNPROVED_MAX ? 'answer' : 'surplus';
  }

  #retryMs(tries: number): number {
    const baseMs = Math.min(HANDSHAKE_RETRY_MS * 2 ** (tries - 1), HANDSHAKE_RETRY_MS_MAX);
    const spreadMs = Math.floor(baseMs * HANDSHAKE_JITTER);
    return baseMs - spreadMs + this.jitterMs(2 * spreadMs);
  }

  /**
   * Costs one Diffie-Hellman until the static key is known, two until the sender is proved, four
   * and an encapsulation until it is answered.
   */
  #handleInitiation(from: Endpoint, message: Initiation, now: number): void {
    const { outbox, findPeer, twoHolders } = this.#deps;
    const door: StrangerDoor = {
      isOpen: () => this.#introductions.allows(from, now),
      hear: (bytes) => outbox.tell({ type: 'introduced', bytes, from }),
      meet: (sessionKey) => {
        if (this.#strangers.allows(from, now)) outbox.tell({ type: 'stranger', sessionKey, from });
      },
    };
    const opened = openInitiation(this.#local, message, findPeer, door);
    if (typeof opened === 'string') return outbox.refuse(opened);
    const { remote: record, payload } = opened;
    if (record.validUntil <= now) return outbox.refuse('credential_ended');
    if (record.ordinal !== undefined && !isLaterOrdinal(payload.ordinal, record.ordinal)) {
      return outbox.refuse('ordinal_replayed');
    }
    const { instance, ordinal } = payload;
    const resume = (at: number) => this.#takeInitiation(opened, message.senderId, from, at);
    const newcomer = { instance, startCount: ordinal.startCount, endpoint: from, resume };
    // The ordinal of a second holder must not count: it would lock the first one out.
    if (twoHolders.admits(record, newcomer, now)) resume(now);
  }

  #takeInitiation(
    opened: OpenedInitiation<PeerRecord>,
    remoteId: number,
    from: Endpoint,
    now: number,
  ): void {
    const { outbox, findPeer } = this.#deps;
    const { remote: record, payload } = opened;
    if (findPeer(record.sessionKey) !== record) return outbox.refuse('peer_unknown');
    if (record.ordinal !== undefined && !isLaterOrdinal(payload.ordinal, record.ordinal)) {
      return outbox.refuse('ordinal_replayed');
    }
    // Its ordinal does not count yet: the same one may come again and be answered then.
    if (now - record.answeredAt < ANSWER_INTERVAL_MS) return outbox.refuse('peer_limited');
    record.ordinal = payload.ordinal;
    record.answeredAt = now;
    if (record.isOwnFirst && this.#repeatOwn(record, from, now))
      return outbox.refuse('initiation_crossed');
    this.#answer(opened, remoteId, from, now);
  }

  /**
   * With precedence: sends what is under way to where the peer is. False when nothing is under way.
   */
  #repeatOwn(record: PeerRecord, from: Endpoint, now: number): boolean {
    const { pending, active } = record;
    if (pending !== undefined) {
      if (now - pending.startedAt < CROSSED_FRESH_MS) {
        this.#sendAll(record, pending.bodies, from, now);
      } else {
        record.tries = 0;
        const others = candidatesOf(record).filter((endpoint) => !sameEndpoint(endpoint, from));
        this.#startTo(record, [from, ...others], now);
      }
      return true;
    }
    if (active === undefined || active.isConfirmed || !active.isInitiator) return false;
    if (now - active.setAt >= PRECEDENCE_MS) return false;
    this.#deps.outbox.sendControl(record, KEEPALIVE, now, from);
    return true;
  }

  /**
   * The keys are set before the response leaves, so that the first datagram under them finds them.
   */
  #answer(
    opened: OpenedInitiation<PeerRecord>,
    remoteId: number,
    source: Endpoint,
    now: number,
  ): void {
    const { random, outbox, book } = this.#deps;
    const localId = this.#freshId();
    const given = { sessionId: localId, receiverId: remoteId, ephemeral: random(KEY_BYTES) };
    const answer = respond(this.#local, opened, given);
    if (typeof answer === 'string') return outbox.refuse(answer);
    const { body: response, keys } = answer;
    const jitterMs = this.jitterMs(REKEY_JITTER_MS);
    const { instance } = opened.payload;
    const isInitiator = false;
    const setup = { localId, remoteId, isInitiator, source, keys, instance, jitterMs, response };
    book.install(opened.remote, setup, now);
    this.#send(opened.remote, response, source, now);
  }

  /** Costs two Diffie-Hellman and a decapsulation, and only for an answer that is waited for. */
  #handleResponse(from: Endpoint, message: Response, now: number): void {
    const { outbox, book, twoHolders } = this.#deps;
    const record = book.holderOf(message.receiverId);
    if (record?.pending?.localId !== message.receiverId) return outbox.refuse('session_unmatched');
    const opened = openResponse(record.pending.state, message, record);
    if (typeof opened === 'string') return outbox.refuse(opened);
    const { instance } = opened;
    const resume = (at: number) => this.#takeResponse(record, opened, { from, message }, at);
    const newcomer = { instance, startCount: undefined, endpoint: from, resume };
    if (twoHolders.admits(record, newcomer, now)) resume(now);
  }

  #takeResponse(
    record: PeerRecord,
    { keys, instance }: OpenedResponse,
    { from, message }: { readonly from: Endpoint; readonly message: Response },
    now: number,
  ): void {
    const { outbox, book } = this.#deps;
    const localId = message.receiverId;
    if (record.pending?.localId !== localId) return outbox.refuse('session_unmatched');
    this.cancel(record);
    moveEndpoint(record, from, outbox);
    const jitterMs = this.jitterMs(REKEY_JITTER_MS);
    const setup = {
      localId,
      remoteId: message.senderId,
      isInitiator: true,
      source: from,
      keys,
      instance,
      jitterMs,
    };
    book.install(record, setup, now);
    record.probeAt = Infinity;
    markHeard(record, outbox, now);
    outbox.sendControl(record, KEEPALIVE, now);
  }

  /** Costs one symmetric opening for each part, and only for an answer to an own message. */
  #handleCookieReply(from: Endpoint, message: CookieReply, now: number): void {
    const { outbox, book } = this.#deps;
    const record = book.holderOf(message.receiverId);
    const pending = record?.pending?.localId === message.receiverId ? record.pending : undefined;
    const session = book.sessionOf(message.receiverId)?.session;
    const answered = session?.response === undefined ? [] : [session.response];
    const bodies = pending?.bodies ?? answered;
    if (record === undefined || bodies.length === 0) return outbox.refuse('session_unmatched');
    const cookie = cookieIn(message, record, bodies);
    if (cookie === undefined) return outbox.refuse('cookie_invalid');
    record.cookie = { bytes: cookie, at: now };
    if (pending?.hasFollowedCookie === true) return;
    if (pending !== undefined) pending.hasFollowedCookie = true;
    if (session !== undefined) session.response = undefined;
    this.#sendAll(record, bodies, from, now);
  }

  #sendAll(record: PeerRecord, bodies: readonly Uint8Array[], to: Endpoint, now: number): void {
    for (const body of bodies) this.#send(record, body, to, now);
  }

  #send(record: PeerRecord, body: Uint8Array, to: Endpoint, now: number): void {
    this.#deps.outbox.sendDatagram(to, appendMacs(body, record.mac1Key, cookieOf(record, now)));
  }

  /** Local ids are random: whoever does not see the handshakes cannot guess one. */
  #freshId(): number {
    for (;;) {
      const id = this.#randomU32();
      if (id !== 0 && this.#deps.book.holderOf(id) === undefined) return id;
    }
  }

  #randomU32(): number {
    const bytes = this.#deps.random(4);
    return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0);
  }
}

/** The cookie of a reply to any of the parts of a message. */
function cookieIn(
  reply: CookieReply,
  record: PeerRecord,
  bodies: readonly Uint8Array[],
): Uint8Array | undefined {
  for (const body of bodies) {
    const mac1 = mac1Of(appendMacs(body, record.mac1Key, undefined));
    const cookie = openCookie(reply, record.cookieKey, mac1);
    if (cookie !== undefined) return cookie;
  }
  return undefined;
}
