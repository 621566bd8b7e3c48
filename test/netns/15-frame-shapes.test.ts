/**
 * Every shape of frame and super-frame through two data paths and two kernels: what the sender's
 * kernel hands over comes out of the receiver's, frame by frame as the reference splits it.
 */
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FrameEntry } from '../../packages/core/src/data-codec/body.ts';
import { splitTrain } from '../../packages/core/src/data-codec/train.ts';
import { frameShape, plainFrame } from '../differential/arbitraries.ts';
import {
  GSO,
  PLAIN_VNET,
  TCP_FLAG,
  buildFrame,
  completed,
  concat,
  encodeVnet,
  patterned,
  vnetOf,
  type FrameShape,
  type Tag,
} from '../differential/frames.ts';
import { expectSameFrame, isAtomic, readWrite } from '../differential/judge.ts';
import { readCounters } from './control-client.ts';
import { makePair, type DataPathPair, type PairOptions } from './data-path-pair.ts';
import { buildVnetFrames, passRecords } from './vnet-frames.ts';

/** Numbers of the two hosts in test/differential/frames.ts. */
const FROM = 1;
const TO = 2;
const RANDOM_FRAMES = 150;
const SEED = Number(process.env['FRAME_SHAPES_SEED'] ?? 1);

/** A record for the sender's port, and the frames that must come out of the receiver's. */
interface Passed {
  readonly record: Uint8Array;
  readonly frames: readonly FrameEntry[];
}

const IPV4: FrameShape['network'] = {
  version: 4,
  trafficClass: 0,
  id: 0xfffe,
  dontFragment: true,
  options: new Uint8Array(0),
};
const IPV6: FrameShape['network'] = { version: 6, trafficClass: 0, flow: 5, extensions: [] };
const TCP: FrameShape['transport'] = {
  kind: 'tcp',
  sequence: 0xfffff000,
  acknowledgement: 7,
  flags: TCP_FLAG.ack | TCP_FLAG.psh,
  options: new Uint8Array(0),
};
const UDP: FrameShape['transport'] = { kind: 'udp' };
const NONE = new Uint8Array(0);
const padding = (bytes: number): Uint8Array => Uint8Array.from({ length: bytes }, () => 1);
const tagged = (...controls: readonly number[]): readonly Tag[] =>
  controls.map((control, i) => ({
    etherType: i === 0 && controls.length === 2 ? 0x88a8 : 0x8100,
    control,
  }));
/** Of type 4 (RFC 8754): the first address of its list is the last to be visited. */
const routing = (addresses: number): Uint8Array =>
  concat([4, addresses - 1, addresses - 1, 0, 0, 0], patterned(addresses * 16, 0xfd));
const extensions = (...list: readonly { kind: 0 | 43 | 60; options: Uint8Array }[]) => ({
  ...IPV6,
  extensions: list,
});

const SHAPES: readonly [string, Partial<Omit<FrameShape, 'from' | 'to'>>][] = [
  ['TCP over IPv4', {}],
  ['TCP over IPv6', { network: IPV6 }],
  ['TCP options', { transport: { ...TCP, options: padding(40) } }],
  ['IPv4 options', { network: { ...IPV4, options: padding(40) } }],
  [
    'an identification that wraps, fragments allowed',
    { network: { ...IPV4, dontFragment: false } },
  ],
  [
    'ECN and CWR',
    {
      network: { ...IPV4, trafficClass: 2 },
      transport: { ...TCP, flags: TCP_FLAG.ack | TCP_FLAG.ece | TCP_FLAG.cwr },
    },
  ],
  [
    'CWR and FIN over IPv6',
    {
      network: { ...IPV6, trafficClass: 1 },
      transport: { ...TCP, flags: TCP_FLAG.ack | TCP_FLAG.cwr | TCP_FLAG.fin },
    },
  ],
  ['USO over IPv4', { transport: UDP }],
  ['USO over IPv6', { network: IPV6, transport: UDP }],
  ['a priority tag', { tags: tagged(0xe000) }],
  ['VLAN 7', { tags: tagged(0x6007) }],
  ['VLAN 4094, USO over IPv6', { tags: tagged(4094), network: IPV6, transport: UDP }],
  ['two tags', { tags: tagged(0x2002, 0x4007) }],
  ['two tags, USO over IPv6', { tags: tagged(2, 7), network: IPV6, transport: UDP }],
  [
    'a hop-by-hop header',
    { network: extensions({ kind: 0, options: concat([1, 4], padding(4)) }) },
  ],
  ['a routing header', { network: extensions({ kind: 43, options: routing(2) }) }],
  [
    'a routing header, USO',
    {
      network: extensions({ kind: 43, options: routing(1) }),
      transport: UDP,
    },
  ],
  [
    'a transport header beyond byte 255',
    {
      network: extensions({ kind: 60, options: concat([1, 252], new Uint8Array(252)) }),
    },
  ],
  [
    'the same, USO behind VLAN 9',
    {
      network: extensions({ kind: 60, options: concat([1, 252], new Uint8Array(252)) }),
      transport: UDP,
      tags: tagged(9),
    },
  ],
];

