/**
 * The sessions of all peers, and the rules by which both ends of a pair come to send with a session
 * that both hold:
 *
 * - An initiator sends with a session as soon as it has the response, a responder as soon as it has
 *   opened a datagram with it. Of
 *   several such sessions the data path sends with the one that was set last.
 * - A session that was in use is forgotten SESSION_OVERLAP_MS after its successor was confirmed,
 *   that is, after a datagram of the
 *   peer was opened with the successor: by then the peer sends with it.
 * - An answered handshake that nobody confirmed is forgotten when a later one is answered or a
 *   later session is confirmed.
 * - When both initiate at once, the handshake of the node with the smaller node id counts. That
 *   node forgets what it had answered
 *   when its own is answered. The other one keeps both sessions, and forgets its own when the peer
 *   uses the one that counts.
 */
import {
  CONFIRM_RETRY_MS,
  PRECEDENCE_MS,
  REKEY_AFTER_INITIATOR_MS,
  REKEY_AFTER_RESPONDER_MS,
  SESSION_LIFETIME_MS,
  SESSION_OVERLAP_MS,
  SESSIONS_PER_PEER_MAX,
} from './limits.ts';
import type { Outbox } from './outbox.ts';
import { activeOf, isUnconfirmedAnswer, sessionToEvict } from './peer-record.ts';
import type { PeerRecord, Session } from './peer-record.ts';
import type { AdoptedSession } from './types.ts';
import { SESSION_ACTIVATION } from '../datapath-control/messages.ts';
import type { Endpoint } from '../endpoint.ts';
import type { SessionKeys } from '../handshake/exchange.ts';

export interface SessionSetup {
  readonly localId: number;
  readonly remoteId: number;
  readonly isInitiator: boolean;
  readonly source: Endpoint;
  readonly keys: SessionKeys;
  readonly instance: Uint8Array;
  /** Added to the time of the rekey. */
  readonly jitterMs: number;
  readonly response?: Uint8Array;
}

export class SessionBook {
  readonly #outbox: Outbox;
  readonly #rekeyAfterMs: number;
  /** Holder of every local id in use, by sessions and by handshakes under way. */
  readonly #holders = new Map<number, PeerRecord>();

  constructor(outbox: Outbox, rekeyAfterMs = REKEY_AFTER_INITIATOR_MS) {
    this.#outbox = outbox;
    this.#rekeyAfterMs = rekeyAfterMs;
  }

  holderOf(localId: number): PeerRecord | undefined {
    return this.#holders.get(localId);
  }

  sessionOf(localId: number): { record: PeerRecord; session: Session } | undefined {
    const record = this.#holders.get(localId);
    const session = record?.sessions.find((candidate) => candidate.localId === localId);
    return record === undefined || session === undefined ? undefined : { record, session };
  }

  get size(): number {
    return this.#holders.size;
  }

  reserve(localId: number, record: PeerRecord): void {
    this.#holders.set(localId, record);
  }

  release(localId: number): void {
    this.#holders.delete(localId);
  }

