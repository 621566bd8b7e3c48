/**
 * The vectors of datapath/vectors/data.hex: for fixed keys, what a sender makes and a receiver must
 * read. The format is described in datapath/vectors/README.md.
 */
import { encodeBody } from './body.ts';
import type { FrameEntry } from './body.ts';
import { DATA_FLAG, sealDatagram } from './datagram.ts';
import { joinTrain, splitTrain } from './train.ts';

export const VECTOR_VNI = 0x012345;
export const VECTOR_RECEIVER = 0x0a0b0c0d;
export const VECTOR_LANE = 3;
export const VECTOR_SEGMENT_BYTES = 500;

/** Bytes 0, 1, 2, ... */
export const counting = (length: number, start = 0): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (start + i) & 255);

export const VECTOR_KEY = counting(32);

const MACS = [0x02, 0, 0, 0, 0, 0x02, 0x02, 0, 0, 0, 0, 0x01];

function plainFrame(payloadBytes: number, start: number): Uint8Array {
  return Uint8Array.of(...MACS, 0x88, 0xb5, ...counting(payloadBytes, start));
}

const bytesOf = (hex: string): number[] =>
  (hex.match(/[0-9a-f]{2}/g) ?? []).map((byte) => Number.parseInt(byte, 16));

/** Lengths and checksums are 0 here: joinTrain sets them. */
const IPV4_TCP = bytesOf('45000000 12344000 40060000 0a090001 0a090002');
const IPV6_UDP = bytesOf(
  '60000000 00001140 fd090000000000000000000000000001 fd090000000000000000000000000002',
);
/** ACK, PSH and CWR, a timestamp option, and a sequence that wraps within the train. */
const TCP = bytesOf('30391451 ffffff00 01020304 80981000 00000000 0101080a 00000001 00000002');
const UDP = bytesOf('30391451 00000000');
const IPV6 = bytesOf('86dd');
/** EtherTypes behind tags: VLAN 7 with priority 3; VLAN 2 around VLAN 7. */
const VLAN_IPV4 = bytesOf('81006007 0800');
const QINQ_IPV6 = bytesOf('88a80002 81000007 86dd');
/** A segment routing header (RFC 8754): the packet goes to ..2 first, to ..9 in the end. */
const IPV6_ROUTED_TCP = [
  ...bytesOf('60000000 00002b40 fd090000000000000000000000000001 fd090000000000000000000000000002'),
  ...bytesOf('06040401 01000000 fd090000000000000000000000000009 fd090000000000000000000000000002'),
];
/** Destination options of 208 bytes: the TCP header begins at byte 262 of the frame. */
const IPV6_LONG_TCP = [
  ...bytesOf('60000000 00003c40 fd090000000000000000000000000001 fd090000000000000000000000000002'),
  ...bytesOf('0619 01cc'),
  ...new Uint8Array(204),
];

function superFrame(
  headers: readonly number[],
  etherType: readonly number[],
  payloadBytes: number,
): Uint8Array {
  return joinTrain([
    {
      frame: Uint8Array.of(...MACS, ...etherType, ...headers, ...counting(payloadBytes)),
      checksumStart: 0,
      checksumOffset: 0,
    },
  ]);
}

interface Sender {
  sequence: bigint;
}

function seal(sender: Sender, flags: number, trainIndex: number, body: Uint8Array): Uint8Array {
  const header = {
    flags,
    trainIndex,
    receiver: VECTOR_RECEIVER,
    lane: VECTOR_LANE,
    sequence: sender.sequence++,
  };
  return sealDatagram(VECTOR_KEY, header, body);
}

const framesBody = (entries: readonly FrameEntry[]): Uint8Array =>
  encodeBody({ kind: 'frames', vni: VECTOR_VNI, entries });

function trainVectors(sender: Sender, name: string, whole: Uint8Array): [string, Uint8Array][] {
  const entries = splitTrain(whole, VECTOR_SEGMENT_BYTES);
  const out: [string, Uint8Array][] = [[`${name}.superframe`, whole]];
  entries.forEach((entry, i) => {
    const flags = DATA_FLAG.train | (i === entries.length - 1 ? DATA_FLAG.last : 0);
    out.push(
      [`${name}.frame.${i}`, entry.frame],
      [`${name}.datagram.${i}`, seal(sender, flags, i, framesBody([entry]))],
    );
  });
  return out;
}

/** Name and bytes of each vector, in file order. Sequences count from 0 over all datagrams. */
export function dataVectors(): [string, Uint8Array][] {
  const sender = { sequence: 0n };
  const plain = (bytes: number, start: number): FrameEntry => ({
    frame: plainFrame(bytes, start),
    checksumStart: 0,
    checksumOffset: 0,
  });
  const single = plain(46, 0);
  const aggregate = [plain(46, 1), plain(47, 2), plain(0, 3)];
  const control = encodeBody({ kind: 'control', message: Uint8Array.of(1, ...counting(8, 1)) });
  const keepalive = encodeBody({ kind: 'control', message: new Uint8Array(0) });
  return [
    ['key', VECTOR_KEY],
    ['single.frame', single.frame],
    ['single.body', framesBody([single])],
    ['single.datagram', seal(sender, 0, 0, framesBody([single]))],
    ...aggregate.map((entry, i): [string, Uint8Array] => [`aggregate.frame.${i}`, entry.frame]),
    ['aggregate.body', framesBody(aggregate)],
    ['aggregate.datagram', seal(sender, 0, 0, framesBody(aggregate))],
    ...trainVectors(sender, 'tcp4', superFrame([...IPV4_TCP, ...TCP], [0x08, 0], 1234)),
    ...trainVectors(sender, 'udp6', superFrame([...IPV6_UDP, ...UDP], IPV6, 1500)),
    ['ping.body', control],
    ['ping.datagram', seal(sender, 0, 0, control)],
    ['keepalive.body', keepalive],
    ['keepalive.datagram', seal(sender, 0, 0, keepalive)],
    ...trainVectors(sender, 'vlan4', superFrame([...IPV4_TCP, ...TCP], VLAN_IPV4, 1234)),
    ...trainVectors(sender, 'qinq6', superFrame([...IPV6_UDP, ...UDP], QINQ_IPV6, 1500)),
    ...trainVectors(sender, 'routed6', superFrame([...IPV6_ROUTED_TCP, ...TCP], IPV6, 1234)),
    ...trainVectors(sender, 'long6', superFrame([...IPV6_LONG_TCP, ...TCP], IPV6, 1234)),
  ];
}

/** The text of data.hex. */
export function dataVectorText(): string {
  const hex = (bytes: Uint8Array): string =>
    [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return dataVectors()
    .map(([name, bytes]) => `${name} ${hex(bytes)}\n`)
    .join('');
}