const shapeOf = (changes: Partial<FrameShape>): FrameShape => ({
  from: FROM,
  to: TO,
  tags: [],
  network: IPV4,
  transport: TCP,
  payload: patterned(20_000),
  ...changes,
});

/** What a frame takes in a port of this MTU; a packet socket grants the bytes of one tag alone. */
const roomOf = (shape: FrameShape, mtuBytes: number): number =>
  mtuBytes +
  (shape.tags.length === 1 ? 18 : 14) -
  buildFrame({ ...shape, payload: NONE }).headerBytes;

function superFrame(shape: FrameShape, mtuBytes: number, segmentBytes = Infinity): Passed {
  const built = buildFrame(shape);
  const bytes = Math.min(segmentBytes, roomOf(shape, mtuBytes));
  return {
    record: concat(encodeVnet(vnetOf(built, bytes)), built.frame),
    frames: splitTrain(built.frame, bytes),
  };
}

function single(shape: FrameShape, mtuBytes: number, isOffloaded: boolean): Passed {
  const room = Math.min(roomOf(shape, mtuBytes), shape.payload.length);
  const built = buildFrame({ ...shape, payload: shape.payload.subarray(0, room) });
  const entry = {
    frame: built.frame,
    checksumStart: built.transportStart,
    checksumOffset: built.checksumOffset,
  };
  const whole = { frame: completed(built), checksumStart: 0, checksumOffset: 0 };
  return isOffloaded
    ? { record: concat(encodeVnet(vnetOf(built)), built.frame), frames: [entry] }
    : { record: concat(encodeVnet(PLAIN_VNET), whole.frame), frames: [whole] };
}

const plain = (frame: Uint8Array): Passed => ({
  record: concat(encodeVnet(PLAIN_VNET), frame),
  frames: [{ frame, checksumStart: 0, checksumOffset: 0 }],
});

/** Frames as programs send them: data of open connections. */
const isOrdinary = ({ transport }: FrameShape): boolean =>
  transport.kind === 'udp' ||
  (transport.flags & (TCP_FLAG.syn | TCP_FLAG.rst | TCP_FLAG.urg)) === 0;

const randomFrames = (mtuBytes: number): fc.Arbitrary<Passed> =>
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc
        .tuple(
          frameShape(fc.constant(FROM), fc.constant(TO), 60_000).filter(
            (shape) => isOrdinary(shape) && shape.payload.length > 1,
          ),
          fc.integer({ min: 1, max: 1400 }),
        )
        .filter(([shape]) => buildFrame(shape).headerBytes <= 512)
        .map(([shape, wanted]) => {
          // A kernel hands over 64 segments or fewer of UDP, and no super-frame of one segment.
          const least = Math.ceil(shape.payload.length / 60);
          const bytes = Math.min(Math.max(wanted, least), roomOf(shape, mtuBytes));
          return shape.payload.length > bytes
            ? superFrame(shape, mtuBytes, bytes)
            : single(shape, mtuBytes, true);
        }),
    },
    {
      weight: 2,
      arbitrary: fc
        .tuple(frameShape(fc.constant(FROM), fc.constant(TO), 60_000), fc.boolean())
        .map(([shape, isOffloaded]) => single(shape, mtuBytes, isOffloaded)),
    },
    { weight: 1, arbitrary: plainFrame(FROM, TO, mtuBytes + 14).map(plain) },
  );

