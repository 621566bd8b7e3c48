/**
 * Sessions of a data path that runs alone: what a host with the keys may send, in whatever order,
 * from wherever, under whichever session. The other host is the reference implementation.
 */
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CHECKOUT, waitFor } from '@etherloom/lab';
import { encodeBody } from '../../packages/core/src/data-codec/body.ts';
import { sealDatagram } from '../../packages/core/src/data-codec/datagram.ts';
import { TABLE_KIND } from '../../packages/core/src/datapath-control/messages.ts';
import { concat, macOf, patterned } from '../differential/frames.ts';
import { readCounters } from './control-client.ts';
import { PAIR_PEER, PAIR_PORT, PAIR_VNI, makePair, type DataPathPair } from './data-path-pair.ts';
import { moveStream } from './stream.ts';

const SEND_DATAGRAMS = fileURLToPath(new URL('tools/send-datagrams.ts', import.meta.url));
const LANES = 3;
const REPLAY_WINDOW = 8_192n;
const STREAM_BYTES = 300_000_000;
const EEXIST = 17;

const keyOf = (label: string): Uint8Array =>
  new Uint8Array(createHash('sha256').update(label).digest());

/** A frame of b to a, numbered. */
const frameOf = (number: number): Uint8Array =>
  concat(macOf(1), macOf(2), [0x88, 0xb5], patterned(50, number));

interface Place {
  readonly lane?: number;
  readonly sequence: bigint | number;
}

