/**
 * Initiations in parts: a hybrid one is longer than a datagram that passes everywhere. Each part
 * names the session id of its sender and has macs of its own, so that the gate and the data path
 * judge it like a whole message; that parts belong together is proved by the seals of the whole.
 *
 * Waiting parts are state for senders that have proved little. So there are two bounded tables, one
 * for addresses of peers and one for all others; the oldest entry makes room.
 */
import type { Endpoint } from '../endpoint.ts';
import { Joiner } from '../joiner.ts';
import {
  HANDSHAKE_BYTES_MAX,
  HANDSHAKE_PARTS_MAX,
  JOINED_BYTES_MAX,
  JOINING_BYTES_MAX,
  JOINING_OF_PEERS_MAX,
  JOINING_OF_STRANGERS_MAX,
  PARTS_WAIT_MS,
} from './limits.ts';
import { encodeInitiationPart, INITIATION_HEADER_BYTES, MAC_BYTES } from './messages.ts';
import type { Initiation, InitiationPart } from './messages.ts';
import type { RefusalReason } from './refusals.ts';

const PART_BYTES_MAX = HANDSHAKE_BYTES_MAX - INITIATION_HEADER_BYTES - 2 * MAC_BYTES;

/** The bodies of the datagrams that carry an initiation's body: itself where it fits one. */
export function splitInitiation(body: Uint8Array): readonly Uint8Array[] {
  const content = body.subarray(INITIATION_HEADER_BYTES);
  if (content.length <= PART_BYTES_MAX) return [body];
  const count = Math.ceil(content.length / PART_BYTES_MAX);
  if (count > HANDSHAKE_PARTS_MAX)
    throw new RangeError(`${body.length} bytes need more than ${HANDSHAKE_PARTS_MAX} parts`);
  const senderId = new DataView(body.buffer, body.byteOffset, body.length).getUint32(4);
  const size = Math.ceil(content.length / count);
  return Array.from({ length: count }, (_, index) => {
    const bytes = content.subarray(index * size, (index + 1) * size);
    return encodeInitiationPart({ senderId, index, count, bytes });
  });
}

/** What came of a part: the whole, nothing yet, or a refusal. */
export type Joined =
  | { readonly kind: 'whole'; readonly message: Initiation }
  | { readonly kind: 'waiting' }
  | { readonly kind: 'refused'; readonly reason: RefusalReason };

/** Joins parts; should be given only those that have passed the gate's checks. */
export class PartJoiner {
  readonly #ofPeers = joinerOf(JOINING_OF_PEERS_MAX);
  readonly #ofStrangers = joinerOf(JOINING_OF_STRANGERS_MAX);

  take(
    from: { readonly source: Endpoint; readonly isPeer: boolean },
    part: InitiationPart,
    now: number,
  ): Joined {
    const joiner = from.isPeer ? this.#ofPeers : this.#ofStrangers;
    const { senderId, index, count, bytes } = part;
    const piece = { tag: senderId, index, count, bytes };
    const outcome = joiner.take(`${from.source.join()} ${senderId}`, piece, now);
    if (outcome === 'waiting') return { kind: 'waiting' };
    if (outcome === 'repeated') return { kind: 'refused', reason: 'part_repeated' };
    if (outcome === 'invalid') return { kind: 'refused', reason: 'part_invalid' };
    return { kind: 'whole', message: { kind: 'initiation', senderId, noise: outcome } };
  }

  /** Entries and bytes that wait. */
  get held(): { readonly entries: number; readonly bytes: number } {
    const [peers, strangers] = [this.#ofPeers.held, this.#ofStrangers.held];
    return { entries: peers.entries + strangers.entries, bytes: peers.bytes + strangers.bytes };
  }
}

function joinerOf(entriesMax: number): Joiner {
  return new Joiner({
    entriesMax,
    bytesMax: JOINING_BYTES_MAX,
    messageBytesMax: JOINED_BYTES_MAX,
    waitMs: PARTS_WAIT_MS,
  });
}
