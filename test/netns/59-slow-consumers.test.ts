/**
 * Whoever does not read, for however long: memory stays where it is, what is lost is counted under
 * its reason, and traffic is back when the reader is.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { signalProcess, waitFor, type Namespace } from '@etherloom/lab';
import { attach, readCounters } from './control-client.ts';
import { makePair, type DataPathPair, type PairHost } from './data-path-pair.ts';
import { buildFlood, sessionKeyOf, startFlood } from './flood.ts';
import { ping } from './ping.ts';
import { residentBytes } from './process-memory.ts';
import {
  buildScenario,
  ipv4Of,
  joinNetwork,
  pick,
  waitForPeers,
  type Membership,
  type Scenario,
} from './scenario.ts';

const PORT = 8002;
const PINGS = 20;
const RECOVERY_DEADLINE_MS = 10_000;
/** Buffers of the program itself are all there from the start. */
const GROWTH_BYTES_MAX = 8 * 1024 * 1024;
/** More than all queues between the two hosts hold together. */
const FILLING_BYTES = 64 * 1024 * 1024;
/**
 * Punts that found the queues towards the agent full. From then on it stays as it is for any time:
 * the queues are bounded by bytes.
 */
const UNREAD_PUNTS = 1_000;
/** Pings at the rate of a hundred a second, while the queues fill. */
const PINGS_MEANWHILE = 600;

