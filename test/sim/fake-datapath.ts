/**
 * The data path as the mesh sees it: a peer table, a session table with the activation rules of
 * SESSION_ACTIVATION, and real AES-256-GCM with per-session counters, in memory. It reports what
 * the real one reports (docs/protocol.md, datapath-control).
 */
import { ACTIVITY, SESSION_ACTIVATION, UNKNOWN_ENDPOINT, sameEndpoint } from '@etherloom/core';
import type { AdoptedSession, Endpoint, MessageValues } from '@etherloom/core';
import { open, seal } from '../../packages/core/src/noise/aes-gcm.ts';

type SessionSet = MessageValues<'sessionSet'>;

interface HeldSession {
  readonly set: SessionSet;
  readonly setAt: number;
  /** Order of setting: of those in use, the last one is sent with. */
  readonly serial: number;
  isActivated: boolean;
  isConfirmed: boolean;
  counter: bigint;
  readonly seen: Set<bigint>;
}

interface HeldPeer {
  endpoint: Endpoint;
  active: HeldSession | undefined;
  activity: number;
}

/** What the data path tells the agent. */
export type DatapathEvent =
  | { readonly kind: 'datagram'; readonly from: Endpoint; readonly bytes: Uint8Array }
  | {
      readonly kind: 'control';
      readonly peer: number;
      readonly localId: number;
      readonly from: Endpoint;
      readonly bytes: Uint8Array;
    }
  | { readonly kind: 'confirmed'; readonly localId: number }
  | { readonly kind: 'needed'; readonly peer: number }
  | { readonly kind: 'activity'; readonly peer: number; readonly flags: number };

export interface FakeDatapathDeps {
  readonly transmit: (to: Endpoint, bytes: Uint8Array) => void;
  readonly report: (event: DatapathEvent) => void;
  readonly deliver: (peer: number, frame: Uint8Array) => void;
  /** Called for each sealed datagram and each installed key, to look for repetitions. */
  readonly witness: (kind: 'sealed' | 'installed', key: Uint8Array, counter: bigint) => void;
}

const HEADER_BYTES = 16;

export class FakeDatapath {
  readonly #deps: FakeDatapathDeps;
  #serial = 0;
  readonly peers = new Map<number, HeldPeer>();
  readonly sessions = new Map<number, HeldSession>();
  readonly drops = new Map<string, number>();

  constructor(deps: FakeDatapathDeps) {
    this.#deps = deps;
  }

  /** The process ends: all is gone. */
  restart(): void {
    this.peers.clear();
    this.sessions.clear();
  }

  setEndpoint(peer: number, endpoint: Endpoint): void {
    const held = this.peers.get(peer);
    if (held === undefined) this.peers.set(peer, { endpoint, active: undefined, activity: 0 });
    else held.endpoint = endpoint;
  }

  deletePeer(peer: number): void {
    this.peers.delete(peer);
    for (const [localId, session] of this.sessions)
      if (session.set.peer === peer) this.sessions.delete(localId);
  }

  setSession(set: SessionSet, now: number): void {
    if (this.sessions.has(set.localId)) throw new Error(`EEXIST ${set.localId}`);
    this.#deps.witness('installed', set.sendKey, 0n);
    const serial = ++this.#serial;
    const session: HeldSession = {
      set,
      setAt: now,
      serial,
      isActivated: false,
      isConfirmed: false,
      counter: 0n,
      seen: new Set(),
    };
    this.sessions.set(set.localId, session);
    if (!this.peers.has(set.peer)) this.setEndpoint(set.peer, UNKNOWN_ENDPOINT);
    if (set.activation === SESSION_ACTIVATION.now) this.#activate(session);
  }

  deleteSession(localId: number): void {
    const session = this.sessions.get(localId);
    this.sessions.delete(localId);
    if (session !== undefined) this.#choose(session.set.peer);
  }

  sendDatagram(to: Endpoint, bytes: Uint8Array): void {
    this.#deps.transmit(to, bytes);
  }

  sendControl(peer: number, to: Endpoint | undefined, bytes: Uint8Array, now: number): void {
    this.#sealAndSend(peer, to, Uint8Array.of(0, ...bytes), now);
  }

  /** A frame from a port. Returns whether it left. */
  sendFrame(peer: number, frame: Uint8Array, now: number): boolean {
    return this.#sealAndSend(peer, undefined, Uint8Array.of(1, ...frame), now);
  }

