/**
 * What a data path does for whoever drives it by the control socket: counts by network and peer,
 * keeps to one agent, outlives it, lets go of what is gone.
 */
import { existsSync, readFileSync } from 'node:fs';
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { waitFor } from '@etherloom/lab';
import { decodeControl } from '../../packages/core/src/datapath-control/codec.ts';
import { TABLE_KIND } from '../../packages/core/src/datapath-control/messages.ts';
import { attach, ipBytes, macBytes, readCounters } from './control-client.ts';
import {
  PAIR_PEER,
  PAIR_VNI,
  makePair,
  makeTap,
  setPort,
  type DataPathPair,
  type PairOptions,
  type PairHost,
} from './data-path-pair.ts';
import { FRAME_TOOL, buildFrameTool } from './frame-tool.ts';
import { ping } from './ping.ts';
import { moveStream } from './stream.ts';

const PINGS = 20;
const EBUSY = 16;
const ENOENT = 2;
const STREAMS = 4;
const STREAM_BYTES = 50_000_000;
const FDB_ENTRIES = 100_000;
/** Of the clock of /proc, 100 a second: far from a core that spins, far above an idle one. */
const IDLE_TICKS_MAX = 20;

const WORLDS: readonly (PairOptions & { readonly title: string })[] = [
  { title: 'over IPv4', arguments: ['--workers', '3'] },
  {
    title: 'over IPv6, 9000 bytes, OpenSSL',
    underlay: 'ipv6',
    underlayMtuBytes: 9_000,
    arguments: ['--workers', '3', '--aead', 'openssl'],
  },
];

