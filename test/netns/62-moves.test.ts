/**
 * Hosts that move: carried to another site, given another address under load, replaced by another
 * one with the same overlay address.
 *
 *   controller .10   alpha .11   beta .12                gamma .13   (alpha, carried, .21)
 *        |              |           |                        |              |
 *   -----+--------------+-----------+---  router  -----------+--------------+----
 *          west 198.51.100.0/24                   east 203.0.113.0/24     (RFC 5737)
 */
import { cpSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHECKOUT, createWorld, readTail, startAgent, startController } from '@etherloom/lab';
import { waitFor } from '@etherloom/lab';
import type { LabAgent, LabController, Namespace, World } from '@etherloom/lab';
import { ping } from './ping.ts';
import { joinWith, pick, waitForPeers } from './scenario.ts';
import type { Membership } from './scenario.ts';

const DRIP = fileURLToPath(new URL('tools/drip.ts', import.meta.url));
/** What a move may cost. A busy machine may spoil one: the best of three counts. */
const PROMISE_MS = 1_000;
const MOVES = [1, 2, 3];

let world: World;
let controller: LabController;
const namespaces: Record<string, Namespace> = {};
/** The running agents; tests replace them. */
const agents: Record<string, LabAgent> = {};
const members: Record<string, Membership> = {};

beforeAll(async () => {
  world = await createWorld();
  const router = await world.addNamespace('router');
  await world.addBridge(router, 'west', { addresses: ['198.51.100.1/24'] });
  await world.addBridge(router, 'east', { addresses: ['203.0.113.1/24'] });
  await world.enableForwarding(router);
  for (const [label, site, address, gateway] of [
    ['controller', 'west', '198.51.100.10/24', '198.51.100.1'],
    ['alpha', 'west', '198.51.100.11/24', '198.51.100.1'],
    ['beta', 'west', '198.51.100.12/24', '198.51.100.1'],
    ['gamma', 'east', '203.0.113.13/24', '203.0.113.1'],
    ['carried', 'east', '203.0.113.21/24', '203.0.113.1'],
  ] as const) {
    const namespace = await world.addNamespace(label);
    await world.link(
      { namespace, device: 'eth0', addresses: [address] },
      { namespace: router, device: `p-${label}`, bridge: site },
    );
    await world.addRoute(namespace, 'default', gateway);
    namespaces[label] = namespace;
  }
  controller = await startController(world, {
    namespace: pick(namespaces, 'controller'),
    listen: '198.51.100.10:8443',
  });
  for (const label of ['alpha', 'beta', 'gamma'])
    agents[label] = await startAgent(world, pick(namespaces, label));
  await controller.client.call('networkCreate', {
    body: { name: 'demo', ipv4: '10.75.0.0/24', ipv6: 'fd75::/64' },
  });
  for (const label of ['alpha', 'beta', 'gamma'])
    members[label] = await joinWith(pick(agents, label), await tokenOf('demo'), 'demo');
  await waitForPeers(Object.values(agents), 60_000);
});
afterAll(async () => {
  await world?.dispose();
});

test('a host carried to another site is the same node, and its peers follow in a second', async () => {
  const { nodeId } = await pick(agents, 'alpha').status();
  const { mac, ipv4, ipv6 } = pick(members, 'alpha');
  const spentMs: number[] = [];
  for (const place of ['carried', 'alpha', 'carried', 'alpha']) {
    spentMs.push(await carryAlpha(place));
    const status = await pick(agents, 'alpha').status();
    expect(status.nodeId).toBe(nodeId);
    expect(status.standing).toBe(null);
    expect(status.networks).toMatchObject([{ name: 'demo', mac }]);
    expect(status.networks[0]?.addresses).toEqual([`${ipv4}/24`, `${ipv6}/64`]);
    await waitForPeers(Object.values(agents), 60_000);
    if (place === 'alpha' && Math.min(...spentMs) < PROMISE_MS) break;
  }
  expect(Math.min(...spentMs), `of ${spentMs.join(', ')} ms`).toBeLessThan(PROMISE_MS);
});

describe('a TCP stream through live changes of address', () => {
  test.each([
    ['that the host which moves sends', 'alpha', 'beta', 9_101],
    ['that the host which moves receives', 'beta', 'alpha', 9_102],
  ])('%s is silent for less than a second', async (_what, from, to, port) => {
    const { ipv4 } = pick(members, to);
    const receiver = await spawnDrip(to, ['receive', ipv4, String(port)]);
    const lines = (): Line[] => linesOf(readFileSync(receiver.outputPath, 'utf8'));
    await waitFor('the receiver to listen', () =>
      readFileSync(receiver.outputPath, 'utf8').includes('ready'),
    );
    const sender = await spawnDrip(from, ['send', ipv4, String(port)]);
    await waitFor('the stream to flow', () => (lines().at(-1)?.bytes ?? 0) > 500);
    const silences: number[] = [];
    for (const move of MOVES) {
      silences.push(await silenceOfMove(`198.51.100.${11 + (move % 2) * 100}/24`, lines));
      if (Math.min(...silences) < PROMISE_MS && move > 1) break;
    }
    await world.setAddresses(pick(namespaces, 'alpha'), 'eth0', ['198.51.100.11/24']);
    await world.addRoute(pick(namespaces, 'alpha'), 'default', '198.51.100.1');
    expect(Math.min(...silences), `of ${silences.join(', ')} ms`).toBeLessThan(PROMISE_MS);
    sender.kill('SIGKILL');
    receiver.kill('SIGKILL');
    await Promise.all([sender.exited, receiver.exited]);
    expect(readTail(receiver.logPath)).not.toContain('of the stream is');
  });
});

