/** Several controllers over one database: what one does, agents and users of the others see. */
import { copyFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { LEASE_GRACE_MS, applyDelta, applySnapshot } from '@etherloom/core';
import { decodeJoinToken } from '@etherloom/api';
import { loadTlsIdentity } from '../data/tls-identity.ts';
import type { TestCluster } from '../testing/cluster-fixture.ts';
import { startTestCluster } from '../testing/cluster-fixture.ts';
import type { TestController, TestNode } from '../testing/controller-fixture.ts';
import {
  connectAgent,
  copyNode,
  joinNetwork,
  makeDataDirectory,
  makeJoinRequest,
  makeNode,
  openLink,
  startTestController,
} from '../testing/controller-fixture.ts';
import { lookIntoPostgres } from '../testing/test-database.ts';

const within = { timeout: 10_000 };

let cluster: TestCluster;
let first: TestController;
let second: TestController;
/** Added to the clock by which controllers judge silence. */
let laterMs = 0;

beforeEach(async () => {
  laterMs = 0;
  cluster = await startTestCluster(2, { monotonicMs: () => performance.now() + laterMs });
  [first, second] = cluster.controllers as [TestController, TestController]; // two were started
});
afterEach(() => cluster.remove());

async function makeMember(name: string, at = first): Promise<{ node: TestNode; id: string }> {
  const network = await at.client.call('networkCreate', { body: { name } });
  const node = makeNode();
  await joinNetwork(at, name, node);
  return { node, id: network.id };
}

test('all present one certificate and take the changes of each other', async () => {
  expect(second.controller.tlsFingerprint).toBe(first.controller.tlsFingerprint);
  const network = await first.client.call('networkCreate', { body: { name: 'shared' } });
  const shown = await second.client.call('networkShow', { params: { network: 'shared' } });
  expect(shown).toEqual(network);
});

test('a controller that brings another sealing key does not start', async () => {
  const dataDirectory = makeDataDirectory();
  const start = startTestController({ dataDirectory, database: cluster.target });
  await expect(start).rejects.toMatchObject({ code: 'authority_key_invalid' });
  rmSync(dataDirectory, { recursive: true });
});

test('the first controller brings the certificate that agents have pinned', async () => {
  const [own] = cluster.controllers;
  await lookIntoPostgres(cluster.target, (run) => run('delete from tls_identity'));
  const dataDirectory = makeDataDirectory();
  const { fingerprint } = await loadTlsIdentity({
    keyPath: join(dataDirectory, 'tls.key'),
    certificatePath: join(dataDirectory, 'tls.crt'),
    isFirstStart: true,
    hosts: [],
    now: Date.now,
  });
  copyFileSync(
    join(own?.dataDirectory ?? '', 'authority.kek'),
    join(dataDirectory, 'authority.kek'),
  );
  const started = await startTestController({ dataDirectory, database: cluster.target });
  expect(started.controller.tlsFingerprint).toBe(fingerprint);
  const next = await cluster.add();
  expect(next.controller.tlsFingerprint).toBe(fingerprint);
  await started.remove();
});

test('a change that is made at one reaches an agent at another', async () => {
  const { node } = await makeMember('reach');
  const { link } = await connectAgent(second, node);
  const { state, digest } = await link.next('snapshot');
  expect(applySnapshot(undefined, { state, digest }).ok).toBe(true);
  const other = makeNode();
  await joinNetwork(first, 'reach', other);
  const delta = await link.next('delta');
  expect(applyDelta(state, delta).ok).toBe(true);
  expect(delta.upserts.map(({ nodeId }) => nodeId)).toEqual([other.id]);
  await first.client.call('nodeDelete', { params: { node: node.id } });
  await link.next('removed');
  expect((await link.next('refused')).code).toBe('node_removed');
});

test('any of them says that a node is connected, and that it is not any more', async () => {
  const { node } = await makeMember('seen');
  const { link } = await connectAgent(second, node);
  const isConnected = async () =>
    (await first.client.call('nodeShow', { params: { node: node.id } })).connected;
  await vi.waitFor(async () => expect(await isConnected()).toBe(true), within);
  link.close();
  await vi.waitFor(async () => expect(await isConnected()).toBe(false), within);
});

test('agents are told of all controllers, and of one that comes or stops', async () => {
  const { node } = await makeMember('told');
  const { link } = await connectAgent(first, node);
  const told = await link.next('controllers');
  const self = told.controllers.find(({ id }) => id === told.self);
  expect(self?.urls).toEqual(first.controller.joinUrls);
  const urlsUp = (): string[] => {
    const newest = link.received.findLast((message) => message.type === 'controllers');
    return (newest?.controllers ?? []).flatMap(({ urls, isUp }) => (isUp ? urls : [])).toSorted();
  };
  const urlsOf = (...some: TestController[]) =>
    some.flatMap(({ controller }) => controller.joinUrls).toSorted();
  await link.until(() => urlsUp().join() === urlsOf(first, second).join(), 'both');
  const third = await cluster.add();
  await link.until(() => urlsUp().join() === urlsOf(first, second, third).join(), 'all three');
  await second.stop();
  await link.until(() => urlsUp().join() === urlsOf(first, third).join(), 'the two that run');
  link.close();
});

test('join tokens carry the URLs of all controllers', async () => {
  await first.client.call('networkCreate', { body: { name: 'carried' } });
  await vi.waitFor(async () => {
    const { token } = await first.client.call('tokenCreate', { body: { network: 'carried' } });
    const { urls } = decodeJoinToken(token);
    expect(urls).toEqual([...first.controller.joinUrls, ...second.controller.joinUrls]);
  }, within);
});

test('two controllers that are asked for the same at once give nothing twice', async () => {
  const asked = (i: number): TestController => (i % 2 === 0 ? first : second);
  const created = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      asked(i).client.call('networkCreate', {
        body: { name: `race-${i}`, ipv4: '10.9.0.0/24' },
      }),
    ),
  );
  expect(new Set(created.map(({ vni }) => vni)).size).toBe(20);
  const { token } = await first.client.call('tokenCreate', {
    body: { network: 'race-0', uses: 20 },
  });
  await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      asked(i).client.call('join', { body: makeJoinRequest(makeNode(), token) }),
    ),
  );
  const { items } = await second.client.call('memberList', { params: { network: 'race-0' } });
  const addresses = items.flatMap((member) => member.addresses);
  expect(new Set(addresses).size).toBe(addresses.length);
  expect(items).toHaveLength(20);
});

