/**
 * Endpoint records (docs/trust.md 6): where a node is reached, said and signed by itself. Binary,
 * as they travel in control messages: node id (16), ordinal (12), count (u8), endpoints (18 each),
 * Ed25519 signature (64) over a label, a zero byte and all before it. A later ordinal replaces an
 * earlier one.
 */
import { ENDPOINT_BYTES } from '../endpoint.ts';
import type { Endpoint } from '../endpoint.ts';
import { verifyEd25519Bytes } from './ed25519.ts';
import { RECORD_ENDPOINTS_MAX } from './limits.ts';

const NODE_ID_BYTES = 16;
const ORDINAL_BYTES = 12;
const SIGNATURE_BYTES = 64;
const HEAD_BYTES = NODE_ID_BYTES + ORDINAL_BYTES + 1;
const LABEL = new TextEncoder().encode('etherloom endpoints 1\0');

/** Longest record: with the most endpoints. */
export const ENDPOINT_RECORD_BYTES_MAX: number =
  HEAD_BYTES + RECORD_ENDPOINTS_MAX * ENDPOINT_BYTES + SIGNATURE_BYTES;

export interface EndpointRecord {
  /** 16 bytes. */
  readonly nodeId: Uint8Array;
  /** 12 bytes, as in a handshake: start count and a sequence within the start. */
  readonly ordinal: Uint8Array;
  /** Best first. */
  readonly endpoints: readonly Endpoint[];
}

/** Writes and signs a record. Throws RangeError for fields that do not fit. */
export function signEndpointRecord(
  record: EndpointRecord,
  sign: (bytes: Uint8Array) => Uint8Array,
): Uint8Array {
  const body = encodeBody(record);
  const signature = sign(signedBytes(body));
  if (signature.length !== SIGNATURE_BYTES)
    throw new RangeError(`a signature has ${SIGNATURE_BYTES} bytes, given ${signature.length}`);
  return Uint8Array.of(...body, ...signature);
}

/** Reads a record without a look at its signature; undefined for bytes that are none. */
export function decodeEndpointRecord(bytes: Uint8Array): EndpointRecord | undefined {
  const count = bytes[HEAD_BYTES - 1];
  if (count === undefined || count > RECORD_ENDPOINTS_MAX) return undefined;
  if (bytes.length !== HEAD_BYTES + count * ENDPOINT_BYTES + SIGNATURE_BYTES) return undefined;
  const endpoints = Array.from({ length: count }, (_, at) =>
    bytes.slice(HEAD_BYTES + at * ENDPOINT_BYTES, HEAD_BYTES + (at + 1) * ENDPOINT_BYTES),
  );
  return {
    nodeId: bytes.slice(0, NODE_ID_BYTES),
    ordinal: bytes.slice(NODE_ID_BYTES, NODE_ID_BYTES + ORDINAL_BYTES),
    endpoints,
  };
}

/** Reads a record that the holder of `signKey` (base64url) signed; undefined for all others. */
export function verifyEndpointRecord(
  bytes: Uint8Array,
  signKey: string,
): EndpointRecord | undefined {
  const record = decodeEndpointRecord(bytes);
  if (record === undefined) return undefined;
  const body = bytes.subarray(0, bytes.length - SIGNATURE_BYTES);
  const signature = bytes.subarray(bytes.length - SIGNATURE_BYTES);
  return verifyEd25519Bytes(signKey, signedBytes(body), signature) ? record : undefined;
}

/** Below zero, zero or above: `a` is older than `b`, the same, or later. */
export function compareOrdinals(a: Uint8Array, b: Uint8Array): number {
  for (let at = 0; at < ORDINAL_BYTES; at++) {
    const difference = (a[at] ?? 0) - (b[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The ordinal of a start of the agent (u32) and a sequence within it (u64). */
export function encodeOrdinal(startCount: number, sequence: bigint): Uint8Array {
  const bytes = new Uint8Array(ORDINAL_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, startCount);
  view.setBigUint64(4, sequence);
  return bytes;
}

function encodeBody({ nodeId, ordinal, endpoints }: EndpointRecord): Uint8Array {
  if (nodeId.length !== NODE_ID_BYTES || ordinal.length !== ORDINAL_BYTES)
    throw new RangeError(
      `a record has a node id of ${NODE_ID_BYTES} and an ordinal of ${ORDINAL_BYTES} bytes, given ${nodeId.length} and ${ordinal.length}`,
    );
  if (endpoints.length > RECORD_ENDPOINTS_MAX)
    throw new RangeError(
      `a record has ${RECORD_ENDPOINTS_MAX} endpoints at most, given ${endpoints.length}`,
    );
  if (endpoints.some(({ length }) => length !== ENDPOINT_BYTES))
    throw new RangeError(`an endpoint has ${ENDPOINT_BYTES} bytes`);
  const body = new Uint8Array(HEAD_BYTES + endpoints.length * ENDPOINT_BYTES);
  body.set(nodeId);
  body.set(ordinal, NODE_ID_BYTES);
  body[HEAD_BYTES - 1] = endpoints.length;
  for (const [at, endpoint] of endpoints.entries())
    body.set(endpoint, HEAD_BYTES + at * ENDPOINT_BYTES);
  return body;
}

function signedBytes(body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(LABEL.length + body.length);
  bytes.set(LABEL);
  bytes.set(body, LABEL.length);
  return bytes;
}
