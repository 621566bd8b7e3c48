/**
 * Every controller is gone: what works, what waits, what stops (docs/outage-contract.md names these
 * tests). The world is that of scenario.ts with four hosts on both families of the underlay; alpha
 * and delta could not reach each other before the outage began.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { PeerRow } from '@etherloom/api';
import { signalProcess, startAgent, startController, waitFor } from '@etherloom/lab';
import type { AgentOptions, LabAgent, LabController } from '@etherloom/lab';
import { DAY_MS, makeWallClock } from './clock.ts';
import type { WallClock } from './clock.ts';
import { ping } from './ping.ts';
import { buildScenario, createToken, ipv4Of, ipv6Of, joinNetwork, joinWith } from './scenario.ts';
import { pick, waitForPeers } from './scenario.ts';
import type { HostLabel, Membership, Scenario } from './scenario.ts';

const LABELS = ['alpha', 'beta', 'gamma', 'delta'] as const;
/** Often enough that several rekeys happen while a test looks. */
const REKEY = { LOOM_REKEY_MS: '2000' };
const BOTH_FAMILIES = (label: HostLabel): string[] => [
  `${ipv4Of(label)}/24`,
  `${ipv6Of(label)}/64`,
];

let scenario: Scenario;
let controller: LabController;
let clock: WallClock;
/** The running agent of each host; tests replace them. */
let agents: Record<HostLabel, LabAgent>;
let members: Record<HostLabel, Membership>;
let tokenOfOther = '';

beforeAll(async () => {
  scenario = await buildScenario({ hosts: LABELS, agent: { env: REKEY } });
  ({ controller } = scenario);
  agents = { ...scenario.agents };
  clock = makeWallClock(scenario.world, 'outage');
  const { alpha, beta, gamma, delta } = agents;
  await setCut('alpha', 'delta', 'add');
  const first = await joinNetwork(scenario, { name: 'demo', ipv4: '10.74.0.0/24' }, [
    alpha,
    beta,
    gamma,
  ]);
  const token = await createToken(scenario, { network: 'demo' });
  const ofDelta = await joinWith(delta, token, 'demo');
  // Three have joined.
  const [ofAlpha, ofBeta, ofGamma] = first.members as [Membership, Membership, Membership];
  members = { alpha: ofAlpha, beta: ofBeta, gamma: ofGamma, delta: ofDelta };
  await controller.client.call('networkCreate', { body: { name: 'other' } });
  tokenOfOther = await createToken(scenario, { network: 'other' });
  for (const [label, up] of [
    ['alpha', 2],
    ['beta', 3],
    ['delta', 2],
  ] as const)
    await waitFor(`${label} to have ${up} peers up`, async () => {
      const { peers } = await agents[label].status();
      return peers.total === 3 && peers.up === up;
    });
});
afterAll(async () => {
  await scenario?.world.dispose();
});

