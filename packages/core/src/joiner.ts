/**
 * Joins messages that came in pieces, in bounded memory: entries in the order of their first piece,
 * the oldest makes room. It knows nothing of who sent what; a key stands for a sender, a tag tells
 * one message of that sender from the next.
 */

export interface JoinerLimits {
  readonly entriesMax: number;
  /** Of all pieces that wait. */
  readonly bytesMax: number;
  /** Of one joined message. */
  readonly messageBytesMax: number;
  readonly waitMs: number;
}

/** One piece of a message; `count` is 2 at least and `index` below it. */
export interface Piece {
  readonly tag: number;
  readonly index: number;
  readonly count: number;
  readonly bytes: Uint8Array;
}

/**
 * The whole message; or that others are waited for; or that this piece is held already, or
 * disagrees with what is held.
 */
export type JoinOutcome = Uint8Array | 'waiting' | 'repeated' | 'invalid';

interface Entry {
  readonly tag: number;
  readonly count: number;
  readonly startedAt: number;
  readonly pieces: Map<number, Uint8Array>;
  bytes: number;
}

export class Joiner {
  readonly #limits: JoinerLimits;
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  constructor(limits: JoinerLimits) {
    this.#limits = limits;
  }

  /** What waits. */
  get held(): { readonly entries: number; readonly bytes: number } {
    return { entries: this.#entries.size, bytes: this.#bytes };
  }

  /** Takes a piece; a piece with another tag than the one held under the key begins anew. */
  take(key: string, piece: Piece, now: number): JoinOutcome {
    this.#dropOld(now);
    const former = this.#entries.get(key);
    if (former !== undefined && former.tag !== piece.tag) this.#drop(key, former);
    const held = this.#entries.get(key);
    if (held?.pieces.has(piece.index) === true)
      return held.count === piece.count ? 'repeated' : 'invalid';
    const bytesAfter = (held?.bytes ?? 0) + piece.bytes.length;
    if (bytesAfter > this.#limits.messageBytesMax) return 'invalid';
    if (held !== undefined && held.count !== piece.count) return 'invalid';
    const entry = held ?? makeEntry(piece, now);
    entry.pieces.set(piece.index, piece.bytes);
    entry.bytes = bytesAfter;
    this.#bytes += piece.bytes.length;
    this.#entries.set(key, entry);
    if (entry.pieces.size < entry.count) {
      this.#makeRoom();
      return 'waiting';
    }
    this.#drop(key, entry);
    return joined(entry);
  }

  #dropOld(now: number): void {
    for (const [key, entry] of this.#entries) {
      if (now - entry.startedAt < this.#limits.waitMs) return;
      this.#drop(key, entry);
    }
  }

  #makeRoom(): void {
    const { entriesMax, bytesMax } = this.#limits;
    for (const [key, entry] of this.#entries) {
      if (this.#entries.size <= entriesMax && this.#bytes <= bytesMax) return;
      this.#drop(key, entry);
    }
  }

  #drop(key: string, entry: Entry): void {
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
  }
}

function makeEntry({ tag, count }: Piece, startedAt: number): Entry {
  return { tag, count, startedAt, pieces: new Map(), bytes: 0 };
}

function joined(entry: Entry): Uint8Array {
  const out = new Uint8Array(entry.bytes);
  let at = 0;
  for (let index = 0; index < entry.count; index++) {
    const bytes = entry.pieces.get(index) ?? new Uint8Array(0);
    out.set(bytes, at);
    at += bytes.length;
  }
  return out;
}
