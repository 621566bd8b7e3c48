/**
 * What agents are sent proves itself: followed over real links with core's rules alone, from the
 * authority that the join token pins.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { decodeJoinToken } from '@etherloom/api';
import { isValidAt } from '@etherloom/core';
import { DAY_MS } from '../limits.ts';
import type { TestController, TestLink, TestNode } from '../testing/controller-fixture.ts';
import {
  connectAgent,
  makeEndpoints,
  makeJoinRequest,
  makeNode,
  startTestController,
} from '../testing/controller-fixture.ts';
import { NetworkFollower } from '../testing/network-follower.ts';

let controller: TestController;
let nowMs: number;
beforeEach(async () => {
  nowMs = Date.UTC(2031, 0, 1);
  controller = await startTestController({ now: () => nowMs });
});
afterEach(() => controller.remove());

interface Agent {
  readonly node: TestNode;
  readonly link: TestLink;
  readonly follower: NetworkFollower;
  /** Takes what came, until a condition on the network holds. */
  readonly until: (
    condition: (network: ReturnType<NetworkFollower['networks']['get']>) => boolean,
    what: string,
  ) => Promise<void>;
}

let counter = 0;
async function createNetwork(): Promise<{ readonly id: string; readonly name: string }> {
  counter += 1;
  return controller.client.call('networkCreate', { body: { name: `proofs-${counter}` } });
}

async function joinAgent(network: { id: string; name: string }, node = makeNode()): Promise<Agent> {
  const { token } = await controller.client.call('tokenCreate', {
    body: { network: network.name },
  });
  await controller.client.call('join', { body: makeJoinRequest(node, token) });
  return followAgent(network.id, node, decodeJoinToken(token).authorityHash);
}

async function followAgent(
  networkId: string,
  node: TestNode,
  authorityHash: string | null,
): Promise<Agent> {
  const { link } = await connectAgent(controller, node);
  const follower = new NetworkFollower(authorityHash);
  let taken = 0;
  const until: Agent['until'] = (condition, what) =>
    link.until(() => {
      while (taken < link.received.length) {
        const message = link.received[taken];
        taken += 1;
        if (message) follower.take(message);
        if (condition(follower.networks.get(networkId))) return true;
      }
      return condition(follower.networks.get(networkId));
    }, what);
  await until((network) => network !== undefined, 'the first state');
  return { node, link, follower, until };
}

const names = (network: ReturnType<NetworkFollower['networks']['get']>): string[] =>
  network?.state.members.map(({ nodeId }) => nodeId).toSorted() ?? [];

test('every change reaches members with its proof', async () => {
  const network = await createNetwork();
  const a = await joinAgent(network);
  const b = await joinAgent(network);
  const both = [a.node.id, b.node.id].toSorted().join();
  await a.until((held) => names(held).join() === both, 'the join');

  b.link.send(makeEndpoints(b.node, ['192.0.2.7:8002']));
  const endpointsOf = (held: ReturnType<NetworkFollower['networks']['get']>) =>
    held?.state.members.find(({ nodeId }) => nodeId === b.node.id)?.endpoints.join();
  await a.until((held) => endpointsOf(held) === '192.0.2.7:8002', 'the endpoints');

  const before = a.follower.networks.get(network.id)?.marks;
  await controller.client.call('networkSettings', {
    params: { network: network.name },
    body: { clones: 'reject', stalenessDays: 7 },
  });
  await a.until((held) => held?.network.settings.clones === 'reject', 'the settings');
  const held = a.follower.networks.get(network.id);
  expect(held?.marks.networkVersion).toBe((before?.networkVersion ?? 0) + 1);
  for (const member of held?.members.values() ?? []) {
    expect(isValidAt(member, nowMs)).toBe(true);
    expect(member.endMs).toBe(nowMs + 7 * DAY_MS);
  }

  await controller.client.call('memberDelete', {
    params: { network: network.name, node: b.node.id },
  });
  await a.until((now) => names(now).join() === a.node.id, 'the removal');
  expect(a.follower.networks.get(network.id)?.revocations).toMatchObject([{ nodeId: b.node.id }]);
  a.link.close();
  b.link.close();
});

