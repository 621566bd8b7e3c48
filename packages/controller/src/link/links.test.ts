/** Links over real TLS and real WebSockets. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { applyDelta, applySnapshot, networkDigest } from '@etherloom/core';
import type { AgentMessage, NetworkState } from '@etherloom/api';
import { openPinnedWebSocket } from '@etherloom/transport';
import type { TestController } from '../testing/controller-fixture.ts';
import {
  TestLink,
  connectAgent,
  joinNetwork,
  makeEndpoints,
  makeNode,
  makeAuthenticate,
  makeJoinRequest,
  startTestController,
} from '../testing/controller-fixture.ts';

let controller: TestController;
beforeAll(async () => {
  controller = await startTestController();
});
afterAll(() => controller.remove());

let counter = 0;
async function createNetwork(): Promise<{ id: string; name: string }> {
  counter += 1;
  return controller.client.call('networkCreate', { body: { name: `links-${counter}` } });
}

async function firstState(link: TestLink): Promise<NetworkState> {
  const { state, digest } = await link.next('snapshot');
  expect(applySnapshot(undefined, { state, digest }).ok).toBe(true);
  return state;
}

test('sends a snapshot to an agent that holds nothing, with a digest that core agrees with', async () => {
  const network = await createNetwork();
  const node = makeNode();
  await joinNetwork(controller, network.name, node, { name: 'first' });
  const { link, welcome } = await connectAgent(controller, node);
  expect(welcome.observedAddress).toBe('127.0.0.1');
  const snapshot = await link.next('snapshot');
  expect(snapshot.state.config.id).toBe(network.id);
  expect(snapshot.state.revision).toBe(welcome.revisions[network.id]);
  expect(snapshot.state.members.map((member) => member.name)).toEqual(['first']);
  expect(snapshot.digest).toBe(networkDigest(snapshot.state));
  link.close();
});

test('a join, a report of endpoints and a leave reach the others as deltas that apply', async () => {
  const network = await createNetwork();
  const [a, b] = [makeNode(), makeNode()];
  await joinNetwork(controller, network.name, a);
  const { link } = await connectAgent(controller, a);
  let state = await firstState(link);
  const advance = async () => {
    const applied = applyDelta(state, await link.next('delta'));
    if (!applied.ok) throw new Error(JSON.stringify(applied.refusal));
    state = applied.state;
  };

  await joinNetwork(controller, network.name, b);
  await advance();
  expect(state.members.map((member) => member.nodeId).toSorted()).toEqual([a.id, b.id].toSorted());

  const other = await connectAgent(controller, b);
  other.link.send(makeEndpoints(b, ['192.0.2.7:8002', '[2001:db8::7]:8002']));
  await advance();
  expect(state.members.find((member) => member.nodeId === b.id)?.endpoints).toEqual([
    '192.0.2.7:8002',
    '[2001:db8::7]:8002',
  ]);

  other.link.send({ type: 'leave', networkId: network.id });
  expect((await other.link.next('removed')).networkId).toBe(network.id);
  await advance();
  expect(state.members.map((member) => member.nodeId)).toEqual([a.id]);
  link.close();
  other.link.close();
});

test('an agent that returns gets a delta from its revision, and nothing when it holds the latest', async () => {
  const network = await createNetwork();
  const [a, b, c] = [makeNode(), makeNode(), makeNode()];
  await joinNetwork(controller, network.name, a);
  await joinNetwork(controller, network.name, b);
  const before = await connectAgent(controller, a);
  const held = await firstState(before.link);
  before.link.close();

  // b goes, c comes and goes unseen, d comes: the delta names b alone as removed.
  const d = makeNode();
  await controller.client.call('memberDelete', { params: { network: network.id, node: b.id } });
  await joinNetwork(controller, network.name, c);
  await controller.client.call('memberDelete', { params: { network: network.id, node: c.id } });
  await joinNetwork(controller, network.name, d);
  const after = await connectAgent(controller, a, { [network.id]: held.revision });
  const delta = await after.link.next('delta');
  expect(delta.fromRevision).toBe(held.revision);
  expect(delta.removals).toEqual([b.id]);
  const applied = applyDelta(held, delta);
  expect(applied.ok).toBe(true);
  after.link.close();

  const again = await connectAgent(controller, a, { [network.id]: delta.toRevision });
  again.link.send({ type: 'resync', networkId: network.id });
  await again.link.next('snapshot');
  const types = again.link.received.map((message) => message.type);
  // Of which controllers there are an agent hears where there may be several.
  expect(types.filter((type) => type !== 'controllers')).toEqual([
    'challenge',
    'welcome',
    'authority',
    'snapshot',
  ]);
  again.link.close();
});

test('a node that left and joined again while an agent was away is an upsert, not a removal', async () => {
  const network = await createNetwork();
  const [a, b] = [makeNode(), makeNode()];
  await joinNetwork(controller, network.name, a);
  await joinNetwork(controller, network.name, b);
  const before = await connectAgent(controller, a);
  const held = await firstState(before.link);
  before.link.close();
  await controller.client.call('memberDelete', { params: { network: network.id, node: b.id } });
  await joinNetwork(controller, network.name, b);
  const after = await connectAgent(controller, a, { [network.id]: held.revision });
  expect(applyDelta(held, await after.link.next('delta')).ok).toBe(true);
  after.link.close();
});

test('a revision that never was is answered with a snapshot', async () => {
  const network = await createNetwork();
  const node = makeNode();
  await joinNetwork(controller, network.name, node);
  for (const revision of [0, 99_999]) {
    const { link } = await connectAgent(controller, node, { [network.id]: revision });
    await link.next('snapshot');
    link.close();
  }
});

test('a network that is joined while connected is sent, one that is deleted is taken away', async () => {
  const [one, two] = [await createNetwork(), await createNetwork()];
  const node = makeNode();
  await joinNetwork(controller, one.name, node);
  const { link } = await connectAgent(controller, node);
  await link.next('snapshot');
  await joinNetwork(controller, two.name, node);
  expect((await link.next('snapshot')).state.config.name).toBe(two.name);
  await controller.client.call('networkDelete', { params: { network: two.id } });
  const removed = await link.next('removed');
  expect(removed).toMatchObject({ networkId: two.id });
  expect(removed.reason).toMatch(/deleted/);
  link.close();
});

test('networks that an agent holds and is no member of are taken away when it connects', async () => {
  const network = await createNetwork();
  const [a, b] = [makeNode(), makeNode()];
  await joinNetwork(controller, network.name, a);
  await joinNetwork(controller, (await createNetwork()).name, b);
  const { link } = await connectAgent(controller, b, { [network.id]: 2 });
  expect(await link.next('removed')).toMatchObject({ networkId: network.id });
  link.close();
});

test('a removed node is told what it lost, refused, and refused again', async () => {
  const network = await createNetwork();
  const node = makeNode();
  await joinNetwork(controller, network.name, node);
  const { link } = await connectAgent(controller, node);
  await link.next('snapshot');
  expect((await controller.client.call('nodeShow', { params: { node: node.id } })).connected).toBe(
    true,
  );
  await controller.client.call('nodeDelete', { params: { node: node.id } });
  expect(await link.next('removed')).toMatchObject({ networkId: network.id });
  expect(await link.next('refused')).toMatchObject({ code: 'node_removed' });
  expect(await link.closed()).toBe(1008);
  const again = new TestLink(controller.controller);
  const { nonce } = await again.next('challenge');
  again.send(makeAuthenticate(node, nonce, controller.controller.tlsFingerprint));
  expect(await again.next('refused')).toMatchObject({ code: 'node_removed' });
});

test('a newer link of a node closes the older', async () => {
  const network = await createNetwork();
  const node = makeNode();
  await joinNetwork(controller, network.name, node);
  const older = await connectAgent(controller, node);
  const newer = await connectAgent(controller, node);
  expect(await older.link.next('refused')).toMatchObject({ code: 'replaced' });
  await older.link.closed();
  await newer.link.next('snapshot');
  expect((await controller.client.call('nodeShow', { params: { node: node.id } })).connected).toBe(
    true,
  );
  newer.link.close();
});

test('a burst of joins reaches an agent as few messages', async () => {
  const network = await createNetwork();
  const watcher = makeNode();
  await joinNetwork(controller, network.name, watcher);
  const { link } = await connectAgent(controller, watcher);
  let state = await firstState(link);
  const { token } = await controller.client.call('tokenCreate', {
    body: { network: network.name, uses: 40 },
  });
  await Promise.all(
    Array.from({ length: 40 }, () =>
      controller.client.call('join', { body: makeJoinRequest(makeNode(), token) }),
    ),
  );
  while (state.members.length < 41) {
    const applied = applyDelta(state, await link.next('delta'));
    if (!applied.ok) throw new Error(JSON.stringify(applied.refusal));
    state = applied.state;
  }
  expect(link.received.filter((message) => message.type === 'delta').length).toBeLessThan(40);
  link.close();
});

const known = makeNode();
const refusals: readonly (readonly [
  name: string,
  code: string,
  message: (nonce: string) => string | Uint8Array,
])[] = [
  ['no JSON', 'invalid_request', () => '{'],
  ['an unknown type', 'invalid_request', () => '{"type":"hello"}'],
  [
    'an unknown field',
    'invalid_request',
    () => '{"type":"resync","networkId":"net_00000000000000000000","x":1}',
  ],
  ['a binary message', 'invalid_request', () => Uint8Array.of(1, 2, 3)],
  ['a message before authenticate', 'unauthenticated', () => '{"type":"problems","problems":[]}'],
  [
    'an unknown node',
    'unauthenticated',
    (nonce) => authenticate(makeNode(), nonce, controller.controller.tlsFingerprint),
  ],
  [
    'the signature of another key',
    'unauthenticated',
    (nonce) =>
      authenticate({ ...makeNode(), id: known.id }, nonce, controller.controller.tlsFingerprint),
  ],
  [
    'the signature of another nonce',
    'unauthenticated',
    () => authenticate(known, 'A'.repeat(43), controller.controller.tlsFingerprint),
  ],
  [
    'a signature for another server',
    'unauthenticated',
    (nonce) => authenticate(known, nonce, '0'.repeat(64)),
  ],
];

function authenticate(
  node: ReturnType<typeof makeNode>,
  nonce: string,
  fingerprint: string,
): string {
  return JSON.stringify(makeAuthenticate(node, nonce, fingerprint));
}

test.each(refusals)('refuses %s', async (_, code, makeMessage) => {
  await joinNetwork(controller, (await createNetwork()).name, known);
  const link = new TestLink(controller.controller);
  const { nonce } = await link.next('challenge');
  link.socket.send(makeMessage(nonce));
  expect(await link.next('refused')).toMatchObject({ code });
  expect(await link.closed()).toBe(1008);
});

test('of reports of endpoints in quick succession the last one holds', async () => {
  const network = await createNetwork();
  const node = makeNode();
  await joinNetwork(controller, network.name, node);
  const { link } = await connectAgent(controller, node);
  let state = await firstState(link);
  for (let i = 1; i <= 20; i += 1) link.send(makeEndpoints(node, [`192.0.2.${i}:8002`]));
  while (state.members[0]?.endpoints[0] !== '192.0.2.20:8002') {
    const applied = applyDelta(state, await link.next('delta'));
    if (!applied.ok) throw new Error(JSON.stringify(applied.refusal));
    state = applied.state;
  }
  expect(link.received.filter((message) => message.type === 'delta').length).toBe(2);
  link.close();
});

test('takes endpoints from a record of the node itself alone', async () => {
  const node = makeNode();
  await joinNetwork(controller, (await createNetwork()).name, node);
  const cases: [message: AgentMessage, code: string][] = [
    [makeEndpoints({ ...makeNode(), id: node.id }, ['192.0.2.1:8002']), 'unauthenticated'],
    [makeEndpoints({ ...node, id: makeNode().id }, ['192.0.2.1:8002']), 'invalid_request'],
    [{ ...makeEndpoints(node, ['192.0.2.1:8002']), endpoints: [] }, 'invalid_request'],
    [{ ...makeEndpoints(node, []), record: 'AAAA' }, 'unauthenticated'],
  ];
  for (const [message, code] of cases) {
    const { link } = await connectAgent(controller, node);
    link.send(message);
    expect(await link.next('refused')).toMatchObject({ code });
  }
});

test('keeps the latest record of a node, and passes none on that leads nowhere', async () => {
  const node = makeNode();
  await joinNetwork(controller, (await createNetwork()).name, node);
  const { link } = await connectAgent(controller, node);
  const older = makeEndpoints(node, ['192.0.2.1:8002']);
  await link.next('snapshot');
  link.send(makeEndpoints(node, ['192.0.2.2:8002']));
  expect((await link.next('delta')).upserts[0]?.endpoints).toEqual(['192.0.2.2:8002']);
  link.send(older);
  link.send(makeEndpoints(node, ['127.0.0.1:8002']));
  link.send(makeEndpoints(node, ['192.0.2.3:8002']));
  expect((await link.next('delta')).upserts[0]?.endpoints).toEqual(['192.0.2.3:8002']);
  link.close();
});

test('keeps what a node last said of itself also when its link is gone before its time', async () => {
  const node = makeNode();
  await joinNetwork(controller, (await createNetwork()).name, node);
  const { link } = await connectAgent(controller, node);
  await link.next('snapshot');
  link.send(makeEndpoints(node, ['192.0.2.1:8002']));
  await link.next('delta');
  link.send(makeEndpoints(node, ['192.0.2.2:8002']));
  link.close();
  const params = { node: node.id };
  const endpoints = async () => (await controller.client.call('nodeShow', { params })).endpoints;
  await expect.poll(endpoints, { timeout: 10_000 }).toEqual(['192.0.2.2:8002']);
});

test('cuts off an agent that sends more messages than allowed', async () => {
  const node = makeNode();
  await joinNetwork(controller, (await createNetwork()).name, node);
  const { link } = await connectAgent(controller, node);
  for (let i = 0; i < 400; i += 1) link.send({ type: 'problems', problems: [] });
  expect(await link.next('refused')).toMatchObject({ code: 'too_many_requests' });
});

test('a stop closes links as going away, and the next start brings agents up to date', async () => {
  const first = await startTestController();
  const { name } = await first.client.call('networkCreate', { body: { name: 'restart' } });
  const [a, b] = [makeNode(), makeNode()];
  await joinNetwork(first, name, a);
  const { link } = await connectAgent(first, a);
  const held = await firstState(link);
  await joinNetwork(first, name, b);
  await first.stop();
  expect(await link.closed()).toBe(1001);

  const second = await startTestController({ dataDirectory: first.dataDirectory });
  const node = await second.client.call('nodeShow', { params: { node: a.id } });
  expect(node).toMatchObject({ connected: false, lastSeenAt: expect.any(String) });
  const again = await connectAgent(second, a, { [held.config.id]: held.revision });
  expect(applyDelta(held, await again.link.next('delta')).ok).toBe(true);
  again.link.close();
  await second.remove();
});

test('a start after a restored backup lifts revisions above those that agents hold', async () => {
  const network = await createNetwork();
  const [a, b] = [makeNode(), makeNode()];
  await joinNetwork(controller, network.name, a);
  const { link: before } = await connectAgent(controller, a);
  const state = await firstState(before);
  before.close();
  // As after changes that the backup lacks.
  const later = { ...state, revision: state.revision + 1_000_000 };
  await controller.stop();
  const { dataDirectory } = controller;
  controller = await startTestController({ dataDirectory, isRestored: true });
  const { link } = await connectAgent(controller, a, { [network.id]: later.revision });
  const snapshot = await link.next('snapshot');
  const applied = applySnapshot(later, snapshot);
  if (!applied.ok) throw new Error(JSON.stringify(applied.refusal));
  await joinNetwork(controller, network.name, b);
  expect(applyDelta(applied.state, await link.next('delta')).ok).toBe(true);
  link.close();
});

test('a slow agent holds up nobody and gets the latest state in the end', async () => {
  const network = await createNetwork();
  const [slow, fast] = [makeNode(), makeNode()];
  await joinNetwork(controller, network.name, slow);
  await joinNetwork(controller, network.name, fast);
  const slowAgent = await connectAgent(controller, slow);
  const fastAgent = await connectAgent(controller, fast);
  let slowState = await firstState(slowAgent.link);
  let fastState = await firstState(fastAgent.link);
  slowAgent.link.socket.pause();
  const { token } = await controller.client.call('tokenCreate', {
    body: { network: network.name, uses: 50 },
  });
  for (let i = 0; i < 50; i += 1) {
    await controller.client.call('join', { body: makeJoinRequest(makeNode(), token) });
  }
  const follow = async (link: TestLink, state: NetworkState) => {
    const applied = applyDelta(state, await link.next('delta'));
    if (!applied.ok) throw new Error(JSON.stringify(applied.refusal));
    return applied.state;
  };
  while (fastState.members.length < 52) fastState = await follow(fastAgent.link, fastState);
  slowAgent.link.socket.resume();
  while (slowState.members.length < 52) slowState = await follow(slowAgent.link, slowState);
  expect(networkDigest(slowState)).toBe(networkDigest(fastState));
  slowAgent.link.close();
  fastAgent.link.close();
});

test.each(['/v1/other', '/'])('an upgrade at %s is refused', async (path) => {
  const socket = openPinnedWebSocket(controller.controller.url.replace('https', 'wss') + path, {
    tlsFingerprint: controller.controller.tlsFingerprint,
    maxPayloadBytes: 1_000,
    handshakeTimeoutMs: 10_000,
  });
  const error = await new Promise<Error>((resolve) => socket.once('error', resolve));
  expect(error.message).toContain('404');
});
