/**
 * Control messages inside a session (docs/protocol.md 1.4). The empty one is a keepalive and a key
 * confirmation.
 */
import { ENDPOINT_BYTES } from '../endpoint.ts';
import type { Endpoint } from '../endpoint.ts';
import { CONTROL_BYTES_MAX } from './limits.ts';

const CONTROL_TYPE = { ping: 1, pong: 2 } as const;
const PING_BYTES = 9;
const PONG_BYTES = PING_BYTES + ENDPOINT_BYTES;

export type ParsedControl =
  | { readonly type: 'keepalive' }
  | { readonly type: 'ping'; readonly id: bigint }
  | { readonly type: 'pong'; readonly id: bigint; readonly seenAs: Endpoint }
  /** A type that this version does not know; to be ignored. */
  | { readonly type: 'unknown' };

export const KEEPALIVE: Uint8Array = new Uint8Array(0);

export function encodePing(id: bigint): Uint8Array {
  const out = new Uint8Array(PING_BYTES);
  out[0] = CONTROL_TYPE.ping;
  new DataView(out.buffer).setBigUint64(1, id);
  return out;
}

/** `seenAs` is where the ping arrived from. */
export function encodePong(id: bigint, seenAs: Endpoint): Uint8Array {
  const out = new Uint8Array(PONG_BYTES);
  out.set(encodePing(id));
  out[0] = CONTROL_TYPE.pong;
  out.set(seenAs, PING_BYTES);
  return out;
}

/** Undefined for a known type of wrong length, or more bytes than any control message has. */
export function parseControl(bytes: Uint8Array): ParsedControl | undefined {
  if (bytes.length > CONTROL_BYTES_MAX) return undefined;
  if (bytes.length === 0) return { type: 'keepalive' };
  const [type] = bytes;
  if (type !== CONTROL_TYPE.ping && type !== CONTROL_TYPE.pong) return { type: 'unknown' };
  if (bytes.length !== (type === CONTROL_TYPE.ping ? PING_BYTES : PONG_BYTES)) return undefined;
  const id = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getBigUint64(1);
  return type === CONTROL_TYPE.ping
    ? { type: 'ping', id }
    : { type: 'pong', id, seenAs: bytes.slice(PING_BYTES) };
}
