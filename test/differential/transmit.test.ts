/**
 * From the TAP to the socket: whatever frames a kernel hands over, the datagrams carry exactly
 * what the reference makes of them, and what cannot be sent is dropped for the reason that the
 * protocol names.
 */
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FrameEntry } from '../../packages/core/src/data-codec/body.ts';
import { DATA_FLAG } from '../../packages/core/src/data-codec/datagram.ts';
import { completeChecksum, splitTrain } from '../../packages/core/src/data-codec/train.ts';
import { frameShape, plainFrame, runs, segmentBytes, timeoutMs } from './arbitraries.ts';
import { Codec, WORLD, sendLane } from './codec.ts';
import type { Answer, PeerNumber } from './codec.ts';
import {
  GSO,
  NEEDS_CHECKSUM,
  PLAIN_VNET,
  buildFrame,
  completed,
  concat,
  encodeVnet,
  patterned,
  vnetOf,
} from './frames.ts';
import type { FrameShape, VnetHeader } from './frames.ts';
import { expectSameEntries, openSent, tally } from './judge.ts';
import type { Sent } from './judge.ts';

const MULTICAST = [0x33, 0x33, 0, 0, 0, 0x77];
const NOBODY = 77;
/** Peers of datapath/fuzz/fake_world.h. */
const PEER_WITHOUT_SESSION = 3;
const PEER_WITHOUT_ENDPOINT = 4;
/** Header, body header, entry header: what surrounds one frame, and the tag. */
const SURROUNDING_BYTES = 16 + 4 + 4 + 16;

/** A frame from the TAP, and what the reference makes of it. */
interface Item {
  readonly vnet: VnetHeader;
  readonly frame: Uint8Array;
  readonly tagBytes: number;
  /** Entries of its datagrams; a reason when it cannot be sent whatever the MTU. */
  readonly made: readonly FrameEntry[] | 'frame_unsplittable';
  /** What one datagram must carry at least: the whole frame, or a segment with its headers. */
  readonly longestBytes: number;
}

/** Beyond this a byte cannot name where the checksum begins. */
const CHECKSUM_START_MAX = 255;
/** Longer headers are not copied into each segment. */
const HEADERS_BYTES_MAX = 512;

function superFrame(shape: FrameShape, gsoSize: number): Item {
  const built = buildFrame(shape);
  return {
    vnet: vnetOf(built, gsoSize),
    frame: built.frame,
    tagBytes: shape.tags.length * 4,
    made:
      built.headerBytes > HEADERS_BYTES_MAX
        ? 'frame_unsplittable'
        : splitTrain(built.frame, gsoSize),
    longestBytes: built.headerBytes + Math.min(gsoSize, shape.payload.length),
  };
}

function single(shape: FrameShape, isOffloaded: boolean): Item {
  const built = buildFrame(shape);
  const frame = isOffloaded ? built.frame : completed(built);
  const entry = {
    frame,
    checksumStart: isOffloaded ? built.transportStart : 0,
    checksumOffset: isOffloaded ? built.checksumOffset : 0,
  };
  const isNamed = entry.checksumStart <= CHECKSUM_START_MAX;
  const whole = { frame: completeChecksum(entry), checksumStart: 0, checksumOffset: 0 };
  return {
    vnet: isOffloaded ? vnetOf(built) : PLAIN_VNET,
    frame,
    tagBytes: shape.tags.length * 4,
    made: [isNamed ? entry : whole],
    longestBytes: frame.length,
  };
}

const plain = (frame: Uint8Array): Item => ({
  vnet: PLAIN_VNET,
  frame,
  tagBytes: 0,
  made: [{ frame, checksumStart: 0, checksumOffset: 0 }],
  longestBytes: frame.length,
});

/** Super-frames whose headers contradict what the vnet header says. */
const LIES: readonly ((item: Item) => Item)[] = [
  (item) => ({ ...item, vnet: { ...item.vnet, gsoSize: 0 } }),
  (item) => ({ ...item, vnet: { ...item.vnet, gsoType: 3 } }), // UDP fragmentation
  (item) => ({ ...item, vnet: { ...item.vnet, gsoType: otherType(item.vnet.gsoType) } }),
  (item) => ({ ...item, frame: item.frame.subarray(0, item.frame.length - 1) }),
  (item) => ({ ...item, frame: concat(item.frame, [0]) }),
  (item) => ({ ...item, frame: item.frame.subarray(0, 14 + item.tagBytes + 19) }),
];

