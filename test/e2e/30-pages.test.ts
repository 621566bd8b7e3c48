/**
 * Every main page, as everybody may meet it: in both themes without a serious barrier (axe), on a
 * telephone without sideways scrolling, and for roles that may do less.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Browser } from 'playwright-core';
import {
  connectAgent,
  joinNetwork,
  makeEndpoints,
  makeNode,
  startTestController,
} from '../../packages/controller/src/testing/controller-fixture.ts';
import type {
  TestController,
  TestLink,
} from '../../packages/controller/src/testing/controller-fixture.ts';
import {
  DESK,
  TELEPHONE,
  expectQuiet,
  findBarriers,
  openConsole,
  overflowOf,
  startBrowser,
  takePicture,
} from './browser.ts';
import { OWNER, logIn, readSetupCode, setUp } from './journeys.ts';

/** Addresses, the heading that says that the page is there, and what must have come. */
const PAGES = [
  ['/', 'Overview', 'production'],
  ['/networks', 'Networks', 'production'],
  ['/networks/production', 'production', 'web-1'],
  ['/networks/production/addresses', 'production', 'printer'],
  ['/networks/production/settings', 'production', 'Post-quantum keys'],
  ['/nodes', 'Nodes', 'web-1'],
  ['/nodes/web-1', 'web-1', 'Signing key'],
  ['/topology', 'Topology', '198.51.100.0/24'],
  ['/topology?as=table', 'Topology', 'web-1'],
  ['/join', 'Join a host', 'Valid for'],
  ['/activity', 'Activity', 'production'],
  ['/users', 'Users and roles', 'grace'],
  ['/api-tokens', 'API tokens', 'terraform'],
  ['/identity', 'Single sign-on', 'No identity provider yet'],
  ['/settings', 'Settings', 'Nothing waits'],
  ['/profile', 'Your profile', 'this one'],
  ['/networks?create', 'Create a network', 'IPv4 pool'],
] as const;

/** Pages of which a picture is kept, and its name; other tests keep others. */
const PICTURES: ReadonlyMap<string, string> = new Map([
  ['/', 'overview'],
  ['/networks/production', 'network'],
  ['/networks/production/addresses', 'addresses'],
  ['/topology', 'topology'],
  ['/users', 'users'],
]);

const MEMBER = { name: 'grace', password: 'the moth is in relay 70' } as const;

let controller: TestController;
let browser: Browser;
const links: TestLink[] = [];

beforeAll(async () => {
  [controller, browser] = await Promise.all([startTestController(), startBrowser()]);
  const url = controller.controller.url;
  const owner = await openConsole(browser, url);
  await setUp(owner.page, readSetupCode(controller.dataDirectory));
  await owner.context.close();
  await furnish();
});
afterAll(async () => {
  for (const link of links) link.close();
  await browser?.close();
  await controller?.remove();
});

/** A bit of everything. */
async function furnish(): Promise<void> {
  const { client } = controller;
  await client.call('networkCreate', { body: { name: 'production', ipv4: '10.20.0.0/24' } });
  await client.call('networkCreate', { body: { name: 'staging' } });
  for (const [index, name] of ['web-1', 'web-2', 'db-1', 'edge-1'].entries()) {
    const node = makeNode();
    await joinNetwork(controller, 'production', node, { name });
    if (name === 'edge-1') continue; // it stays away
    const { link } = await connectAgent(controller, node);
    const subnet = index < 2 ? '198.51.100' : '203.0.113';
    link.send(makeEndpoints(node, [`${subnet}.${10 + index}:8002`]));
    links.push(link);
  }
  await client.call('reservationCreate', {
    params: { network: 'production' },
    body: { address: '10.20.0.250', note: 'printer' },
  });
  await client.call('userCreate', { body: { ...MEMBER, roles: ['member'] } });
  await client.call('apiTokenCreate', { body: { name: 'terraform', role: 'operator' } });
}

/** What of axe hangs on the theme. */
const COLOUR_RULES = ['color-contrast', 'link-in-text-block'];