describe('without any controller', () => {
  beforeAll(async () => {
    await stopController();
    await setCut('alpha', 'delta', 'delete');
  });
  beforeEach(async () => {
    await waitForPeers(Object.values(agents), 60_000);
  });

  test('members that never talked make a session', async () => {
    await untilReached('alpha', 'delta');
    await untilReached('delta', 'alpha');
  });

  test('sessions are rekeyed and no ping is lost', async () => {
    const before = (await peerRow('alpha', 'beta')).handshakes;
    const watching = ping(scenario.world, agents.alpha, members.beta.ipv4, {
      count: 300,
      intervalSeconds: 0.02,
    });
    await waitFor(
      'two rekeys',
      async () => (await peerRow('alpha', 'beta')).handshakes >= before + 2,
    );
    const { sent, received } = await watching;
    expect(received).toBe(sent);
  });

  test('a host answers ARP and neighbour discovery of its programs itself', async () => {
    const { interface: device } = members.alpha;
    for (const address of [members.delta.ipv4, members.delta.ipv6].filter((ip) => ip !== '')) {
      const before = await answeredBy('alpha');
      await onHost('alpha', ['ip', 'neighbour', 'flush', 'dev', device]);
      expect((await ping(scenario.world, agents.alpha, address, { count: 3 })).received).toBe(3);
      expect(await answeredBy('alpha')).toBeGreaterThan(before);
      const { stdout } = await onHost('alpha', ['ip', 'neighbour', 'show', 'to', address]);
      expect(stdout).toContain(members.delta.mac);
    }
  });

  test('a killed agent takes its data path over and goes on', async () => {
    const before = await agents.beta.dataPath();
    agents.beta.kill('SIGKILL');
    await agents.beta.process.exited;
    await start('beta');
    expect(await agents.beta.dataPath()).toEqual(before);
    await untilReached('alpha', 'beta');
  });

  test('a killed data path is replaced', async () => {
    const dataPath = await agents.beta.dataPath();
    if (dataPath !== null) signalProcess(dataPath, 'SIGKILL');
    await waitFor('another data path', async () => (await agents.beta.status()).datapath.restarts);
    await untilReached('alpha', 'beta');
  });

  test('a host that lost its power comes back from its disk as the same member', async () => {
    await cutPower('beta');
    await start('beta');
    const { networks } = await agents.beta.status();
    const { interface: device, mac, ipv4 } = members.beta;
    expect(networks).toMatchObject([{ name: 'demo', interface: device, mac, problem: null }]);
    expect(networks[0]?.addresses.join(' ')).toContain(ipv4);
    await untilReached('alpha', 'beta');
  });

  test('both ends of a pair move at once and find each other by a third member', async () => {
    await Promise.all([
      setAddresses('alpha', ['198.51.100.111/24', '2001:db8:51::111/64']),
      setAddresses('beta', ['198.51.100.112/24', '2001:db8:51::112/64']),
    ]);
    await untilReached('alpha', 'beta');
    await untilReached('beta', 'alpha');
    expect((await peerRow('alpha', 'beta')).endpoint).toMatch(/112\]?:8002$/);
    await Promise.all([
      setAddresses('alpha', BOTH_FAMILIES('alpha')),
      setAddresses('beta', BOTH_FAMILIES('beta')),
    ]);
    await untilReached('alpha', 'beta');
  });

  test('both ends lose power and start elsewhere, and find each other by a third member', async () => {
    await Promise.all([cutPower('alpha'), cutPower('beta')]);
    await setAddresses('alpha', ['198.51.100.121/24']);
    await setAddresses('beta', ['198.51.100.122/24']);
    await Promise.all([start('alpha'), start('beta')]);
    await untilReached('alpha', 'beta');
    expect((await peerRow('alpha', 'beta')).endpoint).toBe('198.51.100.122:8002');
    await setAddresses('alpha', BOTH_FAMILIES('alpha'));
    await setAddresses('beta', BOTH_FAMILIES('beta'));
    await untilReached('alpha', 'beta');
  });

  test('a host moves from IPv4 to IPv6 and back', async () => {
    await setAddresses('beta', [`${ipv6Of('beta')}/64`]);
    await untilReached('alpha', 'beta');
    expect((await peerRow('alpha', 'beta')).endpoint).toContain(ipv6Of('beta'));
    await setAddresses('beta', [`${ipv4Of('beta')}/24`]);
    await untilReached('alpha', 'beta');
    expect((await peerRow('alpha', 'beta')).endpoint).toContain(ipv4Of('beta'));
    await setAddresses('beta', BOTH_FAMILIES('beta'));
    await untilReached('alpha', 'beta');
  });

  test('a join and a change of an administrator are refused at once and leave nothing', async () => {
    const join = agents.alpha.join({ token: tokenOfOther });
    await expect(join).rejects.toThrow(/controller_unreachable|cannot be reached|refused/);
    const { networks } = await agents.alpha.status();
    expect(networks.map(({ name }) => name)).toEqual(['demo']);
    const params = { network: 'demo' };
    const change = controller.client.call('networkSettings', {
      params,
      body: { clones: 'reject' },
    });
    await expect(change).rejects.toThrow();
  });

  test('when it is back agents get what changed as deltas, and joins go on', async () => {
    const offsets = LABELS.map((label) => logOf(label).length);
    await returnController();
    await waitForLinks();
    const params = { network: 'demo' };
    await controller.client.call('networkSettings', { params, body: { stalenessDays: 20 } });
    for (const label of LABELS)
      await waitFor(`${label} to have the settings`, async () => {
        const { networks } = await agents[label].status();
        return networks[0]?.trust?.stalenessDays === 20;
      });
    const told = LABELS.flatMap((label, at) => changesIn(logOf(label).slice(offsets[at])));
    expect(told.length).toBeGreaterThan(0);
    expect(new Set(told)).toEqual(new Set(['delta']));
    await joinWith(agents.alpha, tokenOfOther, 'other');
    await agents.alpha.loom(['leave', 'other']);
    await untilReached('alpha', 'beta');
  });
});

