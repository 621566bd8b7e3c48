/**
 * A network of more members than are pushed whole: four hosts among many members that have no
 * host. Each host holds itself and those that it deals with, on disk and in its tables; what it
 * lacks it asks for when a program looks for it. docs/outage-contract.md names these tests.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startAgent, startController, waitFor } from '@etherloom/lab';
import type { LabAgent, LabController } from '@etherloom/lab';
import { joinFakeMembers } from './fake-members.ts';
import { ping } from './ping.ts';
import { buildScenario, createToken, ipv4Of, joinWith, networkDrops, pick } from './scenario.ts';
import type { HostLabel, Membership, Scenario } from './scenario.ts';

const LABELS = ['alpha', 'beta', 'gamma', 'delta'] as const;
const WHOLE_MAX = 8;
const FAKE_MEMBERS = 60;
const CONTROLLER_ARGS = ['--push-whole-max', String(WHOLE_MAX)];

let scenario: Scenario;
let controller: LabController;
/** The running agent of each host; tests replace them. */
let agents: Record<HostLabel, LabAgent>;
let members: Record<HostLabel, Membership>;

beforeAll(async () => {
  scenario = await buildScenario({ hosts: LABELS, controllerArgs: CONTROLLER_ARGS });
  ({ controller } = scenario);
  agents = { ...scenario.agents };
  await controller.client.call('networkCreate', { body: { name: 'demo', ipv4: '10.77.0.0/16' } });
  const uses = LABELS.length + FAKE_MEMBERS;
  const token = await createToken(scenario, { network: 'demo', uses });
  await joinFakeMembers(controller.client, token, FAKE_MEMBERS);
  const joined: Partial<Record<HostLabel, Membership>> = {};
  for (const label of LABELS) joined[label] = await joinWith(agents[label], token, 'demo');
  members = joined as Record<HostLabel, Membership>; // each of the labels has joined
});
afterAll(async () => {
  await scenario?.world.dispose();
});

describe('in a network that is not pushed whole', () => {
  test('a host that has talked to nobody holds itself alone', async () => {
    for (const label of LABELS) {
      expect(namesOnDisk(label)).toEqual([label]);
      const { peers, networks } = await agents[label].status();
      expect(peers.total).toBe(0);
      expect(networks[0]).toMatchObject({ members: 1, problem: null });
      // As of the last roster that concerned the host.
      expect(networks[0]?.memberCount).toBeGreaterThan(FAKE_MEMBERS);
    }
  });

  test('the first packet finds its host, and both hold each other and nobody else', async () => {
    await untilReached('alpha', 'beta');
    expect(namesOnDisk('alpha')).toEqual(['alpha', 'beta']);
    expect(namesOnDisk('beta')).toEqual(['alpha', 'beta']);
    expect(namesOnDisk('gamma')).toEqual(['gamma']);
    for (const label of ['alpha', 'beta'] as const)
      expect((await agents[label].status()).peers).toMatchObject({ total: 1, up: 1 });
    const reply = await ping(scenario.world, agents.beta, members.alpha.ipv4, { count: 3 });
    expect(reply.received).toBe(3);
  });

  test('hosts find each other by IPv6 and by a link-local address', async () => {
    await untilReached('gamma', 'alpha', members.alpha.ipv6);
    expect(namesOnDisk('gamma')).toEqual(['alpha', 'gamma']);
    await untilReached('delta', 'beta', linkLocalOf(members.beta.mac));
    expect(namesOnDisk('delta')).toEqual(['beta', 'delta']);
  });

  test('an address that nobody has stays unanswered, and one of a member without a host too', async () => {
    const { items } = await controller.client.call('memberList', { params: { network: 'demo' } });
    const fake = items.find(({ nodeName }) => nodeName === 'fake-7');
    const drops = await networkDrops(agents.delta, 'demo');
    const before = drops('neighbour_unknown');
    for (const to of ['10.77.200.200', fake?.addresses[0] ?? ''])
      expect((await ping(scenario.world, agents.delta, to, { count: 1 })).received).toBe(0);
    expect((await networkDrops(agents.delta, 'demo'))('neighbour_unknown')).toBeGreaterThan(before);
    expect(namesOnDisk('delta')).toEqual(['beta', 'delta', 'fake-7']);
    expect((await agents.delta.status()).networks[0]?.problem).toBeNull();
  });

  test('a host that comes back in an instant is who it was, and holds whom it held', async () => {
    await restartAgent('alpha');
    expect(namesOnDisk('alpha')).toEqual(['alpha', 'beta', 'gamma']);
    await untilReached('alpha', 'beta');
  });

  test('a scan of the network leaves it with few asks, and traffic goes on', async () => {
    const scan = Array.from({ length: 200 }, (_, at) => `10.77.9.${at + 1}`);
    const script = 'for ip in "$@"; do ping -c1 -W1 "$ip" >/dev/null & done; wait';
    await scenario.world.exec(agents.beta.namespace, ['sh', '-c', script, 'scan', ...scan]);
    await untilReached('beta', 'alpha');
    expect(namesOnDisk('beta')).toEqual(['alpha', 'beta', 'delta']);
    expect((await agents.beta.status()).controller.connected).toBe(true);
  });
});