test('no page has a serious barrier in either theme, or scrolls sideways on a telephone', async () => {
  const console = await openConsole(browser, controller.controller.url);
  const { page } = console;
  const faults: string[] = (await findBarriers(page)).map((barrier) => `login: ${barrier}`);
  await logIn(page, OWNER);
  for (const [path, heading, content] of PAGES) {
    const note = (found: readonly string[]): unknown =>
      faults.push(...found.map((fault) => `${path}: ${fault}`));
    await page.goto(path);
    await page.getByRole('heading', { name: heading }).first().waitFor();
    await page.getByText(content).first().waitFor({ state: 'attached' });
    const picture = PICTURES.get(path);
    if (picture !== undefined) await takePicture(page, picture);
    note(await findBarriers(page));
    await page.emulateMedia({ colorScheme: 'dark' });
    if (path === '/') await takePicture(page, 'overview-dark');
    note(await findBarriers(page, COLOUR_RULES));
    await page.setViewportSize(TELEPHONE);
    const pixels = await overflowOf(page);
    if (pixels > 0) note([`${pixels} pixels too wide`]);
    await page.emulateMedia({ colorScheme: 'light' });
    await page.setViewportSize(DESK);
  }
  expect(faults).toEqual([]);
  expectQuiet(console);
  await console.context.close();
});

test('on a telephone the places are in a menu that closes behind one', async () => {
  const url = controller.controller.url;
  const console = await openConsole(browser, url, { viewport: TELEPHONE });
  const { page } = console;
  await logIn(page, OWNER);
  await page.getByRole('button', { name: 'Menu' }).click();
  const menu = page.getByRole('dialog', { name: 'Menu' });
  await menu.getByRole('link', { name: 'Topology' }).click();
  await page.getByRole('heading', { name: 'Topology', level: 1 }).waitFor();
  await menu.waitFor({ state: 'detached' });
  await page.getByText('198.51.100.0/24').waitFor({ state: 'attached' });
  await takePicture(page, 'telephone');
  expectQuiet(console);
  await console.context.close();
});

test('a member is offered nothing that its role may not do', async () => {
  const console = await openConsole(browser, controller.controller.url);
  const { page } = console;
  await logIn(page, MEMBER);
  const places = page.getByRole('navigation', { name: 'Places' });
  expect(await places.getByRole('link').allTextContents()).toEqual([
    'Overview',
    'Networks',
    'Nodes',
    'Topology',
    'Settings',
  ]);
  await page.goto('/networks/production');
  await page.getByRole('row', { name: /web-1/ }).waitFor();
  expect(await page.getByRole('button', { name: /Remove/ }).count()).toBe(0);
  await page.goto('/nodes/web-1');
  await page.getByText('Signing key').waitFor();
  expect(await page.getByRole('button', { name: 'Remove the node' }).count()).toBe(0);
  await page.goto('/users');
  await page.getByRole('heading', { name: 'Not for your role' }).waitFor();
  expectQuiet(console);
  await console.context.close();
});

test('a refused change shows why, and the request id that the log knows', async () => {
  const console = await openConsole(browser, controller.controller.url);
  const { page } = console;
  await logIn(page, OWNER);
  await page.goto('/networks?create');
  const dialog = page.getByRole('dialog', { name: 'Create a network' });
  await dialog.getByLabel('Name').fill('production');
  await dialog.getByRole('button', { name: 'Create' }).click();
  const alert = dialog.getByRole('alert');
  await alert.waitFor();
  expect(await alert.textContent()).toMatch(/Choose another name.*req_[0-9a-z]{20}/);
  await console.context.close();
});

test('while the stream of changes is cut, pages ask by themselves', async () => {
  const console = await openConsole(browser, controller.controller.url);
  const { page } = console;
  await page.route('**/v1/watch*', (route) => route.abort());
  await logIn(page, OWNER);
  await page.goto('/networks');
  await page.getByText('Asks every 5 s').waitFor();
  await controller.client.call('networkCreate', { body: { name: 'late' } });
  await page.getByRole('link', { name: 'late' }).waitFor();
  await console.context.close();
});
