/**
 * Random frames and what a network does to datagrams. Payloads are patterns: their length
 * matters, and that bytes stay in place.
 */
import * as fc from 'fast-check';
import { TCP_FLAG, concat, macOf, patterned } from './frames.ts';
import type { FrameShape, NetworkShape, Tag, TransportShape } from './frames.ts';

/** A counterexample shows patterns by length and start, not byte by byte. */
const pattern = (min: number, max: number): fc.Arbitrary<Uint8Array> =>
  fc.tuple(fc.integer({ min, max }), fc.nat(255)).map(([length, start]) =>
    Object.assign(patterned(length, start), {
      [fc.toStringMethod]: () => `patterned(${length}, ${start})`,
    }),
  );

const options = fc.integer({ min: 0, max: 10 }).chain((words) => pattern(words * 4, words * 4));

const tags: fc.Arbitrary<readonly Tag[]> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<readonly Tag[]>([]) },
  {
    weight: 2,
    arbitrary: fc.nat(0xffff).map((control): Tag[] => [{ etherType: 0x8100, control }]),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.nat(0xffff), fc.nat(0xffff)).map(([outer, inner]): Tag[] => [
      { etherType: 0x88a8, control: outer },
      { etherType: 0x8100, control: inner },
    ]),
  },
);

const ipv4: fc.Arbitrary<NetworkShape> = fc.record({
  version: fc.constant(4 as const),
  trafficClass: fc.nat(255), // ECN is its low two bits
  id: fc.nat(0xffff),
  dontFragment: fc.boolean(),
  options: fc.oneof({ weight: 3, arbitrary: fc.constant(new Uint8Array(0)) }, options),
});

/** With one to three addresses; its type and how many of them are left say where it goes. */
const routing = fc
  .tuple(fc.constantFrom(0, 2, 3, 4), fc.nat(3), fc.integer({ min: 1, max: 3 }))
  .chain(([type, left, addresses]) =>
    pattern(6 + addresses * 16, 6 + addresses * 16).map((rest) => {
      rest.set([type, left]);
      return { kind: 43 as const, options: rest };
    }),
  );

/** Mostly short; a long one moves the transport header beyond what one byte can name. */
const optional = fc.record({
  kind: fc.constantFrom(0 as const, 60 as const),
  options: fc
    .oneof(
      { weight: 9, arbitrary: fc.integer({ min: 1, max: 4 }) },
      fc.integer({ min: 5, max: 32 }),
    )
    .chain((units) => pattern(units * 8 - 2, units * 8 - 2)),
});

const extension = fc.oneof({ weight: 3, arbitrary: optional }, routing);

const ipv6: fc.Arbitrary<NetworkShape> = fc.record({
  version: fc.constant(6 as const),
  trafficClass: fc.nat(255),
  flow: fc.nat(0xfffff),
  extensions: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    fc.array(extension, { minLength: 1, maxLength: 3 }),
  ),
});

const tcpFlags = fc
  .tuple(
    fc.subarray([TCP_FLAG.psh, TCP_FLAG.fin, TCP_FLAG.ece, TCP_FLAG.cwr]),
    fc.oneof(
      { weight: 12, arbitrary: fc.constant(0) },
      fc.constantFrom(TCP_FLAG.syn, TCP_FLAG.rst, TCP_FLAG.urg),
    ),
  )
  .map(([some, rare]) => some.reduce((all, flag) => all | flag, TCP_FLAG.ack | rare));

const transport: fc.Arbitrary<TransportShape> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('tcp' as const),
      sequence: fc.oneof(fc.nat(0xffffffff), fc.constant(0xffffff00)),
      acknowledgement: fc.nat(0xffffffff),
      flags: tcpFlags,
      options,
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'udp' as const }) },
);