describe.each(WORLDS)('a data path alone $title', (options) => {
  let pair: DataPathPair;

  beforeAll(async () => {
    await buildFrameTool();
    pair = await makePair(options);
  });
  afterAll(async () => {
    await pair?.dispose();
  });

  const hex = (mac: string): string => mac.replaceAll(':', '');
  const inHost = (host: PairHost, ...argv: readonly string[]) =>
    pair.world.exec(host.namespace, argv);
  const sendFrame = (from: PairHost, frame: string) =>
    inHost(from, FRAME_TOOL, 'send', 'lm0', frame, '1');

  /** ping does not wait long for its last replies, so that a busy machine can make it miss some. */
  const passes = async (address: string, sizeBytes = 56): Promise<void> => {
    const options = { count: PINGS, intervalSeconds: 0.01, sizeBytes };
    await waitFor(`all pings to ${address} to be answered`, async () => {
      return (await ping(pair.world, pair.a, address, options)).received === PINGS;
    });
  };

  /** Waits until a counter is higher than before the act. */
  async function expectCounted(
    host: PairHost,
    counter: string,
    act: () => Promise<unknown>,
  ): Promise<void> {
    const before = (await readCounters(host.client))[counter] ?? Number.NaN;
    await act();
    await waitFor(`${counter} to rise`, async () => {
      return ((await readCounters(host.client))[counter] ?? 0) > before;
    });
  }

  test('passes pings of every size and family, link-local ones too', async () => {
    const { b, world } = pair;
    await passes(b.ipv4);
    await passes(b.ipv6);
    await passes(b.ipv4, 20_000); // fragments inside
    const show = 'ip -6 -o address show dev lm0 scope link'.split(' ');
    const { stdout } = await world.exec(b.namespace, show);
    const [, linkLocal = ''] = / (fe80::[0-9a-f:]+)\//.exec(stdout) ?? [];
    await passes(`${linkLocal}%lm0`);
  });

  test('moves streams of several workers at once, byte for byte', async () => {
    const { a, b, world } = pair;
    const moves = Array.from({ length: STREAMS }, (_, i) => {
      const [from, to] = i % 2 === 0 ? [a, b] : [b, a];
      const address = i < 2 ? to.ipv4 : to.ipv6;
      return moveStream(world, { from, to, address, port: 7_400 + i }, STREAM_BYTES);
    });
    for (const moved of await Promise.all(moves)) expect(moved.received).toEqual(moved.sent);
  });

  if (options.underlay === 'ipv6') return; // the rest does not depend on it

  test('counts by network and by peer what it counts in all', async () => {
    const { a, b, world } = pair;
    const scopes = () =>
      Promise.all([
        readCounters(a.client),
        readCounters(a.client, 'network', PAIR_VNI),
        readCounters(a.client, 'peer', PAIR_PEER),
      ]);
    const before = await scopes();
    await passes(b.ipv4);
    await world.exec(b.namespace, ['ip', 'link', 'set', 'dev', 'lm0', 'down']);
    await ping(world, a, b.ipv4, { count: PINGS, intervalSeconds: 0.01 });
    await world.exec(b.namespace, ['ip', 'link', 'set', 'dev', 'lm0', 'up']);
    await passes(b.ipv4);
    const after = await scopes();
    after.forEach((now, i) => {
      for (const name of ['sentFrames', 'sentBytes', 'receivedFrames', 'receivedBytes'])
        expect(now[name], name).toBeGreaterThanOrEqual((before[i]?.[name] ?? 0) + 2 * PINGS);
    });
    const sides = await Promise.all([
      readCounters(b.client, 'network', PAIR_VNI),
      readCounters(b.client, 'peer', PAIR_PEER),
    ]);
    for (const side of sides) expect(side['port_full']).toBeGreaterThanOrEqual(PINGS);
  });

  test("drops what is nobody's, and what is for another", async () => {
    const { a, b } = pair;
    const payload = `${hex(a.mac)}88b5${'aa'.repeat(46)}`;
    await expectCounted(a, 'unicast_unknown', () => sendFrame(a, `020000000077${payload}`));
    await expectCounted(b, 'receivedFrames', () => sendFrame(a, `ffffffffffff${payload}`));
    const entry = { generation: 1, vni: PAIR_VNI, peer: PAIR_PEER };
    await a.client.request('fdbSet', { ...entry, mac: macBytes('02:00:00:00:09:55') });
    await expectCounted(b, 'destination_unknown', () => sendFrame(a, `020000000955${payload}`));
  });

  test('refuses a second agent, and takes the next one', async () => {
    const { b } = pair;
    const second = connect(b.socketPath);
    const [chunk] = (await once(second, 'data')) as [Uint8Array]; // one message
    expect(decodeControl(new Uint8Array(chunk))).toMatchObject({
      name: 'error',
      values: { errno: EBUSY },
    });
    second.destroy();
    b.client.close();
    await passes(b.ipv4);
    b.client = await attach(b.socketPath);
    expect(await b.client.request('dump', { kind: TABLE_KIND.session })).not.toEqual([]);
  });

  test('says what is wrong with a request', async () => {
    const { a } = pair;
    const request = a.client.request('neighbourSet', {
      generation: 1,
      vni: PAIR_VNI,
      ip: ipBytes('10.9.0.9'),
      mac: macBytes(a.mac),
      peer: 99,
    });
    await expect(request).rejects.toThrow(`errno ${ENOENT}`);
  });

  test('is idle while its device is down or gone, and attaches again', async () => {
    const { b, world, mtuBytes } = pair;
    await inHost(b, 'ip', 'link', 'set', 'dev', 'lm0', 'down');
    await expectIdle(b);
    await inHost(b, 'ip', 'link', 'delete', 'dev', 'lm0');
    await waitFor('the port to be given up', async () => {
      return (await b.client.request('dump', { kind: TABLE_KIND.port })).length === 0;
    });
    await expectIdle(b);
    await makeTap(world, b.namespace, 'b', mtuBytes);
    await setPort(b, mtuBytes);
    await passes(b.ipv4);
  });

  /** Looks at its processor time around something that takes a second. */
  async function expectIdle(host: PairHost): Promise<void> {
    const ticks = (): number => {
      const { pid } = host.dataPath.identity;
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
      return Number(fields[11]) + Number(fields[12]);
    };
    const before = ticks();
    await inHost(host, 'ping', '-c', '6', '-i', '0.2', '127.0.0.1');
    expect(ticks() - before).toBeLessThanOrEqual(IDLE_TICKS_MAX);
  }

  test('takes 100,000 FDB entries and sweeps them', async () => {
    const { b } = pair;
    const kind = TABLE_KIND.fdb;
    const count = async () => (await b.client.request('dump', { kind })).length;
    const entry = { generation: 2, vni: 77, peer: PAIR_PEER };
    await Promise.all(
      Array.from({ length: FDB_ENTRIES }, (_, i) =>
        b.client.request('fdbSet', {
          ...entry,
          mac: Uint8Array.of(2, 1, 0, i >> 16, (i >> 8) & 255, i & 255),
        }),
      ),
    );
    expect(await count()).toBe(FDB_ENTRIES + 1);
    await b.client.request('sweep', { kind, generation: 1 });
    expect(await count()).toBe(1);
    await passes(b.ipv4);
  });

  test('ends on SIGTERM and takes its socket along', async () => {
    const { a } = pair;
    a.dataPath.kill('SIGTERM');
    expect((await a.dataPath.exited).status).toBe(0);
    expect(existsSync(a.socketPath)).toBe(false);
  });
});
