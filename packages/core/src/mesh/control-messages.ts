/**
 * Control messages inside a session (docs/protocol.md 1.4). The empty one is a keepalive and a key
 * confirmation. Messages of other rooms of the agent (gossip) have types from 16 up; the mesh
 * carries them, in fragments where they are longer than a datagram, and does not read them.
 */
import { ENDPOINT_BYTES } from '../endpoint.ts';
import type { Endpoint } from '../endpoint.ts';
import { INSTANCE_BYTES } from '../handshake/payload.ts';
import { CONTROL_BYTES_MAX, FRAGMENT_BYTES_MAX, FRAGMENTS_MAX } from './limits.ts';

const CONTROL_TYPE = { ping: 1, pong: 2, fragment: 3 } as const;
/** First type of the messages that the mesh carries for others. */
export const MESSAGE_TYPE_MIN = 16;
const PING_BYTES = 9;
const PONG_BYTES = PING_BYTES + ENDPOINT_BYTES + INSTANCE_BYTES + 4;
const FRAGMENT_HEADER_BYTES = 7;

/** Who answers a ping: the instance of an agent and the count of its start. */
export interface Answerer {
  readonly instance: Uint8Array;
  readonly startCount: number;
}

export interface Pong extends Answerer {
  readonly type: 'pong';
  readonly id: bigint;
  /** Where the ping arrived from. */
  readonly seenAs: Endpoint;
}

export interface Fragment {
  readonly type: 'fragment';
  readonly messageId: number;
  readonly index: number;
  readonly count: number;
  readonly bytes: Uint8Array;
}

export type ParsedControl =
  | { readonly type: 'keepalive' }
  | { readonly type: 'ping'; readonly id: bigint }
  | Pong
  | Fragment
  /** For another room; the whole, type byte included. */
  | { readonly type: 'message'; readonly bytes: Uint8Array }
  /** A type that this version does not know; to be ignored. */
  | { readonly type: 'unknown' };

export const KEEPALIVE: Uint8Array = new Uint8Array(0);

export function encodePing(id: bigint): Uint8Array {
  const out = new Uint8Array(PING_BYTES);
  out[0] = CONTROL_TYPE.ping;
  new DataView(out.buffer).setBigUint64(1, id);
  return out;
}

export function encodePong(id: bigint, seenAs: Endpoint, answerer: Answerer): Uint8Array {
  const out = new Uint8Array(PONG_BYTES);
  out.set(encodePing(id));
  out[0] = CONTROL_TYPE.pong;
  out.set(seenAs, PING_BYTES);
  out.set(answerer.instance, PING_BYTES + ENDPOINT_BYTES);
  new DataView(out.buffer).setUint32(PONG_BYTES - 4, answerer.startCount);
  return out;
}

/** The control bodies that carry a message: itself where it fits one. Throws for one too long. */
export function splitMessage(bytes: Uint8Array, messageId: number): readonly Uint8Array[] {
  if (bytes.length <= CONTROL_BYTES_MAX) return [bytes];
  const count = Math.ceil(bytes.length / FRAGMENT_BYTES_MAX);
  if (count > FRAGMENTS_MAX)
    throw new RangeError(`${bytes.length} bytes need more than ${FRAGMENTS_MAX} fragments`);
  return Array.from({ length: count }, (_, index) => {
    const piece = bytes.subarray(index * FRAGMENT_BYTES_MAX, (index + 1) * FRAGMENT_BYTES_MAX);
    const out = new Uint8Array(FRAGMENT_HEADER_BYTES + piece.length);
    out[0] = CONTROL_TYPE.fragment;
    new DataView(out.buffer).setUint32(1, messageId);
    out[5] = index;
    out[6] = count;
    out.set(piece, FRAGMENT_HEADER_BYTES);
    return out;
  });
}

/** Undefined for a known type of wrong layout, or more bytes than any control message has. */
export function parseControl(bytes: Uint8Array): ParsedControl | undefined {
  if (bytes.length > CONTROL_BYTES_MAX) return undefined;
  if (bytes.length === 0) return { type: 'keepalive' };
  const [type = 0] = bytes;
  if (type >= MESSAGE_TYPE_MIN) return { type: 'message', bytes: bytes.slice() };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (type === CONTROL_TYPE.ping)
    return bytes.length === PING_BYTES ? { type: 'ping', id: view.getBigUint64(1) } : undefined;
  if (type === CONTROL_TYPE.pong) return bytes.length === PONG_BYTES ? pongOf(view) : undefined;
  if (type === CONTROL_TYPE.fragment) return fragmentOf(view);
  return { type: 'unknown' };
}

function pongOf(view: DataView): Pong {
  return {
    type: 'pong',
    id: view.getBigUint64(1),
    seenAs: sliceOf(view, PING_BYTES, PING_BYTES + ENDPOINT_BYTES),
    instance: sliceOf(view, PING_BYTES + ENDPOINT_BYTES, PONG_BYTES - 4),
    startCount: view.getUint32(PONG_BYTES - 4),
  };
}

function fragmentOf(view: DataView): Fragment | undefined {
  if (view.byteLength <= FRAGMENT_HEADER_BYTES) return undefined;
  const [messageId, index, count] = [view.getUint32(1), view.getUint8(5), view.getUint8(6)];
  if (count < 2 || count > FRAGMENTS_MAX || index >= count) return undefined;
  const bytes = sliceOf(view, FRAGMENT_HEADER_BYTES, view.byteLength);
  return { type: 'fragment', messageId, index, count, bytes };
}

function sliceOf(view: DataView, start: number, end: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice(start, end);
}
