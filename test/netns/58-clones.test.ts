/**
 * Copies of a host's disk: beside the original, many at once, after a lost controller, and put back
 * on the same host. The world is that of scenario.ts; a copy runs in a namespace of its own, at
 * another underlay address.
 *
 *    alpha .11 (original)    beta .12 (peer)    copies .21, .22, ...    controller .10
 */
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { NetworkSettings, Node } from '@etherloom/api';
import { afterEach, expect, test } from 'vitest';
import { startAgent, startController, waitFor } from '@etherloom/lab';
import type { AgentOptions, LabAgent, LabController, Namespace } from '@etherloom/lab';
import { ping } from './ping.ts';
import type { PingResult } from './ping.ts';
import { buildScenario, createToken, ipv4Of, joinNetwork, joinWith, pick } from './scenario.ts';
import { waitForPeers } from './scenario.ts';
import type { Membership, Scenario } from './scenario.ts';

let scenario: Scenario;
let members: readonly Membership[];

afterEach(async () => {
  await scenario?.world.dispose();
});

/** alpha and beta in a network with these settings. */
async function build(
  settings: Partial<NetworkSettings>,
): Promise<{ alpha: LabAgent; beta: LabAgent }> {
  scenario = await buildScenario({ underlay: 'ipv4' });
  const { alpha, beta } = scenario.agents;
  const body = { name: 'demo', ipv4: '10.72.0.0/24', settings };
  ({ members } = await joinNetwork(scenario, body, [alpha, beta]));
  return { alpha, beta };
}

async function addHost(number: number): Promise<Namespace> {
  const { world, switchNamespace } = scenario;
  const namespace = await world.addNamespace(`copy${number}`);
  await world.link(
    { namespace, device: 'eth0', addresses: [`198.51.100.${20 + number}/24`] },
    { namespace: switchNamespace, device: `p-copy${number}`, bridge: 'br0' },
  );
  return namespace;
}

/** A copy of what is on a host's disk at this moment. */
function copyState(from: LabAgent, label: string): string {
  const directory = join(scenario.world.directory, 'state', label);
  mkdirSync(directory, { mode: 0o700 });
  for (const name of readdirSync(from.stateDirectory)) {
    if (name.endsWith('.json') || name === 'networks')
      cpSync(join(from.stateDirectory, name), join(directory, name), { recursive: true });
  }
  return directory;
}

async function waitForController(agent: LabAgent): Promise<void> {
  await waitFor(
    'the link to the controller',
    async () => (await agent.status()).controller.connected,
    { deadlineMs: 120_000, logs: [agent.process.logPath] },
  );
}

async function startCopy(
  number: number,
  options: Pick<AgentOptions, 'machineId'> = {},
): Promise<LabAgent> {
  const label = `copy${number}`;
  const stateDirectory = copyState(scenario.agents.alpha, label);
  const namespace = await addHost(number);
  return await startAgent(scenario.world, namespace, { label, stateDirectory, ...options });
}

/** Pings alpha from beta while `work` runs. */
async function whilePinging<T>(work: () => Promise<T>): Promise<{ result: T; pings: PingResult }> {
  const [alpha, beta] = members;
  if (alpha === undefined || beta === undefined) throw new Error('alpha and beta are members');
  let isOver = false;
  const rounds: PingResult[] = [];
  const pinging = (async () => {
    while (!isOver) rounds.push(await ping(scenario.world, beta.agent, alpha.ipv4, { count: 20 }));
  })();
  try {
    const result = await work();
    return { result, pings: await finish() };
  } finally {
    isOver = true;
    await pinging;
  }
  async function finish(): Promise<PingResult> {
    isOver = true;
    await pinging;
    return {
      sent: rounds.reduce((sum, round) => sum + round.sent, 0),
      received: rounds.reduce((sum, round) => sum + round.received, 0),
      repliesAt: rounds.flatMap((round) => round.repliesAt),
    };
  }
}

const waitForStanding = (agent: LabAgent, state: string, deadlineMs = 30_000): Promise<unknown> =>
  waitFor(
    `${agent.label} to be ${state}`,
    async () => ((await agent.status()).standing?.state ?? 'member') === state,
    { deadlineMs, logs: [agent.process.logPath] },
  );

const linksOf = async (agent: LabAgent): Promise<string> =>
  (await scenario.world.exec(agent.namespace, ['ip', '-br', 'link'])).stdout;