describe('with a controller that only some reach', () => {
  test('a removal reaches the others by gossip', async () => {
    for (const label of ['beta', 'gamma'] as const) await setCut(label, 'controller', 'add');
    const params = { network: 'demo', node: 'gamma' };
    await controller.client.call('memberDelete', { params });
    await waitFor('beta to have no session with gamma', async () => {
      return !(await peersOf('beta')).some(({ name, state }) => name === 'gamma' && state === 'up');
    });
    const reached = await ping(scenario.world, agents.gamma, members.beta.ipv4, { count: 3 });
    expect(reached.received).toBe(0);
    await untilReached('alpha', 'beta');
    for (const label of ['beta', 'gamma'] as const) await setCut(label, 'controller', 'delete');
    await waitFor(
      'gamma to be told',
      async () => {
        return (await agents.gamma.status()).networks.length === 0;
      },
      { deadlineMs: 120_000 },
    );
    agents.gamma.kill('SIGTERM');
    await agents.gamma.process.exited;
  });
});

describe('at the end of the budget', () => {
  const LEFT = ['alpha', 'beta', 'delta'] as const;

  beforeAll(async () => {
    await stopController();
    for (const label of LEFT) {
      await cutPower(label);
      await start(label, clock.env);
    }
    await waitForPeers(
      LEFT.map((label) => agents[label]),
      60_000,
    );
  });

  test('sessions end, nothing is deleted, and status says why', async () => {
    const before = await membershipOf('alpha');
    clock.set(21 * DAY_MS);
    for (const label of LEFT) {
      await cutPower(label);
      await start(label, clock.env);
    }
    const { problems, peers } = await agents.alpha.status();
    expect(problems).toMatchObject([{ network: 'demo', code: 'credential_ended' }]);
    expect(peers.up).toBe(0);
    expect(await membershipOf('alpha')).toEqual(before);
    const { stdout } = await onHost('alpha', ['ip', '-br', 'address']);
    expect(stdout).toContain(members.alpha.ipv4);
    const lost = await ping(scenario.world, agents.alpha, members.beta.ipv4, { count: 3 });
    expect(lost.received).toBe(0);
  });

  test('a controller that returns renews everybody, and sessions come back', async () => {
    await returnController(clock.env);
    for (const label of LEFT)
      await waitFor(
        `${label} to be renewed`,
        async () => {
          const { problems, networks } = await agents[label].status();
          return problems.length === 0 && (networks[0]?.trust?.ownSecondsLeft ?? 0) > 0;
        },
        { deadlineMs: 90_000, logs: [agents[label].process.logPath] },
      );
    await untilReached('alpha', 'beta');
    await untilReached('delta', 'alpha');
  });
});