describe('the place of a node', () => {
  test('an agent that goes from one to another and back is the node all the time', async () => {
    const { node } = await makeMember('roams');
    for (const at of [first, second, first, second]) {
      const { link } = await connectAgent(at, node);
      expect((await link.next('snapshot')).state.members).toHaveLength(1);
    }
  });

  test('the link of one ends when the node has one at another', async () => {
    const { node } = await makeMember('one-link');
    const { link: older } = await connectAgent(first, node);
    await connectAgent(second, node);
    expect((await older.next('refused')).code).toBe('replaced');
    await older.closed();
  });

  test('a copy is found although the holder has its link at another controller', async () => {
    const { node } = await makeMember('copied');
    const copy = copyNode(node, { machineId: 'another' });
    await connectAgent(first, node);
    const link = await openLink(second, copy);
    expect((await link.next('split')).ticket).toHaveLength(43);
  });

  test('an older lease waits while the holder was at another controller a moment ago', async () => {
    const { node } = await makeMember('moment');
    const older = copyNode(node);
    const { link } = await connectAgent(first, node);
    laterMs += 2 * LEASE_GRACE_MS; // the second one has run for long, and knows nobody
    link.close();
    await vi.waitFor(async () => {
      const shown = await second.client.call('nodeShow', { params: { node: node.id } });
      expect(shown.connected).toBe(false);
    }, within);
    const early = await openLink(second, older);
    expect((await early.next('refused')).code).toBe('lease_waits');
  });

  test('two copies that come to two controllers at once do not both become the node', async () => {
    for (let round = 0; round < 5; round += 1) {
      const { node } = await makeMember(`twins-${round}`);
      const { link } = await connectAgent(first, node);
      link.close();
      await link.closed();
      const twins = [copyNode(node), copyNode(node)];
      const links = await Promise.all(
        twins.map((twin, i) => openLink(i === 0 ? first : second, twin)),
      );
      for (const [i, one] of links.entries())
        await one.until(
          () => one.received.some(({ type }) => type !== 'challenge'),
          `the verdict of twin ${i}`,
        );
      const verdicts = new Set(links.map(({ received }) => received[1]?.type));
      expect(verdicts).toEqual(new Set(['split', 'welcome']));
      for (const one of links) one.close();
    }
  });
});

describe('a controller that died', () => {
  test('is found gone: its links count as closed, and agents hear of it', async () => {
    const { node } = await makeMember('left');
    const { link } = await connectAgent(first, node);
    const ghost = { id: `ctl_${'9'.repeat(20)}`, nodeId: makeNode().id };
    await lookIntoPostgres(cluster.target, async (run) => {
      await run(
        `insert into controllers (id, instance, urls, version, heard_at_ms)
         values (?, 'x', '["https://192.0.2.1:8443"]', '0', 0)`,
        [ghost.id],
      );
      await run(
        `insert into links (node_id, controller_id, instance, epoch, since_ms)
         values (?, ?, 'x', 1, 0)`,
        [ghost.nodeId, ghost.id],
      );
    });
    const saw = (isUp: boolean) => () =>
      link.received.some(
        (message) =>
          message.type === 'controllers' &&
          message.controllers.some((one) => one.id === ghost.id && one.isUp === isUp),
      );
    await vi.waitFor(() => expect(saw(false)()).toBe(true), { timeout: 25_000 });
    const rows = await lookIntoPostgres(cluster.target, (run) =>
      run('select closed_at_ms from links where node_id = ?', [ghost.nodeId]),
    );
    expect(rows[0]?.['closed_at_ms']).not.toBe(null);
    link.close();
  });
});