const waitForNoDevice = (agent: LabAgent): Promise<unknown> =>
  waitFor(
    `the device of ${agent.label} to go`,
    async () => !(await linksOf(agent)).includes('loom-demo'),
  );

const asAdministrator = (): { env: Record<string, string> } => {
  const { url, adminToken, tlsFingerprint } = scenario.controller;
  return {
    env: { LOOM_URL: url, LOOM_TOKEN: adminToken, LOOM_TLS_FINGERPRINT: tlsFingerprint },
  };
};

const nodes = async (controller: LabController = scenario.controller): Promise<readonly Node[]> =>
  (await controller.client.call('nodeList')).items;

test('reject: the copy stays down and says so; the original loses no ping', async () => {
  const { alpha } = await build({ clones: 'reject' });
  const { pings, result: copy } = await whilePinging(async () => {
    const started = await startCopy(1);
    await waitForStanding(started, 'rejected');
    return started;
  });
  expect(pings.received).toBe(pings.sent);
  await waitForNoDevice(copy);
  expect((await copy.loom(['status'])).stdout).toMatch(/Standing .*rejected.*copy/);
  expect((await alpha.status()).standing).toBeNull();
  expect((await nodes()).length).toBe(2);

  const restarted = await restart(copy, 'SIGKILL');
  expect((await restarted.status()).standing?.state).toBe('rejected');
  await joinWith(restarted, await createToken(scenario, { network: 'demo' }), 'demo');
  await waitForPeers([alpha, scenario.agents.beta, restarted]);
  expect((await nodes()).length).toBe(3);
});

test('replace: the later one is the node, the former is told and stays down', async () => {
  const { alpha, beta } = await build({ clones: 'replace' });
  const copy = await startCopy(1);
  await waitForStanding(alpha, 'replaced');
  await waitForNoDevice(alpha);
  expect((await alpha.loom(['status'])).stdout).toMatch(/Standing .*replaced/);
  await waitForPeers([copy, beta], 60_000);
  const { pings } = await whilePinging(async () => {
    const again = await restart(alpha, 'SIGKILL');
    await waitForStanding(again, 'replaced');
  });
  expect(pings.received).toBe(pings.sent);
  expect((await copy.status()).standing).toBeNull();
});

test('split: the copy becomes a node of its own and joins its origin when it is approved', async () => {
  const { alpha, beta } = await build({});
  const before = (await alpha.status()).nodeId;
  const { pings, result: copy } = await whilePinging(async () => {
    const started = await startCopy(1);
    await waitForStanding(started, 'waits');
    const { nodeId, nodeName, clonedFrom } = await started.status();
    expect(clonedFrom).toBe(before);
    expect(nodeId).not.toBe(before);
    expect(nodeName).toBe('alpha-2');
    expect(await linksOf(started)).not.toContain('loom-demo');
    const shown = await beta.loom(['node', 'show', 'alpha-2'], asAdministrator());
    expect(shown.stdout).toMatch(new RegExp(`Cloned from +${before}`));
    expect(shown.stdout).toMatch(/waits: loom node approve alpha-2/);
    const approved = await beta.loom(['node', 'approve', 'alpha-2'], asAdministrator());
    expect(approved.stdout).toBe('Approved node alpha-2. Its networks: demo.\n');
    await waitForPeers([alpha, beta, started], 60_000);
    return started;
  });
  expect(pings.received).toBe(pings.sent);
  const [network] = (await copy.status()).networks;
  expect(network?.addresses.some((address) => address.startsWith('10.72.0.'))).toBe(true);
  expect((await copy.status()).standing).toBeNull();
  const address = network?.addresses[0]?.replace(/\/.*/, '') ?? '';
  expect((await ping(scenario.world, beta, address, { count: 5 })).received).toBe(5);
});

test('a copy killed at any moment on its way to another node gets there', async () => {
  await build({ cloneAdmission: 'admit' });
  let copy = await startCopy(1);
  const standing = join(copy.stateDirectory, 'standing.json');
  for (const moment of ['"ticket":"', '"granted":{', 'never']) {
    await waitFor(
      `the copy to have ${moment}`,
      async () => isThere(standing, moment) || (await copy.status()).clonedFrom !== null,
      { intervalMs: 1 },
    );
    copy = await restart(copy, 'SIGKILL');
    if ((await copy.status()).clonedFrom !== null) break;
  }
  await waitForStanding(copy, 'member');
  await waitForPeers([scenario.agents.alpha, scenario.agents.beta, copy], 60_000);
  expect((await nodes()).filter(({ clonedFrom }) => clonedFrom !== null)).toHaveLength(1);
});