const payloadBytes = (max: number): fc.Arbitrary<Uint8Array> =>
  fc.oneof(
    { weight: 4, arbitrary: pattern(1, 64) },
    { weight: 4, arbitrary: pattern(1, 3000) },
    { weight: 1, arbitrary: pattern(Math.min(30_000, max), max) },
  );

/** A TCP or UDP frame with at most `payloadMax` bytes of payload. */
export const frameShape = (
  from: fc.Arbitrary<number>,
  to: fc.Arbitrary<number>,
  payloadMax: number,
): fc.Arbitrary<FrameShape> =>
  fc.record({
    from,
    to,
    tags,
    network: fc.oneof(ipv4, ipv6),
    transport,
    payload: payloadBytes(payloadMax),
  });

/** Bytes of payload in a segment, for a payload: from many segments to one. */
export const segmentBytes = (payload: number): fc.Arbitrary<number> =>
  fc
    .oneof(
      { weight: 3, arbitrary: fc.integer({ min: 1, max: 1460 }) },
      fc.constantFrom(1, 536, 1200, 1398, 8000),
      fc.integer({ min: 1, max: 65535 }),
    )
    .map((bytes) => Math.max(bytes, Math.ceil(payload / 250)));

/** A frame of no protocol that is looked into, from an Ethernet header alone to `max` bytes. */
export const plainFrame = (from: number, to: number, max: number): fc.Arbitrary<Uint8Array> =>
  fc
    .tuple(
      fc.oneof({ weight: 5, arbitrary: pattern(0, 100) }, pattern(0, max - 14)),
      fc.constantFrom(0x88b5, 0x88b6, 0x9000, 0x0000, 0xffff),
    )
    .map(([body, etherType]) =>
      concat(macOf(to), macOf(from), [etherType >> 8, etherType & 255], body),
    );

/** What happens to one datagram on its way. */
export interface Fate {
  readonly isLost: boolean;
  readonly isRepeated: boolean;
  /** Datagrams that overtake it. */
  readonly delay: number;
  /** The receiver's batch ends behind it. */
  readonly endsBatch: boolean;
}

const rarely = (weight: number): fc.Arbitrary<boolean> =>
  fc.oneof({ weight, arbitrary: fc.constant(false) }, fc.constant(true));

/** Fates of datagrams, used in turn; none of them happens to most. */
export const fates: fc.Arbitrary<Fate[]> = fc.array(
  fc.record({
    isLost: rarely(20),
    isRepeated: rarely(20),
    delay: fc.oneof({ weight: 15, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 9 })),
    endsBatch: rarely(20),
  }),
  { minLength: 1, maxLength: 60 },
);

/** The datagrams in the order in which they arrive; null where a batch ends. */
export function travel<T>(sent: readonly T[], chosen: readonly Fate[]): (T | null)[] {
  const arrivals: { at: number; what: T | null }[] = [];
  sent.forEach((what, i) => {
    const fate = chosen[i % chosen.length];
    if (fate === undefined || fate.isLost) return;
    arrivals.push({ at: i + fate.delay, what });
    if (fate.isRepeated) arrivals.push({ at: i + fate.delay * 2 + 0.25, what });
    if (fate.endsBatch) arrivals.push({ at: i + 0.5, what: null });
  });
  return arrivals.sort((a, b) => a.at - b.at).map(({ what }) => what);
}

const RUNS = Number(process.env['DIFFERENTIAL_RUNS'] ?? 1000);
const SEED = process.env['DIFFERENTIAL_SEED'];

/**
 * How many cases a property tries, as a share of DIFFERENTIAL_RUNS; fast-check prints the seed
 * when one fails.
 */
export const runs = (share = 1): fc.Parameters<unknown> => ({
  numRuns: Math.max(1, Math.round(RUNS * share)),
  ...(SEED === undefined ? {} : { seed: Number(SEED) }),
});

/** Longest a property may take: a fixed part, and 30 ms a case. */
export const timeoutMs = 60_000 + RUNS * 30;
