/**
 * A stranger floods beta's port as fast as it can. What must hold whatever it sends: traffic goes
 * on, the agent answers, memory stays flat, a host that joins gets its sessions, and what was
 * refused is counted under the right reason. How much throughput is left measures `make flood`.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startAgent, waitFor, type LabAgent } from '@etherloom/lab';
import { startCapture } from './capture.ts';
import { buildFlood, sessionKeyOf, startFlood, type FloodKind } from './flood.ts';
import { ping } from './ping.ts';
import { residentBytes } from './process-memory.ts';
import {
  buildScenario,
  createToken,
  ipv4Of,
  joinNetwork,
  joinWith,
  pick,
  waitForPeers,
  type Membership,
  type Scenario,
} from './scenario.ts';

const PORT = 8002;
/** Datagrams that have to have been refused before a flood is believed. */
const REFUSED_MIN = 20_000;
/** For an answer of the agent while everything competes for two cores. */
const ANSWER_DEADLINE_MS = 5_000;
const JOIN_DEADLINE_MS = 20_000;
/** Far below what the flood brings, far above what a heap breathes. */
const GROWTH_BYTES_MAX = 64 * 1024 * 1024;
const PINGS = 50;

interface FloodCase {
  readonly kind: FloodKind;
  readonly isSpoofed: boolean;
  /** Drop reasons of the data path, in one of which the flood must show. */
  readonly drops: readonly string[];
  /** Refusals of the agent, of which one must rise too. */
  readonly refusals: readonly string[];
  /** The data path answers some of it by cookie replies. */
  readonly isAnswered?: boolean;
}

const CASES: readonly FloodCase[] = [
  { kind: 'random', isSpoofed: false, drops: ['header_invalid'], refusals: [] },
  { kind: 'data', isSpoofed: false, drops: ['session_unknown', 'lobby_full'], refusals: [] },
  {
    kind: 'replay',
    isSpoofed: false,
    drops: ['counter_replayed', 'counter_too_old', 'session_unknown', 'lobby_full'],
    refusals: [],
  },
  {
    kind: 'initiation',
    isSpoofed: false,
    drops: ['punt_limited', 'lobby_full'],
    refusals: ['seal_invalid', 'cookie_required'],
    isAnswered: true,
  },
  {
    kind: 'initiation',
    isSpoofed: true,
    drops: ['punt_limited', 'lobby_full'],
    refusals: ['seal_invalid', 'cookie_required'],
    isAnswered: true,
  },
  {
    kind: 'guess',
    isSpoofed: true,
    drops: ['punt_limited', 'lobby_full'],
    refusals: ['seal_invalid', 'cookie_required'],
    isAnswered: true,
  },
  {
    kind: 'part',
    isSpoofed: true,
    drops: ['punt_limited', 'lobby_full'],
    refusals: ['part_invalid', 'cookie_required'],
    isAnswered: true,
  },
  {
    kind: 'response',
    isSpoofed: true,
    drops: ['punt_limited', 'lobby_full'],
    refusals: ['session_unmatched', 'cookie_required'],
    isAnswered: true,
  },
  {
    kind: 'handshake',
    isSpoofed: true,
    drops: ['punt_limited', 'lobby_full'],
    refusals: ['seal_invalid', 'session_unmatched', 'cookie_required'],
    isAnswered: true,
  },
  {
    kind: 'cookie',
    isSpoofed: false,
    drops: ['punt_limited', 'lobby_full'],
    refusals: ['session_unmatched'],
  },
];