test('a revocation reaches every connected member', async () => {
  const network = await createNetwork();
  const agents = [];
  for (let i = 0; i < 12; i += 1) agents.push(await joinAgent(network));
  const [gone, ...others] = agents;
  if (gone === undefined) throw new Error('no agents');
  await controller.client.call('nodeDelete', { params: { node: gone.node.id } });
  await Promise.all(
    others.map(({ until }) =>
      until(
        (held) => held?.revocations.some(({ nodeId }) => nodeId === gone.node.id) === true,
        'it',
      ),
    ),
  );
  for (const { link } of agents) link.close();
});

test('a node that comes again has a serial above its revocation', async () => {
  const network = await createNetwork();
  const a = await joinAgent(network);
  const node = makeNode();
  const b = await joinAgent(network, node);
  await controller.client.call('memberDelete', {
    params: { network: network.name, node: node.id },
  });
  const again = await joinAgent(network, node);
  await a.until(
    (held) => names(held).includes(node.id) && held?.revocations.length === 1,
    'the second join',
  );
  const held = a.follower.networks.get(network.id);
  const [revocation] = held?.revocations ?? [];
  expect(held?.members.get(node.id)?.credential.serial).toBeGreaterThan(revocation?.serial ?? NaN);
  for (const { link } of [a, b, again]) link.close();
});

describe('after a restored backup', () => {
  test('agents take versions that are above all they held', async () => {
    const network = await createNetwork();
    const a = await joinAgent(network);
    const marks = a.follower.networks.get(network.id)?.marks;
    await controller.stop();
    controller = await startTestController({
      dataDirectory: controller.dataDirectory,
      now: () => nowMs,
      isRestored: true,
    });
    const { link } = await connectAgent(controller, a.node);
    for (const type of ['authority', 'snapshot'] as const) a.follower.take(await link.next(type));
    const after = a.follower.networks.get(network.id)?.marks;
    expect(after?.rosterVersion).toBeGreaterThan(1_000_000 + (marks?.rosterVersion ?? NaN));
    expect(after?.networkVersion).toBeGreaterThan(1_000_000 + (marks?.networkVersion ?? NaN));
    link.close();
  });
});

test('an agent that names the authority it holds is sent what follows it', async () => {
  const network = await createNetwork();
  const a = await joinAgent(network);
  const { hash } = a.follower.authority;
  const { link } = await connectAgent(controller, a.node, {}, hash);
  expect((await link.next('authority')).chain).toHaveLength(1);
  link.close();
});

test('a VNI is free again when every holder has confirmed, or has run out', async () => {
  const network = await createNetwork();
  const { vni } = await controller.client.call('networkShow', {
    params: { network: network.name },
  });
  const [a, b] = [await joinAgent(network), await joinAgent(network)];
  await controller.client.call('networkDelete', { params: { network: network.name } });
  for (const agent of [a, b]) await agent.link.next('removed');
  const vniOf = async () => {
    const { name } = await createNetwork();
    return (await controller.client.call('networkShow', { params: { network: name } })).vni;
  };
  a.link.send({ type: 'released', networkId: network.id });
  a.link.close();
  expect(await vniOf()).not.toBe(vni);
  b.link.close();
  // Asked again at the next link: the answer may have been lost.
  const again = await connectAgent(controller, b.node);
  expect((await again.link.next('removed')).networkId).toBe(network.id);
  again.link.send({ type: 'released', networkId: network.id });
  again.link.send({ type: 'resync', networkId: network.id });
  await again.link.next('removed'); // messages are handled in order
  expect(await vniOf()).toBe(vni);
  again.link.close();
});