test('an address that goes to another host is reached there at once', async () => {
  await controller.client.call('networkCreate', { body: { name: 'small', ipv4: '10.76.0.0/30' } });
  const [first, second] = [pick(agents, 'alpha'), pick(agents, 'beta')];
  const ofFirst = await joinWith(first, await tokenOf('small'), 'small');
  const former = await joinWith(second, await tokenOf('small'), 'small');
  await untilReached(ofFirst, former.ipv4);
  const cached = async (): Promise<string> =>
    (await world.exec(first.namespace, ['ip', 'neighbour', 'show', 'to', former.ipv4])).stdout;
  expect(await cached()).toContain(former.mac);
  await second.loom(['leave', 'small']);
  const later = await joinWith(pick(agents, 'gamma'), await tokenOf('small'), 'small');
  expect(later.ipv4).toBe(former.ipv4);
  await waitFor('the first host to know', async () => {
    // neighbourRowSchema
    const { entries } = (await first.loomJson(['neighbours'])) as { entries: { mac: string }[] };
    return entries.some(({ mac }) => mac === later.mac);
  });
  await waitFor(
    // Without help the kernel holds on to the former MAC for 15 s at least.
    'the address to answer',
    async () => (await ping(world, first, later.ipv4, { count: 1 })).received === 1,
    { deadlineMs: 10_000 },
  );
  expect(await cached()).toContain(later.mac);
});

/**
 * Stops alpha, takes its state directory to another place and starts it there; gives the time from
 * the first packet that it can have sent to the first answer that beta had from it.
 */
async function carryAlpha(place: string): Promise<number> {
  const alpha = pick(agents, 'alpha');
  alpha.kill('SIGTERM');
  await alpha.process.exited;
  const stateDirectory = join(world.directory, 'state', `alpha-at-${place}-${Date.now()}`);
  cpSync(alpha.stateDirectory, stateDirectory, { recursive: true });
  rmSync(alpha.stateDirectory, { recursive: true });
  const beta = pick(members, 'beta');
  const { ipv4 } = pick(members, 'alpha');
  const pinging = ping(world, beta.agent, ipv4, { count: 250, intervalSeconds: 0.02 });
  const moved = await startAgent(world, pick(namespaces, place), {
    label: 'alpha',
    stateDirectory,
  });
  agents['alpha'] = moved;
  members['alpha'] = { ...pick(members, 'alpha'), agent: moved };
  const { repliesAt } = await pinging;
  const attached = readFileSync(moved.process.logPath, 'utf8')
    .split('\n')
    .find((line) => line.includes('"data path attached"'));
  const { time } = JSON.parse(attached ?? '{}') as { time: string }; // a line of the agent's log
  const beganAt = Date.parse(time) / 1_000;
  const [answered = Infinity] = repliesAt.filter((at) => at >= beganAt);
  return (answered - beganAt) * 1_000;
}

interface Line {
  readonly bytes: number;
  readonly silenceMs: number;
}

/** Moves alpha to another address; gives the longest silence until the stream flowed again. */
async function silenceOfMove(address: string, lines: () => Line[]): Promise<number> {
  const before = lines();
  const held = before.at(-1)?.bytes ?? 0;
  await world.setAddresses(pick(namespaces, 'alpha'), 'eth0', [address]);
  await world.addRoute(pick(namespaces, 'alpha'), 'default', '198.51.100.1');
  await waitFor('the stream to flow again', () => {
    const after = lines().slice(before.length);
    return (
      (after.at(-1)?.bytes ?? 0) > held + 1_000 &&
      after.slice(-8).length === 8 &&
      after.slice(-8).every(({ silenceMs }) => silenceMs < 500)
    );
  });
  return Math.max(
    ...lines()
      .slice(before.length)
      .map(({ silenceMs }) => silenceMs),
  );
}

function linesOf(text: string): Line[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line) => JSON.parse(line) as Line); // written by tools/drip.ts
}

async function spawnDrip(label: string, args: readonly string[]) {
  const argv = [CHECKOUT.node, DRIP, ...args];
  const { namespace } = pick(agents, label);
  return await world.spawn({ label: `drip-${label}-${args[0]}`, namespace, argv });
}

async function tokenOf(network: string): Promise<string> {
  return (await controller.client.call('tokenCreate', { body: { network } })).token;
}

async function untilReached(from: Membership, address: string): Promise<void> {
  await waitFor(`${from.agent.label} to reach ${address}`, async () => {
    return (await ping(world, from.agent, address, { count: 1 })).received === 1;
  });
}