/** What the reference sends to a under a session. */
function datagramOf(session: number, key: Uint8Array, place: Place): Uint8Array {
  const { lane = 0, sequence } = place;
  const entry = { frame: frameOf(Number(sequence)), checksumStart: 0, checksumOffset: 0 };
  const body = encodeBody({ kind: 'frames', vni: PAIR_VNI, entries: [entry] });
  const header = {
    flags: 0,
    trainIndex: 0,
    receiver: session,
    lane,
    sequence: BigInt(sequence),
  };
  return sealDatagram(key, header, body);
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe('sessions of a data path', () => {
  let pair: DataPathPair;
  let nextId = 0x9000;
  let session = 0;

  beforeAll(async () => {
    pair = await makePair({ arguments: ['--workers', '3'] });
    await setDevice('down');
  });
  beforeEach(() => {
    session = nextId;
    nextId += 0x10;
  });
  afterAll(async () => {
    await pair?.dispose();
  });

  /** While it is down, b sends nothing of its own, and frames can be counted one by one. */
  const setDevice = (state: 'up' | 'down') =>
    pair.world.exec(pair.b.namespace, ['ip', 'link', 'set', 'dev', 'lm0', state]);
  const setSession = (id: number, key: Uint8Array, isOnReceive = true) =>
    pair.a.client.request('sessionSet', {
      localId: id,
      remoteId: id + 0x100_000,
      peer: PAIR_PEER,
      activation: isOnReceive ? 2 : 1,
      initiator: 0,
      receiveLanes: LANES,
      lifetimeMs: 600_000,
      sendKey: keyOf(`${id} from a`),
      receiveKey: key,
    });
  const deleteSession = (id: number) => pair.a.client.request('sessionDelete', { localId: id });

  /** Sends from one socket, in order. */
  async function send(datagrams: readonly Uint8Array[]): Promise<void> {
    await pair.world.exec(
      pair.b.namespace,
      [CHECKOUT.node, SEND_DATAGRAMS, pair.a.underlay, String(PAIR_PORT)],
      { input: datagrams.map((bytes) => Buffer.from(bytes).toString('hex')).join('\n') },
    );
  }

  /** Sends, and expects that this is all that is counted of it. */
  async function expectOutcome(
    datagrams: readonly Uint8Array[],
    outcome: Readonly<Record<string, number>>,
  ): Promise<void> {
    const names = ['receivedFrames', ...REASONS];
    const before = await readCounters(pair.a.client);
    await send(datagrams);
    const counts = await waitFor('all datagrams to be counted', async () => {
      const after = await readCounters(pair.a.client);
      const rises = names.map((name) => [name, (after[name] ?? 0) - (before[name] ?? 0)] as const);
      const risen = rises.filter(([, rise]) => rise !== 0);
      const total = risen.reduce((sum, [, rise]) => sum + rise, 0);
      return total >= datagrams.length ? Object.fromEntries(risen) : null;
    });
    expect(counts).toEqual(outcome);
  }

  async function activeId(): Promise<number> {
    for (const entry of await pair.a.client.request('dump', { kind: TABLE_KIND.session }))
      if (entry.name === 'sessionEntry' && entry.values.active === 1) return entry.values.localId;
    return 0;
  }

  test('an id in use is refused, and keeps its keys and its window', async () => {
    const [first, second] = [keyOf('first'), keyOf('second')];
    await setSession(session, first);
    await expectOutcome([datagramOf(session, first, { sequence: 0 })], { receivedFrames: 1 });
    await expect(setSession(session, second)).rejects.toThrow(`errno ${EEXIST}`);
    await expectOutcome(
      [
        datagramOf(session, second, { sequence: 5 }),
        datagramOf(session, first, { sequence: 0 }),
        datagramOf(session, first, { sequence: 1 }),
      ],
      { seal_invalid: 1, counter_replayed: 1, receivedFrames: 1 },
    );
  });

  test('an id that was deleted and set again opens nothing of the former session', async () => {
    const [former, latter] = [keyOf('former'), keyOf('latter')];
    const old = [0, 1, 2, 3].map((sequence) => datagramOf(session, former, { sequence }));
    await setSession(session, former);
    await expectOutcome(old.slice(0, 2), { receivedFrames: 2 });
    await deleteSession(session);
    await expectOutcome(old, { session_unknown: 4 });
    await setSession(session, latter);
    await expectOutcome(old, { seal_invalid: 4 });
    const fresh = [0, 1].map((sequence) => datagramOf(session, latter, { sequence }));
    await expectOutcome(fresh, { receivedFrames: 2 });
  });

  test('each lane has a window of its own, and other lanes are refused', async () => {
    const key = keyOf('lanes');
    await setSession(session, key);
    const all = upTo(LANES).flatMap((lane) =>
      upTo(50).map((sequence) => datagramOf(session, key, { lane, sequence })),
    );
    await expectOutcome(all.toReversed(), { receivedFrames: all.length });
    await expectOutcome(all, { counter_replayed: all.length });
    await expectOutcome([datagramOf(session, key, { lane: LANES, sequence: 0 })], {
      counter_invalid: 1,
    });
    // One lane far ahead leaves the others where they are.
    const far = 3n * REPLAY_WINDOW;
    await expectOutcome(
      [
        datagramOf(session, key, { lane: 1, sequence: far }),
        datagramOf(session, key, { lane: 1, sequence: far - REPLAY_WINDOW }),
        datagramOf(session, key, { lane: 1, sequence: far - REPLAY_WINDOW + 1n }),
        datagramOf(session, key, { lane: 0, sequence: 60 }),
        datagramOf(session, key, { lane: 2, sequence: 60 }),
      ],
      { receivedFrames: 4, counter_too_old: 1 },
    );
  });

  test('a datagram that comes from many senders at once is delivered once', async () => {
    const key = keyOf('workers');
    const senders = 6;
    await setSession(session, key);
    const all = upTo(1_500).map((sequence) => datagramOf(session, key, { sequence }));
    const before = await readCounters(pair.a.client);
    await Promise.all(upTo(senders).map(() => send(all)));
    const rise = await waitFor('all datagrams to be counted', async () => {
      const after = await readCounters(pair.a.client);
      const of = (name: string): number => (after[name] ?? 0) - (before[name] ?? 0);
      const counted = { frames: of('receivedFrames'), replayed: of('counter_replayed') };
      return counted.frames + counted.replayed === senders * all.length ? counted : null;
    });
    expect(rise).toEqual({ frames: all.length, replayed: (senders - 1) * all.length });
  });

  test('of two that race, the one that was set last is sent with; both are opened', async () => {
    const [earlier, later] = [session, session + 1];
    const [first, second] = [keyOf('earlier'), keyOf('later')];
    await setSession(earlier, first);
    await setSession(later, second);
    await send([datagramOf(later, second, { sequence: 0 })]);
    await waitFor('the later one to be active', async () => (await activeId()) === later);
    // The earlier one is used only then: it is opened, and does not take over.
    await expectOutcome(
      [
        datagramOf(earlier, first, { sequence: 0 }),
        datagramOf(later, second, { sequence: 1 }),
        datagramOf(earlier, first, { sequence: 1 }),
      ],
      { receivedFrames: 3 },
    );
    expect(await activeId()).toBe(later);
    await deleteSession(later);
    expect(await activeId()).toBe(earlier);
    await expectOutcome([datagramOf(later, second, { sequence: 2 })], { session_unknown: 1 });
    await deleteSession(earlier);
  });

  test('rekeys in the middle of trains lose and repeat nothing', async () => {
    const { a, b, world } = pair;
    await setDevice('up');
    const route = { from: a, to: b, address: b.ipv4, port: 7_300 };
    const counters = () => Promise.all([a, b].map((host) => readCounters(host.client)));
    const before = await counters();
    const moved = moveStream(world, route, STREAM_BYTES);
    let isMoved = false;
    void moved.finally(() => (isMoved = true));
    const former: number[] = [];
    for (let id = 0x20_000; !isMoved; id += 2) {
      await pair.rekey(id);
      await pair.activate();
      former.push(id);
    }
    expect((await moved).received).toEqual((await moved).sent);
    expect(former.length).toBeGreaterThan(5);
    const after = await counters();
    for (const reason of REASONS)
      expect(
        after.map((now, i) => (now[reason] ?? 0) - (before[i]?.[reason] ?? 0)),
        reason,
      ).toEqual([0, 0]);
    // Not before: what is on its way under a former session has to be opened, however late.
    for (const id of former.slice(0, -1)) await retire(id);
  });

  async function retire(id: number): Promise<void> {
    await pair.a.client.request('sessionDelete', { localId: id });
    await pair.b.client.request('sessionDelete', { localId: id + 1 });
  }

  test('without one, frames are counted and a session is asked for', async () => {
    const { a, b, world } = pair;
    for (const entry of await a.client.request('dump', { kind: TABLE_KIND.session }))
      if (entry.name === 'sessionEntry') await deleteSession(entry.values.localId);
    a.client.events.length = 0;
    const before = await readCounters(a.client);
    await world.tryExec(a.namespace, ['ping', '-c', '1', '-W', '1', b.ipv4]);
    await waitFor('the agent to be asked', () =>
      a.client.events.some((event) => event.name === 'sessionNeeded'),
    );
    expect((await readCounters(a.client))['session_missing']).toBeGreaterThan(
      before['session_missing'] ?? 0,
    );
  });
});

/** What may become of a datagram that is not delivered. */
const REASONS = [
  'session_unknown',
  'session_expired',
  'session_spent',
  'counter_invalid',
  'counter_replayed',
  'counter_too_old',
  'seal_invalid',
  'body_invalid',
] as const;