/** Frames of several queues would overtake each other. */
const ONE_WORKER = ['--workers', '1'];

const WORLDS: readonly (PairOptions & { readonly title: string })[] = [
  { title: 'an underlay of 1500 bytes' },
  {
    title: 'an underlay of 9000 bytes over IPv6, OpenSSL',
    underlay: 'ipv6',
    underlayMtuBytes: 9_000,
    arguments: [...ONE_WORKER, '--aead', 'openssl'],
  },
  { title: 'an underlay of 65535 bytes', underlayMtuBytes: 65_535, mtuBytes: 65_000 },
];

describe.each(WORLDS)('frames over $title', (options) => {
  let pair: DataPathPair;

  beforeAll(async () => {
    await buildVnetFrames();
    pair = await makePair({ arguments: ONE_WORKER, ...options });
    for (const { namespace } of [pair.a, pair.b]) {
      // The kernels only carry; what they would say of their own would be among the frames.
      await pair.world.exec(namespace, ['ip', 'address', 'flush', 'dev', 'lm0']);
      await pair.world.setSysctls(namespace, { 'net.ipv6.conf.lm0.disable_ipv6': '1' });
    }
  });
  afterAll(async () => {
    await pair?.dispose();
  });

  async function expectToPass(passed: readonly Passed[]): Promise<void> {
    const { world, a, b } = pair;
    const before = await readCounters(a.client);
    const records = await passRecords(
      world,
      { from: a, to: b },
      passed.map(({ record }) => record),
    );
    const after = await readCounters(a.client);
    expect(after['frame_unsplittable'], 'none is dropped').toBe(before['frame_unsplittable']);
    const expected = passed.flatMap(({ frames }) => frames);
    const parts = records
      .map(readWrite)
      .flatMap((write) =>
        write.parts.map((part) => ({ part, isJoined: write.vnet.gsoType !== GSO.none })),
      );
    parts.forEach(({ part, isJoined }, i) => {
      const other = expected[i];
      if (other === undefined) throw new Error('a frame that was not sent');
      expectSameFrame(part, other, isJoined && isAtomic(other.frame));
    });
    expect(parts).toHaveLength(expected.length);
  }

  test.each(SHAPES)(
    '%s passes as super-frame, partial frame and whole frame',
    async (_, changes) => {
      const shape = shapeOf(changes);
      await expectToPass([
        ...[1, 2, 3, 40, 1_001, 60_001].map((bytes) => {
          const sized = shapeOf({ ...changes, payload: patterned(bytes) });
          return roomOf(sized, pair.mtuBytes) < bytes
            ? superFrame(sized, pair.mtuBytes)
            : single(sized, pair.mtuBytes, true);
        }),
        superFrame(shape, pair.mtuBytes, 1_000),
        superFrame(shape, pair.mtuBytes, 777),
        single(shape, pair.mtuBytes, false),
      ]);
    },
  );

  test('frames of every length from 14 bytes to the MTU pass', async () => {
    const most = pair.mtuBytes + 14;
    const lengths = [...Array.from({ length: 60 }, (_, i) => 14 + i), most - 1, most];
    const head = [2, 0, 0, 0, 0, TO, 2, 0, 0, 0, 0, FROM, 0x88, 0xb5];
    await expectToPass(
      [...lengths, Math.floor(most / 2)].map((length) =>
        plain(concat(head, patterned(length - 14))),
      ),
    );
  });

  test('random shapes pass', async () => {
    const drawn = fc.sample(randomFrames(pair.mtuBytes), { numRuns: RANDOM_FRAMES, seed: SEED });
    for (let at = 0; at < drawn.length; at += 50) await expectToPass(drawn.slice(at, at + 50));
  });
});
