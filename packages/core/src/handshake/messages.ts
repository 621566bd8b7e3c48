/**
 * The three handshake messages on the wire (docs/protocol.md 2.1 to 2.6): layout only, no
 * cryptography. Initiation and response are header, Noise message, mac1, mac2; "body" means all
 * before mac1. An initiation may come in parts, which parts.ts splits and joins.
 */
import { HANDSHAKE_BYTES_MAX, HANDSHAKE_PARTS_MAX } from './limits.ts';
import type { RefusalReason } from './refusals.ts';

export const PROTOCOL_VERSION = 2;

/** First bytes. */
export const MESSAGE_KIND = { initiation: 0xe1, response: 0xe2, cookieReply: 0xe3 } as const;

export const MAC_BYTES = 16;
/** Payload of initiation and response without an encapsulation key. */
export const PAYLOAD_BYTES = 40;
export const INITIATION_HEADER_BYTES = 8;
const RESPONSE_HEADER_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;

/** Header, e, sealed s, sealed payload, two macs. */
export const INITIATION_BYTES_MIN =
  INITIATION_HEADER_BYTES +
  KEY_BYTES +
  KEY_BYTES +
  TAG_BYTES +
  PAYLOAD_BYTES +
  TAG_BYTES +
  2 * MAC_BYTES;
/** Header, e, sealed payload, two macs. */
export const RESPONSE_BYTES_MIN =
  RESPONSE_HEADER_BYTES + KEY_BYTES + PAYLOAD_BYTES + TAG_BYTES + 2 * MAC_BYTES;
export const COOKIE_NONCE_BYTES = 12;
export const COOKIE_BYTES = 16;
export const COOKIE_REPLY_BYTES = 8 + COOKIE_NONCE_BYTES + COOKIE_BYTES + TAG_BYTES;

export interface Initiation {
  readonly kind: 'initiation';
  readonly senderId: number;
  readonly noise: Uint8Array;
}

/** One of the datagrams over which a long initiation is spread. */
export interface InitiationPart {
  readonly kind: 'initiationPart';
  readonly senderId: number;
  readonly index: number;
  /** Parts of the whole, 2 at least. */
  readonly count: number;
  readonly bytes: Uint8Array;
}

export interface Response {
  readonly kind: 'response';
  readonly senderId: number;
  readonly receiverId: number;
  readonly noise: Uint8Array;
}

export interface CookieReply {
  readonly kind: 'cookieReply';
  readonly receiverId: number;
  readonly nonce: Uint8Array;
  readonly sealedCookie: Uint8Array;
}

/** Body of an initiation. */
export function encodeInitiation(senderId: number, noise: Uint8Array): Uint8Array {
  const body = header(MESSAGE_KIND.initiation, INITIATION_HEADER_BYTES, noise);
  viewOf(body).setUint32(4, senderId);
  return body;
}

/** Body of one part of an initiation. */
export function encodeInitiationPart(part: Omit<InitiationPart, 'kind'>): Uint8Array {
  const body = header(MESSAGE_KIND.initiation, INITIATION_HEADER_BYTES, part.bytes);
  body[2] = part.index;
  body[3] = part.count;
  viewOf(body).setUint32(4, part.senderId);
  return body;
}

/** Body of a response. */
export function encodeResponse(
  senderId: number,
  receiverId: number,
  noise: Uint8Array,
): Uint8Array {
  const body = header(MESSAGE_KIND.response, RESPONSE_HEADER_BYTES, noise);
  viewOf(body).setUint32(4, senderId);
  viewOf(body).setUint32(8, receiverId);
  return body;
}

/** A whole cookie reply. */
export function encodeCookieReply(
  receiverId: number,
  nonce: Uint8Array,
  sealedCookie: Uint8Array,
): Uint8Array {
  const bytes = header(MESSAGE_KIND.cookieReply, 8 + COOKIE_NONCE_BYTES, sealedCookie);
  viewOf(bytes).setUint32(4, receiverId);
  bytes.set(nonce, 8);
  return bytes;
}

/** What parseHandshake finds. */
export type HandshakeDatagram = Initiation | InitiationPart | Response | CookieReply;

/**
 * Reads a datagram's layout, or says why it is none. Kind, length, version and the part bytes are
 * checked; nothing else.
 */
export function parseHandshake(bytes: Uint8Array): HandshakeDatagram | RefusalReason {
  const min = MINIMUM_BYTES.get(bytes[0] ?? 0);
  if (min === undefined) return 'kind_unknown';
  if (bytes.length < min || bytes.length > HANDSHAKE_BYTES_MAX) return 'header_invalid';
  if (bytes[1] !== PROTOCOL_VERSION) return 'version_unsupported';
  if (bytes[0] === MESSAGE_KIND.initiation) return parseInitiation(bytes);
  if (bytes[2] !== 0 || bytes[3] !== 0) return 'header_invalid';
  const view = viewOf(bytes);
  if (bytes[0] === MESSAGE_KIND.response) {
    const noise = bytes.slice(RESPONSE_HEADER_BYTES, bytes.length - 2 * MAC_BYTES);
    return { kind: 'response', senderId: view.getUint32(4), receiverId: view.getUint32(8), noise };
  }
  if (bytes.length !== COOKIE_REPLY_BYTES) return 'header_invalid';
  const sealedAt = 8 + COOKIE_NONCE_BYTES;
  const [nonce, sealedCookie] = [bytes.slice(8, sealedAt), bytes.slice(sealedAt)];
  return { kind: 'cookieReply', receiverId: view.getUint32(4), nonce, sealedCookie };
}

function parseInitiation(bytes: Uint8Array): Initiation | InitiationPart | RefusalReason {
  const [, , index = 0, count = 0] = bytes;
  const senderId = viewOf(bytes).getUint32(4);
  const rest = bytes.slice(INITIATION_HEADER_BYTES, bytes.length - 2 * MAC_BYTES);
  if (index === 0 && count === 0) return { kind: 'initiation', senderId, noise: rest };
  if (count < 2 || count > HANDSHAKE_PARTS_MAX || index >= count) return 'header_invalid';
  return { kind: 'initiationPart', senderId, index, count, bytes: rest };
}

const MINIMUM_BYTES = new Map<number, number>([
  [MESSAGE_KIND.initiation, INITIATION_BYTES_MIN],
  [MESSAGE_KIND.response, RESPONSE_BYTES_MIN],
  [MESSAGE_KIND.cookieReply, COOKIE_REPLY_BYTES],
]);

function header(kind: number, headerBytes: number, rest: Uint8Array): Uint8Array {
  const out = new Uint8Array(headerBytes + rest.length);
  out[0] = kind;
  out[1] = PROTOCOL_VERSION;
  out.set(rest, headerBytes);
  return out;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
