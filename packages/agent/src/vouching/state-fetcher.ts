/**
 * Fetches the state of one network from members that are up: one piece at a time from one of them,
 * the next member when one is silent or gives what does not hold. What has come is kept while the
 * document is the same, whoever gives the rest.
 */
import {
  STATE_DOCUMENT_PACKED_BYTES_MAX,
  STATE_FETCH_AGAIN_MS,
  STATE_FETCH_TRIES_MAX,
  STATE_PIECE_PAUSE_MS,
  STATE_PIECE_WAIT_MS,
} from '../limits.ts';
import { hashOf, unpackDocument } from './state-document.ts';
import type { StateDocument } from './state-document.ts';
import { ANY_HASH, encodeStateAsk, parseStatePiece } from './state-messages.ts';

export interface StateFetcherDeps {
  readonly networkId: string;
  /** Peers that have a session. */
  readonly peers: () => readonly number[];
  readonly send: (peer: number, bytes: Uint8Array) => void;
  /** Takes a whole document; false when it does not hold. */
  readonly onDocument: (document: StateDocument) => boolean;
  /** A number from 0 to below 1. */
  readonly random: () => number;
}

interface Held {
  readonly hash: Uint8Array;
  readonly bytes: Uint8Array;
  /** Bytes from the beginning that have come. */
  length: number;
}

export class StateFetcher {
  readonly #deps: StateFetcherDeps;
  #peer: number | undefined;
  #held: Held | undefined;
  #tries = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Peers whose document did not hold. */
  readonly #refused = new Set<number>();
  #isStopped = false;

  constructor(deps: StateFetcherDeps) {
    this.#deps = deps;
  }

  /** Asks, unless it is asking already: a peer is up. */
  start(): void {
    if (this.#peer === undefined && !this.#isStopped) this.#askNext();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  take(peer: number, message: Uint8Array): void {
    const piece = parseStatePiece(message);
    if (this.#isStopped || peer !== this.#peer || piece === undefined) return;
    if (piece.networkId !== this.#deps.networkId) return;
    const { hash, totalBytes, offset, bytes } = piece;
    if (totalBytes === 0 || totalBytes > STATE_DOCUMENT_PACKED_BYTES_MAX) return;
    const isSame = this.#held !== undefined && Buffer.compare(this.#held.hash, hash) === 0;
    if (!isSame) this.#held = { hash, bytes: new Uint8Array(totalBytes), length: 0 };
    const held = this.#held;
    if (held === undefined || offset !== held.length || bytes.length === 0) return;
    if (offset + bytes.length > held.bytes.length) return;
    held.bytes.set(bytes, offset);
    held.length += bytes.length;
    this.#tries = 0;
    if (held.length < held.bytes.length) this.#askAfter(STATE_PIECE_PAUSE_MS);
    else this.#finish(peer, held);
  }

  #finish(peer: number, { bytes, hash }: Held): void {
    this.#held = undefined;
    clearTimeout(this.#timer);
    const document = Buffer.compare(hashOf(bytes), hash) === 0 ? unpackDocument(bytes) : undefined;
    if (document !== undefined && this.#deps.onDocument(document)) return this.stop();
    this.#refused.add(peer);
    this.#later();
  }

  #askNext(): void {
    const all = this.#deps.peers();
    const usable = all.filter((peer) => !this.#refused.has(peer));
    this.#tries = 0;
    this.#peer = usable[Math.floor(this.#deps.random() * usable.length)];
    if (this.#peer !== undefined) return this.#ask();
    // All have given what does not hold, or none is up: each gets another chance, later.
    this.#refused.clear();
    if (all.length > 0) this.#later();
  }

  #later(): void {
    this.#peer = undefined;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.start(), STATE_FETCH_AGAIN_MS);
  }

  /** The other side gives so many pieces a second and no more. */
  #askAfter(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(), ms);
  }

  #ask(): void {
    const { networkId, send } = this.#deps;
    if (this.#peer === undefined) return;
    const { hash = ANY_HASH, length: offset = 0 } = this.#held ?? {};
    send(this.#peer, encodeStateAsk({ networkId, hash, offset }));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#tries++;
      if (this.#tries < STATE_FETCH_TRIES_MAX) this.#ask();
      else this.#askNext();
    }, STATE_PIECE_WAIT_MS);
  }
}
