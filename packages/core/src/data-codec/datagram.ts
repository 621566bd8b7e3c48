/**
 * The data datagram of docs/protocol.md 1.1, slow and obvious: the reference against which the data
 * path's C is tested. Production traffic never passes here.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto';

export const DATA_HEADER_BYTES = 16;
export const TAG_BYTES = 16;
export const DATAGRAM_KIND_DATA = 0xe0;

/** Bits of the flags byte. */
export const DATA_FLAG = { train: 1, last: 2 } as const;

export interface DatagramHeader {
  readonly flags: number;
  readonly trainIndex: number;
  readonly receiver: number;
  readonly lane: number;
  readonly sequence: bigint;
}

/** Thrown for bytes that are no datagram under the given key. */
export class DataCodecError extends Error {
  override readonly name = 'DataCodecError';
}

function nonceOf(header: Uint8Array): Uint8Array {
  const nonce = new Uint8Array(12);
  nonce.set(header.subarray(8, 16), 4);
  return nonce;
}

export function encodeHeader(header: DatagramHeader): Uint8Array {
  if (header.lane > 15 || header.sequence >= 1n << 60n)
    throw new RangeError('a lane has 4 bits, a sequence 60');
  const out = new Uint8Array(DATA_HEADER_BYTES);
  const view = new DataView(out.buffer);
  view.setUint8(0, DATAGRAM_KIND_DATA);
  view.setUint8(1, header.flags);
  view.setUint16(2, header.trainIndex);
  view.setUint32(4, header.receiver);
  view.setBigUint64(8, (BigInt(header.lane) << 60n) | header.sequence);
  return out;
}

/** Header, sealed body, tag. */
export function sealDatagram(
  key: Uint8Array,
  header: DatagramHeader,
  body: Uint8Array,
): Uint8Array {
  const head = encodeHeader(header);
  const cipher = createCipheriv('aes-256-gcm', key, nonceOf(head));
  cipher.setAAD(head);
  const sealed = cipher.update(body);
  cipher.final();
  const out = new Uint8Array(head.length + sealed.length + TAG_BYTES);
  out.set(head);
  out.set(sealed, head.length);
  out.set(cipher.getAuthTag(), head.length + sealed.length);
  return out;
}

export interface OpenedDatagram {
  readonly header: DatagramHeader;
  readonly body: Uint8Array;
}

/** Opens what sealDatagram made. Throws DataCodecError when the header or the tag is wrong. */
export function openDatagram(key: Uint8Array, datagram: Uint8Array): OpenedDatagram {
  if (datagram.length < DATA_HEADER_BYTES + TAG_BYTES) {
    throw new DataCodecError(`${datagram.length} bytes are shorter than header and tag`);
  }
  const head = datagram.slice(0, DATA_HEADER_BYTES);
  const header = decodeHeader(head);
  const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(head));
  decipher.setAAD(head);
  decipher.setAuthTag(datagram.subarray(datagram.length - TAG_BYTES));
  const body = decipher.update(datagram.subarray(DATA_HEADER_BYTES, datagram.length - TAG_BYTES));
  try {
    decipher.final();
  } catch (cause) {
    throw new DataCodecError('the tag is wrong', { cause });
  }
  return { header, body: new Uint8Array(body) };
}

function decodeHeader(head: Uint8Array): DatagramHeader {
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  const counter = view.getBigUint64(8);
  const header = {
    flags: view.getUint8(1),
    trainIndex: view.getUint16(2),
    receiver: view.getUint32(4),
    lane: Number(counter >> 60n),
    sequence: counter & ((1n << 60n) - 1n),
  };
  const isTrain = (header.flags & DATA_FLAG.train) !== 0;
  if (view.getUint8(0) !== DATAGRAM_KIND_DATA || (header.flags & ~3) !== 0) {
    throw new DataCodecError('unknown kind or flags');
  }
  if (!isTrain && (header.flags !== 0 || header.trainIndex !== 0)) {
    throw new DataCodecError('LAST or an index without TRAIN');
  }
  return header;
}
