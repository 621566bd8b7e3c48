/**
 * Ten thousand nodes: they are counted, searched and leafed through at the controller, and the page
 * never holds more rows than it shows. Most are rows of the database; three have a link.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Network } from '@etherloom/api';
import type { Browser, Page } from 'playwright-core';
import {
  connectAgent,
  joinNetwork,
  makeJoinRequest,
  makeNode,
  startTestController,
} from '../../packages/controller/src/testing/controller-fixture.ts';
import type {
  TestController,
  TestLink,
  TestNode,
} from '../../packages/controller/src/testing/controller-fixture.ts';
import { insertManyNodes } from '../../packages/controller/src/testing/many-nodes.ts';
import {
  expectQuiet,
  findBarriers,
  openConsole,
  overflowOnTelephone,
  startBrowser,
} from './browser.ts';
import type { Console } from './browser.ts';
import { goTo, readSetupCode, setUp } from './journeys.ts';

const MANY = 9_997;
/** Of these, every so many-th waits for approval and is in no network. */
const PENDING_EACH = 1_000;
const PENDING = Math.ceil(MANY / PENDING_EACH);
/** What a page of a list shows. */
const ROWS = 100;

let controller: TestController;
let browser: Browser;
let operator: Console;
let network: Network;
const links: TestLink[] = [];
const nodes = new Map<string, TestNode>();

beforeAll(async () => {
  [controller, browser] = await Promise.all([startTestController(), startBrowser()]);
  const { client } = controller;
  network = await client.call('networkCreate', { body: { name: 'large', ipv4: '10.64.0.0/16' } });
  await client.call('networkCreate', { body: { name: 'small', ipv4: '10.99.0.0/24' } });
  for (const name of ['edge-1', 'many-05000-b', 'zurich-1']) {
    const node = makeNode();
    await joinNetwork(controller, 'small', node, { name });
    nodes.set(name, node);
  }
  await insertManyNodes(controller.dataDirectory, {
    count: MANY,
    network,
    isPending: (index) => index % PENDING_EACH === 0,
  });
  await connect('edge-1');
  await connect('many-05000-b');
  operator = await openConsole(browser, controller.controller.url);
  await setUp(operator.page, readSetupCode(controller.dataDirectory));
});
afterAll(async () => {
  for (const link of links) link.close();
  await browser?.close();
  await controller?.remove();
});

async function connect(name: string): Promise<void> {
  const node = nodes.get(name);
  if (node === undefined) throw new Error(`there is no ${name}`);
  links.push((await connectAgent(controller, node)).link);
}

/** Rows of the table, without its head. */
function rowsOf(page: Page, table: string): Promise<number> {
  return page.getByRole('table', { name: table }).locator('tbody tr').count();
}

const describeRange = (page: Page, text: string): Promise<void> =>
  page.getByRole('status').filter({ hasText: text }).waitFor();

test('the overview counts all of them', async () => {
  const { page } = operator;
  await page.getByRole('link', { name: 'Nodes online 2 of 10,000' }).waitFor();
  await page
    .getByRole('link', { name: `Memberships ${(MANY - PENDING + 3).toLocaleString('en-GB')}` })
    .waitFor();
  await page.getByRole('link', { name: `Wait for approval ${PENDING}` }).waitFor();
  const trouble = page.getByRole('region', { name: 'Look at these' });
  await trouble.getByRole('link', { name: 'many-00000' }).waitFor();
  expect(await trouble.getByRole('listitem').count()).toBe(6);
});

test('the list is leafed through page by page, and holds one page of rows', async () => {
  const { page } = operator;
  await goTo(page, 'Nodes');
  await describeRange(page, '1 to 100 of 10,000 nodes');
  expect(await rowsOf(page, 'Nodes')).toBe(ROWS);
  const next = page.getByRole('button', { name: 'Next page' });
  await next.click();
  await describeRange(page, '101 to 200 of 10,000 nodes');
  await page.getByRole('link', { name: 'many-00099', exact: true }).waitFor();
  await next.click();
  await describeRange(page, '201 to 300 of 10,000 nodes');
  expect(await rowsOf(page, 'Nodes')).toBe(ROWS);
  await page.getByRole('button', { name: 'Previous page' }).click();
  await describeRange(page, '101 to 200 of 10,000 nodes');
});