  receive(from: Endpoint, bytes: Uint8Array, now: number): void {
    if (bytes[0] !== 0xe0) return this.#deps.report({ kind: 'datagram', from, bytes });
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const session = this.sessions.get(view.getUint32(4));
    if (session === undefined) return this.#drop('session_unknown');
    if (now - session.setAt >= session.set.lifetimeMs) return this.#drop('session_expired');
    const counter = view.getBigUint64(8);
    if (session.seen.has(counter)) return this.#drop('counter_replayed');
    const header = bytes.subarray(0, HEADER_BYTES);
    const body = open(
      session.set.receiveKey,
      nonceOf(counter),
      bytes.subarray(HEADER_BYTES),
      header,
    );
    session.seen.add(counter);
    this.#opened(session, from, body);
  }

  /** Reports what the real one coalesces over 250 ms. */
  flushActivity(): void {
    for (const [peer, held] of this.peers) {
      if (held.activity !== 0) this.#deps.report({ kind: 'activity', peer, flags: held.activity });
      held.activity = 0;
    }
  }

  dumpSessions(now: number): AdoptedSession[] {
    return [...this.sessions.values()].map(({ set, setAt, isConfirmed }) => {
      const peer = this.peers.get(set.peer);
      const endpoint =
        peer && !sameEndpoint(peer.endpoint, UNKNOWN_ENDPOINT) ? peer.endpoint : undefined;
      return {
        localId: set.localId,
        remoteId: set.remoteId,
        peer: set.peer,
        active: peer?.active?.set === set ? 1 : 0,
        confirmed: isConfirmed ? 1 : 0,
        initiator: set.initiator,
        ageMs: now - setAt,
        lifetimeMs: set.lifetimeMs,
        ...(endpoint === undefined ? {} : { endpoint }),
      };
    });
  }

  #sealAndSend(peer: number, to: Endpoint | undefined, body: Uint8Array, now: number): boolean {
    const held = this.peers.get(peer);
    const session = held?.active;
    if (
      held === undefined ||
      session === undefined ||
      now - session.setAt >= session.set.lifetimeMs
    ) {
      this.#deps.report({ kind: 'needed', peer });
      return false;
    }
    const endpoint = to ?? held.endpoint;
    if (sameEndpoint(endpoint, UNKNOWN_ENDPOINT)) return false;
    const counter = session.counter++;
    this.#deps.witness('sealed', session.set.sendKey, counter);
    const header = new Uint8Array(HEADER_BYTES);
    header[0] = 0xe0;
    new DataView(header.buffer).setUint32(4, session.set.remoteId);
    new DataView(header.buffer).setBigUint64(8, counter);
    const sealed = seal(session.set.sendKey, nonceOf(counter), body, header);
    held.activity |= ACTIVITY.sent;
    this.#deps.transmit(endpoint, Uint8Array.of(...header, ...sealed));
    return true;
  }

  #opened(session: HeldSession, from: Endpoint, body: Uint8Array): void {
    const { peer, localId } = session.set;
    const held = this.peers.get(peer);
    if (held !== undefined) held.activity |= ACTIVITY.received;
    if (!session.isConfirmed) {
      session.isConfirmed = true;
      if (session.set.activation === SESSION_ACTIVATION.onReceive) this.#activate(session);
      this.#deps.report({ kind: 'confirmed', localId });
    }
    if (body[0] === 0)
      this.#deps.report({ kind: 'control', peer, localId, from, bytes: body.slice(1) });
    else this.#deps.deliver(peer, body.subarray(1));
  }

  #activate(session: HeldSession): void {
    session.isActivated = true;
    this.#choose(session.set.peer);
  }

  #choose(id: number): void {
    const peer = this.peers.get(id);
    if (peer === undefined) return;
    const inUse = [...this.sessions.values()].filter(
      ({ set, isActivated }) => set.peer === id && isActivated,
    );
    peer.active = inUse.toSorted((a, b) => a.serial - b.serial).at(-1);
  }

  #drop(reason: string): void {
    this.drops.set(reason, (this.drops.get(reason) ?? 0) + 1);
  }
}

function nonceOf(counter: bigint): Uint8Array {
  const nonce = new Uint8Array(12);
  new DataView(nonce.buffer).setBigUint64(4, counter);
  return nonce;
}
