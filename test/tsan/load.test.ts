/**
 * Threads of the data path under load, watched by ThreadSanitizer: three hosts with three workers
 * each, streams and small packets both ways, a rekey every second, a host that joins and leaves, a
 * network that comes and goes, an agent that is killed, forged handshakes, counters that are read.
 * Any report fails.
 *
 *     make test-tsan
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startAgent, waitFor, type LabAgent } from '@etherloom/lab';
import { buildFlood, sessionKeyOf, startFlood } from '../netns/flood.ts';
import { ping } from '../netns/ping.ts';
import {
  buildScenario,
  createToken,
  joinNetwork,
  ipv4Of,
  joinWith,
  pick,
  waitForPeers,
  type Membership,
  type Scenario,
} from '../netns/scenario.ts';
import { moveStream } from '../netns/stream.ts';

const PROGRAM = fileURLToPath(new URL('datapath.sh', import.meta.url));
const STREAM_BYTES = 8 * 1024 * 1024;
const CHURNS = 2;
/** Forged handshakes a second: punts from several workers at once. */
const FORGED_RATE = 3_000;
const REKEY_MS = 1_000;
const WORKERS = 3;

let scenario: Scenario;

beforeAll(async () => {
  await buildFlood();
  scenario = await buildScenario({
    underlay: 'ipv4',
    hosts: ['alpha', 'beta', 'gamma'],
    agent: {
      datapathProgram: PROGRAM,
      workers: WORKERS,
      env: {
        LOOM_REKEY_MS: String(REKEY_MS),
        // Its own exit status would be taken for a crash while reports are still being gathered.
        TSAN_OPTIONS: 'exitcode=0:history_size=4:second_deadlock_stack=1',
      },
    },
  });
});
afterAll(async () => {
  await scenario?.world.dispose();
});

test('the data path has no data race under load, churn and rekeys', async () => {
  const { agents, world } = scenario;
  const { members } = await joinNetwork(scenario, { name: 'demo' }, [agents.alpha, agents.beta]);
  const [alpha, beta] = members as [Membership, Membership]; // one for each agent given
  const state = { isDone: false, beta: beta.agent };
  const streams = async (from: Membership, to: Membership, port: number): Promise<number> => {
    let moved = 0;
    while (!state.isDone) {
      const route = { from: from.agent, to: to.agent, address: to.ipv4, port: port + moved };
      const { sent, received } = await moveStream(world, route, STREAM_BYTES);
      expect(received).toEqual(sent);
      moved++;
    }
    return moved;
  };
  const packets = async (): Promise<void> => {
    while (!state.isDone)
      await ping(world, alpha.agent, beta.ipv4, { count: 200, intervalSeconds: 0.002 });
  };
  const readers = async (): Promise<void> => {
    await waitFor(
      'the churn to end',
      async () => {
        await Promise.all([alpha.agent.status(), alpha.agent.loomJson(['fdb'])]);
        return state.isDone;
      },
      { deadlineMs: 120_000 },
    );
  };
  const flood = await startFlood(world, {
    kind: 'handshake',
    isSpoofed: true,
    from: pick(scenario.namespaces, 'stranger'),
    address: ipv4Of('beta'),
    port: 8_002,
    key: await sessionKeyOf(scenario, 'beta'),
    rate: FORGED_RATE,
  });
  const churning = churn(state).finally(() => (state.isDone = true));
  const [there, back] = await Promise.all([
    streams(alpha, beta, 7_200),
    streams(beta, alpha, 7_400),
    packets(),
    readers(),
    churning,
  ]);
  await flood.stop();
  expect(Math.min(there, back)).toBeGreaterThan(0);
  const { peers } = (await alpha.agent.loomJson(['peers'])) as {
    peers: readonly { handshakes: number }[];
  }; // peerRowSchema
  expect(peers[0]?.handshakes).toBeGreaterThan(2);
  await stopAll([agents.alpha, state.beta, agents.gamma]);
  expect(reportsOf([agents.alpha, agents.beta, agents.gamma])).toBe('');
});

/** Tables change all the while: members, networks, sessions, and the agent itself. */
async function churn(state: { beta: LabAgent }): Promise<void> {
  const { agents, controller, world } = scenario;
  for (let round = 0; round < CHURNS; round++) {
    const name = `extra${round}`;
    await controller.client.call('networkCreate', { body: { name } });
    for (const network of ['demo', name]) {
      const uses = network === 'demo' ? 1 : 2;
      const token = await createToken(scenario, { network, uses });
      await joinWith(agents.gamma, token, network);
      if (uses === 2) await joinWith(agents.alpha, token, network);
    }
    await waitForPeers([agents.gamma]);
    for (const network of ['demo', name]) await agents.gamma.loom(['leave', network]);
    await agents.alpha.loom(['leave', name]);
    if (round !== 0) continue;
    state.beta.kill('SIGKILL');
    await state.beta.process.exited;
    const { label, namespace, stateDirectory, socketPath } = state.beta;
    state.beta = await startAgent(world, namespace, {
      label,
      stateDirectory,
      socketPath,
      datapathProgram: PROGRAM,
      workers: WORKERS,
      env: { LOOM_REKEY_MS: String(REKEY_MS) },
    });
  }
}

/** Ends agents in order, which ends their data paths: what those have found is in their logs. */
async function stopAll(agents: readonly LabAgent[]): Promise<void> {
  for (const agent of agents) {
    agent.kill('SIGTERM');
    expect((await agent.process.exited).status).toBe(0);
  }
}

function reportsOf(agents: readonly LabAgent[]): string {
  return agents
    .flatMap(({ stateDirectory }) =>
      readdirSync(stateDirectory)
        .filter((name) => name.startsWith('datapath.log'))
        .map((name) => readFileSync(join(stateDirectory, name), 'utf8')),
    )
    .flatMap((log) =>
      log.split('==================').filter((part) => part.includes('WARNING: Thread')),
    )
    .join('\n');
}