test('what is typed is looked for among all of them', async () => {
  const { page } = operator;
  await page.goto('/nodes');
  const find = page.getByLabel('Find');
  await find.fill('many-07654');
  await describeRange(page, '1 to 1 of 1 nodes');
  await page.getByRole('link', { name: 'many-07654' }).waitFor();
  await find.fill('10.64.30. many');
  await describeRange(page, '1 to 100 of 256 nodes');
  await find.fill('nobody-is-called-so');
  await page.getByRole('heading', { name: 'No node is like that' }).waitFor();
  await find.fill('');
  await describeRange(page, '1 to 100 of 10,000 nodes');
});

test('a state finds its nodes wherever they sort, and follows them without a reload', async () => {
  const { page } = operator;
  await page.goto('/nodes');
  const state = page.getByLabel('State');
  await state.selectOption('online');
  await describeRange(page, '1 to 2 of 2 nodes');
  await page.getByRole('link', { name: 'many-05000-b' }).waitFor();
  await connect('zurich-1');
  await page.getByRole('link', { name: 'zurich-1' }).waitFor();
  await describeRange(page, '1 to 3 of 3 nodes');
  await state.selectOption('pending');
  await describeRange(page, `1 to ${PENDING} of ${PENDING} nodes`);
  await state.selectOption('offline');
  await describeRange(page, '1 to 100 of 9,997 nodes');
  await page.getByLabel('Network').selectOption('small');
  await page.getByRole('heading', { name: 'No node is like that' }).waitFor();
  await state.selectOption('any');
  await describeRange(page, '1 to 3 of 3 nodes');
});

test('members of a network are found and leafed through in the same way', async () => {
  const { page } = operator;
  await page.goto('/networks/large');
  const members = (MANY - PENDING).toLocaleString('en-GB');
  await describeRange(page, `1 to 100 of ${members} members`);
  expect(await rowsOf(page, 'Members of large')).toBe(ROWS);
  await page.getByLabel('Find').fill('02:4d:00:00:1a:85');
  await describeRange(page, '1 to 1 of 1 members');
  await page.getByRole('row', { name: /many-06789/ }).waitFor();
  await page.getByLabel('Find').fill('');
  await describeRange(page, `1 to 100 of ${members} members`);
  await page.getByRole('link', { name: 'Addresses' }).click();
  const used = MANY - PENDING;
  await page
    .getByRole('img', { name: `${used} in use, 0 reserved, ${65_534 - used} free` })
    .waitFor();
});

test('an address is reserved for a node that is found by its name', async () => {
  const { page } = operator;
  await page.goto('/networks/large/addresses');
  await page.getByRole('button', { name: 'Reserve an address' }).click();
  const dialog = page.getByRole('dialog', { name: 'Reserve an address' });
  await dialog.getByLabel('Address').fill('10.64.250.1');
  await dialog.getByLabel('For').fill('many-0999');
  await dialog.getByRole('button', { name: 'Reserve' }).click();
  await dialog.getByText('No node has this name').waitFor();
  await dialog.getByLabel('For').fill('many-09990');
  await dialog.getByRole('button', { name: 'Reserve' }).click();
  await dialog.waitFor({ state: 'detached' });
  await page.getByRole('row', { name: /10\.64\.250\.1.*many-09990/ }).waitFor();
});

test('a host that joins is seen to arrive among ten thousand', async () => {
  const { page } = operator;
  await page.goto('/join?network=large');
  await page.getByRole('button', { name: 'Make the command' }).click();
  const command = await page.getByRole('region', { name: 'the command' }).textContent();
  const late = makeNode();
  nodes.set('zz-late', late);
  const token = (command ?? '').split(' ').at(-1) ?? '';
  await controller.client.call('join', { body: makeJoinRequest(late, token, { name: 'zz-late' }) });
  const arrived = page.getByRole('list', { name: 'Arrived' });
  await arrived.getByRole('link', { name: 'zz-late' }).waitFor();
  await connect('zz-late');
  await page.getByText('1 host is in large').waitFor();
});

test('neither list has a barrier, or scrolls sideways on a telephone', async () => {
  const { page } = operator;
  for (const [path, range] of [
    ['/nodes', '1 to 100 of 10,001 nodes'],
    ['/networks/large', `1 to 100 of ${(MANY - PENDING + 1).toLocaleString('en-GB')} members`],
  ] as const) {
    await page.goto(path);
    await describeRange(page, range);
    expect(await findBarriers(page)).toEqual([]);
    expect(await overflowOnTelephone(page)).toBe(0);
  }
  expectQuiet(operator);
});