describe('a data path', () => {
  let pair: DataPathPair;

  beforeAll(async () => {
    await buildFlood();
    pair = await makePair({ arguments: ['--workers', '2'] });
  });
  afterAll(async () => {
    await pair?.dispose();
  });

  const memoryOf = (host: PairHost): number => residentBytes(host.dataPath.identity.pid);

  /** Frames of UDP from one host to the other, more than fits anywhere. */
  async function fill(from: PairHost, to: PairHost): Promise<void> {
    const flood = await startFlood(pair.world, {
      kind: 'random',
      from: from.namespace,
      address: to.ipv4,
      port: 9,
    });
    await waitFor('the queues to be full', async () => (await queuedBytes(from)) > FILLING_BYTES);
    await flood.stop();
  }

  /** Bytes that the kernel took for the port of a host: handed over or lost. */
  async function queuedBytes(host: PairHost): Promise<number> {
    const { transmitted, dropped } = await linkOf(host, 'lm0');
    return transmitted + dropped * 100;
  }

  async function linkOf(
    host: PairHost,
    device: string,
  ): Promise<{ readonly transmitted: number; readonly dropped: number }> {
    const show = `ip -j -s link show dev ${device}`.split(' ');
    const { stdout } = await pair.world.exec(host.namespace, show);
    const [row] = JSON.parse(stdout) as [
      { readonly stats64: { readonly tx: { readonly bytes: number; readonly dropped: number } } },
    ]; // ip-link(8)
    return { transmitted: row.stats64.tx.bytes, dropped: row.stats64.tx.dropped };
  }

  const answersAgain = async (): Promise<void> => {
    await waitFor(
      'pings to pass again',
      async () => {
        const options = { count: PINGS, intervalSeconds: 0.01 };
        return (await ping(pair.world, pair.a, pair.b.ipv4, options)).received === PINGS;
      },
      { deadlineMs: RECOVERY_DEADLINE_MS },
    );
  };

  test('whose peer reads nothing goes on, and is heard when the peer is back', async () => {
    const { a, b } = pair;
    await answersAgain();
    const memory = [memoryOf(a), memoryOf(b)] as const;
    const before = await readCounters(a.client);
    const lostBefore = await lostInKernel(b.namespace);
    signalProcess(b.dataPath.identity, 'SIGSTOP');
    await fill(a, b);
    const after = await readCounters(a.client);
    expect(after['sentDatagrams']).toBeGreaterThan((before['sentDatagrams'] ?? 0) + 1_000);
    signalProcess(b.dataPath.identity, 'SIGCONT');
    await answersAgain();
    expect(await lostInKernel(b.namespace), 'counted by the kernel').toBeGreaterThan(lostBefore);
    expect(memoryOf(a) - memory[0]).toBeLessThan(GROWTH_BYTES_MAX);
    expect(memoryOf(b) - memory[1]).toBeLessThan(GROWTH_BYTES_MAX);
  });

  /** Datagrams that found the queue of a UDP socket full (RFC 4113 by /proc/net/snmp). */
  async function lostInKernel(namespace: Namespace): Promise<number> {
    const { stdout } = await pair.world.exec(namespace, ['cat', '/proc/net/snmp']);
    const [names = [], values = []] = stdout
      .split('\n')
      .filter((line) => line.startsWith('Udp:'))
      .map((line) => line.split(' '));
    return Number(values[names.indexOf('RcvbufErrors')]);
  }

  test('that does not read its port costs the host no memory, and reads on', async () => {
    const { a, b } = pair;
    const memory = memoryOf(a);
    const before = await linkOf(a, 'lm0');
    signalProcess(a.dataPath.identity, 'SIGSTOP');
    await fill(a, b);
    signalProcess(a.dataPath.identity, 'SIGCONT');
    await answersAgain();
    expect((await linkOf(a, 'lm0')).dropped, 'counted by the device').toBeGreaterThan(
      before.dropped,
    );
    expect(memoryOf(a) - memory).toBeLessThan(GROWTH_BYTES_MAX);
  });

  test('whose port takes nothing counts port_full, and delivers when it does', async () => {
    const { a, b, world } = pair;
    const device = (state: string) =>
      world.exec(b.namespace, ['ip', 'link', 'set', 'dev', 'lm0', state]);
    const before = await readCounters(b.client);
    await device('down');
    await ping(world, a, b.ipv4, { count: PINGS, intervalSeconds: 0.01 });
    await waitFor('the frames to be counted', async () => {
      const after = await readCounters(b.client);
      return (after['port_full'] ?? 0) >= (before['port_full'] ?? 0) + PINGS;
    });
    await device('up');
    await answersAgain();
  });

  test('whose line takes nothing counts send_failed, and sends when it does', async () => {
    const { a, b, world } = pair;
    const line = (state: string) =>
      world.exec(a.namespace, ['ip', 'link', 'set', 'dev', 'u0', state]);
    const before = await readCounters(a.client);
    await line('down');
    await ping(world, a, b.ipv4, { count: PINGS, intervalSeconds: 0.01 });
    await waitFor('the datagrams to be counted', async () => {
      const after = await readCounters(a.client);
      return (after['send_failed'] ?? 0) >= (before['send_failed'] ?? 0) + PINGS;
    });
    await line('up');
    await answersAgain();
  });

  test('whose send buffer is full counts send_failed, and sends when it has room', async () => {
    const { a, b, world } = pair;
    const queue = (...rest: readonly string[]) => world.exec(a.namespace, ['tc', 'qdisc', ...rest]);
    const before = await readCounters(a.client);
    const memory = memoryOf(a);
    // A line so slow, with a queue so long, that the socket has to wait.
    await queue('add', 'dev', 'u0', 'root', 'tbf', 'rate', '64kbit', 'burst', '70k', 'limit', '1g');
    const flood = await startFlood(world, {
      kind: 'random',
      from: a.namespace,
      address: b.ipv4,
      port: 9,
    });
    await waitFor(
      'datagrams to find no room',
      async () => {
        const after = await readCounters(a.client);
        return (after['send_failed'] ?? 0) > (before['send_failed'] ?? 0) + 10;
      },
      { deadlineMs: 60_000 },
    );
    await flood.stop();
    expect(memoryOf(a) - memory).toBeLessThan(GROWTH_BYTES_MAX);
    await queue('del', 'dev', 'u0', 'root');
    await answersAgain();
  });

  test('whose agent reads nothing forwards, counts agent_absent, and answers it later', async () => {
    const { a, b, world } = pair;
    const memory = memoryOf(b);
    const before = await readCounters(b.client);
    b.client.events.length = 0;
    b.client.pause();
    const flood = await startFlood(world, {
      kind: 'initiation',
      from: a.namespace,
      address: b.underlay,
      port: PORT,
      isSpoofed: true,
      rate: 6_000,
    });
    const meanwhile = await ping(world, a, b.ipv4, {
      count: PINGS_MEANWHILE,
      intervalSeconds: 0.01,
    });
    expect(meanwhile.received).toBeGreaterThan(PINGS_MEANWHILE / 2);
    const sent = (await flood.stop()).sent;
    b.client.resume();
    const after = await readCounters(b.client);
    const of = (name: string): number => (after[name] ?? 0) - (before[name] ?? 0);
    expect(of('agent_absent')).toBeGreaterThan(UNREAD_PUNTS);
    expect(of('agent_absent') + of('punt_limited')).toBeLessThanOrEqual(sent);
    expect(memoryOf(b) - memory).toBeLessThan(GROWTH_BYTES_MAX);
    b.client.close();
    b.client = await attach(b.socketPath);
    await answersAgain();
  });
});