const otherType = (type: number): number =>
  (type & 0x7f) === GSO.tcp4 ? GSO.tcp6 : (type & 0x7f) === GSO.tcp6 ? GSO.udp : GSO.tcp4;

/** Checksums that lie outside of the frame, and some that no entry can name. */
function withChecksumAt(start: number, offset: number, length: number): Item {
  const frame = concat([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5], patterned(length - 14));
  const entry = { frame, checksumStart: start, checksumOffset: offset };
  const isNamed = start <= CHECKSUM_START_MAX && offset <= 255;
  return {
    vnet: { ...PLAIN_VNET, flags: NEEDS_CHECKSUM, checksumStart: start, checksumOffset: offset },
    frame,
    tagBytes: 0,
    made:
      start + offset + 2 > length
        ? 'frame_unsplittable'
        : [
            isNamed
              ? entry
              : { ...entry, frame: completeChecksum(entry), checksumStart: 0, checksumOffset: 0 },
          ],
    longestBytes: length,
  };
}

const destination = fc.oneof(
  { weight: 10, arbitrary: fc.constantFrom(2, 3) },
  fc.constantFrom(PEER_WITHOUT_SESSION + 1, PEER_WITHOUT_ENDPOINT + 1, NOBODY),
);

const shapes = frameShape(fc.constant(1), destination, 65_000);

const item: fc.Arbitrary<Item> = fc.oneof(
  {
    weight: 5,
    arbitrary: shapes.chain((shape) =>
      segmentBytes(shape.payload.length).map((bytes) => superFrame(shape, bytes)),
    ),
  },
  { weight: 5, arbitrary: fc.tuple(shapes, fc.boolean()).map(([shape, is]) => single(shape, is)) },
  { weight: 3, arbitrary: destination.chain((to) => plainFrame(1, to, 9000)).map(plain) },
  {
    weight: 1,
    arbitrary: fc.tuple(shapes, fc.nat(LIES.length - 1)).map(([shape, lie]) => ({
      ...tell(superFrame(shape, 700), lie),
      made: 'frame_unsplittable' as const,
    })),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.integer({ min: 14, max: 700 }), fc.integer({ min: 14, max: 600 }), fc.nat(300))
      .map(([length, start, offset]) => withChecksumAt(start, offset, length)),
  },
  { weight: 1, arbitrary: fc.nat(13).map((length) => plain(patterned(length))) },
);

const tell = (told: Item, lie: number): Item => LIES[lie]?.(told) ?? told;

/** Sends the same to all members instead. */
const toAll = (sent: Item): Item => {
  const readdress = (frame: Uint8Array): Uint8Array => concat(MULTICAST, frame.subarray(6));
  return {
    ...sent,
    frame: readdress(sent.frame),
    made:
      sent.made === 'frame_unsplittable'
        ? sent.made
        : sent.made.map((entry) => ({ ...entry, frame: readdress(entry.frame) })),
  };
};

const items = fc.array(
  fc
    .tuple(item, fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, fc.constant(true)))
    .map(([sent, isForAll]) => (isForAll && sent.frame.length >= 14 ? toAll(sent) : sent)),
  { minLength: 1, maxLength: 30 },
);

/** Entries for each peer, and the reasons of what is dropped. */
function predict(
  sent: readonly Item[],
  mtuBytes: number,
): { entries: Record<PeerNumber, FrameEntry[]>; reasons: string[] } {
  const entries: Record<PeerNumber, FrameEntry[]> = { 1: [], 2: [] };
  const reasons: string[] = [];
  for (const { frame, made, longestBytes, tagBytes } of sent) {
    const isForAll = ((frame[0] ?? 0) & 1) !== 0;
    const to = frame[5];
    if (frame.length < 14) reasons.push('frame_too_short');
    else if (made === 'frame_unsplittable') reasons.push(made);
    else if (longestBytes > 14 + tagBytes + mtuBytes) reasons.push('frame_too_long');
    else if (!isForAll && to === NOBODY) reasons.push('unicast_unknown');
    else if (!isForAll && to === PEER_WITHOUT_ENDPOINT + 1) reasons.push('endpoint_missing');
    else {
      if (isForAll || to === 2) entries[1].push(...made);
      if (isForAll || to === 3) entries[2].push(...made);
      if (isForAll || to === PEER_WITHOUT_SESSION + 1) reasons.push('session_missing');
    }
  }
  return { entries, reasons };
}

const sentTo = (answer: Answer, peer: PeerNumber): Sent[] =>
  answer.records.filter((record) => record.peer === peer).map(({ bytes }) => openSent(bytes));

