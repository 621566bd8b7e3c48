/** What people at one controller see of nodes whose links are at another one. */
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { NodeReport, PathReport, WatchEvent } from '@etherloom/api';
import { watch } from '@etherloom/api';
import { createPinnedStreamer } from '@etherloom/transport';
import { LOGIN_ATTEMPTS_FREE } from '../limits.ts';
import type { TestCluster } from '../testing/cluster-fixture.ts';
import { startTestCluster } from '../testing/cluster-fixture.ts';
import type { TestController, TestNode } from '../testing/controller-fixture.ts';
import { connectAgent, joinNetwork, makeClient, makeNode } from '../testing/controller-fixture.ts';
import { lookIntoPostgres } from '../testing/test-database.ts';

const within = { timeout: 10_000 };

let cluster: TestCluster;
let first: TestController;
let second: TestController;
const stops: (() => Promise<void>)[] = [];

beforeEach(async () => {
  cluster = await startTestCluster(2);
  [first, second] = cluster.controllers as [TestController, TestController]; // two were started
  await first.client.call('networkCreate', { body: { name: 'demo' } });
});
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
  await cluster.remove();
});

async function makeMember(): Promise<TestNode> {
  const node = makeNode();
  await joinNetwork(first, 'demo', node);
  return node;
}

/** A member whose agent is at the second controller, and is known there by the first one. */
async function makeFar() {
  const node = await makeMember();
  const { link } = await connectAgent(second, node);
  await vi.waitFor(async () => {
    const { connected } = await first.client.call('nodeShow', { params: { node: node.id } });
    expect(connected).toBe(true);
  }, within);
  return { node, link };
}

/** What a watcher at a controller heard of a node's link, in order. */
async function watchLinks(at: TestController) {
  const end = new AbortController();
  const send = createPinnedStreamer({
    tlsFingerprint: at.controller.tlsFingerprint,
    timeoutMs: within.timeout,
  });
  const events: WatchEvent[] = [];
  const run = async (): Promise<void> => {
    const stream = watch({
      baseUrl: at.controller.url,
      token: at.adminToken,
      sendStream: (request) => send({ ...request, signal: end.signal }),
      pause: () => Promise.resolve(),
      signal: end.signal,
    });
    for await (const event of stream) events.push(event);
  };
  const done = run().catch(() => undefined);
  stops.push(async () => {
    end.abort();
    await done;
  });
  await vi.waitFor(() => expect(events.some(({ kind }) => kind === 'ready')).toBe(true), within);
  return (node: TestNode): string[] =>
    events.flatMap((event) =>
      event.kind === 'live'
        ? event.nodes.filter(({ id }) => id === node.id).map(({ kind }) => kind)
        : [],
    );
}

const pathTo = (nodeId: string): PathReport => ({
  nodeId,
  state: 'up',
  path: 'direct',
  endpoint: '192.0.2.2:8002',
  latencyMs: 1.5,
  sessionAgeMs: 1_000,
  lastReceivedMs: 10,
  handshakes: 1,
  sentFrames: 1,
  sentBytes: 2,
  receivedFrames: 3,
  receivedBytes: 4,
});

const reportWith = (peers: readonly PathReport[], logLines = 0): NodeReport => ({
  version: '0.1.0',
  port: 8_002,
  datapath: { running: true, restarts: 0, lanes: 2 },
  networks: [],
  peersTotal: peers.length,
  peersUp: peers.length,
  peers: [...peers],
  drops: { replayed: 2 },
  log: Array.from({ length: logLines }, () => ({
    time: '2026-01-01T00:00:00.000Z',
    level: 'info',
    // What cannot be packed.
    message: randomBytes(150).toString('hex'),
  })),
});

describe('a report', () => {
  test('comes from the controller that has the link', async () => {
    const { node, link } = await makeFar();
    const report = reportWith([pathTo(makeNode().id)]);
    const reading = first.client.call('nodeReport', { params: { node: node.id } });
    const { requestId } = await link.next('reportWanted');
    link.send({ type: 'report', requestId, report });
    expect(await reading).toMatchObject({ nodeId: node.id, report, reason: null });
  });

  test('may be longer than a notification, and leaves nothing in the database', async () => {
    const { node, link } = await makeFar();
    const report = reportWith(
      Array.from({ length: 40 }, () => pathTo(makeNode().id)),
      50,
    );
    const reading = first.client.call('nodeReport', { params: { node: node.id } });
    const { requestId } = await link.next('reportWanted');
    link.send({ type: 'report', requestId, report });
    expect(await reading).toMatchObject({ report, reason: null });
    const left = await lookIntoPostgres(cluster.target, (run) =>
      run('select id from bus_messages where transaction_number = 0'),
    );
    expect(left).toEqual([]);
  });

  test('is missed with the reason when the agent does not answer there either', async () => {
    const { node, link } = await makeFar();
    const reading = first.client.call('nodeReport', { params: { node: node.id } });
    await link.next('reportWanted');
    expect(await reading).toMatchObject({
      report: null,
      reason: 'its agent did not answer in time',
    });
  });

  test('is asked for by nobody who does not look', async () => {
    const { node, link } = await makeFar();
    await first.client.call('nodeShow', { params: { node: node.id } });
    await first.client.call('nodeList');
    await second.client.call('nodeList');
    expect(link.received.map(({ type }) => type)).not.toContain('reportWanted');
  });
});