describe('an agent that stands still', () => {
  let scenario: Scenario;
  let alpha: Membership;
  let beta: Membership;

  beforeAll(async () => {
    await buildFlood();
    scenario = await buildScenario({ underlay: 'ipv4' });
    const { agents } = scenario;
    const joined = await joinNetwork(scenario, { name: 'demo' }, [agents.alpha, agents.beta]);
    [alpha, beta] = joined.members as [Membership, Membership]; // one for each agent given
  });
  afterAll(async () => {
    await scenario?.world.dispose();
  });

  test('stops no traffic, costs no memory, and goes on where it stood', async () => {
    const before = await beta.agent.status();
    const datapath = before.datapath.pid ?? 0;
    const memory = {
      agent: residentBytes(beta.agent.process.identity.pid),
      datapath: residentBytes(datapath),
    };
    const flood = await startFlood(scenario.world, {
      kind: 'initiation',
      from: pick(scenario.namespaces, 'stranger'),
      address: ipv4Of('beta'),
      port: PORT,
      isSpoofed: true,
      rate: 10_000,
      key: await sessionKeyOf(scenario, 'beta'),
    });
    beta.agent.kill('SIGSTOP');
    const meanwhile = await ping(scenario.world, alpha.agent, beta.ipv4, {
      count: PINGS_MEANWHILE,
      intervalSeconds: 0.01,
    });
    await flood.stop();
    beta.agent.kill('SIGCONT');
    // A datagram that finds the socket's queue full is lost in the kernel, as on a line.
    expect(meanwhile.received).toBeGreaterThan(PINGS_MEANWHILE / 2);
    expect(residentBytes(datapath) - memory.datapath).toBeLessThan(GROWTH_BYTES_MAX);
    const after = await waitFor('the agent to answer', () => beta.agent.status(), {
      deadlineMs: RECOVERY_DEADLINE_MS,
    });
    expect(after.drops['agent_absent'] ?? 0).toBeGreaterThan(
      (before.drops['agent_absent'] ?? 0) + UNREAD_PUNTS,
    );
    expect(after.datapath).toMatchObject({ pid: datapath, restarts: 0 });
    await waitForPeers([alpha.agent, beta.agent], RECOVERY_DEADLINE_MS);
    const growth = residentBytes(beta.agent.process.identity.pid) - memory.agent;
    expect(growth).toBeLessThan(8 * GROWTH_BYTES_MAX);
    await waitFor('all pings to be answered', async () => {
      const options = { count: PINGS };
      return (await ping(scenario.world, alpha.agent, beta.ipv4, options)).received === PINGS;
    });
  });
});