/** The rules of one session's datagrams that do not depend on what they carry. */
function expectLawful(sent: readonly Sent[], peer: PeerNumber, mtuBytes: number): void {
  let trainIndex = 0;
  sent.forEach(({ header, entries, bytes }, i) => {
    expect(header.receiver).toBe(WORLD.sessions[peer]);
    expect(header.lane).toBe(sendLane(peer));
    expect(header.sequence, 'no nonce twice, none left out').toBe(BigInt(i));
    const isTrain = (header.flags & DATA_FLAG.train) !== 0;
    const isLast = (header.flags & DATA_FLAG.last) !== 0;
    expect(header.trainIndex).toBe(isTrain ? trainIndex : 0);
    expect(!isTrain && trainIndex !== 0, 'a train is not interrupted').toBe(false);
    trainIndex = isTrain && !isLast ? trainIndex + 1 : 0;
    if (isTrain) expect(entries).toHaveLength(1);
    // Only a single tagged frame may be longer than what an untagged one of the MTU takes.
    const most = SURROUNDING_BYTES + 14 + mtuBytes + (entries.length === 1 ? 8 : 0);
    expect(bytes.length).toBeLessThanOrEqual(most);
  });
  expect(trainIndex, 'the last train is whole').toBe(0);
}

describe('frames from the TAP', () => {
  let codec: Codec;
  beforeAll(() => {
    codec = new Codec();
  });
  afterAll(() => codec.stop());

  const send = (sent: readonly Item[], mtuBytes: number, hasSegments: boolean): Promise<Answer> =>
    codec.transmit(
      mtuBytes,
      hasSegments,
      sent.map(({ vnet, frame }) => concat(encodeVnet(vnet), frame)),
    );

  it(
    'leave as the entries that the reference makes, or are dropped for its reason',
    async () => {
      await fc.assert(
        fc.asyncProperty(
          items,
          fc.constantFrom(68, 576, 1398, 8898, 65_000),
          fc.boolean(),
          async (sent, mtuBytes, hasSegments) => {
            const answer = await send(sent, mtuBytes, hasSegments);
            const { entries, reasons } = predict(sent, mtuBytes);
            expect(answer.drops).toEqual(tally(reasons));
            for (const peer of [1, 2] as const) {
              const datagrams = sentTo(answer, peer);
              expectLawful(datagrams, peer, mtuBytes);
              expectSameEntries(
                datagrams.flatMap((datagram) => datagram.entries),
                entries[peer],
              );
            }
          },
        ),
        runs(),
      );
    },
    timeoutMs,
  );

  it(
    'carry each super-frame as one train whose segments share a size',
    async () => {
      const shape = frameShape(fc.constant(1), fc.constant(2), 64_000).filter(
        (drawn) => buildFrame(drawn).headerBytes <= HEADERS_BYTES_MAX,
      );
      await fc.assert(
        fc.asyncProperty(shape, fc.integer({ min: 1, max: 65_000 }), async (drawn, wanted) => {
          const gsoSize = Math.max(wanted, Math.ceil(drawn.payload.length / 250));
          const answer = await send([superFrame(drawn, gsoSize)], 65_000, true);
          const sent = sentTo(answer, 1);
          const { headerBytes } = buildFrame(drawn);
          expect(sent).toHaveLength(Math.ceil(drawn.payload.length / gsoSize));
          sent.forEach(({ header, entries }, i) => {
            const isLast = i === sent.length - 1;
            expect(header.flags).toBe(DATA_FLAG.train | (isLast ? DATA_FLAG.last : 0));
            const left = drawn.payload.length - i * gsoSize;
            expect(entries[0]?.frame.length).toBe(headerBytes + Math.min(left, gsoSize));
          });
        }),
        runs(0.3),
      );
    },
    timeoutMs,
  );

  it('complete a checksum that comes out as zero as its equal, which does not mean "none"', async () => {
    const start = 300;
    const sent = withChecksumAt(start, 6, 400);
    const last = new DataView(sent.frame.buffer, sent.frame.length - 2, 2);
    // The sum of all words from `start` becomes 0xffff, whose complement is zero.
    last.setUint16(0, 0);
    last.setUint16(0, wordSum(sent.frame.subarray(start)) ^ 0xffff);
    const answer = await send([sent], 1398, true);
    const frame = sentTo(answer, 1)[0]?.entries[0]?.frame;
    expect(frame?.subarray(start + 6, start + 8)).toEqual(Uint8Array.of(0xff, 0xff));
  });
});

function wordSum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}
