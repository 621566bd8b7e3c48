/** What a stranger on the underlay may send: it changes nothing but a drop counter. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHECKOUT, signalProcess, waitFor } from '@etherloom/lab';
import { startCapture } from './capture.ts';
import { ping } from './ping.ts';
import {
  buildScenario,
  hostDrops,
  ipv4Of,
  joinNetwork,
  pick,
  waitForPeers,
  type Membership,
  type Scenario,
} from './scenario.ts';

const SEND_DATAGRAMS = fileURLToPath(new URL('tools/send-datagrams.ts', import.meta.url));
const PORT = 8002;
const DATA = 0xe0;
const INITIATION = 0xe1;
const HEADER_BYTES = 16;
const TAG_BYTES = 16;
const CAPTURED_MIN = 20;
/** A sealed ping is longer than this, a keepalive shorter. */
const PING_BYTES_MIN = 100;

describe('datagrams of a stranger', () => {
  let scenario: Scenario;
  let alpha: Membership;
  let beta: Membership;
  let captured: readonly Uint8Array[];

  beforeAll(async () => {
    scenario = await buildScenario({ underlay: 'ipv4' });
    const { agents, world } = scenario;
    const capture = await startCapture(
      world,
      pick(scenario.namespaces, 'beta'),
      'eth0',
      `udp port ${PORT} and src host ${ipv4Of('alpha')}`,
    );
    const joined = await joinNetwork(scenario, { name: 'demo' }, [agents.alpha, agents.beta]);
    [alpha, beta] = joined.members as [Membership, Membership]; // one for each agent given
    await ping(world, alpha.agent, beta.ipv4, { count: 2 * CAPTURED_MIN, intervalSeconds: 0.01 });
    captured = await capture.stop();
  });

  /** The datagrams of an initiation of alpha's, which a fresh data path of it brings about. */
  async function captureInitiation(): Promise<readonly Uint8Array[]> {
    const capture = await startCapture(
      scenario.world,
      pick(scenario.namespaces, 'beta'),
      'eth0',
      `udp port ${PORT} and src host ${ipv4Of('alpha')}`,
    );
    const dataPath = await alpha.agent.dataPath();
    if (dataPath !== null) signalProcess(dataPath, 'SIGKILL');
    await waitFor('alpha to initiate', async () => {
      const result = await ping(scenario.world, alpha.agent, beta.ipv4, { count: 1 });
      return result.received === 1;
    });
    return (await capture.stop()).filter(([type]) => type === INITIATION);
  }

  afterAll(async () => {
    await scenario?.world.dispose();
  });

  const dataDatagrams = (): readonly Uint8Array[] =>
    captured
      .filter(({ 0: type, length }) => type === DATA && length > PING_BYTES_MIN)
      .slice(-CAPTURED_MIN);

  /** Sends them to beta and tells how its counters moved, once all were counted. */
  async function sendToBeta(
    datagrams: readonly Uint8Array[],
    reasons: readonly string[],
  ): Promise<Record<string, number>> {
    const { world } = scenario;
    const before = await hostDrops(beta.agent);
    const framesBefore = await receivedBytes(beta);
    await world.exec(
      pick(scenario.namespaces, 'stranger'),
      [CHECKOUT.node, SEND_DATAGRAMS, ipv4Of('beta'), String(PORT)],
      { input: datagrams.map((bytes) => Buffer.from(bytes).toString('hex')).join('\n') },
    );
    const moved = await waitFor(
      `beta to count ${datagrams.length} drops as ${reasons.join(' or ')}`,
      async () => {
        const after = await hostDrops(beta.agent);
        const growth = Object.fromEntries(
          reasons.map((reason) => [reason, after(reason) - before(reason)]),
        );
        return sum(growth) >= datagrams.length ? growth : null;
      },
    );
    expect(sum(moved)).toBe(datagrams.length);
    expect(await receivedBytes(beta)).toBe(framesBefore);
    return moved;
  }

  test('a replayed datagram is dropped as replayed', async () => {
    const datagrams = dataDatagrams();
    expect(datagrams.length).toBe(CAPTURED_MIN);
    await sendToBeta([...datagrams, ...datagrams], ['counter_replayed']);
  });

  test('a truncated datagram is dropped at every length', async () => {
    const [datagram] = dataDatagrams() as [Uint8Array]; // counted above
    const lengths = Array.from({ length: datagram.length - 1 }, (_, i) => i + 1);
    const moved = await sendToBeta(
      lengths.map((length) => datagram.slice(0, length)),
      ['datagram_too_short', 'counter_replayed', 'seal_invalid'],
    );
    expect(moved['datagram_too_short']).toBe(HEADER_BYTES + TAG_BYTES - 1);
  });

  test('a datagram with any one bit flipped is dropped', async () => {
    const [datagram] = dataDatagrams() as [Uint8Array]; // counted above
    const flips = Array.from({ length: datagram.length * 8 }, (_, bit) => {
      const copy = datagram.slice();
      const at = bit >> 3;
      copy[at] = (copy[at] ?? 0) ^ (1 << (bit & 7));
      return copy;
    }).filter((copy) => !(copy[0] === INITIATION || copy[0] === 0xe2));
    const moved = await sendToBeta(flips, [
      'header_invalid',
      'session_unknown',
      'counter_invalid',
      'counter_replayed',
      'counter_too_old',
      'seal_invalid',
    ]);
    expect(moved['header_invalid']).toBeGreaterThanOrEqual(12);
    expect(moved['session_unknown']).toBe(32);
  });

  test('a fresh counter under a wrong seal is dropped as such and does not move the window', async () => {
    const [datagram] = dataDatagrams() as [Uint8Array]; // counted above
    const forged = Array.from({ length: 50 }, (_, i) => {
      const copy = datagram.slice();
      new DataView(copy.buffer).setBigUint64(8, (1n << 40n) + BigInt(i));
      return copy;
    });
    const moved = await sendToBeta(forged, ['seal_invalid']);
    expect(moved['seal_invalid']).toBe(50);
    const result = await ping(scenario.world, alpha.agent, beta.ipv4, {
      count: 20,
      intervalSeconds: 0.01,
    });
    expect(result.received).toBe(20);
  });

  test('a replayed initiation changes no session', async () => {
    const initiations = await captureInitiation();
    expect(initiations.length).toBeGreaterThan(0);
    await waitForPeers([alpha.agent, beta.agent]);
    const before = await beta.agent.loomJson(['peers']);
    await scenario.world.exec(
      pick(scenario.namespaces, 'stranger'),
      [CHECKOUT.node, SEND_DATAGRAMS, ipv4Of('beta'), String(PORT)],
      {
        input: Array.from({ length: 20 }, () => initiations)
          .flat()
          .map((bytes) => Buffer.from(bytes).toString('hex'))
          .join('\n'),
      },
    );
    const result = await ping(scenario.world, alpha.agent, beta.ipv4, {
      count: 100,
      intervalSeconds: 0.01,
    });
    expect(result.received).toBe(100);
    expect(stable(await beta.agent.loomJson(['peers']))).toEqual(stable(before));
  });
});

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}

async function receivedBytes(member: Membership): Promise<number> {
  const { stdout } = await member.agent.loom(['status', '--json']);
  // agentStatusSchema
  const status = JSON.parse(stdout) as { networks: readonly { receivedBytes: number }[] };
  return status.networks[0]?.receivedBytes ?? 0;
}

/** What of the peer list must not move: endpoint, handshakes, state. */
function stable(peers: unknown): unknown {
  const rows = (peers as { peers: readonly Record<string, unknown>[] }).peers; // peerRowSchema
  return rows.map(({ nodeId, endpoint, handshakes, state }) => ({
    nodeId,
    endpoint,
    handshakes,
    state,
  }));
}