describe('a flood', () => {
  let scenario: Scenario;
  let alpha: Membership;
  let beta: Membership;
  let captured: readonly Uint8Array[];
  let gamma: LabAgent;

  beforeAll(async () => {
    await buildFlood();
    scenario = await buildScenario({ underlay: 'ipv4', hosts: ['alpha', 'beta', 'gamma'] });
    const { agents, world } = scenario;
    gamma = agents.gamma;
    const capture = await startCapture(
      world,
      pick(scenario.namespaces, 'beta'),
      'eth0',
      `udp port ${PORT} and src host ${ipv4Of('alpha')}`,
    );
    const joined = await joinNetwork(scenario, { name: 'demo' }, [agents.alpha, agents.beta]);
    [alpha, beta] = joined.members as [Membership, Membership]; // one for each agent given
    await ping(world, alpha.agent, beta.ipv4, { count: PINGS, intervalSeconds: 0.01 });
    captured = await capture.stop();
  });
  afterAll(async () => {
    await scenario?.world.dispose();
  });

  /** Takes gamma off its network and gives it a fresh join, while the flood goes on. */
  const joinGamma = async (): Promise<void> => {
    const token = await createToken(scenario, { network: 'demo' });
    await joinWith(gamma, token, 'demo');
    await waitForPeers([gamma], JOIN_DEADLINE_MS);
    await waitFor('beta to see gamma up', async () => (await beta.agent.status()).peers.up === 2, {
      deadlineMs: JOIN_DEADLINE_MS,
    });
  };

  const sendGammaHome = async (): Promise<void> => {
    await gamma.loom(['leave', 'demo']);
    await waitFor(
      'the others to forget gamma',
      async () => (await beta.agent.status()).peers.total === 1,
    );
    // Another data path and another memory of ordinals: the next join is that of a fresh host.
    gamma.kill('SIGTERM');
    await gamma.process.exited;
    gamma = await startAgent(scenario.world, gamma.namespace, {
      label: gamma.label,
      stateDirectory: gamma.stateDirectory,
      socketPath: gamma.socketPath,
    });
  };

  const answers = async (): Promise<void> => {
    await waitFor('the agent to answer', () => beta.agent.loomJson(['status']), {
      deadlineMs: ANSWER_DEADLINE_MS,
    });
  };

  const memory = async (): Promise<{ agent: number; datapath: number }> => {
    const { pid } = (await beta.agent.status()).datapath;
    return {
      agent: residentBytes(beta.agent.process.identity.pid),
      datapath: residentBytes(pid ?? 0),
    };
  };

  const sumOf = (counts: Readonly<Record<string, number>>, reasons: readonly string[]): number =>
    reasons.reduce((sum, reason) => sum + (counts[reason] ?? 0), 0);

  test.each(CASES)(
    'of $kind (spoofed: $isSpoofed) is counted, and stops nobody',
    async ({ kind, isSpoofed, drops, refusals, isAnswered = false }) => {
      const before = await beta.agent.status();
      const memoryBefore = await memory();
      const flood = await startFlood(scenario.world, {
        kind,
        isSpoofed,
        from: pick(scenario.namespaces, 'stranger'),
        address: ipv4Of('beta'),
        port: PORT,
        key: await sessionKeyOf(scenario, 'beta'),
        datagrams: captured,
      });
      await answers();
      await joinGamma();
      await waitFor('the flood to be counted', async () => {
        const { drops: now } = await beta.agent.status();
        return sumOf(now, drops) - sumOf(before.drops, drops) >= REFUSED_MIN;
      });
      const pinged = await ping(scenario.world, alpha.agent, beta.ipv4, {
        count: PINGS,
        intervalSeconds: 0.02,
      });
      await flood.stop();
      // A datagram that finds the socket's queue full is lost in the kernel, as on a line.
      expect(pinged.received).toBeGreaterThan(PINGS / 2);
      const after = await beta.agent.status();
      expect(after.datapath).toMatchObject({ pid: before.datapath.pid, restarts: 0 });
      if (refusals.length > 0) {
        const rise = sumOf(after.refusals, refusals) - sumOf(before.refusals, refusals);
        expect(rise, refusals.join()).toBeGreaterThan(0);
      }
      if (isAnswered) {
        const rise =
          sumOf(after.drops, ['cookie_required']) - sumOf(before.drops, ['cookie_required']);
        expect(rise, 'cookie replies').toBeGreaterThan(0);
      }
      const memoryAfter = await memory();
      expect(memoryAfter.agent - memoryBefore.agent).toBeLessThan(GROWTH_BYTES_MAX);
      expect(memoryAfter.datapath - memoryBefore.datapath).toBeLessThan(GROWTH_BYTES_MAX);
      await sendGammaHome();
    },
  );

  test('leaves sessions and endpoints of the members as they were', async () => {
    await waitForPeers([alpha.agent, beta.agent]);
    const rows = (await beta.agent.loomJson(['peers'])) as {
      peers: readonly { name: string; endpoint: string }[];
    }; // peerRowSchema
    expect(rows.peers).toMatchObject([{ name: 'alpha', endpoint: `${ipv4Of('alpha')}:${PORT}` }]);
    const quiet = await ping(scenario.world, alpha.agent, beta.ipv4, { count: PINGS });
    expect(quiet.received).toBe(PINGS);
  });
});
