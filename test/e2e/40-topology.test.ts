/**
 * The topology of five hundred nodes: each is registered through the API, holds a link to the
 * controller and answers with a report of its paths when a person looks; what is missing of a real
 * one is the host.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { NodeReport } from '@etherloom/api';
import type { Browser } from 'playwright-core';
import {
  connectAgent,
  makeEndpoints,
  makeJoinRequest,
  makeNode,
  startTestController,
} from '../../packages/controller/src/testing/controller-fixture.ts';
import type {
  TestController,
  TestLink,
  TestNode,
} from '../../packages/controller/src/testing/controller-fixture.ts';
import { expectQuiet, openConsole, startBrowser, takePicture } from './browser.ts';
import type { Console } from './browser.ts';
import { readSetupCode, setUp } from './journeys.ts';

const NODES = 500;
/** Nodes that join or open their links at one time. */
const AT_ONCE = 20;
/** Places, and the nodes of each. */
const PLACES = [
  ['198.51.100', 180],
  ['203.0.113', 140],
  ['192.0.2', 90],
  ['100.64.7', 60],
  ['100.64.9', 29],
  ['100.64.11', 1],
] as const;

let controller: TestController;
let browser: Browser;
let operator: Console;
const links: TestLink[] = [];

beforeAll(async () => {
  [controller, browser] = await Promise.all([
    startTestController({ pushedWholeMax: 10 }),
    startBrowser(),
  ]);
  operator = await openConsole(browser, controller.controller.url);
  await setUp(operator.page, readSetupCode(controller.dataDirectory));
  await controller.client.call('networkCreate', { body: { name: 'large', ipv4: '10.64.0.0/20' } });
  const nodes = await joinAll();
  await each(nodes, (_, index) => arrive(nodes, index));
});
afterAll(async () => {
  for (const link of links) link.close();
  await browser?.close();
  await controller?.remove();
});

/** A few at one time. */
async function each(
  nodes: readonly TestNode[],
  act: (node: TestNode, index: number) => Promise<void>,
): Promise<void> {
  for (let from = 0; from < nodes.length; from += AT_ONCE)
    await Promise.all(nodes.slice(from, from + AT_ONCE).map((node, at) => act(node, from + at)));
}

async function joinAll(): Promise<TestNode[]> {
  const { client } = controller;
  const body = { network: 'large', uses: NODES };
  const { token } = await client.call('tokenCreate', { body });
  const nodes = Array.from({ length: NODES }, () => makeNode());
  await each(nodes, async (node, index) => {
    const name = `node-${String(index).padStart(3, '0')}`;
    await client.call('join', { body: makeJoinRequest(node, token, { name }) });
  });
  return nodes;
}

function placeOf(index: number): string {
  let before = 0;
  for (const [place, count] of PLACES) {
    if (index < before + count) return `${place}.${1 + index - before}`;
    before += count;
  }
  throw new RangeError(`there are ${before} places, and not ${index}`);
}

/** Opens the link of a node, which tells its endpoint and answers whoever looks. */
async function arrive(nodes: readonly TestNode[], index: number): Promise<void> {
  const node = nodes[index] as TestNode; // one of them
  const { link } = await connectAgent(controller, node);
  links.push(link);
  link.send(makeEndpoints(node, [`${placeOf(index)}:8002`]));
  link.socket.on('message', () => {
    const last = link.received.at(-1);
    if (last?.type !== 'reportWanted') return;
    const report = reportOf(nodes, index);
    link.send({ type: 'report', requestId: last.requestId, report });
  });
}

/** Six peers each; the one with the number 7 has lost all of its own. */
function reportOf(nodes: readonly TestNode[], index: number): NodeReport {
  const isUp = index !== 7;
  const peers = [1, 2, 3, 50, 170, 290].map((step): NodeReport['peers'][number] => ({
    nodeId: (nodes[(index + step) % NODES] as TestNode).id, // within
    state: isUp ? 'up' : 'down',
    path: isUp ? 'direct' : 'none',
    endpoint: `${placeOf((index + step) % NODES)}:8002`,
    latencyMs: isUp ? 1 + (step % 40) : null,
    sessionAgeMs: 1_000,
    lastReceivedMs: 10,
    handshakes: 1,
    sentFrames: 10,
    sentBytes: 1_000 * step,
    receivedFrames: 10,
    receivedBytes: 1_000 * step,
  }));
  return {
    version: '0.1.0',
    port: 8_002,
    datapath: { running: true, restarts: 0, lanes: 2 },
    networks: [],
    peersTotal: NODES - 1,
    peersUp: isUp ? NODES - 1 : 0,
    peers,
    drops: {},
    log: [],
  };
}

test('five hundred nodes stand in their places, and names come when they are asked for', async () => {
  const { page } = operator;
  await page.goto('/topology');
  const picture = page.getByRole('application');
  await picture
    .locator('g.node')
    .nth(NODES - 1)
    .waitFor({ state: 'attached' });
  expect(await picture.locator('g.node').count()).toBe(NODES);
  // The first reading may come before the last endpoints and reports.
  const countOf = (what: string) => () => picture.locator(what).count();
  await expect.poll(countOf('circle.site')).toBe(PLACES.length);
  await picture.locator('g.node.bad').waitFor({ state: 'attached' });
  await expect.poll(countOf('g.node text')).toBe(0);
  await expect.poll(countOf('line.strand')).toBeGreaterThan(PLACES.length - 1);
  await takePicture(page, 'topology-500');
  await page.getByLabel('Find').fill('node-123');
  await picture.getByText('node-123', { exact: true }).waitFor();
  await expect.poll(countOf('g.node:not(.dim)')).toBe(1);
  await picture.locator('g.node:not(.dim) circle.body').click();
  await page.getByRole('heading', { name: 'node-123' }).waitFor();
  await expect.poll(countOf('line.path.direct')).toBeGreaterThanOrEqual(6);
});

test('the same nodes stand at the same points when the page is opened again', async () => {
  const { page } = operator;
  const points = async (): Promise<string> => {
    await page.goto('/topology');
    await page
      .locator('g.node')
      .nth(NODES - 1)
      .waitFor({ state: 'attached' });
    const script = `[...document.querySelectorAll('g.node circle.hit')]
      .map((dot) => [dot.getAttribute('cx'), dot.getAttribute('cy')].join()).join(' ')`;
    return String(await page.evaluate(script));
  };
  // Until the last node has told of its paths a picture may be another one.
  let before = await points();
  const isSame = async (): Promise<boolean> => {
    const now = await points();
    const same = now === before;
    before = now;
    return same;
  };
  await expect.poll(isSame, { interval: 500 }).toBe(true);
});

test('zoom shows names, by keys too, and 0 shows all again', async () => {
  const { page } = operator;
  const picture = page.getByRole('application');
  const whole = await picture.getAttribute('viewBox');
  await picture.focus();
  for (let press = 0; press < 4; press++) await page.keyboard.press('+');
  await picture.locator('g.node text').first().waitFor({ state: 'attached' });
  await page.keyboard.press('0');
  await expect.poll(() => picture.getAttribute('viewBox')).toBe(whole);
});

test('the table says the same in words', async () => {
  const { page } = operator;
  await page.goto('/topology?as=table');
  const row = page.getByRole('row', { name: /node-007/ });
  await row.getByText('all peers down').waitFor();
  expect(await page.getByRole('row').count()).toBe(NODES + 1);
  expectQuiet(operator);
});
