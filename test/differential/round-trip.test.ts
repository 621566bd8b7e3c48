/**
 * Both directions in a row: frames from one TAP, through datagrams and a bad network, to another
 * TAP. What arrives is what was sent, cut into segments by the reference.
 */
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FrameEntry } from '../../packages/core/src/data-codec/body.ts';
import { splitTrain } from '../../packages/core/src/data-codec/train.ts';
import { fates, frameShape, runs, segmentBytes, timeoutMs, travel } from './arbitraries.ts';
import { Codec } from './codec.ts';
import { GSO, PLAIN_VNET, buildFrame, completed, concat, encodeVnet, vnetOf } from './frames.ts';
import { expectSameFrame, isAtomic, openSent, readWrite } from './judge.ts';

const MTU_BYTES = 1398;
/** To all: the same tables then serve as those of the sender and of the receiver. */
const MULTICAST = [0x33, 0x33, 0, 0, 0, 0x77];
/** Whose MAC and addresses the receiver binds to the session's peer. */
const FROM = 2;

interface Given {
  readonly record: Uint8Array;
  /** What it is on the wire of an Ethernet without offloads. */
  readonly frames: readonly FrameEntry[];
}

const readdress = (frame: Uint8Array): Uint8Array => concat(MULTICAST, frame.subarray(6));

const given: fc.Arbitrary<Given> = fc
  .tuple(
    // What cannot be split at all is transmit.test.ts's.
    frameShape(fc.constant(FROM), fc.constant(1), 60_000).filter(
      (shape) => buildFrame(shape).headerBytes <= 512,
    ),
    fc.constantFrom('super', 'partial', 'whole'),
  )
  .chain(([shape, kind]): fc.Arbitrary<Given> => {
    const built = buildFrame(shape);
    const room = MTU_BYTES + 14 + shape.tags.length * 4 - built.headerBytes;
    const cut = {
      ...shape,
      payload: shape.payload.subarray(0, Math.min(shape.payload.length, room)),
    };
    const small = buildFrame(cut);
    if (kind === 'whole') {
      const frame = readdress(completed(small));
      const entry = { frame, checksumStart: 0, checksumOffset: 0 };
      return fc.constant({ record: concat(encodeVnet(PLAIN_VNET), frame), frames: [entry] });
    }
    if (kind === 'partial') {
      const frame = readdress(small.frame);
      const entry = {
        frame,
        checksumStart: small.transportStart,
        checksumOffset: small.checksumOffset,
      };
      return fc.constant({ record: concat(encodeVnet(vnetOf(small)), frame), frames: [entry] });
    }
    return segmentBytes(shape.payload.length).map((wanted) => {
      const bytes = Math.min(wanted, room);
      const frame = readdress(built.frame);
      return {
        record: concat(encodeVnet(vnetOf(built, bytes)), frame),
        frames: splitTrain(frame, bytes),
      };
    });
  });

describe('frames from TAP to TAP', () => {
  let codec: Codec;
  beforeAll(() => {
    codec = new Codec();
  });
  afterAll(() => codec.stop());

  it(
    'arrive as they were sent when nothing is lost, and those of the datagrams that arrive otherwise',
    async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(given, { minLength: 1, maxLength: 12 }),
          fates,
          fc.boolean(),
          async (all, chosen, isCalm) => {
            const sent = await codec.transmit(
              MTU_BYTES,
              true,
              all.map(({ record }) => record),
            );
            const datagrams = sent.records
              .filter(({ peer }) => peer === 1)
              .map(({ bytes }) => bytes);
            const calm = [{ isLost: false, isRepeated: false, delay: 0, endsBatch: false }];
            const arrivals = travel(datagrams, isCalm ? calm : chosen);
            const written = await codec.receive(
              true,
              arrivals.map((bytes) => bytes ?? new Uint8Array(0)),
            );
            const expected = isCalm ? all.flatMap(({ frames }) => frames) : framesOf(arrivals);
            const writes = written.records.map(({ bytes }) => readWrite(bytes));
            const parts = writes.flatMap((write) =>
              write.parts.map((part) => ({ part, isJoined: write.vnet.gsoType !== GSO.none })),
            );
            expect(parts).toHaveLength(expected.length);
            parts.forEach(({ part, isJoined }, i) => {
              const other = expected[i];
              if (other === undefined) throw new Error('counted above');
              expectSameFrame(part, other, isJoined && isAtomic(other.frame));
            });
          },
        ),
        runs(0.5),
      );
    },
    timeoutMs,
  );
});

/** The frames of datagrams, each datagram once. */
function framesOf(arrivals: readonly (Uint8Array | null)[]): FrameEntry[] {
  const unique = new Set(arrivals.filter((bytes) => bytes !== null));
  return [...unique].flatMap((bytes) => openSent(bytes).entries);
}