  /** Handshake finished -> session held; an own one is in use from here. */
  install(record: PeerRecord, setup: SessionSetup, now: number): Session {
    const { localId, remoteId, isInitiator, keys } = setup;
    for (const session of record.sessions.filter(isUnconfirmedAnswer)) {
      // A peer with precedence answers again only after it has given its own handshake up.
      const isGivenUp = now - session.setAt >= PRECEDENCE_MS;
      if (!isInitiator || record.isOwnFirst || isGivenUp) this.forget(record, session);
    }
    if (record.sessions.length >= SESSIONS_PER_PEER_MAX) {
      const evicted = sessionToEvict(record);
      if (evicted !== undefined) this.forget(record, evicted);
    }
    const session = makeSession(setup, this.#rekeyAt(isInitiator, now) + setup.jitterMs, now);
    this.#holders.set(localId, record);
    record.sessions.push(session);
    record.handshakeCount++;
    record.active = activeOf(record);
    const activation = isInitiator ? SESSION_ACTIVATION.now : SESSION_ACTIVATION.onReceive;
    const initiator = isInitiator ? 1 : 0;
    const lifetimeMs = SESSION_LIFETIME_MS;
    const peer = record.peer;
    this.#outbox.push({
      kind: 'setSession',
      session: { localId, remoteId, peer, activation, initiator, lifetimeMs, ...keys },
    });
    return session;
  }

  /**
   * A datagram of the peer was opened with the session for the first time. Returns whether it came
   * into use by that.
   */
  confirm(record: PeerRecord, session: Session, now: number): boolean {
    const isActivated = !session.isInitiator;
    session.isConfirmed = true;
    session.confirmAt = Infinity;
    session.response = undefined;
    const at = record.sessions.indexOf(session);
    if (isActivated) {
      session.deleteAt = Infinity;
      for (const later of record.sessions.slice(at + 1)) {
        if (!later.isConfirmed && later.isInitiator) this.forget(record, later);
      }
    }
    record.active = activeOf(record);
    if (record.active !== session) return isActivated;
    for (const former of record.sessions.slice(0, at)) {
      if (isUnconfirmedAnswer(former)) this.forget(record, former);
      else former.deleteAt = Math.min(former.deleteAt, now + SESSION_OVERLAP_MS);
    }
    return isActivated;
  }

  /** Session held -> forgotten, here and in the data path. */
  forget(record: PeerRecord, session: Session): void {
    record.sessions = record.sessions.filter((other) => other !== session);
    record.active = activeOf(record);
    this.#holders.delete(session.localId);
    this.#outbox.push({ kind: 'deleteSession', localId: session.localId });
  }

  /** Forgets what the data path has lost; there is nothing to delete. */
  forgetLost(record: PeerRecord): void {
    for (const session of record.sessions) this.#holders.delete(session.localId);
    record.sessions = [];
    record.active = undefined;
  }

  /** Takes over a session that a running data path holds. */
  adopt(
    record: PeerRecord,
    entry: AdoptedSession,
    given: { readonly now: number; readonly jitterMs: number },
  ): void {
    const { now } = given;
    const isInitiator = entry.initiator === 1;
    const isConfirmed = entry.confirmed === 1;
    const setAt = now - entry.ageMs;
    const session: Session = {
      localId: entry.localId,
      isInitiator,
      setAt,
      expiresAt: setAt + entry.lifetimeMs,
      rekeyAt: Math.max(this.#rekeyAt(isInitiator, setAt), now) + given.jitterMs,
      deleteAt: entry.active === 1 ? Infinity : now + SESSION_OVERLAP_MS,
      isConfirmed,
      confirmAt: isInitiator && !isConfirmed ? now + CONFIRM_RETRY_MS : Infinity,
      confirmTries: 0,
      source: entry.endpoint,
      instance: undefined,
      response: undefined,
    };
    this.#holders.set(session.localId, record);
    record.sessions.push(session);
    record.sessions.sort(
      (a, b) =>
        a.setAt - b.setAt || Number(a.deleteAt === Infinity) - Number(b.deleteAt === Infinity),
    );
    record.active = activeOf(record);
  }

  #rekeyAt(isInitiator: boolean, setAt: number): number {
    const ratio = isInitiator ? 1 : REKEY_AFTER_RESPONDER_MS / REKEY_AFTER_INITIATOR_MS;
    return setAt + this.#rekeyAfterMs * ratio;
  }
}

function makeSession(setup: SessionSetup, rekeyAt: number, now: number): Session {
  const { isInitiator, source } = setup;
  return {
    localId: setup.localId,
    isInitiator,
    setAt: now,
    expiresAt: now + SESSION_LIFETIME_MS,
    rekeyAt,
    deleteAt: isInitiator ? Infinity : now + SESSION_OVERLAP_MS,
    isConfirmed: false,
    confirmAt: isInitiator ? now + CONFIRM_RETRY_MS : Infinity,
    confirmTries: 0,
    source,
    instance: setup.instance,
    response: setup.response,
  };
}
