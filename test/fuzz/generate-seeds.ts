/**
 * Writes seeds for the fuzz targets of datapath/fuzz: real frames, trains, aggregates, handshakes
 * and requests in the input format of each target (described at the top of its C file). Run it
 * with a folder; it makes one folder in it for each target. The committed corpora are what
 * -merge=1 left of seeds and finds.
 *
 *     node test/fuzz/generate-seeds.ts FOLDER
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeBody } from '../../packages/core/src/data-codec/body.ts';
import type { FrameEntry } from '../../packages/core/src/data-codec/body.ts';
import { splitTrain } from '../../packages/core/src/data-codec/train.ts';
import {
  PLAIN_VNET,
  TCP_FLAG,
  buildFrame,
  completed,
  concat,
  encodeVnet,
  macOf,
  patterned,
  vnetOf,
} from '../differential/frames.ts';
import type {
  BuiltFrame,
  FrameShape,
  NetworkShape,
  TransportShape,
} from '../differential/frames.ts';

const CONTROL_VECTORS = new URL('../../datapath/vectors/control.hex', import.meta.url);
const VNI = 0x012345;
const VNI_SECOND = 7;

const IPV4: NetworkShape = {
  version: 4,
  trafficClass: 0,
  id: 0x1234,
  dontFragment: true,
  options: new Uint8Array(0),
};
const IPV6: NetworkShape = { version: 6, trafficClass: 0, flow: 0x12345, extensions: [] };
const TCP: TransportShape = {
  kind: 'tcp',
  sequence: 0xfffffe00,
  acknowledgement: 0x01020304,
  flags: TCP_FLAG.ack | TCP_FLAG.psh,
  options: Uint8Array.of(1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2),
};
const UDP: TransportShape = { kind: 'udp' };

/** Names and descriptions; `from` and `to` are set for the direction. */
const SHAPES: readonly (readonly [string, Omit<FrameShape, 'from' | 'to' | 'payload'>])[] = [
  ['tcp4', { tags: [], network: IPV4, transport: TCP }],
  ['tcp6', { tags: [], network: IPV6, transport: TCP }],
  ['udp4', { tags: [], network: IPV4, transport: UDP }],
  ['udp6', { tags: [], network: IPV6, transport: UDP }],
  [
    'tcp4-cwr',
    { tags: [], network: IPV4, transport: { ...TCP, flags: TCP_FLAG.ack | TCP_FLAG.cwr } },
  ],
  [
    'tcp4-fin',
    { tags: [], network: IPV4, transport: { ...TCP, flags: TCP_FLAG.ack | TCP_FLAG.fin } },
  ],
  ['tcp4-syn', { tags: [], network: IPV4, transport: { ...TCP, flags: TCP_FLAG.syn } }],
  [
    'tcp4-options',
    {
      tags: [],
      network: { ...IPV4, options: Uint8Array.of(7, 7, 4, 1, 2, 3, 4, 0) },
      transport: TCP,
    },
  ],
  [
    'tcp6-extensions',
    {
      tags: [],
      network: {
        ...IPV6,
        extensions: [
          { kind: 0, options: Uint8Array.of(1, 4, 0, 0, 0, 0) },
          { kind: 60, options: Uint8Array.of(1, 12, ...patterned(12)) },
        ],
      },
      transport: TCP,
    },
  ],
  [
    'tcp6-routed',
    {
      tags: [],
      network: {
        ...IPV6,
        extensions: [{ kind: 43, options: Uint8Array.of(4, 1, 1, 0, 0, 0, ...patterned(32)) }],
      },
      transport: TCP,
    },
  ],
  [
    'udp6-far',
    {
      tags: [],
      network: {
        ...IPV6,
        extensions: [{ kind: 60, options: Uint8Array.of(1, 204, ...new Uint8Array(204)) }],
      },
      transport: UDP,
    },
  ],
  ['tcp4-vlan', { tags: [{ etherType: 0x8100, control: 7 }], network: IPV4, transport: TCP }],
  [
    'udp6-qinq',
    {
      tags: [
        { etherType: 0x88a8, control: 0x2009 },
        { etherType: 0x8100, control: 7 },
      ],
      network: IPV6,
      transport: UDP,
    },
  ],
  [
    'tcp4-atomic',
    { tags: [{ etherType: 0x8100, control: 0xe000 }], network: IPV4, transport: TCP },
  ],
  ['udp4-fragmentable', { tags: [], network: { ...IPV4, dontFragment: false }, transport: UDP }],
];

