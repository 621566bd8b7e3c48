/**
 * From the socket to the TAP: datagrams of the reference, as a bad network delivers them. Split
 * again by the reference, what is written is frame by frame what arrived; and only what may be
 * joined was joined.
 */
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeBody } from '../../packages/core/src/data-codec/body.ts';
import type { FrameEntry } from '../../packages/core/src/data-codec/body.ts';
import { DATA_FLAG, sealDatagram } from '../../packages/core/src/data-codec/datagram.ts';
import type { DatagramHeader } from '../../packages/core/src/data-codec/datagram.ts';
import { joinTrain, splitTrain } from '../../packages/core/src/data-codec/train.ts';
import {
  fates,
  frameShape,
  plainFrame,
  runs,
  segmentBytes,
  timeoutMs,
  travel,
} from './arbitraries.ts';
import { Codec, WORLD } from './codec.ts';
import type { Answer, PeerNumber } from './codec.ts';
import { GSO, TCP_FLAG, buildFrame, changeableBytes, completed, vnetOf } from './frames.ts';
import type { BuiltFrame, FrameShape } from './frames.ts';
import { equalBytes, expectSameFrame, isAtomic, networkOf, readWrite, tally } from './judge.ts';
import type { Write } from './judge.ts';

/** What opens, resets or hurries a connection stays a frame of its own. */
const NEVER_JOINED = TCP_FLAG.syn | TCP_FLAG.rst | TCP_FLAG.urg;

/** What a sender puts into consecutive datagrams. */
interface Batch {
  readonly peer: PeerNumber;
  readonly lane: number;
  readonly isTrain: boolean;
  /** Entries of each datagram. */
  readonly bodies: readonly (readonly FrameEntry[])[];
}

/** One sealed datagram and what it holds. */
interface Datagram {
  readonly header: DatagramHeader;
  readonly entries: readonly FrameEntry[];
  readonly bytes: Uint8Array;
}

/** A frame that arrived, and in what. */
interface Arrived {
  readonly entry: FrameEntry;
  readonly header: DatagramHeader;
}

const wholeEntry = (frame: Uint8Array): FrameEntry => ({
  frame,
  checksumStart: 0,
  checksumOffset: 0,
});

const partialEntry = (built: BuiltFrame): FrameEntry => ({
  frame: built.frame,
  checksumStart: built.transportStart,
  checksumOffset: built.checksumOffset,
});

const isNameable = (shape: FrameShape): boolean => buildFrame(shape).transportStart <= 255;

/** What has another destination behind a routing header stays a frame of its own too. */
const isRouted = ({ network }: FrameShape): boolean =>
  network.version === 6 && network.extensions.some(({ kind }) => kind === 43);

const sender = fc.record({
  peer: fc.constantFrom(1 as const, 2 as const),
  lane: fc.nat(WORLD.lanes - 1),
});

/** Frames to this host's port, or to all. */
const shapesOf = (peer: PeerNumber, payloadMax: number): fc.Arbitrary<FrameShape> =>
  frameShape(fc.constant(peer + 1), fc.constant(1), payloadMax).filter(isNameable);

/** Changes to headers of single frames: which frame, which byte, how. */
const changes = fc.oneof(
  fc.constant([]),
  fc.array(
    fc.record({ frame: fc.nat(60), byte: fc.nat(200), by: fc.integer({ min: 1, max: 255 }) }),
    {
      maxLength: 5,
    },
  ),
);

/** Each frame stays one that this host may receive; it is another one of its flow. */
function changed(
  entries: readonly FrameEntry[],
  shape: FrameShape,
  list: readonly { readonly frame: number; readonly byte: number; readonly by: number }[],
): FrameEntry[] {
  const bytes = changeableBytes(shape);
  const out = entries.slice();
  for (const { frame, byte, by } of list) {
    const entry = out[frame];
    const place = bytes[byte % bytes.length];
    if (entry === undefined || place === undefined) continue;
    const copy = entry.frame.slice();
    copy[place.at] = (copy[place.at] ?? 0) ^ (by & place.mask);
    out[frame] = { ...entry, frame: relaid(copy) };
  }
  return out;
}

/** With the lengths and checksums that belong to its bytes. */
const relaid = (frame: Uint8Array): Uint8Array =>
  joinTrain([{ frame, checksumStart: 0, checksumOffset: 0 }]);

const train: fc.Arbitrary<Batch> = sender.chain(({ peer, lane }) =>
  fc.tuple(shapesOf(peer, 65_000), changes).chain(([shape, list]) =>
    segmentBytes(shape.payload.length).map((bytes) => ({
      peer,
      lane,
      isTrain: true,
      bodies: changed(splitTrain(buildFrame(shape).frame, bytes), shape, list).map((entry) => [
        entry,
      ]),
    })),
  ),
);

