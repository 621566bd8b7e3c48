/**
 * A host was copied: the copy asks for an identity of its own and waits. An operator sees it, lets
 * one in and removes another. The copies speak the protocol of agents; what is missing of them is
 * the host.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { splitSigningText } from '@etherloom/api';
import type { Browser } from 'playwright-core';
import {
  connectAgent,
  copyNode,
  joinNetwork,
  makeNode,
  openLink,
  signText,
  startTestController,
} from '../../packages/controller/src/testing/controller-fixture.ts';
import type {
  TestController,
  TestLink,
  TestNode,
} from '../../packages/controller/src/testing/controller-fixture.ts';
import { expectQuiet, findBarriers, openConsole, startBrowser } from './browser.ts';
import type { Console } from './browser.ts';
import { goTo, logIn, readSetupCode, setUp } from './journeys.ts';

const OPERATOR = { name: 'opal', password: 'the shuttle flies at dawn' } as const;
const MEMBER = { name: 'grace', password: 'the moth is in relay 70' } as const;

let controller: TestController;
let browser: Browser;
let operator: Console;
let original: TestNode;
const links: TestLink[] = [];

beforeAll(async () => {
  [controller, browser] = await Promise.all([startTestController(), startBrowser()]);
  const owner = await openConsole(browser, controller.controller.url);
  await setUp(owner.page, readSetupCode(controller.dataDirectory));
  await owner.context.close();
  const { client } = controller;
  await client.call('userCreate', { body: { ...OPERATOR, roles: ['operator'] } });
  await client.call('userCreate', { body: { ...MEMBER, roles: ['member'] } });
  await client.call('networkCreate', { body: { name: 'production', ipv4: '10.20.0.0/24' } });
  original = makeNode();
  await joinNetwork(controller, 'production', original, { name: 'web-1' });
  links.push((await connectAgent(controller, original)).link);
  operator = await openConsole(browser, controller.controller.url);
  await logIn(operator.page, OPERATOR);
});
afterAll(async () => {
  for (const link of links) link.close();
  await browser?.close();
  await controller?.remove();
});

/** A copy of the original's disk starts: it is told apart, makes keys of its own and connects. */
async function startCopy(): Promise<TestLink> {
  const refused = await openLink(controller, copyNode(original));
  const { ticket } = await refused.next('split');
  await refused.closed();
  const copy = makeNode();
  const unsigned = {
    ticket,
    originNodeId: original.id,
    nodeId: copy.id,
    signKey: copy.signKey,
    sessionKey: copy.sessionKey,
  };
  const signature = signText(copy, splitSigningText(unsigned));
  await controller.client.call('split', { body: { ...unsigned, signature } });
  const { link, welcome } = await connectAgent(controller, copy);
  expect(welcome.nodeState).toBe('pending');
  links.push(link);
  return link;
}

test('a copy that waits shows on the overview, without a reload', async () => {
  const { page } = operator;
  await page.getByRole('link', { name: 'Wait for approval 0' }).waitFor();
  await startCopy();
  await page.getByRole('link', { name: 'Wait for approval 1' }).waitFor();
  const trouble = page.getByRole('region', { name: 'Look at these' });
  await trouble.getByRole('link', { name: 'web-1-2' }).waitFor();
  await trouble.getByText('waits for approval').waitFor();
});

test('its page says of which node it is a copy, and that it is in no network', async () => {
  const { page } = operator;
  await page.getByRole('link', { name: 'Wait for approval 1' }).click();
  await page.getByRole('heading', { name: 'Nodes', level: 1 }).waitFor();
  await page.getByRole('status').filter({ hasText: '1 to 1 of 1 nodes' }).waitFor();
  await page.getByRole('link', { name: 'web-1-2' }).click();
  await page.getByRole('heading', { name: 'web-1-2', level: 1 }).waitFor();
  const notice = page.locator('.notice').filter({ hasText: 'This machine is a copy of' });
  await notice.getByRole('link', { name: 'web-1', exact: true }).waitFor();
  await page.getByRole('heading', { name: 'A member of no network' }).waitFor();
  expect(await findBarriers(page)).toEqual([]);
});

test('who may not approve is not offered it', async () => {
  const member = await openConsole(browser, controller.controller.url);
  const { page } = member;
  await logIn(page, MEMBER);
  await page.goto('/nodes/web-1-2');
  await page.locator('.notice').filter({ hasText: 'This machine is a copy of' }).waitFor();
  expect(await page.getByRole('button', { name: 'Approve' }).count()).toBe(0);
  expect(await page.getByRole('button', { name: 'Remove the node' }).count()).toBe(0);
  expectQuiet(member);
  await member.context.close();
});

test('approved, it is a member of the networks of the original, with an address of its own', async () => {
  const { page } = operator;
  await page.getByRole('button', { name: 'Approve' }).click();
  await page.getByText('Approved web-1-2').waitFor();
  const networks = page.getByRole('table', { name: 'Networks of web-1-2' });
  const row = networks.getByRole('row', { name: /production/ });
  await row.waitFor();
  await page.getByRole('button', { name: 'Approve' }).waitFor({ state: 'detached' });
  const { client } = controller;
  const [first, copy] = await Promise.all(
    ['web-1', 'web-1-2'].map((node) => client.call('nodeShow', { params: { node } })),
  );
  expect(copy).toMatchObject({ state: 'active', clonedFrom: original.id });
  const [own = ''] = copy?.memberships[0]?.addresses ?? [];
  expect(first?.memberships[0]?.addresses).not.toContain(own);
  await row.getByText(own).waitFor();
  const snapshot = await links.at(-1)?.next('snapshot');
  expect(snapshot?.state.members.map(({ nodeId }) => nodeId)).toContain(original.id);
});

test('another copy is removed, and its agent is refused from then on', async () => {
  const { page } = operator;
  await goTo(page, 'Overview');
  await page.getByRole('link', { name: 'Wait for approval 0' }).waitFor();
  const link = await startCopy();
  await page.getByRole('link', { name: 'Wait for approval 1' }).click();
  await page.getByRole('link', { name: 'web-1-3' }).click();
  await page.getByRole('button', { name: 'Remove the node' }).click();
  const dialog = page.getByRole('dialog', { name: 'Remove web-1-3?' });
  await dialog.getByText('It is in no network.').waitFor();
  await dialog.getByLabel('Type web-1-3 to confirm').fill('web-1-3');
  await dialog.getByLabel('Why').fill('an image that nobody meant to start');
  await dialog.getByRole('button', { name: 'Remove' }).click();
  await page.getByRole('heading', { name: 'Nodes', level: 1 }).waitFor();
  await page.getByRole('link', { name: 'web-1-3' }).waitFor({ state: 'detached' });
  await page.getByRole('link', { name: 'web-1-2' }).waitFor();
  expect((await link.next('refused')).code).toBe('node_removed');
  expectQuiet(operator);
});

test('the ledger says who let which copy in, and who removed which', async () => {
  const { items } = await controller.client.call('auditList', { query: { limit: 100 } });
  const said = items.map(({ actor, action, target, reason }) => [
    actor.name,
    action,
    target.name,
    reason,
  ]);
  expect(said).toContainEqual(['web-1', 'node.split', 'web-1-2', null]);
  expect(said).toContainEqual(['opal', 'node.approve', 'web-1-2', null]);
  const why = 'an image that nobody meant to start';
  expect(said).toContainEqual(['opal', 'node.delete', 'web-1-3', why]);
});
