/**
 * The end of a session's counters: a rekey is asked for once, no sequence is ever used beyond the
 * limit or twice, and what cannot be sent any more is counted.
 */
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runs, timeoutMs } from './arbitraries.ts';
import { Codec, EVENT, sendLane } from './codec.ts';
import type { Answer } from './codec.ts';
import { TCP_FLAG, buildFrame, concat, encodeVnet, patterned, vnetOf } from './frames.ts';
import { openSent } from './judge.ts';

const REKEY_DATAGRAMS = 2n ** 32n;
const DATAGRAMS_MAX = 2n ** 32n + 2n ** 28n;
const SEGMENT_BYTES = 100;
const PEER = 1;

/** A super-frame that takes so many datagrams. */
function trainOf(segments: number): Uint8Array {
  const built = buildFrame({
    from: 1,
    to: PEER + 1,
    tags: [],
    network: {
      version: 4,
      trafficClass: 0,
      id: 1,
      dontFragment: true,
      options: new Uint8Array(0),
    },
    transport: {
      kind: 'tcp',
      sequence: 1,
      acknowledgement: 1,
      flags: TCP_FLAG.ack,
      options: new Uint8Array(0),
    },
    payload: patterned(segments * SEGMENT_BYTES),
  });
  return concat(encodeVnet(vnetOf(built, SEGMENT_BYTES)), built.frame);
}

const lengths = fc.array(fc.integer({ min: 2, max: 70 }), { minLength: 1, maxLength: 12 });
const before = fc.bigInt({ min: 0n, max: 200n });

describe('the counters of a session', () => {
  let codec: Codec;
  beforeAll(() => {
    codec = new Codec();
  });
  afterAll(() => codec.stop());

  const send = (trains: readonly number[], first: bigint): Promise<Answer> =>
    codec.transmit(1398, true, trains.map(trainOf), first);
  const sequences = (answer: Answer): bigint[] =>
    answer.records.map(({ bytes }) => {
      const { header } = openSent(bytes);
      expect(header.lane).toBe(sendLane(PEER));
      return header.sequence;
    });
  const count = (answer: Answer, kind: number): number =>
    answer.events.filter((event) => event.kind === kind && event.peer === PEER).length;

  it(
    'end at the limit: a train that does not fit is dropped whole and counted, and nothing wraps',
    async () => {
      await fc.assert(
        fc.asyncProperty(lengths, before, async (trains, left) => {
          const first = DATAGRAMS_MAX - left;
          const answer = await send(trains, first);
          let next = first;
          let dropped = 0;
          for (const train of trains) {
            if (next + BigInt(train) > DATAGRAMS_MAX) dropped++;
            else next += BigInt(train);
          }
          const expected = Array.from(
            { length: Number(next - first) },
            (_, i) => first + BigInt(i),
          );
          expect(sequences(answer)).toEqual(expected);
          expect(answer.drops).toEqual(dropped === 0 ? {} : { session_spent: dropped });
          expect(count(answer, EVENT.spent)).toBe(expected.length === 0 ? 0 : 1);
          expect(count(answer, EVENT.needed)).toBe(dropped === 0 ? 0 : 1);
        }),
        runs(0.2),
      );
    },
    timeoutMs,
  );

  it(
    'ask for a rekey once, when the first datagram beyond its mark is sent, and go on',
    async () => {
      await fc.assert(
        fc.asyncProperty(lengths, before, async (trains, left) => {
          const first = REKEY_DATAGRAMS - left;
          const answer = await send(trains, first);
          const total = BigInt(trains.reduce((sum, train) => sum + train, 0));
          expect(sequences(answer)).toHaveLength(Number(total));
          expect(answer.drops).toEqual({});
          expect(count(answer, EVENT.spent)).toBe(total > left ? 1 : 0);
        }),
        runs(0.2),
      );
    },
    timeoutMs,
  );

  it('stay spent: neither a frame nor a train leaves behind the limit', async () => {
    for (const first of [DATAGRAMS_MAX, DATAGRAMS_MAX + 5n, 2n ** 59n]) {
      const answer = await send([2, 70], first);
      expect(answer.records).toEqual([]);
      expect(answer.drops).toEqual({ session_spent: 2 });
    }
  });
});