async function start(label: HostLabel, env: AgentOptions['env'] = REKEY): Promise<void> {
  const { namespace, stateDirectory, socketPath } = agents[label];
  const options = { label, stateDirectory, socketPath, env };
  agents[label] = await startAgent(scenario.world, namespace, options);
}

/** Agent and data path are gone from one moment to the next, and so is what the kernel held. */
async function cutPower(label: HostLabel): Promise<void> {
  const agent = agents[label];
  const dataPath = await agent.dataPath();
  agent.kill('SIGKILL');
  await agent.process.exited;
  if (dataPath !== null) signalProcess(dataPath, 'SIGKILL');
  await waitFor('the device to be free', async () => {
    const { interface: device } = members[label];
    const argv = ['ip', 'link', 'delete', 'dev', device];
    return (await scenario.world.tryExec(agent.namespace, argv)).status === 0;
  });
}

async function stopController(): Promise<void> {
  controller.process.kill('SIGKILL');
  await controller.process.exited;
}

async function returnController(env: AgentOptions['env'] = {}): Promise<void> {
  controller = await startController(scenario.world, {
    namespace: pick(scenario.namespaces, 'controller'),
    listen: `${ipv4Of('controller')}:8443`,
    dataDirectory: controller.dataDirectory,
    env,
  });
}

async function waitForLinks(): Promise<void> {
  for (const label of LABELS)
    await waitFor(
      `${label} to be linked`,
      async () => (await agents[label].status()).controller.connected,
      { deadlineMs: 90_000 },
    );
}

/** Makes a host and another one unreachable to each other, or ends that. */
async function setCut(
  a: HostLabel,
  b: HostLabel | 'controller',
  verb: 'add' | 'delete',
): Promise<void> {
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    for (const address of [`${ipv4Of(to)}/32`, `${ipv6Of(to)}/128`])
      await onHost(from, ['ip', 'route', verb, 'blackhole', address]);
  }
}

function onHost(
  label: HostLabel | 'controller',
  argv: readonly string[],
): Promise<{ readonly stdout: string }> {
  return scenario.world.exec(pick(scenario.namespaces, label), argv);
}

function setAddresses(label: HostLabel, addresses: readonly string[]): Promise<void> {
  return scenario.world.setAddresses(pick(scenario.namespaces, label), 'eth0', addresses);
}

async function untilReached(from: HostLabel, to: HostLabel): Promise<void> {
  await waitFor(
    `${from} to reach ${to}`,
    async () => {
      const options = { count: 1 };
      return (await ping(scenario.world, agents[from], members[to].ipv4, options)).received === 1;
    },
    { deadlineMs: 30_000, logs: [agents[from].process.logPath] },
  );
}

async function peersOf(label: HostLabel): Promise<readonly PeerRow[]> {
  // peerRowSchema
  const { peers } = (await agents[label].loomJson(['peers'])) as { peers: readonly PeerRow[] };
  return peers;
}

async function peerRow(from: HostLabel, to: HostLabel): Promise<PeerRow> {
  const found = (await peersOf(from)).find(({ name }) => name === to);
  if (found === undefined) throw new Error(`${from} has no peer ${to}`);
  return found;
}

async function answeredBy(label: HostLabel): Promise<number> {
  return (await agents[label].status()).totals.answeredLocally;
}

/** What makes a host a member, as it stands in its status. */
async function membershipOf(label: HostLabel): Promise<unknown> {
  const { nodeId, networks } = await agents[label].status();
  return {
    nodeId,
    networks: networks.map(({ name, mac, addresses }) => ({ name, mac, addresses })),
  };
}

function logOf(label: HostLabel): string {
  return readFileSync(agents[label].process.logPath, 'utf8');
}

/** By which kind of message each change of a network came. */
function changesIn(log: string): string[] {
  return log
    .split('\n')
    .filter((line) => line.includes('"network changed"'))
    .map((line) => String((JSON.parse(line) as { by?: unknown }).by)); // written by the agent
}