test('the picture of a network has the paths of nodes at all controllers', async () => {
  const [near, far] = [await makeMember(), await makeFar()];
  const { link: nearLink } = await connectAgent(first, near);
  const reading = first.client.call('networkTopology', { params: { network: 'demo' } });
  for (const [link, peer] of [
    [nearLink, far.node],
    [far.link, near],
  ] as const) {
    const { requestId } = await link.next('reportWanted');
    link.send({ type: 'report', requestId, report: reportWith([pathTo(peer.id)]) });
  }
  const { nodes, paths } = await reading;
  expect(nodes.map(({ connected, peersUp }) => [connected, peersUp])).toEqual([
    [true, 1],
    [true, 1],
  ]);
  expect(new Set(paths.map(({ from, to }) => `${from} ${to}`))).toEqual(
    new Set([`${near.id} ${far.node.id}`, `${far.node.id} ${near.id}`]),
  );
});

describe('problems', () => {
  const problem = {
    networkId: null,
    code: 'roster_refused',
    message: 'a roster that nobody signed',
    since: '2026-01-01T00:00:00.000Z',
  };
  const shownAt = async (at: TestController, node: TestNode) => {
    const { problems } = await at.client.call('nodeShow', { params: { node: node.id } });
    return problems.map(({ code }) => code);
  };

  test('are shown while an agent has them', async () => {
    const { node, link } = await makeFar();
    const heard = await watchLinks(first);
    link.send({ type: 'problems', problems: [problem] });
    await vi.waitFor(() => expect(heard(node)).toContain('reported'), within);
    expect(await shownAt(first, node)).toEqual([problem.code]);
    const { items } = await first.client.call('nodeList');
    expect(items.map(({ problems }) => problems.length)).toEqual([1]);
    link.send({ type: 'problems', problems: [] });
    await vi.waitFor(async () => expect(await shownAt(first, node)).toEqual([]), within);
  });

  test('are known to a controller that comes later', async () => {
    const { node, link } = await makeFar();
    link.send({ type: 'problems', problems: [problem] });
    await vi.waitFor(async () => expect(await shownAt(second, node)).toHaveLength(1), within);
    const third = await cluster.add();
    await vi.waitFor(async () => expect(await shownAt(third, node)).toHaveLength(1), within);
  });
});

describe('who watches hears', () => {
  test('that a node came, and that it went, in an orderly way or not', async () => {
    const heard = await watchLinks(first);
    const node = await makeMember();
    for (const [i, end] of (['close', 'terminate'] as const).entries()) {
      const { link } = await connectAgent(second, node);
      await vi.waitFor(() => expect(heard(node)).toHaveLength(2 * i + 1), within);
      link.socket[end]();
      await vi.waitFor(() => expect(heard(node)).toHaveLength(2 * i + 2), within);
    }
    expect(heard(node)).toEqual(['connected', 'disconnected', 'connected', 'disconnected']);
  });

  test('last that a node is connected that went from one to another', async () => {
    const node = await makeMember();
    const { link } = await connectAgent(second, node);
    const heard = await watchLinks(first);
    await connectAgent(first, node);
    await link.closed();
    // The end of the older link is told after it; what another node does, after that.
    const { node: other } = await makeFar();
    await vi.waitFor(() => expect(heard(other)).toContain('connected'), within);
    expect(heard(node).at(-1)).toBe('connected');
  });

  test('that the nodes of a controller went which died', async () => {
    const heard = await watchLinks(first);
    const node = await makeMember();
    const ghost = `ctl_${'9'.repeat(20)}`;
    const now = '(extract(epoch from clock_timestamp()) * 1000)::bigint';
    await lookIntoPostgres(cluster.target, async (run) => {
      await run(
        `insert into links (node_id, controller_id, instance, epoch, since_ms)
         values (?, ?, 'x', 1, ${now})`,
        [node.id, ghost],
      );
      await run(
        `insert into controllers (id, instance, urls, version, heard_at_ms)
         values (?, 'x', '["https://192.0.2.1:8443"]', '0', ${now})`,
        [ghost],
      );
    });
    await vi.waitFor(() => expect(heard(node)).toEqual(['connected']), { timeout: 10_000 });
    await vi.waitFor(() => expect(heard(node)).toEqual(['connected', 'disconnected']), {
      timeout: 25_000,
    });
  });
});

test('wrong passwords at one controller count at the others', async () => {
  const nowMs = Date.now();
  const [one, other] = [
    await cluster.add({ now: () => nowMs }),
    await cluster.add({ now: () => nowMs }),
  ];
  const outcome = (at: TestController): Promise<unknown> =>
    makeClient(at.controller)
      .call('loginToken', { body: { name: 'olga', password: 'not her password' } })
      .catch(({ code }: { readonly code: string }) => code);
  for (let i = 0; i < LOGIN_ATTEMPTS_FREE; i += 1)
    expect(await outcome(one)).toBe('unauthenticated');
  expect(await outcome(one)).toBe('too_many_requests');
  const outcomes: unknown[] = [];
  await vi.waitFor(async () => {
    outcomes.push(await outcome(other));
    expect(outcomes).toContain('too_many_requests');
  }, within);
  // By its own count alone it would have let through as many again.
  expect(outcomes.length).toBeLessThan(LOGIN_ATTEMPTS_FREE);
});
