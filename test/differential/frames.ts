/**
 * Frames of every shape that a kernel hands over or a network carries, built from a description.
 * The differential tests draw descriptions at random; the fuzzer's seeds are a chosen few.
 */
import { completeChecksum, joinTrain } from '../../packages/core/src/data-codec/train.ts';

export const TCP_FLAG = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32, ece: 64, cwr: 128 };

export interface Tag {
  readonly etherType: 0x8100 | 0x88a8;
  /** Priority and VLAN id as they stand in the tag. */
  readonly control: number;
}

export type NetworkShape =
  | {
      readonly version: 4;
      readonly trafficClass: number;
      readonly id: number;
      readonly dontFragment: boolean;
      /** A multiple of 4 bytes, at most 40. */
      readonly options: Uint8Array;
    }
  | {
      readonly version: 6;
      readonly trafficClass: number;
      readonly flow: number;
      /**
       * Hop-by-hop (0) and destination options (60), routing (43): each with the 8n - 2 bytes that
       * follow its first two.
       */
      readonly extensions: readonly { readonly kind: 0 | 43 | 60; readonly options: Uint8Array }[];
    };

export type TransportShape =
  | {
      readonly kind: 'tcp';
      readonly sequence: number;
      readonly acknowledgement: number;
      readonly flags: number;
      /** A multiple of 4 bytes, at most 40. */
      readonly options: Uint8Array;
    }
  | { readonly kind: 'udp' };

export interface FrameShape {
  /** Last byte of the sender's MAC and addresses, and of the receiver's. */
  readonly from: number;
  readonly to: number;
  readonly tags: readonly Tag[];
  readonly network: NetworkShape;
  readonly transport: TransportShape;
  readonly payload: Uint8Array;
}

/** A frame as a kernel with offloads hands it over, and what the offloads need to know. */
export interface BuiltFrame {
  /** Its transport checksum holds the pseudo-header sum. */
  readonly frame: Uint8Array;
  /** Bytes of all headers. */
  readonly headerBytes: number;
  readonly transportStart: number;
  readonly checksumOffset: number;
  readonly gsoType: number;
}

export const GSO = { none: 0, tcp4: 1, tcp6: 4, udp: 5, ecn: 0x80 } as const;

const u16 = (value: number): number[] => [(value >> 8) & 255, value & 255];
const u32 = (value: number): number[] => [...u16(value >>> 16), ...u16(value)];

export const macOf = (last: number): number[] => [2, 0, 0, 0, 0, last];
const ipv4Of = (last: number): number[] => [10, 9, 0, last];
const ipv6Of = (last: number): number[] => [0xfd, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];

/** Bytes that differ from place to place, so that a misplaced one shows. */
export const patterned = (length: number, start = 0): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (start + i * 31 + (i >> 8) * 7) & 255);

function linkHeader(shape: FrameShape): number[] {
  const tags = shape.tags.flatMap((tag) => [...u16(tag.etherType), ...u16(tag.control)]);
  const etherType = shape.network.version === 4 ? 0x0800 : 0x86dd;
  return [...macOf(shape.to), ...macOf(shape.from), ...tags, ...u16(etherType)];
}

/** Lengths and checksum are set by joinTrain. */
function networkHeader(shape: FrameShape): Uint8Array {
  const { network, from, to } = shape;
  const protocol = shape.transport.kind === 'tcp' ? 6 : 17;
  if (network.version === 4) {
    const units = 5 + network.options.length / 4;
    const fragment = network.dontFragment ? [0x40, 0] : [0, 0];
    const first = [0x40 | units, network.trafficClass, 0, 0, ...u16(network.id), ...fragment];
    return concat(first, [64, protocol, 0, 0], ipv4Of(from), ipv4Of(to), network.options);
  }
  const kinds = [...network.extensions.map(({ kind }) => kind), protocol];
  const extensions = network.extensions.map(({ options }, i) =>
    concat([kinds[i + 1] ?? protocol, (options.length + 2) / 8 - 1], options),
  );
  const first = u32(((6 << 28) | (network.trafficClass << 20) | network.flow) >>> 0);
  const next = [0, 0, kinds[0] ?? protocol, 64];
  return concat(first, next, ipv6Of(from), ipv6Of(to), ...extensions);
}

function transportHeader({ transport }: FrameShape): Uint8Array {
  const ports = [0x30, 0x39, 0x14, 0x51];
  if (transport.kind === 'udp') return concat(ports, [0, 0, 0, 0]);
  const numbers = [...u32(transport.sequence), ...u32(transport.acknowledgement)];
  const units = 5 + transport.options.length / 4;
  const window = [0x10, 0, 0, 0, 0, 0];
  return concat(ports, numbers, [units << 4, transport.flags], window, transport.options);
}

