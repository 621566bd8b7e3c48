/**
 * What an agent keeps on disk and makes on its host, when both are meddled with: foreign devices,
 * damaged files, a second agent, kills at any moment. Traffic under such events is 50-survival's
 * matter.
 */
import { readFileSync, readdirSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { CHECKOUT, startAgent, startController, waitFor } from '@etherloom/lab';
import type { CommandResult, LabAgent } from '@etherloom/lab';
import { ping } from './ping.ts';
import { buildScenario, createToken, ipv4Of, joinNetwork, joinWith, pick } from './scenario.ts';
import { waitForPeers } from './scenario.ts';
import type { Scenario } from './scenario.ts';

describe('agent state', () => {
  let scenario: Scenario;
  let alpha: LabAgent;
  let beta: LabAgent;

  beforeAll(async () => {
    scenario = await buildScenario({ underlay: 'ipv4' });
    ({ alpha, beta } = scenario.agents);
    await joinNetwork(scenario, { name: 'demo', ipv4: '10.70.0.0/24' }, [alpha, beta]);
  });
  afterEach(async () => {
    for (const network of await namesOf(alpha)) {
      if (network !== 'demo') await alpha.loom(['leave', network]);
    }
  });
  afterAll(async () => {
    await scenario?.world.dispose();
  });

  const restart = (agent: LabAgent): Promise<LabAgent> =>
    startAgent(scenario.world, agent.namespace, {
      label: agent.label,
      stateDirectory: agent.stateDirectory,
      socketPath: agent.socketPath,
    });

  const on = (agent: LabAgent, argv: readonly string[], input?: string): Promise<CommandResult> =>
    scenario.world.tryExec(agent.namespace, argv, input === undefined ? {} : { input });

  test('a device of somebody else is left alone, and its name costs no use of a token', async () => {
    await scenario.controller.client.call('networkCreate', { body: { name: 'taken' } });
    const token = await createToken(scenario, { network: 'taken', uses: 1 });
    await on(alpha, ['ip', 'link', 'add', 'dev', 'loom-taken', 'type', 'bridge']);
    const before = await on(alpha, ['ip', '-j', 'link', 'show', 'dev', 'loom-taken']);
    const refused = await on(
      alpha,
      [CHECKOUT.loom, 'join', '-', '--socket', alpha.socketPath],
      token,
    );
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/interface loom-taken exists .*--interface/s);
    const after = await on(alpha, ['ip', '-j', 'link', 'show', 'dev', 'loom-taken']);
    expect(after.stdout).toBe(before.stdout);
    await alpha.join({ token, interface: 'blue0' });
    const { networks } = await alpha.status();
    expect(networks.find(({ name }) => name === 'taken')?.interface).toBe('blue0');
    await on(alpha, ['ip', 'link', 'delete', 'dev', 'loom-taken']);
  });

  test('a network moves to another interface when it is joined again with one', async () => {
    const token = await createToken(scenario, { network: 'demo' });
    await alpha.join({ token, interface: 'green0' });
    const links = await on(alpha, ['ip', '-br', 'link']);
    expect(links.stdout).toMatch(/^green0 /m);
    expect(links.stdout).not.toMatch(/^loom-demo /m);
    const { networks } = await beta.status();
    const [address = ''] = networks[0]?.addresses[0]?.split('/') ?? [];
    await waitFor('a ping to pass', async () => {
      return (await ping(scenario.world, alpha, address, { count: 1 })).received === 1;
    });
    await alpha.join({ token, interface: 'loom-demo' });
  });

  test('two networks whose names are cut to the same default have two interfaces', async () => {
    for (const name of ['production-east', 'production-west']) {
      await scenario.controller.client.call('networkCreate', { body: { name } });
      await joinWith(alpha, await createToken(scenario, { network: name }), name);
    }
    const { networks } = await alpha.status();
    const names = networks
      .map((network) => network.interface)
      .filter((name) => name !== 'loom-demo');
    expect(names.toSorted()).toEqual(['loom-producti-2', 'loom-production']);
  });

  test('a damaged network file is set aside and fetched again', async () => {
    alpha.kill('SIGTERM');
    await alpha.process.exited;
    const directory = join(alpha.stateDirectory, 'networks');
    const [file = ''] = readdirSync(directory).filter((name) => name.endsWith('.json'));
    truncateSync(join(directory, file), 100);
    alpha = await restart(alpha);
    await waitForPeers([alpha, beta]);
    expect(readdirSync(directory)).toEqual(expect.arrayContaining([file, `${file}.corrupt`]));
    expect(readFileSync(alpha.process.logPath, 'utf8')).toContain('set aside');
  });

  test('a second agent on the same state is refused, and the first one goes on', async () => {
    const argv = [CHECKOUT.node, CHECKOUT.agentMain, '--state', alpha.stateDirectory];
    const socket = join(scenario.world.directory, 'second.sock');
    const second = await on(alpha, [...argv, '--socket', socket, '--port', '8003']);
    expect(second.status).toBe(1);
    expect(second.stderr).toMatch(/another agent \(process \d+\) uses/);
    await waitForPeers([alpha, beta]);
  });

  test('a host without /dev/net/tun says so at the start of the agent', async () => {
    const socket = join(scenario.world.directory, 'bare.sock');
    const state = join(scenario.world.directory, 'state', 'bare');
    const agent = `exec ${CHECKOUT.node} ${CHECKOUT.agentMain} --port 8004`;
    const script = `mount -t tmpfs none /dev/net && ${agent} --state ${state} --socket ${socket}`;
    const bare = await on(beta, ['unshare', '-m', 'sh', '-c', script]);
    expect(bare.status).toBe(1);
    expect(bare.stderr).toMatch(/^loom agent: .*\/dev\/net\/tun is missing: .*modprobe tun/m);
  });

  test.each<[string, (directory: string, name: string) => boolean]>([
    ['before it is asked', () => true],
    ['writing a file', (directory) => filesIn(directory).some((file) => file.endsWith('.tmp'))],
    ['with the membership on disk', (directory, name) => membershipsIn(directory).includes(name)],
    ['with the state on disk', (directory) => networksIn(directory) > 1],
  ])('an agent killed %s comes back whole and joins', async (moment, hasCome) => {
    const name = `kill-${moment.replaceAll(' ', '-')}`;
    await scenario.controller.client.call('networkCreate', { body: { name } });
    const token = await createToken(scenario, { network: name, uses: 1 });
    const join = () => on(alpha, [CHECKOUT.loom, 'join', '-', '--socket', alpha.socketPath], token);
    const joining = { isOver: false };
    const joined = join().then(() => (joining.isOver = true));
    // A moment that passes between two looks is taken as come when the command has ended.
    await waitFor(
      `the agent to be ${moment}`,
      () => joining.isOver || hasCome(alpha.stateDirectory, name),
      { intervalMs: 1 },
    );
    alpha.kill('SIGKILL');
    await Promise.all([joined, alpha.process.exited]);
    alpha = await restart(alpha);
    await waitFor(`${name} to be joined`, async () => (await join()).status === 0);
    expect(await namesOf(alpha)).toContain(name);
    await waitForPeers([alpha, beta]);
  });

  test('a node that is removed loses its networks', async () => {
    await scenario.controller.client.call('networkCreate', { body: { name: 'brief' } });
    const token = await createToken(scenario, { network: 'brief' });
    await joinWith(alpha, token, 'brief');
    const node = (await alpha.status()).nodeId ?? '';
    const params = { network: 'brief', node };
    await scenario.controller.client.call('memberDelete', { params });
    await waitFor('the interface to go', async () => {
      return !(await on(alpha, ['ip', '-br', 'link'])).stdout.includes('loom-brief');
    });
    expect(await namesOf(alpha)).toEqual(['demo']);
  });

  test('leaving while the controller is away is told when it is back', async () => {
    await scenario.controller.client.call('networkCreate', { body: { name: 'away' } });
    await joinWith(alpha, await createToken(scenario, { network: 'away' }), 'away');
    scenario.controller.process.kill('SIGKILL');
    await scenario.controller.process.exited;
    await alpha.loom(['leave', 'away']);
    expect((await on(alpha, ['ip', '-br', 'link'])).stdout).not.toContain('loom-away');
    const back = await startController(scenario.world, {
      namespace: pick(scenario.namespaces, 'controller'),
      listen: `${ipv4Of('controller')}:8443`,
      dataDirectory: scenario.controller.dataDirectory,
    });
    await waitFor(
      'the controller to know',
      async () => {
        const params = { network: 'away' };
        const { items } = await back.client.call('memberList', { params });
        return items.length === 0;
      },
      { deadlineMs: 60_000 },
    );
    expect(await namesOf(alpha)).toEqual(['demo']);
  });
});

async function namesOf(agent: LabAgent): Promise<string[]> {
  return (await agent.status()).networks.map(({ name }) => name);
}

function filesIn(directory: string): string[] {
  return [...readdirSync(directory), ...readdirSync(join(directory, 'networks'))];
}

function membershipsIn(directory: string): string {
  return readFileSync(join(directory, 'memberships.json'), 'utf8');
}

function networksIn(directory: string): number {
  return filesIn(directory).filter((file) => /^net_.*\.json$/.test(file)).length;
}
