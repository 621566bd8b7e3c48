/**
 * No nonce is used twice under one key, whatever dies, restarts, is handed over or rolled back:
 * every datagram between two hosts is captured, and no session id ever shows a counter again with
 * other bytes (docs/design.md, "Why no nonce is used twice").
 */
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  CHECKOUT,
  readTail,
  signalProcess,
  startAgent,
  waitFor,
  type Background,
  type LabAgent,
} from '@etherloom/lab';
import { startCapture } from './capture.ts';
import { NonceLedger } from './nonce-ledger.ts';
import {
  buildScenario,
  joinNetwork,
  pick,
  waitForPeers,
  type Membership,
  type Scenario,
} from './scenario.ts';

const COURIER = fileURLToPath(new URL('../soak/courier.ts', import.meta.url));
const PORT = 8002;
const FLOWS = 4;
const BYTES_PER_SECOND = 400_000;
/** As often as an agent allows. */
const AGENT = { workers: 3, env: { LOOM_REKEY_MS: '1000' } } as const;
const HEAL_DEADLINE_MS = 30_000;

describe('nonces', () => {
  let scenario: Scenario;
  const members: Membership[] = [];
  const couriers: Background[] = [];

  beforeAll(async () => {
    scenario = await buildScenario({ underlay: 'ipv4', agent: AGENT });
    const { alpha, beta } = scenario.agents;
    // Segments as they are on a line, not as the kernel carries them between namespaces.
    const cut = 'ip link set dev eth0 gso_max_segs 1'.split(' ');
    for (const label of ['alpha', 'beta'])
      await scenario.world.exec(pick(scenario.namespaces, label), cut);
    members.push(...(await joinNetwork(scenario, { name: 'demo' }, [alpha, beta])).members);
  });
  afterAll(async () => {
    await scenario?.world.dispose();
  });

  /** Streams that check their bytes, from one host to the other, in several flows. */
  async function startCouriers(from: LabAgent, to: Membership): Promise<void> {
    for (let flow = 0; flow < FLOWS; flow++) {
      const port = 7_200 + flow;
      const seed = String(flow);
      const receiver = await scenario.world.spawn({
        label: `courier-to-${to.agent.label}-${flow}`,
        namespace: to.agent.namespace,
        argv: [CHECKOUT.node, COURIER, 'receive', to.ipv4, String(port)],
      });
      couriers.push(receiver);
      await scenario.world.spawn({
        label: `courier-from-${from.label}-${flow}`,
        namespace: from.namespace,
        argv: [CHECKOUT.node, COURIER, 'send', to.ipv4, String(port), seed, `${BYTES_PER_SECOND}`],
      });
    }
  }

  const delivered = (courier: Background): number => {
    const line = readTail(courier.outputPath, 1);
    if (!line.startsWith('{')) return 0;
    return (JSON.parse(line) as { tcpBytes: number }).tcpBytes; // of courier.ts
  };

  /** Waits until every stream has moved on since the call. */
  async function streamsMove(): Promise<void> {
    const before = couriers.map(delivered);
    await waitFor(
      'all streams to move',
      () => couriers.every((courier, i) => delivered(courier) > (before[i] ?? 0) + 50_000),
      { deadlineMs: HEAL_DEADLINE_MS },
    );
    for (const courier of couriers) courier.assertRunning();
  }

  const restart = (agent: LabAgent): Promise<LabAgent> =>
    startAgent(scenario.world, agent.namespace, {
      ...AGENT,
      label: agent.label,
      stateDirectory: agent.stateDirectory,
      socketPath: agent.socketPath,
    });

  async function killDataPath(agent: LabAgent): Promise<void> {
    const dataPath = await agent.dataPath();
    if (dataPath === null) throw new Error(`${agent.label} has no data path`);
    signalProcess(dataPath, 'SIGKILL');
  }

  async function endAgent(agent: LabAgent, signal: NodeJS.Signals): Promise<void> {
    agent.kill(signal);
    await agent.process.exited;
  }

  test('are never repeated on the wire', async () => {
    const { world } = scenario;
    const [alphaMember, betaMember] = members as [Membership, Membership]; // joined above
    let { alpha, beta } = scenario.agents;
    const clone = join(world.directory, 'beta-clone');
    const device = { namespace: pick(scenario.namespaces, 'beta'), name: 'eth0' };
    const filter = `udp port ${PORT}`;
    const capture = await startCapture(world, device.namespace, device.name, filter);
    await startCouriers(alpha, betaMember);
    await startCouriers(beta, alphaMember);
    await streamsMove();

    // Rekeys while trains are on their way.
    const rekeyed = await handshakesOf(alpha);
    await waitFor('rekeys', async () => (await handshakesOf(alpha)) >= rekeyed + 3, {
      deadlineMs: HEAL_DEADLINE_MS,
    });
    // A disk that will be put back.
    cpSync(beta.stateDirectory, clone, { recursive: true });
    // The agent dies; its successor adopts sessions and takes the data path over.
    await endAgent(beta, 'SIGKILL');
    beta = await restart(beta);
    await streamsMove();
    await endAgent(alpha, 'SIGUSR2');
    alpha = await restart(alpha);
    await streamsMove();
    // The data path dies alone, and with its agent.
    await killDataPath(beta);
    await waitForPeers([alpha, beta], HEAL_DEADLINE_MS);
    await streamsMove();
    await killDataPath(alpha);
    await endAgent(alpha, 'SIGKILL');
    alpha = await restart(alpha);
    await streamsMove();
    // A host comes back from an old copy of its disk.
    await endAgent(beta, 'SIGTERM');
    rmSync(beta.stateDirectory, { recursive: true });
    cpSync(clone, beta.stateDirectory, { recursive: true });
    beta = await restart(beta);
    await waitForPeers([alpha, beta], HEAL_DEADLINE_MS);
    await streamsMove();

    const ledger = new NonceLedger();
    for (const datagram of await capture.stop()) ledger.add(datagram);
    expect(
      ledger.repeated.slice(0, 5),
      'session, counter: other bytes under the same nonce',
    ).toEqual([]);
    expect(ledger.ephemeralsShared.slice(0, 5), 'one ephemeral key in two sessions').toEqual([]);
    // The capture is one that could have shown it.
    expect(ledger.datagrams).toBeGreaterThan(10_000);
    expect(ledger.sessions).toBeGreaterThan(10);
    expect(ledger.lanes).toBeGreaterThan(1);
  });
});

async function handshakesOf(agent: LabAgent): Promise<number> {
  const { peers } = (await agent.loomJson(['peers'])) as {
    peers: readonly { handshakes: number }[];
  }; // peerRowSchema
  return peers[0]?.handshakes ?? 0;
}