describe('without any controller', () => {
  beforeAll(async () => {
    controller.process.kill('SIGKILL');
    await controller.process.exited;
  });

  test('members that have talked go on, also after a restart of both agents', async () => {
    await untilReached('alpha', 'beta');
    await restartAgent('alpha');
    await restartAgent('beta');
    await untilReached('alpha', 'beta');
    await untilReached('beta', 'alpha');
    expect(namesOnDisk('alpha')).toEqual(['alpha', 'beta', 'gamma']);
  });

  test('a member that was never talked to is not found', async () => {
    const lost = await ping(scenario.world, agents.alpha, members.delta.ipv4, { count: 2 });
    expect(lost.received).toBe(0);
    expect(namesOnDisk('alpha')).toEqual(['alpha', 'beta', 'gamma']);
  });
});

describe('when a controller is back', () => {
  beforeAll(async () => {
    controller = await startController(scenario.world, {
      namespace: pick(scenario.namespaces, 'controller'),
      listen: `${ipv4Of('controller')}:8443`,
      dataDirectory: controller.dataDirectory,
      label: 'controller-again',
      args: CONTROLLER_ARGS,
    });
    for (const label of LABELS)
      await waitFor(
        `${label} to be linked`,
        async () => (await agents[label].status()).controller.connected,
        { deadlineMs: 30_000, logs: [agents[label].process.logPath] },
      );
  });

  test('members are found again', async () => {
    await untilReached('alpha', 'delta');
    expect(namesOnDisk('alpha')).toEqual(['alpha', 'beta', 'delta', 'gamma']);
    expect(namesOnDisk('delta')).toContain('alpha');
  });

  test('a member that is removed is gone at once from those that held it', async () => {
    await untilReached('alpha', 'gamma');
    await controller.client.call('memberDelete', { params: { network: 'demo', node: 'gamma' } });
    await waitFor('gamma to be gone from alpha', async () => {
      const { peers } = await agents.alpha.status();
      return !namesOnDisk('alpha').includes('gamma') && peers.total === 2;
    });
    expect(
      (await ping(scenario.world, agents.alpha, members.gamma.ipv4, { count: 1 })).received,
    ).toBe(0);
    await untilReached('alpha', 'beta');
  });
});

/** Pings until one is answered: the first may be lost while the member is looked for. */
async function untilReached(from: HostLabel, to: HostLabel, address?: string): Promise<void> {
  await waitFor(
    `${from} to reach ${to}`,
    async () => {
      const { world } = scenario;
      const options = { count: 1, interface: members[from].interface };
      return (await ping(world, agents[from], address ?? members[to].ipv4, options)).received === 1;
    },
    { deadlineMs: 30_000, logs: [agents[from].process.logPath] },
  );
}

/** Names of the members that a host has on its disk. */
function namesOnDisk(label: HostLabel): string[] {
  const directory = join(agents[label].stateDirectory, 'networks');
  const [file, ...others] = readdirSync(directory).filter((name) => name.endsWith('.json'));
  expect(others).toEqual([]);
  const { content } = JSON.parse(readFileSync(join(directory, file ?? ''), 'utf8')) as {
    content: { state: { members: { name: string }[] } };
  }; // as the agent wrote it
  return content.state.members.map(({ name }) => name).toSorted();
}

async function restartAgent(label: HostLabel): Promise<void> {
  const { process, namespace, stateDirectory, socketPath } = agents[label];
  process.kill('SIGKILL');
  await process.exited;
  agents[label] = await startAgent(scenario.world, namespace, {
    label,
    stateDirectory,
    socketPath,
  });
}

function linkLocalOf(mac: string): string {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = mac
    .split(':')
    .map((part) => parseInt(part, 16));
  const groups = [((a ^ 2) << 8) | b, (c << 8) | 0xff, 0xfe00 | d, (e << 8) | f];
  return `fe80::${groups.map((group) => group.toString(16)).join(':')}`;
}
