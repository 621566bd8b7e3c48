/**
 * What initiation and response carry sealed (docs/protocol.md 2.1): the ordinal that makes a
 * recorded initiation worthless, who speaks, and in a hybrid initiation the encapsulation key.
 */
import { KEM_KEY_BYTES } from '../noise/ml-kem.ts';
import { PAYLOAD_BYTES } from './messages.ts';

export const LANES_MAX = 16;
export const NODE_ID_BYTES = 16;
export const INSTANCE_BYTES = 8;

const FLAG = { encapsulationKey: 0x01, introduction: 0x02 } as const;

/** Orders the initiations of a node: starts of its agent first, then initiations of one start. */
export interface Ordinal {
  readonly startCount: number;
  readonly sequence: bigint;
}

export const ORDINAL_BYTES = 12;

/** What a response carries. */
export const NO_ORDINAL: Ordinal = { startCount: 0, sequence: 0n };

export interface HandshakePayload {
  readonly ordinal: Ordinal;
  readonly lanes: number;
  readonly nodeId: Uint8Array;
  /** 8 bytes that an agent draws at each start: two at a time are two holders of one key. */
  readonly instance: Uint8Array;
  /** Of ML-KEM-768; only in a hybrid initiation. */
  readonly encapsulationKey?: Uint8Array | undefined;
  /** Only in an initiation: says who this is to somebody who may not know it (docs/trust.md 7). */
  readonly introduction?: Uint8Array | undefined;
}

export function encodePayload(payload: HandshakePayload): Uint8Array {
  const { encapsulationKey, introduction } = payload;
  const introductionAt = PAYLOAD_BYTES + (encapsulationKey?.length ?? 0);
  const out = new Uint8Array(introductionAt + (introduction?.length ?? 0));
  const view = new DataView(out.buffer);
  view.setUint32(0, payload.ordinal.startCount);
  view.setBigUint64(4, payload.ordinal.sequence);
  view.setUint8(12, payload.lanes);
  view.setUint8(
    13,
    (encapsulationKey === undefined ? 0 : FLAG.encapsulationKey) |
      (introduction === undefined ? 0 : FLAG.introduction),
  );
  out.set(payload.nodeId, 16);
  out.set(payload.instance, 32);
  if (encapsulationKey !== undefined) out.set(encapsulationKey, PAYLOAD_BYTES);
  if (introduction !== undefined) out.set(introduction, introductionAt);
  return out;
}

/**
 * Reads an opened payload, of which the layout check has made sure of the fixed part. Undefined
 * when the encapsulation key that it announces is cut. Lanes are not judged here; flags that are
 * not known, and what follows, are ignored.
 */
export function decodePayload(bytes: Uint8Array): HandshakePayload | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const flags = view.getUint8(13);
  const hasKey = (flags & FLAG.encapsulationKey) !== 0;
  const introductionAt = PAYLOAD_BYTES + (hasKey ? KEM_KEY_BYTES : 0);
  if (hasKey && bytes.length < PAYLOAD_BYTES + KEM_KEY_BYTES) return undefined;
  return {
    ordinal: { startCount: view.getUint32(0), sequence: view.getBigUint64(4) },
    lanes: view.getUint8(12),
    nodeId: bytes.slice(16, 32),
    instance: bytes.slice(32, PAYLOAD_BYTES),
    encapsulationKey: hasKey
      ? bytes.slice(PAYLOAD_BYTES, PAYLOAD_BYTES + KEM_KEY_BYTES)
      : undefined,
    introduction: (flags & FLAG.introduction) !== 0 ? bytes.slice(introductionAt) : undefined,
  };
}

export function isLaterOrdinal(a: Ordinal, b: Ordinal): boolean {
  if (a.startCount !== b.startCount) return a.startCount > b.startCount;
  return a.sequence > b.sequence;
}