test('five copies of one disk at once: each becomes a node of its own', async () => {
  const { alpha, beta } = await build({ cloneAdmission: 'admit' });
  const { pings, result: copies } = await whilePinging(async () => {
    const started = await Promise.all([1, 2, 3, 4, 5].map((number) => startCopy(number)));
    await waitForPeers([alpha, beta, ...started], 90_000);
    return started;
  });
  expect(pings.received).toBe(pings.sent);
  const ids = await Promise.all(copies.map(async (copy) => (await copy.status()).nodeId));
  expect(new Set(ids).size).toBe(5);
  const addresses = (await nodes()).flatMap(({ memberships }) =>
    memberships.flatMap((membership) => membership.addresses),
  );
  expect(new Set(addresses).size).toBe(14);
});

test('a host that is put back to an older disk heals by itself and stays the node', async () => {
  const { alpha, beta } = await build({ clones: 'reject' });
  const { nodeId } = await alpha.status();
  const older = copyState(alpha, 'older');
  let again = alpha;
  for (let i = 0; i < 3; i += 1) {
    again = await restart(again, 'SIGTERM');
    // Peers may be up from disk alone: the controller has to see each start.
    await waitForController(again);
    await waitForPeers([again, beta]);
  }
  again.kill('SIGTERM');
  await again.process.exited;
  rmSync(again.stateDirectory, { recursive: true });
  cpSync(older, again.stateDirectory, { recursive: true });
  again = await restart(again, null);
  await waitForController(again);
  expect((await again.status()).nodeId).toBe(nodeId);
  expect((await again.status()).standing).toBeNull();
  expect(await nodes()).toHaveLength(2);
  expect(readFileSync(scenario.controller.process.logPath, 'utf8')).toContain('older disk');
  // Peers take a start only that is later than all they saw: the next one is, without any help.
  expect(readFileSync(again.process.logPath, 'utf8')).toContain('started more often than its disk');
  await waitForPeers([again, beta]);
  const { pings } = await whilePinging(async () => {
    again = await restart(again, 'SIGUSR2');
    await waitForPeers([again, beta]);
  });
  expect(pings.received).toBe(pings.sent);
});

test('a host that restarts again and again is never taken for a copy', async () => {
  const { alpha, beta } = await build({ clones: 'reject' });
  let again = alpha;
  for (let i = 0; i < 8; i += 1) again = await restart(again, i % 2 === 0 ? 'SIGKILL' : 'SIGTERM');
  await waitForController(again);
  await waitForPeers([again, beta]);
  expect(readFileSync(scenario.controller.process.logPath, 'utf8')).not.toMatch(
    /two hosts|a lease is refused/,
  );
});

test('a copy that starts while the controller is away is held off until that is back', async () => {
  const { alpha } = await build({});
  const { controller } = scenario;
  const { pings, result: back } = await whilePinging(async () => {
    controller.process.kill('SIGKILL');
    await controller.process.exited;
    const copy = await startCopy(1, { machineId: 'c'.repeat(32) });
    await waitFor(
      'beta to hold one of the two off',
      async () => ((await scenario.agents.beta.status()).refusals['instance_doubled'] ?? 0) > 0,
    );
    const started = await startController(scenario.world, {
      namespace: pick(scenario.namespaces, 'controller'),
      listen: `${ipv4Of('controller')}:8443`,
      dataDirectory: controller.dataDirectory,
    });
    await waitForStanding(copy, 'waits', 120_000);
    return started;
  });
  expect(pings.received).toBe(pings.sent);
  expect((await alpha.status()).standing).toBeNull();
  expect((await nodes(back)).filter(({ state }) => state === 'pending')).toHaveLength(1);
});

/** Ends an agent by a signal, or finds it ended, and starts it again. */
async function restart(agent: LabAgent, signal: NodeJS.Signals | null): Promise<LabAgent> {
  if (signal !== null) agent.kill(signal);
  await agent.process.exited;
  return await startAgent(scenario.world, agent.namespace, {
    label: agent.label,
    stateDirectory: agent.stateDirectory,
    socketPath: agent.socketPath,
  });
}

function isThere(path: string, text: string): boolean {
  try {
    return readFileSync(path, 'utf8').includes(text);
  } catch {
    return false;
  }
}
