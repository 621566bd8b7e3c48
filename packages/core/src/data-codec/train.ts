/**
 * Splitting a super-frame into the segments of a train and joining them again, docs/protocol.md
 * 1.3. Reference, not production: untagged frames, IPv4 without and with options, IPv6 without
 * extension headers.
 */
import { ETHERNET_BYTES } from './body.ts';
import type { FrameEntry } from './body.ts';

const TCP = 6;
const TCP_FIN = 0x01;
const TCP_PSH = 0x08;
const TCP_CWR = 0x80;

interface Layout {
  readonly isIpv6: boolean;
  readonly isTcp: boolean;
  readonly transport: number;
  readonly payload: number;
  readonly checksumOffset: number;
}

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

function layoutOf(frame: Uint8Array): Layout {
  const view = viewOf(frame);
  const isIpv6 = view.getUint16(12) === 0x86dd;
  const protocol = view.getUint8(ETHERNET_BYTES + (isIpv6 ? 6 : 9));
  const isTcp = protocol === TCP;
  const transport = ETHERNET_BYTES + (isIpv6 ? 40 : (view.getUint8(ETHERNET_BYTES) & 15) * 4);
  const payload = transport + (isTcp ? (view.getUint8(transport + 12) >> 4) * 4 : 8);
  return { isIpv6, isTcp, transport, payload, checksumOffset: isTcp ? 16 : 6 };
}

/** The 16-bit ones' complement sum of RFC 1071, not complemented. */
function sum16(bytes: Uint8Array, start = 0): number {
  let sum = start;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return sum;
}

/** Sets the lengths, the IPv4 checksum and the pseudo-header sum for the frame's own length. */
function fixLengths(frame: Uint8Array, layout: Layout): void {
  const view = viewOf(frame);
  const length = frame.length - layout.transport;
  const addresses = layout.isIpv6 ? frame.subarray(22, 54) : frame.subarray(26, 34);
  if (layout.isIpv6) {
    view.setUint16(ETHERNET_BYTES + 4, length);
  } else {
    view.setUint16(ETHERNET_BYTES + 2, frame.length - ETHERNET_BYTES);
    view.setUint16(ETHERNET_BYTES + 10, 0);
    view.setUint16(
      ETHERNET_BYTES + 10,
      ~sum16(frame.subarray(ETHERNET_BYTES, layout.transport)) & 0xffff,
    );
  }
  if (!layout.isTcp) view.setUint16(layout.transport + 4, length);
  view.setUint16(
    layout.transport + layout.checksumOffset,
    sum16(addresses, (layout.isTcp ? TCP : 17) + length),
  );
}

function segment(
  frame: Uint8Array,
  layout: Layout,
  at: number,
  size: number,
  index: number,
): FrameEntry {
  const end = Math.min(at + size, frame.length);
  const out = new Uint8Array(layout.payload + end - at);
  out.set(frame.subarray(0, layout.payload));
  out.set(frame.subarray(at, end), layout.payload);
  const view = viewOf(out);
  if (!layout.isIpv6)
    view.setUint16(ETHERNET_BYTES + 4, (view.getUint16(ETHERNET_BYTES + 4) + index) & 0xffff);
  if (layout.isTcp) {
    const flags = view.getUint8(layout.transport + 13);
    const keep =
      (index === 0 ? 0xff : ~TCP_CWR) & (end === frame.length ? 0xff : ~(TCP_FIN | TCP_PSH));
    view.setUint8(layout.transport + 13, flags & keep);
    view.setUint32(
      layout.transport + 4,
      (view.getUint32(layout.transport + 4) + at - layout.payload) >>> 0,
    );
  }
  fixLengths(out, layout);
  return { frame: out, checksumStart: layout.transport, checksumOffset: layout.checksumOffset };
}

/** The segments of a super-frame, `segmentBytes` of payload each but the last. */
export function splitTrain(superFrame: Uint8Array, segmentBytes: number): FrameEntry[] {
  const layout = layoutOf(superFrame);
  const out: FrameEntry[] = [];
  for (let at = layout.payload; at < superFrame.length; at += segmentBytes) {
    out.push(segment(superFrame, layout, at, segmentBytes, out.length));
  }
  return out;
}

/** The super-frame of the segments of one train. */
export function joinTrain(entries: readonly FrameEntry[]): Uint8Array {
  const first = entries[0];
  const last = entries.at(-1);
  if (first === undefined || last === undefined)
    throw new RangeError('a train has at least one segment');
  const layout = layoutOf(first.frame);
  const parts = entries.map((entry, i) =>
    i === 0 ? entry.frame : entry.frame.subarray(layout.payload),
  );
  const out = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  if (layout.isTcp) {
    const flags = layout.transport + 13;
    out[flags] = (out[flags] ?? 0) | ((last.frame[flags] ?? 0) & (TCP_FIN | TCP_PSH));
  }
  fixLengths(out, layout);
  return out;
}
