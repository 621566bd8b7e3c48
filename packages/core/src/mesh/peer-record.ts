/**
 * What the mesh remembers of a peer and of a session with it, and the questions that are answered
 * from it alone. Records belong to the Mesh and are changed by it only; the functions here change
 * nothing.
 */
import { sameEndpoint } from '../endpoint.ts';
import type { Endpoint } from '../endpoint.ts';
import { cookieKey } from '../handshake/cookie-jar.ts';
import { COOKIE_LIFETIME_MS } from '../handshake/limits.ts';
import { mac1Key } from '../handshake/macs.ts';
import type { OwnInitiation, PostQuantum } from '../handshake/exchange.ts';
import type { Ordinal } from '../handshake/payload.ts';
import type { TokenBucket } from '../handshake/token-bucket.ts';
import {
  ENDPOINT_CANDIDATES_MAX,
  KEEPALIVE_MS,
  PEER_SILENT_MS,
  PING_TIMEOUT_MS,
  SEARCH_BURST,
} from './limits.ts';
import type { MeshTimeout, PeerConfig } from './types.ts';

/** Keys that the data path holds under `localId`. The keys themselves are not kept. */
export interface Session {
  readonly localId: number;
  readonly isInitiator: boolean;
  readonly setAt: number;
  readonly expiresAt: number;
  /** Infinity once the rekey has been started. */
  rekeyAt: number;
  /** When a former or unconfirmed session is forgotten. */
  deleteAt: number;
  /** A datagram was opened with it: the peer holds it and sends with it. */
  isConfirmed: boolean;
  /** Next key confirmation of an own session that the peer has not used. */
  confirmAt: number;
  confirmTries: number;
  /** Where the handshake message came from. */
  readonly source: Endpoint | undefined;
  /** Instance of the peer's agent; undefined for an adopted session until a pong names it. */
  instance: Uint8Array | undefined;
  /** Body of the response, as long as a cookie may be asked for it. */
  response: Uint8Array | undefined;
}

/** An own initiation that waits for its response. */
export interface PendingHandshake {
  readonly localId: number;
  readonly state: OwnInitiation;
  /** Of the datagrams that carry it. */
  readonly bodies: readonly Uint8Array[];
  readonly startedAt: number;
  /** Where it was sent. */
  targets: readonly Endpoint[];
  /** Responses that named it, with a valid mac1. */
  responses: number;
  /** A cookie reply is followed at once, but only one a try. */
  hasFollowedCookie: boolean;
}

/** A handshake message of a second instance, until it is known whether the first one lives. */
export interface HeldNewcomer {
  readonly instance: Uint8Array;
  /** Undefined for a response, which cannot be a recorded one. */
  readonly startCount: number | undefined;
  readonly endpoint: Endpoint;
  readonly until: number;
  readonly pings: Set<bigint>;
  nextPingAt: number;
  readonly resume: (now: number) => void;
}

export interface PeerRecord {
  readonly peer: number;
  readonly nodeId: Uint8Array;
  readonly sessionKey: Uint8Array;
  readonly mac1Key: Uint8Array;
  readonly cookieKey: Uint8Array;
  /** When both initiate at once, this host's handshake is the one that counts. */
  readonly isOwnFirst: boolean;
  candidates: readonly Endpoint[];
  /** From the peer's own record, by gossip. */
  heardEndpoints: readonly Endpoint[];
  /** Changes of that record that may be followed at once. */
  searches: TokenBucket;
  postQuantum: PostQuantum;
  /** No session after this. */
  validUntil: number;
  introduction: Uint8Array | undefined;
  /** Where the peer was last authenticated at. */
  endpoint: Endpoint | undefined;
  /** In the order in which they were set up. */
  sessions: Session[];
  /** The session that the data path sends with. */
  active: Session | undefined;
  pending: PendingHandshake | undefined;
  /** Next start or retry of a handshake; Infinity: none. */
  handshakeAt: number;
  tries: number;
  ordinal: Ordinal | undefined;
  cookie: { readonly bytes: Uint8Array; readonly at: number } | undefined;
  isUp: boolean;
  heardAt: number | undefined;
  controlSentAt: number;
  answeredAt: number;
  /** All endpoints are tried when nothing was heard until then; Infinity: no probe under way. */
  probeAt: number;
  readonly pings: Map<bigint, number>;
  rttMs: number | undefined;
  handshakeCount: number;
  held: HeldNewcomer | undefined;
  /** The second of two holders, refused until then. */
  quarantine: { readonly instance: Uint8Array; readonly until: number } | undefined;
}