/** Shapes whose headers differ from those of another shape in a flag only. */
const ALIKE_IN_HEADERS = ['tcp4-cwr', 'tcp4-fin', 'tcp4-syn', 'udp4-fragmentable'];

const build = (name: string, from: number, to: number, payloadBytes: number): BuiltFrame => {
  const shape = SHAPES.find(([known]) => known === name)?.[1];
  if (shape === undefined) throw new Error(`no shape ${name}`);
  return buildFrame({ ...shape, from, to, payload: patterned(payloadBytes) });
};

const u16 = (value: number): number[] => [(value >> 8) & 255, value & 255];

/** Given bytes and the length to which the target continues them. */
function blob(bytes: Uint8Array, totalBytes = bytes.length): Uint8Array {
  return concat(u16(bytes.length), u16(totalBytes), bytes);
}

/** A super-frame of which only the headers are given. */
const longBlob = (head: Uint8Array, built: BuiltFrame): Uint8Array =>
  blob(concat(head, built.frame.subarray(0, built.headerBytes)), head.length + built.frame.length);

const plainFrame = (from: number, to: number, payloadBytes: number): Uint8Array =>
  concat(macOf(to), macOf(from), [0x88, 0xb5], patterned(payloadBytes));

const ARP_REQUEST = (target: number): Uint8Array =>
  concat(
    [255, 255, 255, 255, 255, 255, ...macOf(1), 8, 6],
    [0, 1, 8, 0, 6, 4, 0, 1, ...macOf(1), 10, 9, 0, 1, 0, 0, 0, 0, 0, 0, 10, 9, 0, target],
  );

