/** What may die or move without the others noticing. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { signalProcess, startAgent, startController, waitFor, type LabAgent } from '@etherloom/lab';
import { ping } from './ping.ts';
import {
  buildScenario,
  ipv4Of,
  joinNetwork,
  pick,
  waitForPeers,
  type Membership,
  type Scenario,
} from './scenario.ts';

/** Pings of one watch: long enough to see a death and the recovery. */
const WATCH_PINGS = 300;
const WATCH_INTERVAL_SECONDS = 0.02;
const HEAL_DEADLINE_MS = 2_000;

describe('survival', () => {
  let scenario: Scenario;
  let alpha: Membership;
  let beta: Membership;
  /** The running agent of each host; tests replace them. */
  let alphaAgent: LabAgent;
  let betaAgent: LabAgent;

  beforeAll(async () => {
    scenario = await buildScenario({ underlay: 'ipv4' });
    alphaAgent = scenario.agents.alpha;
    betaAgent = scenario.agents.beta;
    const joined = await joinNetwork(scenario, { name: 'demo' }, [alphaAgent, betaAgent]);
    [alpha, beta] = joined.members as [Membership, Membership]; // one for each agent given
  });
  beforeEach(async () => {
    await waitForPeers([alphaAgent, betaAgent]);
  });
  afterAll(async () => {
    await scenario?.world.dispose();
  });

  const watch = () =>
    ping(scenario.world, alphaAgent, beta.ipv4, {
      count: WATCH_PINGS,
      intervalSeconds: WATCH_INTERVAL_SECONDS,
    });

  const restart = (agent: LabAgent): Promise<LabAgent> =>
    startAgent(scenario.world, agent.namespace, {
      label: agent.label,
      stateDirectory: agent.stateDirectory,
      socketPath: agent.socketPath,
    });

  test('killing the agent loses no ping, and its successor takes the data path over', async () => {
    const before = await betaAgent.dataPath();
    const watching = watch();
    betaAgent.kill('SIGKILL');
    await betaAgent.process.exited;
    betaAgent = await restart(betaAgent);
    const result = await watching;
    expect(result).toMatchObject({ sent: WATCH_PINGS, received: WATCH_PINGS });
    expect(await betaAgent.dataPath()).toEqual(before);
    await waitForPeers([alphaAgent, betaAgent]);
    const { networks } = await betaAgent.status();
    expect(networks).toMatchObject([{ name: 'demo', interface: beta.interface, mac: beta.mac }]);
  });

  test('an agent that hands over leaves traffic as it was', async () => {
    const watching = watch();
    alphaAgent.kill('SIGUSR2');
    expect((await alphaAgent.process.exited).status).toBe(0);
    alphaAgent = await restart(alphaAgent);
    expect((await watching).received).toBe(WATCH_PINGS);
  });

  test('killing the data path heals in under two seconds', async () => {
    const dataPath = await betaAgent.dataPath();
    const watching = watch();
    expect(dataPath).not.toBeNull();
    if (dataPath !== null) signalProcess(dataPath, 'SIGKILL');
    const killedAt = Date.now() / 1_000;
    const { repliesAt } = await watching;
    const next = repliesAt.find((at) => at > killedAt + WATCH_INTERVAL_SECONDS);
    expect(next, 'first reply after the kill').toBeLessThan(killedAt + HEAL_DEADLINE_MS / 1_000);
    const { datapath } = await betaAgent.status();
    expect(datapath).toMatchObject({ running: true, restarts: 1 });
    expect(datapath.pid).not.toBe(dataPath?.pid);
  });

  test('a host whose address changes is found again', async () => {
    await scenario.world.setAddresses(alphaAgent.namespace, 'eth0', ['198.51.100.111/24']);
    const result = await ping(scenario.world, alphaAgent, beta.ipv4, {
      count: 100,
      intervalSeconds: 0.05,
    });
    expect(result.received).toBeGreaterThan(60);
    const rows = (await betaAgent.loomJson(['peers'])) as {
      peers: readonly { endpoint: string }[];
    }; // peerRowSchema
    expect(rows.peers).toMatchObject([{ endpoint: '198.51.100.111:8002', path: 'direct' }]);
    await scenario.world.setAddresses(alphaAgent.namespace, 'eth0', [`${ipv4Of('alpha')}/24`]);
    await waitFor('beta to see alpha at its old address', async () => {
      const { peers } = (await betaAgent.loomJson(['peers'])) as {
        peers: readonly { endpoint: string }[];
      }; // peerRowSchema
      return peers[0]?.endpoint === `${ipv4Of('alpha')}:8002`;
    });
  });

  test('an interface that somebody deletes comes back', async () => {
    await scenario.world.exec(alphaAgent.namespace, [
      'ip',
      'link',
      'delete',
      'dev',
      alpha.interface,
    ]);
    await waitFor('the interface to come back', async () => {
      const result = await ping(scenario.world, alphaAgent, beta.ipv4, { count: 3 });
      return result.received === 3;
    });
  });

  describe('without a controller', () => {
    test('killing the controller loses no ping', async () => {
      const watching = watch();
      scenario.controller.process.kill('SIGKILL');
      await scenario.controller.process.exited;
      expect((await watching).received).toBe(WATCH_PINGS);
    });

    test('hosts restart from their disks and talk', async () => {
      for (const agent of [alphaAgent, betaAgent]) {
        agent.kill('SIGTERM');
        expect((await agent.process.exited).status).toBe(0);
      }
      const left = await scenario.world.exec(alphaAgent.namespace, ['ip', '-o', 'link']);
      expect(left.stdout).not.toContain(alpha.interface);
      alphaAgent = await restart(alphaAgent);
      betaAgent = await restart(betaAgent);
      await waitForPeers([alphaAgent, betaAgent]);
      const result = await ping(scenario.world, alphaAgent, beta.ipv4, { count: 20 });
      expect(result.received).toBe(20);
    });

    test('an address change needs no controller', async () => {
      await scenario.world.setAddresses(betaAgent.namespace, 'eth0', ['198.51.100.122/24']);
      const result = await ping(scenario.world, alphaAgent, beta.ipv4, {
        count: 100,
        intervalSeconds: 0.05,
      });
      expect(result.received).toBeGreaterThan(60);
    });

    test('when it is back, agents find it and get what changed', async () => {
      const { dataDirectory } = scenario.controller;
      const returned = await startController(scenario.world, {
        namespace: pick(scenario.namespaces, 'controller'),
        listen: `${ipv4Of('controller')}:8443`,
        dataDirectory,
      });
      await waitFor(
        'both agents to be connected',
        async () => {
          const states = await Promise.all([alphaAgent.status(), betaAgent.status()]);
          return states.every(({ controller }) => controller.connected);
        },
        { deadlineMs: 60_000 },
      );
      const { items } = await returned.client.call('nodeList');
      const endpoints = items.find(({ name }) => name === 'beta')?.endpoints;
      expect(endpoints).toContain('198.51.100.122:8002');
    });
  });
});
