/**
 * The 32 bytes that initiation and response carry sealed, and the ordinal in them that makes a
 * recorded initiation worthless.
 */
import { PAYLOAD_BYTES } from './messages.ts';

export const LANES_MAX = 16;
export const NODE_ID_BYTES = 16;

/** Orders the initiations of a node: starts of its agent first, then initiations of one start. */
export interface Ordinal {
  readonly startCount: number;
  readonly sequence: bigint;
}

/** What a response carries. */
export const NO_ORDINAL: Ordinal = { startCount: 0, sequence: 0n };

export interface HandshakePayload {
  readonly ordinal: Ordinal;
  readonly lanes: number;
  readonly nodeId: Uint8Array;
}

export function encodePayload(payload: HandshakePayload): Uint8Array {
  const out = new Uint8Array(PAYLOAD_BYTES);
  const view = new DataView(out.buffer);
  view.setUint32(0, payload.ordinal.startCount);
  view.setBigUint64(4, payload.ordinal.sequence);
  view.setUint8(12, payload.lanes);
  out.set(payload.nodeId, 16);
  return out;
}

/**
 * Reads the first 32 bytes of an opened payload; the layout check has made sure of them. Lanes are
 * not judged here.
 */
export function decodePayload(bytes: Uint8Array): HandshakePayload {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return {
    ordinal: { startCount: view.getUint32(0), sequence: view.getBigUint64(4) },
    lanes: view.getUint8(12),
    nodeId: bytes.slice(16, 16 + NODE_ID_BYTES),
  };
}

export function isLaterOrdinal(a: Ordinal, b: Ordinal): boolean {
  if (a.startCount !== b.startCount) return a.startCount > b.startCount;
  return a.sequence > b.sequence;
}
