/** The metrics endpoint of an agent, as a collector on its host sees it. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { agentStatusSchema, peerRowSchema } from '@etherloom/api';
import { startAgent, waitFor, type LabAgent } from '@etherloom/lab';
import { createUnixSender } from '@etherloom/transport';
import {
  parseExposition,
  type ParsedFamily,
} from '../../packages/agent/src/metrics/test-parser.ts';
import { FRAME_TOOL, buildFrameTool } from './frame-tool.ts';
import { ping } from './ping.ts';
import { buildScenario, joinNetwork, type Membership, type Scenario } from './scenario.ts';
import { moveStream } from './stream.ts';

const PINGS = 40;
const STREAM_BYTES = 64 * 1024 * 1024;

describe('the metrics of an agent', () => {
  let scenario: Scenario;
  let alpha: Membership;
  let beta: Membership;
  let betaAgent: LabAgent;
  let socketPath = '';

  beforeAll(async () => {
    await buildFrameTool();
    scenario = await buildScenario({ underlay: 'ipv4' });
    const { agents, world } = scenario;
    agents.beta.kill('SIGTERM');
    await agents.beta.process.exited;
    socketPath = join(world.directory, 'metrics.sock');
    const { label, namespace, stateDirectory } = agents.beta;
    betaAgent = await startAgent(world, namespace, {
      label,
      stateDirectory,
      socketPath: agents.beta.socketPath,
      metrics: `unix:${socketPath}`,
    });
    const joined = await joinNetwork(scenario, { name: 'demo' }, [agents.alpha, betaAgent]);
    [alpha, beta] = joined.members as [Membership, Membership]; // one for each agent given
  });
  afterAll(async () => {
    await scenario?.world.dispose();
  });

  const scrape = async (): Promise<Map<string, ParsedFamily>> => {
    const send = createUnixSender(socketPath, { timeoutMs: 10_000 });
    const { status, body } = await send({ method: 'GET', url: '/metrics', headers: {} });
    expect(status).toBe(200);
    return parseExposition(body);
  };
  const valueOf = (
    families: Map<string, ParsedFamily>,
    name: string,
    labels: Readonly<Record<string, string>> = {},
  ): number => {
    const samples = families.get(name)?.samples ?? [];
    const found = samples.find((sample) =>
      Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
    );
    return found?.value ?? Number.NaN;
  };

  test('are off unless asked for', async () => {
    const { stdout } = await scenario.world.exec(alpha.agent.namespace, [
      'ss',
      '--listening',
      '--tcp',
      '--numeric',
      '--no-header',
    ]);
    expect(stdout).toBe('');
  });

  test('are on a socket of root alone', () => {
    expect(statSync(socketPath).mode & 0o777).toBe(0o600);
  });

  test('rise with the traffic of a peer and of a network, and agree with loom status', async () => {
    const before = await scrape();
    await ping(scenario.world, alpha.agent, beta.ipv4, { count: PINGS, intervalSeconds: 0.01 });
    const after = await scrape();
    for (const [name, labels] of [
      ['etherloom_peer_received_frames_total', { node: 'alpha' }],
      ['etherloom_peer_sent_frames_total', { node: 'alpha' }],
      ['etherloom_network_received_frames_total', { network: 'demo' }],
      ['etherloom_host_received_frames_total', {}],
    ] as const) {
      const rise = valueOf(after, name, labels) - valueOf(before, name, labels);
      expect(rise, name).toBeGreaterThanOrEqual(PINGS);
    }
    const status = await betaAgent.status();
    const families = await scrape();
    expect(valueOf(families, 'etherloom_peers', { state: 'up' })).toBe(1);
    expect(valueOf(families, 'etherloom_peer_up', { node: 'alpha' })).toBe(1);
    expect(valueOf(families, 'etherloom_sessions')).toBe(status.peers.sessions);
    expect(valueOf(families, 'etherloom_controller_connected')).toBe(1);
    expect(valueOf(families, 'etherloom_datapath_resident_memory_bytes')).toBeGreaterThan(1e6);
    expect(valueOf(families, 'etherloom_network_received_bytes_total')).toBeGreaterThanOrEqual(
      status.networks[0]?.receivedBytes ?? Number.NaN,
    );
  });

  test('can be read while a stream runs, and never fall', async () => {
    const route = { from: alpha.agent, to: betaAgent, address: beta.ipv4, port: 7_100 };
    const moved = moveStream(scenario.world, route, STREAM_BYTES);
    let isMoved = false;
    void moved.finally(() => (isMoved = true));
    const values: number[] = [];
    await waitFor(
      'the stream to end',
      async () => {
        values.push(valueOf(await scrape(), 'etherloom_peer_received_bytes_total'));
        return isMoved;
      },
      { deadlineMs: 60_000 },
    );
    expect((await moved).received).toEqual((await moved).sent);
    expect(values).toEqual(values.toSorted((a, b) => a - b));
    expect(valueOf(await scrape(), 'etherloom_peer_received_bytes_total')).toBeGreaterThan(
      STREAM_BYTES,
    );
  });

  test('count what is dropped by reason, and have no label that a sender chose', async () => {
    const unknown = beta.ipv4.replace(/\.\d+$/, '.200');
    await ping(scenario.world, betaAgent, unknown, { count: 2 });
    const families = await scrape();
    expect(
      valueOf(families, 'etherloom_network_drops_total', { reason: 'neighbour_unknown' }),
    ).toBeGreaterThan(0);
    const labels = [...families.values()].flatMap(({ samples }) =>
      samples.flatMap((sample) => [sample.labels['node'], sample.labels['network']]),
    );
    expect(new Set(labels)).toEqual(new Set([undefined, 'alpha', 'demo']));
  });

  test('are those of loom status and loom peers: by network, by peer, by reason', async () => {
    const nobody = '020000000077';
    const frame = `${beta.mac.replaceAll(':', '')}${nobody}88b5${'aa'.repeat(46)}`;
    const send = [FRAME_TOOL, 'send', alpha.interface, frame, String(PINGS)];
    await scenario.world.exec(alpha.agent.namespace, send);
    const reason = 'source_mac_denied';
    await waitFor('the forged frames to be counted', async () => {
      const { drops } = agentStatusSchema.parse(await betaAgent.loomJson(['status']));
      return (drops[reason] ?? 0) >= PINGS;
    });
    const { networks } = agentStatusSchema.parse(await betaAgent.loomJson(['status']));
    const listed = await betaAgent.loomJson(['peers']);
    const { peers } = listed as { peers: readonly unknown[] }; // each is parsed
    const rows = peers.map((row) => peerRowSchema.parse(row));
    const families = await scrape();
    for (const [scope, row, labels] of [
      ['network', networks[0], { network: 'demo' }],
      ['peer', rows[0], { node: 'alpha' }],
    ] as const) {
      expect(row?.drops[reason], scope).toBe(PINGS);
      const drops = valueOf(families, `etherloom_${scope}_drops_total`, { ...labels, reason });
      expect(drops, scope).toBe(PINGS);
      for (const [counter, value] of [
        ['sent_frames', row?.sentFrames],
        ['sent_bytes', row?.sentBytes],
        ['received_frames', row?.receivedFrames],
        ['received_bytes', row?.receivedBytes],
      ] as const) {
        const name = `etherloom_${scope}_${counter}_total`;
        expect(value, name).toBeGreaterThan(PINGS);
        expect(valueOf(families, name, labels), name).toBeGreaterThanOrEqual(value ?? Number.NaN);
      }
    }
  });

  test('say that the data path was lost, and count on from zero', async () => {
    const dataPath = await betaAgent.dataPath();
    process.kill(dataPath?.pid ?? 0, 'SIGKILL');
    await waitFor('a restart to be counted', async () => {
      const families = await scrape();
      return (
        valueOf(families, 'etherloom_datapath_restarts_total') === 1 &&
        valueOf(families, 'etherloom_datapath_running') === 1
      );
    });
  });
});
