/**
 * Hands the state of a network to members that ask for it. Nothing is kept for who asks: each piece
 * is asked for by its place, so what a member costs is bounded by how often it may ask.
 */
import type { TokenRate } from '@etherloom/core';
import { TokenBuckets } from '@etherloom/core';
import {
  STATE_PIECE_BYTES,
  STATE_PIECES_BURST,
  STATE_PIECES_OF_PEER_PER_SECOND,
  STATE_PIECES_PER_SECOND,
} from '../limits.ts';
import { encodeStatePiece, parseStateAsk } from './state-messages.ts';
import { packDocument } from './state-document.ts';
import type { PackedDocument, StateDocument } from './state-document.ts';

export interface StateServerDeps {
  /** Whether a peer is a member of a network, by roster or by voucher. */
  readonly isMember: (peer: number, networkId: string) => boolean;
  /** What names the version of a network's document; undefined: there is none to give. */
  readonly versionOf: (networkId: string) => string | undefined;
  readonly documentOf: (networkId: string) => StateDocument | undefined;
  readonly send: (peer: number, bytes: Uint8Array) => void;
  readonly nowMs: () => number;
}

const rate = (perSecond: number): TokenRate => ({ perSecond, burst: STATE_PIECES_BURST });

export class StateServer {
  readonly #deps: StateServerDeps;
  readonly #ofPeer = new TokenBuckets<number>(rate(STATE_PIECES_OF_PEER_PER_SECOND));
  readonly #ofAll = new TokenBuckets<'all'>(rate(STATE_PIECES_PER_SECOND));
  /** The last document that was asked for. */
  #packed: { readonly key: string; readonly document: PackedDocument | undefined } | undefined;

  constructor(deps: StateServerDeps) {
    this.#deps = deps;
  }

  /** Answers an ask of a peer, if there is something to answer. */
  take(peer: number, message: Uint8Array): void {
    const ask = parseStateAsk(message);
    if (ask === undefined || !this.#deps.isMember(peer, ask.networkId)) return;
    const now = this.#deps.nowMs();
    if (!this.#ofPeer.take(peer, now) || !this.#ofAll.take('all', now)) return;
    const packed = this.#pack(ask.networkId);
    if (packed === undefined) return;
    const { hash, bytes } = packed;
    const isSame = Buffer.compare(ask.hash, hash) === 0;
    // Another document than before: it is given from its beginning.
    const offset = isSame ? Math.min(ask.offset, bytes.length) : 0;
    const piece = bytes.slice(offset, offset + STATE_PIECE_BYTES);
    const { networkId } = ask;
    const answer = { networkId, hash, offset, totalBytes: bytes.length, bytes: piece };
    this.#deps.send(peer, encodeStatePiece(answer));
  }

  /** Forgets peers that are gone. */
  keep(isKept: (peer: number) => boolean): void {
    this.#ofPeer.keep(isKept);
  }

  #pack(networkId: string): PackedDocument | undefined {
    const version = this.#deps.versionOf(networkId);
    if (version === undefined) return undefined;
    const key = `${networkId} ${version}`;
    if (this.#packed?.key === key) return this.#packed.document;
    const document = this.#deps.documentOf(networkId);
    this.#packed = {
      key,
      document: document === undefined ? undefined : packDocument(document),
    };
    return this.#packed.document;
  }
}