/**
 * Small frames of one flow as they gather in the queue: alike but for what counts up, or not even
 * that.
 */
const flow: fc.Arbitrary<Batch> = sender.chain(({ peer, lane }) =>
  fc
    .tuple(
      shapesOf(peer, 3000),
      fc.integer({ min: 20, max: 300 }),
      fc.boolean(),
      fc.array(fc.nat(9), { minLength: 1, maxLength: 20 }),
      changes,
    )
    .map(([shape, bytes, keepsId, shuffle, list]) => {
      const segments = splitTrain(buildFrame(shape).frame, bytes).slice(0, 40);
      const entries = keepsId ? segments.map((entry) => withIdOf(entry, segments)) : segments;
      return { peer, lane, isTrain: false, bodies: packed(changed(entries, shape, list), shuffle) };
    }),
);

/** The same identification in all: what a kernel sends for packets that must not be fragmented. */
function withIdOf(entry: FrameEntry, all: readonly FrameEntry[]): FrameEntry {
  const first = all[0];
  if (first === undefined || !isAtomic(entry.frame)) return entry;
  const at = networkOf(entry.frame) + 4;
  const frame = entry.frame.slice();
  frame.set(first.frame.subarray(at, at + 2), at);
  return { ...entry, frame: relaid(frame) };
}

/** Several to a body; numbers above 4 leave the order as it is, others swap neighbours. */
function packed(entries: readonly FrameEntry[], shuffle: readonly number[]): FrameEntry[][] {
  const order = entries.slice();
  const bodies: FrameEntry[][] = [];
  for (let at = 0; at < order.length; at++) {
    const chosen = shuffle[at % shuffle.length] ?? 9;
    const [a, b] = [order[at], order[at + 1]];
    if (chosen < 2 && a !== undefined && b !== undefined) [order[at], order[at + 1]] = [b, a];
    const entry = order[at];
    if (entry === undefined) continue;
    if (at % 8 === 0 || chosen === 4) bodies.push([]);
    bodies.at(-1)?.push(entry);
  }
  return bodies;
}

const singles: fc.Arbitrary<Batch> = sender.chain(({ peer, lane }) =>
  fc
    .array(
      fc.oneof(
        shapesOf(peer, 1400).map((shape) => partialEntry(buildFrame(shape))),
        shapesOf(peer, 1400).map((shape) => wholeEntry(completed(buildFrame(shape)))),
        plainFrame(peer + 1, 1, 1500).map(wholeEntry),
        plainFrame(9, 1, 100).map(wholeEntry), // from a MAC of nobody
        plainFrame(peer + 1, 9, 100).map(wholeEntry), // to a MAC of nobody
      ),
      { minLength: 1, maxLength: 12 },
    )
    .map((entries) => ({ peer, lane, isTrain: false, bodies: entries.map((entry) => [entry]) })),
);

/** Batches of several senders, each under its own counters. */
const traffic = fc.array(fc.oneof(train, flow, singles), { minLength: 1, maxLength: 8 });

function sealAll(batches: readonly Batch[]): Datagram[] {
  const next = new Map<string, bigint>();
  return batches.flatMap(({ peer, lane, isTrain, bodies }) =>
    bodies.map((entries, i) => {
      const counter = `${peer} ${lane}`;
      const sequence = next.get(counter) ?? 0n;
      next.set(counter, sequence + 1n);
      const isLast = i === bodies.length - 1;
      const header = {
        flags: isTrain ? DATA_FLAG.train | (isLast ? DATA_FLAG.last : 0) : 0,
        trainIndex: isTrain ? i : 0,
        receiver: WORLD.sessions[peer],
        lane,
        sequence,
      };
      const body = encodeBody({ kind: 'frames', vni: WORLD.vni, entries });
      return { header, entries, bytes: sealDatagram(WORLD.key, header, body) };
    }),
  );
}

/** What passes of the arrivals, in order, and why the rest does not. */
function predict(arrivals: readonly (Datagram | null)[]): {
  arrived: Arrived[];
  reasons: string[];
} {
  const seen = new Set<string>();
  const arrived: Arrived[] = [];
  const reasons: string[] = [];
  for (const datagram of arrivals) {
    if (datagram === null) continue;
    const { header, entries } = datagram;
    const counter = `${header.receiver} ${header.lane} ${header.sequence}`;
    if (seen.has(counter)) {
      reasons.push('counter_replayed');
      continue;
    }
    seen.add(counter);
    for (const entry of entries) {
      if (entry.frame[11] === 9) reasons.push('source_mac_denied');
      else if (entry.frame[5] === 9) reasons.push('destination_unknown');
      else arrived.push({ entry, header });
    }
  }
  return { arrived, reasons };
}

