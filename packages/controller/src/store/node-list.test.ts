/**
 * Lists of nodes beyond one page: searching, filtering by what links know, counting. Over the API
 * of a real controller, with thousands of rows in its database.
 */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { CollectOptions, Network, Node } from '@etherloom/api';
import { collect } from '@etherloom/api';
import {
  connectAgent,
  joinNetwork,
  makeNode,
  startTestController,
} from '../testing/controller-fixture.ts';
import type { TestController, TestLink } from '../testing/controller-fixture.ts';
import { insertManyNodes } from '../testing/many-nodes.ts';

const MANY = 3_000;
/** Every so many-th waits for approval. */
const PENDING_EACH = 100;
const PENDING = MANY / PENDING_EACH;

let controller: TestController;
let network: Network;
const links: TestLink[] = [];
/** Nodes with a link, by name; they sort before, among and after the many. */
const LINKED = ['aaa', 'many-01500-x', 'zzz'] as const;

beforeAll(async () => {
  controller = await startTestController();
  const { client } = controller;
  network = await client.call('networkCreate', { body: { name: 'large', ipv4: '10.64.0.0/16' } });
  await insertManyNodes(controller.dataDirectory, {
    count: MANY,
    network,
    isPending: (index) => index % PENDING_EACH === 0,
  });
  await client.call('networkCreate', { body: { name: 'small', ipv4: '10.99.0.0/24' } });
  for (const name of LINKED) {
    const node = makeNode();
    await joinNetwork(controller, 'small', node, { name });
    const { link } = await connectAgent(controller, node);
    links.push(link);
    if (name !== 'zzz') continue;
    const at = new Date().toISOString();
    const problem = { networkId: null, code: 'clock_off', message: 'an hour behind', since: at };
    link.send({ type: 'problems', problems: [problem] });
    await vi.waitFor(async () => expect((await find({ hasProblems: true })).length).toBe(1));
  }
}, 60_000);
afterAll(async () => {
  for (const link of links) link.close();
  await controller.remove();
});

type Query = NonNullable<CollectOptions<'nodeList'>['query']>;
const find = (query: Query): Promise<Node[]> => collect(controller.client, 'nodeList', { query });
const namesOf = async (query: Query) => (await find(query)).map(({ name }) => name);

describe('searching', () => {
  test.each<[string, readonly string[]]>([
    ['many-00042', ['many-00042']],
    ['MANY-00042', ['many-00042']],
    ['10.64.10.30', ['many-02589']],
    ['02:4d:00:00:0b:b7', ['many-02999']],
    ['10.64.0. 00013', ['many-00013']],
    ['many-01500-', ['many-01500-x']],
    ['10.99.0. zz', ['zzz']],
    ['%', []],
    ['many_00042', []],
    ['many-00042 zzz', []],
  ])('%j finds %j', async (text, names) => {
    expect(await namesOf({ text })).toEqual(names);
  });

  test('an id and ids find their nodes alone', async () => {
    const [one, other] = await find({ limit: 2 });
    expect(await namesOf({ text: one?.id ?? '' })).toEqual([one?.name]);
    const ids = [other?.id ?? '', 'f'.repeat(32), one?.id ?? ''];
    expect(await namesOf({ ids: ids.join() })).toEqual([one?.name, other?.name]);
  });

  test('more words than four, or more ids than a hundred, are refused', async () => {
    const words = find({ text: 'a b c d e' });
    await expect(words).rejects.toMatchObject({ code: 'invalid_request' });
    const ids = Array.from({ length: 101 }, () => 'f'.repeat(32));
    await expect(find({ ids: ids.join() })).rejects.toMatchObject({ code: 'invalid_request' });
  });

  test('members since a time are those that came then', async () => {
    const since = new Date(Date.now() - 3_600_000).toISOString();
    expect(await namesOf({ network: 'small', memberSince: since })).toEqual(LINKED);
    expect(await namesOf({ network: 'large', memberSince: since })).toEqual([]);
    const offset = since.replace('Z', '+00:00');
    const query = { network: 'small', memberSince: offset };
    await expect(find(query)).rejects.toMatchObject({ code: 'invalid_request' });
  });
});

describe('what links know', () => {
  test('those that are connected are found wherever they sort', async () => {
    expect(await namesOf({ connected: true })).toEqual(LINKED);
    expect(await namesOf({ connected: true, text: 'many' })).toEqual(['many-01500-x']);
    expect(await namesOf({ hasProblems: true })).toEqual(['zzz']);
    expect(await namesOf({ network: 'large', connected: true })).toEqual([]);
  });

  test('pages of those that are not give each once, in order', async () => {
    const names: string[] = [];
    let cursor: string | undefined;
    do {
      const query = { connected: false, limit: 700, cursor };
      const page = await controller.client.call('nodeList', { query });
      names.push(...page.items.map(({ name }) => name));
      expect(page.items.length).toBe(page.next === null ? MANY % 700 : 700);
      cursor = page.next ?? undefined;
    } while (cursor !== undefined);
    expect(names.length).toBe(MANY);
    expect(names).toEqual([...new Set(names)].toSorted());
  });

  test('a page that is full to the last row says that it was all', async () => {
    const page = await controller.client.call('nodeList', { query: { connected: true, limit: 3 } });
    expect(page.items.map(({ name }) => name)).toEqual(LINKED);
    expect(page.next).toBeNull();
    const less = await controller.client.call('nodeList', { query: { connected: true, limit: 2 } });
    expect(less.items.length).toBe(2);
    expect(less.next).not.toBeNull();
  });
});

describe('counts', () => {
  test('count all nodes, by how they are', async () => {
    expect(await controller.client.call('nodeCounts')).toEqual({
      total: MANY + 3,
      online: 3,
      offline: MANY,
      pending: PENDING,
      withProblems: 1,
    });
  });

  test('count within a network and a search', async () => {
    const count = (query: object) => controller.client.call('nodeCounts', { query });
    expect(await count({ network: 'large' })).toMatchObject({ total: MANY - PENDING, online: 0 });
    expect(await count({ network: 'small' })).toMatchObject({ total: 3, online: 3, pending: 0 });
    const found = await count({ text: 'many-012' });
    expect(found).toMatchObject({ total: 100, pending: 1, offline: 100 });
  });

  test('say as much as the list gives', async () => {
    const { total, pending, offline } = await controller.client.call('nodeCounts');
    expect((await find({})).length).toBe(total);
    expect((await find({ state: 'pending' })).length).toBe(pending);
    expect((await find({ connected: false })).length).toBe(offline);
  });
});

test('another organization counts and finds nothing of this one', async () => {
  const { client } = controller;
  await client.call('organizationCreate', { body: { name: 'other' } });
  const organization = 'other';
  const counts = await client.call('nodeCounts', { query: { organization } });
  expect(counts.total).toBe(0);
  for (const text of ['many', '10.64', '203.0.113', '02:4d'])
    expect((await client.call('nodeList', { query: { organization, text } })).items).toEqual([]);
  const ids = (await find({ limit: 3 })).map(({ id }) => id).slice(0, 100);
  expect(
    (await client.call('nodeList', { query: { organization, ids: ids.join() } })).items,
  ).toEqual([]);
  const foreign = client.call('nodeCounts', { query: { organization, network: network.id } });
  await expect(foreign).rejects.toMatchObject({ code: 'not_found' });
});
