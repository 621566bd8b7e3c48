/**
 * Splitting a super-frame into the segments of a train and joining them again, docs/protocol.md
 * 1.3. Reference, not production: TCP and UDP behind VLAN tags, IPv4 options and IPv6 extension
 * headers, in frames that are whole.
 */
import { ETHERNET_BYTES } from './body.ts';
import type { FrameEntry } from './body.ts';

const TCP = 6;
const TCP_FIN = 0x01;
const TCP_PSH = 0x08;
const TCP_CWR = 0x80;

/** EtherTypes of VLAN tags. */
const TAGS = [0x8100, 0x88a8];
const AUTHENTICATION = 51;
const ROUTING = 43;
/** Hop-by-hop options, routing, authentication, destination options. */
const EXTENSIONS = [0, ROUTING, AUTHENTICATION, 60];
/** A segment routing header lists its addresses from the last one on (RFC 8754). */
const SEGMENT_ROUTING = 4;
/** An entry names the place of a checksum by one byte. */
const CHECKSUM_START_MAX = 255;

interface Layout {
  readonly isIpv6: boolean;
  readonly isTcp: boolean;
  readonly network: number;
  readonly transport: number;
  readonly payload: number;
  readonly checksumOffset: number;
  /** Where the address of the final receiver stands. */
  readonly destination: number;
}

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

function layoutOf(frame: Uint8Array): Layout {
  const view = viewOf(frame);
  let network = ETHERNET_BYTES;
  while (TAGS.includes(view.getUint16(network - 2))) network += 4;
  const isIpv6 = view.getUint16(network - 2) === 0x86dd;
  let protocol = view.getUint8(network + (isIpv6 ? 6 : 9));
  let transport = network + (isIpv6 ? 40 : (view.getUint8(network) & 15) * 4);
  let destination = network + (isIpv6 ? 24 : 16);
  while (isIpv6 && EXTENSIONS.includes(protocol)) {
    const units = view.getUint8(transport + 1);
    const size = protocol === AUTHENTICATION ? (units + 2) * 4 : (units + 1) * 8;
    if (protocol === ROUTING && view.getUint8(transport + 3) !== 0)
      destination =
        view.getUint8(transport + 2) === SEGMENT_ROUTING ? transport + 8 : transport + size - 16;
    protocol = view.getUint8(transport);
    transport += size;
  }
  const isTcp = protocol === TCP;
  const payload = transport + (isTcp ? (view.getUint8(transport + 12) >> 4) * 4 : 8);
  const checksumOffset = isTcp ? 16 : 6;
  return { isIpv6, isTcp, network, transport, payload, checksumOffset, destination };
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
  const { network, transport } = layout;
  const length = frame.length - transport;
  const addressBytes = layout.isIpv6 ? 16 : 4;
  const source = network + (layout.isIpv6 ? 8 : 12);
  if (layout.isIpv6) {
    view.setUint16(network + 4, frame.length - network - 40);
  } else {
    const header = frame.subarray(network, network + (view.getUint8(network) & 15) * 4);
    view.setUint16(network + 2, frame.length - network);
    view.setUint16(network + 10, 0);
    view.setUint16(network + 10, ~sum16(header) & 0xffff);
  }
  if (!layout.isTcp) view.setUint16(layout.transport + 4, length);
  view.setUint16(
    layout.transport + layout.checksumOffset,
    sum16(
      frame.subarray(layout.destination, layout.destination + addressBytes),
      sum16(frame.subarray(source, source + addressBytes), (layout.isTcp ? TCP : 17) + length),
    ),
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
  if (!layout.isIpv6) {
    const id = layout.network + 4;
    view.setUint16(id, (view.getUint16(id) + index) & 0xffff);
  }
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
  const entry = {
    frame: out,
    checksumStart: layout.transport,
    checksumOffset: layout.checksumOffset,
  };
  return layout.transport <= CHECKSUM_START_MAX
    ? entry
    : { frame: completeChecksum(entry), checksumStart: 0, checksumOffset: 0 };
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

/**
 * The frame of an entry with its transport checksum completed, as a device without offloads sends
 * it.
 */
export function completeChecksum(entry: FrameEntry): Uint8Array {
  const { checksumStart, checksumOffset } = entry;
  if (checksumStart === 0 && checksumOffset === 0) return entry.frame;
  const out = entry.frame.slice();
  const sum = ~sum16(out.subarray(checksumStart)) & 0xffff;
  // Zero would mean "no checksum" in UDP (RFC 768).
  viewOf(out).setUint16(checksumStart + checksumOffset, sum === 0 ? 0xffff : sum);
  return out;
}