export function buildFrame(shape: FrameShape): BuiltFrame {
  const network = concat(linkHeader(shape), networkHeader(shape));
  const headers = concat(network, transportHeader(shape));
  const frame = concat(headers, shape.payload);
  const isTcp = shape.transport.kind === 'tcp';
  const hasCwr = shape.transport.kind === 'tcp' && (shape.transport.flags & TCP_FLAG.cwr) !== 0;
  const tcpType = (shape.network.version === 4 ? GSO.tcp4 : GSO.tcp6) | (hasCwr ? GSO.ecn : 0);
  return {
    frame: joinTrain([{ frame, checksumStart: 0, checksumOffset: 0 }]),
    headerBytes: headers.length,
    transportStart: network.length,
    checksumOffset: isTcp ? 16 : 6,
    gsoType: isTcp ? tcpType : GSO.udp,
  };
}

/**
 * Bytes of the headers that may differ between two frames of a flow without making them another
 * kind of frame: tags, traffic class, hop limit, receiver's address, options, ports,
 * acknowledgement, window, ECE.
 */
export function changeableBytes(shape: FrameShape): readonly { at: number; mask: number }[] {
  const { headerBytes, transportStart } = buildFrame({ ...shape, payload: new Uint8Array(0) });
  const network = 14 + shape.tags.length * 4;
  const range = (from: number, to: number): { at: number; mask: number }[] =>
    Array.from({ length: to - from }, (_, i) => ({ at: from + i, mask: 0xff }));
  const tags = shape.tags.flatMap((_, i) => range(14 + i * 4, 16 + i * 4));
  const ofNetwork =
    shape.network.version === 4
      ? [...range(network + 1, network + 2), ...range(network + 8, network + 9)].concat(
          range(network + 19, transportStart),
        )
      : [{ at: network + 1, mask: 0xff }, ...range(network + 7, network + 8)].concat(
          range(network + 39, network + 40),
        );
  const ports = range(transportStart, transportStart + 4);
  if (shape.transport.kind === 'udp') return [...tags, ...ofNetwork, ...ports];
  const flags = { at: transportStart + 13, mask: TCP_FLAG.ece };
  const acknowledgement = range(transportStart + 8, transportStart + 12);
  const window = range(transportStart + 14, transportStart + 16);
  const rest = range(transportStart + 18, headerBytes);
  return [...tags, ...ofNetwork, ...ports, ...acknowledgement, flags, ...window, ...rest];
}

/** The same with its checksum completed. */
export function completed(built: BuiltFrame): Uint8Array {
  return completeChecksum({
    frame: built.frame,
    checksumStart: built.transportStart,
    checksumOffset: built.checksumOffset,
  });
}

export interface VnetHeader {
  readonly flags: number;
  readonly gsoType: number;
  readonly headerBytes: number;
  readonly gsoSize: number;
  readonly checksumStart: number;
  readonly checksumOffset: number;
}

export const VNET_BYTES = 12;
export const NEEDS_CHECKSUM = 1;
export const PLAIN_VNET: VnetHeader = {
  flags: 0,
  gsoType: GSO.none,
  headerBytes: 0,
  gsoSize: 0,
  checksumStart: 0,
  checksumOffset: 0,
};

/**
 * The kernel's virtio_net_hdr_mrg_rxbuf in the byte order of this machine, which is
 * little-endian.
 */
export function encodeVnet(header: VnetHeader): Uint8Array {
  const out = new Uint8Array(VNET_BYTES);
  const view = new DataView(out.buffer);
  view.setUint8(0, header.flags);
  view.setUint8(1, header.gsoType);
  view.setUint16(2, header.headerBytes, true);
  view.setUint16(4, header.gsoSize, true);
  view.setUint16(6, header.checksumStart, true);
  view.setUint16(8, header.checksumOffset, true);
  return out;
}

export function decodeVnet(bytes: Uint8Array): VnetHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return {
    flags: view.getUint8(0),
    gsoType: view.getUint8(1),
    headerBytes: view.getUint16(2, true),
    gsoSize: view.getUint16(4, true),
    checksumStart: view.getUint16(6, true),
    checksumOffset: view.getUint16(8, true),
  };
}

/**
 * As the kernel describes a super-frame (`gsoSize` given) or a frame whose checksum is left to
 * us.
 */
export function vnetOf(built: BuiltFrame, gsoSize = 0): VnetHeader {
  return {
    flags: NEEDS_CHECKSUM,
    gsoType: gsoSize === 0 ? GSO.none : built.gsoType,
    headerBytes: gsoSize === 0 ? 0 : built.headerBytes,
    gsoSize,
    checksumStart: built.transportStart,
    checksumOffset: built.checksumOffset,
  };
}

/** Bytes one after the other. */
export function concat(...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