/** One write against the frames that it must hold. Returns how many those are. */
function expectWrite(write: Write, arrived: readonly Arrived[], takesUso: boolean): number {
  const { parts, vnet, frame } = write;
  const held = arrived.slice(0, parts.length);
  expect(held.length, 'no frame is made up').toBe(parts.length);
  const isJoined = vnet.gsoType !== GSO.none;
  const isTrain = (held[0]?.header.flags ?? 0) !== 0;
  parts.forEach((part, i) => {
    const other = held[i]?.entry;
    if (other === undefined) throw new Error('counted above');
    expectSameFrame(part, other, isJoined && !isTrain && isAtomic(other.frame));
  });
  if (!isJoined) {
    expect(frame.length).toBe(held[0]?.entry.frame.length);
    return 1;
  }
  expect(parts.length).toBeGreaterThan(1);
  expect(vnet.gsoType !== GSO.udp || takesUso, 'USO where the port takes it').toBe(true);
  if (vnet.gsoType !== GSO.udp) {
    const flags = frame[vnet.checksumStart + 13] ?? 0;
    expect(flags & NEVER_JOINED, 'plain data only').toBe(0);
  }
  expectMayJoin(held);
  expect(
    equalBytes(frame, joinTrain(held.map(({ entry }) => entry))),
    'the join of the reference',
  ).toBe(true);
  return parts.length;
}

/** Segments of one session, alike in kind; of a train consecutive ones only. */
function expectMayJoin(held: readonly Arrived[]): void {
  held.forEach(({ header }, i) => {
    const before = held[i - 1]?.header;
    if (before === undefined) return;
    expect(header.receiver).toBe(before.receiver);
    expect(header.flags & DATA_FLAG.train).toBe(before.flags & DATA_FLAG.train);
    if ((header.flags & DATA_FLAG.train) === 0) return;
    expect(header.lane).toBe(before.lane);
    expect(header.sequence).toBe(before.sequence + 1n);
    expect(header.trainIndex).toBe(before.trainIndex + 1);
    expect(before.flags & DATA_FLAG.last, 'nothing behind the last').toBe(0);
  });
}

function judge(answer: Answer, arrivals: readonly (Datagram | null)[], takesUso: boolean): void {
  const { arrived, reasons } = predict(arrivals);
  expect(answer.drops).toEqual(tally(reasons));
  let done = 0;
  for (const { bytes } of answer.records) {
    done += expectWrite(readWrite(bytes), arrived.slice(done), takesUso);
  }
  expect(done, 'no frame is lost').toBe(arrived.length);
}

const END_OF_BATCH = new Uint8Array(0);

describe('datagrams from the socket', () => {
  let codec: Codec;
  beforeAll(() => {
    codec = new Codec();
  });
  afterAll(() => codec.stop());

  const deliver = (arrivals: readonly (Datagram | null)[], takesUso: boolean): Promise<Answer> =>
    codec.receive(
      takesUso,
      arrivals.map((datagram) => datagram?.bytes ?? END_OF_BATCH),
    );

  it(
    'reach the TAP frame by frame, whatever the network lost, repeated or reordered',
    async () => {
      await fc.assert(
        fc.asyncProperty(traffic, fates, fc.boolean(), async (batches, chosen, takesUso) => {
          const arrivals = travel(sealAll(batches), chosen);
          judge(await deliver(arrivals, takesUso), arrivals, takesUso);
        }),
        runs(),
      );
    },
    timeoutMs,
  );

  it(
    'of an undisturbed train are written as the super-frame that was sent',
    async () => {
      const plainData = shapesOf(1, 64_000).filter(
        (shape) =>
          !isRouted(shape) &&
          (shape.transport.kind === 'udp' || (shape.transport.flags & NEVER_JOINED) === 0),
      );
      await fc.assert(
        fc.asyncProperty(plainData, fc.integer({ min: 1, max: 64_000 }), async (shape, wanted) => {
          const built = buildFrame(shape);
          // A super-frame holds 128 segments, and is one from two segments on.
          const bytes = Math.max(
            Math.ceil(shape.payload.length / 128),
            Math.min(wanted, shape.payload.length - 1),
            1,
          );
          fc.pre(shape.payload.length > bytes);
          const bodies = splitTrain(built.frame, bytes).map((entry) => [entry]);
          const answer = await deliver(
            sealAll([{ peer: 1, lane: 0, isTrain: true, bodies }]),
            true,
          );
          const writes = answer.records.map((record) => readWrite(record.bytes));
          expect(writes).toHaveLength(1);
          expect(writes[0]?.vnet).toEqual(vnetOf(built, bytes));
          expect(equalBytes(writes[0]?.frame ?? END_OF_BATCH, built.frame)).toBe(true);
        }),
        runs(0.5),
      );
    },
    timeoutMs,
  );
});
