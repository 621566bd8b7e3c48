/**
 * The body of a data datagram, docs/protocol.md 1.2: one control message, or frames of one network.
 * Reference, not production.
 */
import { DataCodecError } from './datagram.ts';

export const ETHERNET_BYTES = 14;

export interface FrameEntry {
  readonly frame: Uint8Array;
  /**
   * Where the transport checksum holds only the pseudo-header sum; both 0 when every checksum is
   * complete.
   */
  readonly checksumStart: number;
  readonly checksumOffset: number;
}

export type Body =
  | { readonly kind: 'control'; readonly message: Uint8Array }
  | { readonly kind: 'frames'; readonly vni: number; readonly entries: readonly FrameEntry[] };

export function encodeBody(body: Body): Uint8Array {
  if (body.kind === 'control') return Uint8Array.of(0, 0, 0, 0, ...body.message);
  const out = [1, (body.vni >> 16) & 255, (body.vni >> 8) & 255, body.vni & 255];
  for (const entry of body.entries) {
    out.push(
      entry.frame.length >> 8,
      entry.frame.length & 255,
      entry.checksumStart,
      entry.checksumOffset,
      ...entry.frame,
    );
  }
  return Uint8Array.from(out);
}

/** Throws DataCodecError when the bytes are no body, in whole or in part. */
export function decodeBody(bytes: Uint8Array): Body {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 4) throw new DataCodecError(`a body of ${bytes.length} bytes has no header`);
  const vni = view.getUint32(0) & 0xffffff;
  if (view.getUint8(0) === 0 && vni === 0) return { kind: 'control', message: bytes.slice(4) };
  if (view.getUint8(0) !== 1) throw new DataCodecError(`unknown body kind ${view.getUint8(0)}`);
  const entries: FrameEntry[] = [];
  for (let at = 4; at < bytes.length;) {
    const entry = decodeEntry(bytes, view, at);
    entries.push(entry);
    at += 4 + entry.frame.length;
  }
  if (entries.length === 0) throw new DataCodecError('a body of frames has at least one');
  return { kind: 'frames', vni, entries };
}

function decodeEntry(bytes: Uint8Array, view: DataView, at: number): FrameEntry {
  if (at + 4 > bytes.length) throw new DataCodecError('an entry is cut short');
  const length = view.getUint16(at);
  const checksumStart = view.getUint8(at + 2);
  const checksumOffset = view.getUint8(at + 3);
  if (length < ETHERNET_BYTES || at + 4 + length > bytes.length) {
    throw new DataCodecError(`a frame of ${length} bytes does not fit`);
  }
  const isPartial = checksumStart !== 0 || checksumOffset !== 0;
  if (isPartial && checksumStart + checksumOffset + 2 > length) {
    throw new DataCodecError('the checksum lies outside its frame');
  }
  return { frame: bytes.slice(at + 4, at + 4 + length), checksumStart, checksumOffset };
}