export function makePeerRecord(config: PeerConfig, ownNodeId: Uint8Array): PeerRecord {
  return {
    peer: config.peer,
    nodeId: config.nodeId,
    sessionKey: config.sessionKey,
    mac1Key: mac1Key(config.sessionKey),
    cookieKey: cookieKey(config.sessionKey),
    isOwnFirst: compareBytes(ownNodeId, config.nodeId) < 0,
    candidates: config.endpoints,
    heardEndpoints: [],
    searches: { tokens: SEARCH_BURST, at: 0 },
    postQuantum: config.postQuantum ?? 'required',
    validUntil: config.validUntil ?? Infinity,
    introduction: config.introduction,
    endpoint: undefined,
    sessions: [],
    active: undefined,
    pending: undefined,
    handshakeAt: Infinity,
    tries: 0,
    ordinal: undefined,
    cookie: undefined,
    isUp: false,
    heardAt: undefined,
    controlSentAt: -Infinity,
    answeredAt: -Infinity,
    probeAt: Infinity,
    pings: new Map(),
    rttMs: undefined,
    handshakeCount: 0,
    held: undefined,
    quarantine: undefined,
  };
}

/** Where to try: the last good endpoint first, then what the peer says, then configured ones. */
export function candidatesOf(record: PeerRecord): Endpoint[] {
  const known = record.endpoint === undefined ? [] : [record.endpoint];
  const all = [...known, ...record.heardEndpoints, ...record.candidates];
  const distinct = all.filter(
    (endpoint, at) => all.findIndex((other) => sameEndpoint(other, endpoint)) === at,
  );
  return distinct.slice(0, ENDPOINT_CANDIDATES_MAX);
}

export function cookieOf(record: PeerRecord, now: number): Uint8Array | undefined {
  const { cookie } = record;
  return cookie !== undefined && now - cookie.at < COOKIE_LIFETIME_MS ? cookie.bytes : undefined;
}

/**
 * The session that the data path sends with: the last one that was set by this host's own handshake
 * or used by the peer.
 */
export function activeOf(record: PeerRecord): Session | undefined {
  return record.sessions.findLast((session) => session.isInitiator || session.isConfirmed);
}

/** An answered handshake whose keys the initiator has not used. */
export function isUnconfirmedAnswer(session: Session): boolean {
  return !session.isInitiator && !session.isConfirmed;
}

/**
 * The session to give up when there are too many: never the active one, unconfirmed before
 * confirmed, old before new.
 */
export function sessionToEvict(record: PeerRecord): Session | undefined {
  const others = record.sessions.filter((session) => session !== record.active);
  return others.find((session) => !session.isConfirmed) ?? others[0];
}

export function silentAt(record: PeerRecord): number {
  return record.isUp ? (record.heardAt ?? 0) + PEER_SILENT_MS : Infinity;
}

export function keepaliveAt(record: PeerRecord): number {
  return record.active === undefined ? Infinity : record.controlSentAt + KEEPALIVE_MS;
}

/** Pings are answered or time out in the order in which they were sent. */
export function pingTimeoutAt(record: PeerRecord): number {
  const [oldest] = record.pings.values();
  return oldest === undefined ? Infinity : oldest + PING_TIMEOUT_MS;
}

/** Whether there is anything that the end of the credentials has to end. */
export function hasState(record: PeerRecord): boolean {
  return record.sessions.length > 0 || record.handshakeAt !== Infinity || record.isUp;
}

/** The earliest thing that is due for a peer. */
export function deadlineOf(record: PeerRecord): MeshTimeout {
  let due: MeshTimeout = { at: record.handshakeAt, reason: 'handshake' };
  const consider = (at: number, reason: string) => {
    if (at < due.at) due = { at, reason };
  };
  consider(silentAt(record), 'silence');
  consider(record.probeAt, 'probe');
  consider(keepaliveAt(record), 'keepalive');
  consider(pingTimeoutAt(record), 'ping');
  if (record.held !== undefined)
    consider(Math.min(record.held.until, record.held.nextPingAt), 'two holders');
  if (hasState(record)) consider(record.validUntil, 'end of credentials');
  for (const session of record.sessions) {
    consider(session.expiresAt, 'session lifetime');
    consider(session.deleteAt, 'session overlap');
    if (session !== record.active) continue;
    consider(session.rekeyAt, 'rekey');
    consider(session.confirmAt, 'key confirmation');
  }
  return due;
}

export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (const [index, byte] of a.entries()) {
    const difference = byte - (b[index] ?? -1);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