const NEIGHBOUR_SOLICITATION = concat(
  [0x33, 0x33, 0xff, 0, 0, 2, ...macOf(1), 0x86, 0xdd, 0x60, 0, 0, 0, 0, 32, 58, 255],
  [0xfd, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
  [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 2, 135, 0, 0, 0, 0, 0, 0, 0],
  [0xfd, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 1, ...macOf(1)],
);

const ADDRESS_OF_PEER = [0xfd, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
const ALL_NODES = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/**
 * Neighbour discovery of the first peer: type, what follows the checksum, an option with its MAC.
 */
function neighbourDiscovery(type: number, fixed: readonly number[], option: number): Uint8Array {
  const icmp = [type, 0, 0, 0, ...fixed, option, 1, ...macOf(2)];
  return concat(
    [0x33, 0x33, 0, 0, 0, 1, ...macOf(2), 0x86, 0xdd, 0x60, 0, 0, 0, 0, icmp.length, 58, 255],
    ADDRESS_OF_PEER,
    ALL_NODES,
    icmp,
  );
}

const NEIGHBOUR_DISCOVERY = [
  neighbourDiscovery(133, [0, 0, 0, 0], 1),
  neighbourDiscovery(134, [64, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0], 1),
  neighbourDiscovery(135, [0, 0, 0, 0, ...ADDRESS_OF_PEER], 1),
  neighbourDiscovery(136, [0x20, 0, 0, 0, ...ADDRESS_OF_PEER], 2),
  neighbourDiscovery(137, [0, 0, 0, 0, ...ADDRESS_OF_PEER, ...ADDRESS_OF_PEER], 2),
  neighbourDiscovery(128, [0, 1, 0, 1], 1),
];

/** A frame cut behind each of its bytes. */
const allCuts = (frame: Uint8Array): Uint8Array[] =>
  Array.from({ length: frame.length - 14 }, (_, i) => frame.subarray(0, 14 + i));

type Seeds = [string, Uint8Array][];

function tapSeeds(): Seeds {
  const record = (port: number, input: Uint8Array): Uint8Array => concat([port], input);
  const plain = (frame: Uint8Array): Uint8Array =>
    record(0, blob(concat(encodeVnet(PLAIN_VNET), frame)));
  const seeds: Seeds = [];
  for (const [name] of SHAPES) {
    const built = build(name, 1, 2, 3000);
    const head = encodeVnet(vnetOf(built, 1200));
    seeds.push([`${name}-train`, concat([1, 0], record(0, longBlob(head, built)))]);
    const small = build(name, 1, 3, 40);
    seeds.push([
      `${name}-aggregate`,
      concat(
        [1, 0],
        record(0, blob(concat(encodeVnet(vnetOf(small)), small.frame))),
        plain(completed(small)),
        plain(plainFrame(1, 2, 46)),
        plain(completed(small)),
      ),
    ]);
  }
  const largest = build('tcp4', 1, 2, 65000);
  const large = record(0, longBlob(encodeVnet(vnetOf(largest, 1200)), largest));
  const many = concat(
    ...Array.from({ length: 70 }, (_, i) => plain(plainFrame(1, 2 + (i % 3), i))),
  );
  const toAll = concat([255, 255, 255, 255, 255, 255], plainFrame(1, 2, 60).subarray(6));
  seeds.push(
    [
      'regression-cut-requests',
      concat([1, 0], ...[ARP_REQUEST(2), NEIGHBOUR_SOLICITATION].flatMap(allCuts).map(plain)),
    ],
    ['largest', concat([1, 0], large)],
    ['largest-without-gso', concat([0, 0], large)],
    ['largest-jumbo', concat([5, 0], large)],
    ['largest-spent', concat([17, 0], large)],
    ['largest-rekey', concat([9, 0], large)],
    ['expired', concat([33, 0], large)],
    ['refused', concat([1, 1], large, plain(toAll))],
    ['refused-invalid', concat([1, 9], large, many)],
    ['many', concat([1, 0], many)],
    ['to-all', concat([1, 0], plain(toAll), large, plain(toAll))],
    [
      'neighbours',
      concat([1, 0], plain(ARP_REQUEST(2)), plain(ARP_REQUEST(99)), plain(NEIGHBOUR_SOLICITATION)),
    ],
    [
      'second-port',
      concat([1, 0], record(1, blob(concat(encodeVnet(PLAIN_VNET), toAll))), plain(toAll)),
    ],
    ['too-long', concat([1, 0], plain(plainFrame(1, 2, 1500)), plain(plainFrame(1, 77, 50)))],
    ['too-short', concat([1, 0], record(0, blob(encodeVnet(PLAIN_VNET))))],
  );
  return seeds;
}

const framesBody = (entries: readonly FrameEntry[], vni = VNI): Uint8Array =>
  encodeBody({ kind: 'frames', vni, entries });
const whole = (frame: Uint8Array): FrameEntry => ({ frame, checksumStart: 0, checksumOffset: 0 });

function udpSeeds(): Seeds {
  const sealed = (flags: number, body: Uint8Array, session = 0): Uint8Array =>
    concat([0, session, flags, 0, 0, 0, 5, 0], blob(body));
  const next = (flags: number, body: Uint8Array, session = 0): Uint8Array =>
    concat([1, session, flags, 0, 0, 0, 0, 0], blob(body));
  const train = (entries: readonly FrameEntry[]): Uint8Array =>
    concat(
      ...entries.map((entry, i) =>
        (i === 0 ? sealed : next)(i === entries.length - 1 ? 3 : 1, framesBody([entry])),
      ),
    );
  const seeds: Seeds = [];
  for (const [name] of SHAPES) {
    const entries = splitTrain(build(name, 2, 1, 700).frame, 200);
    const [first, second, third] = entries as [FrameEntry, FrameEntry, FrameEntry]; // 700 / 200
    seeds.push(
      [`${name}-train`, concat([3, 0], train(entries))],
      [`${name}-aggregate`, concat([3, 0], sealed(0, framesBody(entries)))],
      [`${name}-lost`, concat([3, 0], train([first, third]), [3], sealed(1, framesBody([second])))],
    );
  }
  const plain = whole(plainFrame(2, 1, 46));
  const denied = whole(plainFrame(3, 1, 46));
  const strange = whole(plainFrame(2, 9, 46));
  const initiation = concat([0xe1, 2, 0, 2], patterned(172));
  const response = concat([0xe2, 2, 0, 0], patterned(128));
  const cookie = concat([0xe3, 2, 0, 0], patterned(48));
  const raw = (bytes: Uint8Array): Uint8Array => concat([2], blob(bytes));
  /** Mac bits: 1 a right mac1, 2 the mac2 of the last cookie reply, 4 a mac2 of ones. */
  const guarded = (kind: number, macs: number, count: number): Uint8Array =>
    concat(
      ...Array.from({ length: count }, () =>
        concat([250, kind, macs], blob(new Uint8Array(kind === 2 ? 20 : 136))),
      ),
    );
  const announcement = concat(ARP_REQUEST(2));
  announcement.set(macOf(2), 6);
  announcement.set([0, 2, ...macOf(2), 10, 9, 0, 2], 20);
  const cuts = [announcement, completed(build('tcp6-extensions', 2, 1, 20))].flatMap(allCuts);
  const aggregate = framesBody([plain, denied, plain]);
  for (const frame of NEIGHBOUR_DISCOVERY) {
    const bodies = [frame, ...allCuts(frame).slice(40)].map((cut) => framesBody([whole(cut)]));
    seeds.push([
      `regression-neighbour-discovery-${frame[54]}`,
      concat([3, 0], ...bodies.map((body, i) => (i === 0 ? sealed : next)(0, body))),
    ]);
  }
  seeds.push(
    [
      'regression-cut-frames',
      concat(
        [3, 0],
        ...cuts.map((frame, i) => (i === 0 ? sealed : next)(0, framesBody([whole(frame)]))),
      ),
    ],
    [
      'regression-cut-bodies',
      concat(
        [3, 0],
        ...Array.from(aggregate, (_, i) => (i === 0 ? sealed : next)(0, aggregate.subarray(0, i))),
      ),
    ],
    [
      'control',
      concat([3, 0], sealed(0, Uint8Array.of(0, 0, 0, 0, 1, 2, 3)), next(0, new Uint8Array(4))),
    ],
    ['plain', concat([3, 0], sealed(0, framesBody([plain])), sealed(0, framesBody([plain])))],
    ['denied', concat([3, 0], sealed(0, framesBody([denied, plain, strange])))],
    ['second-network', concat([3, 0], sealed(0, framesBody([plain], VNI_SECOND)))],
    ['unknown-network', concat([3, 0], sealed(0, framesBody([plain], 9)))],
    [
      'sessions',
      concat([3, 0], sealed(0, framesBody([plain]), 1), sealed(0, framesBody([plain]), 2)),
    ],
    ['announcement', concat([3, 0], sealed(0, framesBody([whole(announcement)])))],
    [
      'handshakes',
      concat([3, 0], raw(initiation), raw(response), raw(cookie), raw(new Uint8Array(0))),
    ],
    ['handshakes-absent', concat([1, 0], raw(initiation))],
    [
      'regression-guard',
      concat([7, 0], guarded(0, 0, 2), guarded(0, 5, 2), guarded(0, 1, 60), guarded(1, 3, 60)),
    ],
    [
      'regression-guard-known',
      concat([15, 0], guarded(0, 1, 30), guarded(2, 0, 60), guarded(1, 1, 60), guarded(1, 3, 9)),
    ],
    ['gro', concat([3, 0, 4], u16(168), blob(concat(initiation, initiation, response)))],
    ['stranger', concat([3, 0], raw(concat([0xe0, 0, 0, 0, 10, 11, 12, 13], patterned(40))))],
    [
      'refused-writes',
      concat([3, 1], sealed(0, framesBody(Array.from({ length: 20 }, () => plain)))),
    ],
    ['expired', concat([3, 0, 5, 0xff, 0xff], sealed(0, framesBody([plain])))],
  );
  return seeds;
}

function offloadSeeds(): Seeds {
  const input = (built: BuiltFrame, gsoSize: number): Uint8Array =>
    concat([1, built.gsoType, ...u16(gsoSize)], longBlob(new Uint8Array(0), built));
  /** In each segment another header byte is changed: each must end a super-frame. */
  const eachByte = (built: BuiltFrame): Uint8Array =>
    concat(
      input(built, 100),
      Array.from({ length: Math.min(built.headerBytes, 119) }, (_, at) => [
        0,
        at + 1,
        0,
        at,
        0,
        1,
      ]).flat(),
    );
  const changes: readonly (readonly [string, readonly number[]])[] = [
    ['lost', [2, 1, 0, 0, 0, 0]],
    ['repeated', [3, 1, 0, 0, 0, 0]],
    ['swapped', [4, 0, 0, 1, 0, 0]],
    ['cut', [1, 1, 0, 100, 0, 0]],
    ['aggregate', [10, 0, 0, 0, 0, 0]],
    ['session', [8, 1, 0, 0, 0, 0]],
    ['counter', [7, 1, 0, 1, 0, 1]],
    ['checksum', [9, 1, 0, 0, 0, 0]],
    ['flag', [0, 1, 0, 47, 0, 1]],
  ];
  const seeds: Seeds = [];
  for (const [name] of SHAPES) {
    const train = input(build(name, 1, 2, 700), 200);
    seeds.push([name, train]);
    seeds.push([`${name}-largest`, input(build(name, 1, 2, 65400), 1400)]);
    if (!ALIKE_IN_HEADERS.includes(name))
      seeds.push([`regression-each-byte-${name}`, eachByte(build(name, 1, 2, 12_000))]);
    for (const [what, bytes] of changes) seeds.push([`${name}-${what}`, concat(train, bytes)]);
  }
  return seeds;
}

function controlSeeds(): Seeds {
  const frames = readFileSync(CONTROL_VECTORS, 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(' ') as [string, string]); // generated: name, hex
  const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));
  const seeds: Seeds = frames.map(([name, hex]) => [name, concat([3, 0], bytesOf(hex))]);
  const all = concat(...frames.map(([, hex]) => bytesOf(hex)));
  seeds.push(['all', concat([3, 0], all)], ['all-cut', concat([7, 0x21], all)]);
  const peer = [0, 0, 0, 1, 0, 0, 0, 1];
  const endpoint = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 127, 0, 0, 1, 0x1f, 0x42];
  const record = (shape: number, fields: readonly number[]): number[] => [
    shape,
    0,
    0,
    9,
    ...fields,
  ];
  const session = (id: number, activation: number): number[] =>
    record(5, [
      0,
      0,
      0,
      id,
      0,
      0,
      0,
      2,
      0,
      0,
      0,
      1,
      activation,
      1,
      4,
      0,
      0,
      255,
      0,
      ...patterned(64),
    ]);
  const mac = macOf(2);
  const whole = [
    ...record(3, [...peer, ...endpoint]),
    ...session(5, 1),
    ...session(6, 2),
    ...record(1, [0, 0, 0, 1, 0, 0, 0, 9, ...Buffer.from('tap0'.padEnd(16, '\0')), ...mac, 5, 0]),
    ...record(7, [0, 0, 0, 1, 0, 0, 0, 9, ...mac, 0, 0, 0, 1]),
    ...record(9, [0, 0, 0, 1, 0, 0, 0, 9, ...patterned(16), ...mac, 0, 0, 0, 1]),
    ...record(11, [0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 1]),
    ...record(15, [...endpoint, ...patterned(52)]),
    ...record(16, [0, 0, 0, 1, ...endpoint, ...patterned(9)]),
    ...record(17, []),
    ...[1, 2, 3, 4, 5, 6].flatMap((kind) => record(13, [kind])),
    ...[1, 2, 4, 5, 6].flatMap((kind) => record(14, [kind, 0, 0, 0, 1])),
    ...record(6, [0, 0, 0, 5]),
    ...record(8, [0, 0, 0, 9, ...mac]),
    ...record(2, [0, 0, 0, 9]),
    ...record(4, [0, 0, 0, 1]),
  ];
  seeds.push(['world', concat([1, 0], whole)], ['world-refused', concat([0x29, 0], whole)]);
  seeds.push(['world-slow', concat([5, 0x33], whole)]);
  const keys = (given: number): number[] => record(255, [...patterned(128 + given)]);
  seeds.push([
    'regression-guard',
    concat([1, 0], keys(0), keys(0), record(15, [...endpoint, 0xe1])),
  ]);
  return seeds;
}

const TARGETS: Readonly<Record<string, () => Seeds>> = {
  frame_from_tap: tapSeeds,
  datagram_from_udp: udpSeeds,
  control_message: controlSeeds,
  offload_split_join: offloadSeeds,
};

const folder = process.argv[2];
if (folder === undefined) throw new Error('usage: node test/fuzz/generate-seeds.ts FOLDER');
for (const [target, seedsOf] of Object.entries(TARGETS)) {
  const path = join(folder, target);
  mkdirSync(path, { recursive: true });
  for (const [name, bytes] of seedsOf()) writeFileSync(join(path, name), bytes);
}
