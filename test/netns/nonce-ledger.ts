/**
 * Every nonce and every ephemeral key that was seen on an underlay, from captured datagrams
 * (docs/protocol.md 1.1, 2.1 and 2.2).
 */
import { createHash } from 'node:crypto';

const DATA = 0xe0;
const INITIATION = 0xe1;
const RESPONSE = 0xe2;
const HEADER_BYTES = 16;
const KEY_BYTES = 32;
const EPHEMERAL_AT = { [INITIATION]: 8, [RESPONSE]: 12 } as const;

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

export class NonceLedger {
  /** Session ids with counters that came again with other bytes. */
  readonly repeated: string[] = [];
  /** Ephemeral keys that came under two session ids. */
  readonly ephemeralsShared: string[] = [];
  readonly #digests = new Map<string, string>();
  readonly #sessions = new Set<string>();
  readonly #lanes = new Set<number>();
  readonly #ephemerals = new Map<string, string>();

  /** One UDP payload. */
  add(datagram: Uint8Array): void {
    const kind = datagram[0];
    if (kind === DATA && datagram.length > HEADER_BYTES) this.#addData(datagram);
    if (kind === INITIATION || kind === RESPONSE) this.#addHandshake(kind, datagram);
  }

  get datagrams(): number {
    return this.#digests.size;
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  get lanes(): number {
    return this.#lanes.size;
  }

  /** The session id of the receiver names the key; the counter is the nonce. */
  #addData(datagram: Uint8Array): void {
    const session = hex(datagram.subarray(4, 8));
    const counter = hex(datagram.subarray(8, HEADER_BYTES));
    const nonce = `${session} ${counter}`;
    const digest = createHash('sha256').update(datagram).digest('base64');
    const before = this.#digests.get(nonce);
    if (before !== undefined && before !== digest) this.repeated.push(nonce);
    this.#digests.set(nonce, digest);
    this.#sessions.add(session);
    this.#lanes.add((datagram[8] ?? 0) >> 4);
  }

  #addHandshake(kind: keyof typeof EPHEMERAL_AT, datagram: Uint8Array): void {
    const at = EPHEMERAL_AT[kind];
    const session = hex(datagram.subarray(4, 8));
    const ephemeral = hex(datagram.subarray(at, at + KEY_BYTES));
    const before = this.#ephemerals.get(ephemeral);
    if (before !== undefined && before !== session) this.ephemeralsShared.push(ephemeral);
    this.#ephemerals.set(ephemeral, session);
  }
}
