/** API tokens from the console: where they are good, what they may do, how long. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Browser } from 'playwright-core';
import type { TestController } from '../../packages/controller/src/testing/controller-fixture.ts';
import {
  makeClient,
  startTestController,
} from '../../packages/controller/src/testing/controller-fixture.ts';
import {
  expectQuiet,
  findBarriers,
  openConsole,
  overflowOnTelephone,
  readClipboard,
  startBrowser,
} from './browser.ts';
import type { Console } from './browser.ts';
import { logIn, readSetupCode, setUp } from './journeys.ts';

const ADMIN = { name: 'alan', password: 'the engine is universal' } as const;

let controller: TestController;
let browser: Browser;
let owner: Console;

beforeAll(async () => {
  [controller, browser] = await Promise.all([startTestController(), startBrowser()]);
  const { client } = controller;
  await client.call('networkCreate', { body: { name: 'here' } });
  await client.call('organizationCreate', { body: { name: 'branch' } });
  const query = { organization: 'branch' };
  await client.call('networkCreate', { query, body: { name: 'there' } });
  owner = await openConsole(browser, controller.controller.url);
  await setUp(owner.page, readSetupCode(controller.dataDirectory));
});
afterAll(async () => {
  await browser?.close();
  await controller?.remove();
});

/** Takes the secret that is shown, and closes what shows it. */
async function takeToken({ page }: Console): Promise<string> {
  const dialog = page.getByRole('dialog', { name: 'Take the token' });
  const secret = (await dialog.getByRole('region', { name: 'the token' }).textContent()) ?? '';
  await dialog.getByRole('button', { name: 'Copy the token' }).click();
  await dialog.getByText('Copied', { exact: true }).waitFor();
  await expect.poll(() => readClipboard(page)).toBe(secret);
  await dialog.getByRole('button', { name: 'I have it' }).click();
  await dialog.waitFor({ state: 'detached' });
  expect(await page.getByText(secret).count()).toBe(0);
  return secret;
}

test('a token is narrowed to some permissions, and may nothing else', async () => {
  const { page } = owner;
  await page.goto('/api-tokens');
  await page.getByRole('button', { name: 'Create an API token' }).click();
  const dialog = page.getByRole('dialog', { name: 'Create an API token' });
  await dialog.getByLabel('Name').fill('dashboard');
  await dialog.getByLabel('Organization').selectOption('default');
  await dialog.getByLabel('Role', { exact: true }).selectOption('operator');
  const create = dialog.getByRole('button', { name: 'Create' });
  await dialog.getByRole('radio', { name: 'Only some of it' }).check();
  await expect.poll(() => create.isDisabled()).toBe(true);
  const permissions = dialog.getByRole('group', { name: 'Permissions' });
  expect(await permissions.getByRole('checkbox', { name: 'user:write' }).count()).toBe(0);
  await permissions.getByRole('checkbox', { name: 'node:read' }).check();
  await permissions.getByRole('checkbox', { name: 'node:write' }).check();
  // A role that holds less takes with it what it does not hold.
  await dialog.getByLabel('Role', { exact: true }).selectOption('auditor');
  await permissions.getByRole('checkbox', { name: 'node:write' }).waitFor({ state: 'detached' });
  expect(await findBarriers(page)).toEqual([]);
  expect(await overflowOnTelephone(page)).toBe(0);
  await dialog.getByLabel('Valid for').selectOption('other');
  await dialog.getByLabel('Days').fill('3');
  await create.click();
  const token = await takeToken(owner);
  await page
    .getByRole('row', { name: /dashboard.*auditor, of that only node:read.*in [23] d/ })
    .waitFor();
  const client = makeClient(controller.controller, token);
  expect((await client.call('nodeCounts')).total).toBe(0);
  await expect(client.call('networkList')).rejects.toMatchObject({ code: 'forbidden' });
});

test('a token is good in the organization that was chosen, until it is revoked', async () => {
  const { page } = owner;
  await page.goto('/api-tokens');
  await page.getByRole('button', { name: 'Create an API token' }).click();
  const dialog = page.getByRole('dialog', { name: 'Create an API token' });
  await dialog.getByLabel('Name').fill('branch-reader');
  await dialog.getByLabel('Organization').selectOption('branch');
  await dialog.getByLabel('Role', { exact: true }).selectOption('member');
  await dialog.getByLabel('Valid for').selectOption('until it is revoked');
  await dialog.getByRole('button', { name: 'Create' }).click();
  await page.getByText('Its role is member in branch').waitFor();
  const client = makeClient(controller.controller, await takeToken(owner));
  const { items } = await client.call('networkList');
  expect(items.map(({ name }) => name)).toEqual(['there']);
  const query = { organization: 'branch' };
  const made = await controller.client.call('apiTokenList', { query });
  expect(made.items.map(({ name, expiresAt }) => [name, expiresAt])).toEqual([
    ['branch-reader', null],
  ]);
  expectQuiet(owner);
});

test('nobody is offered a role that they do not hold', async () => {
  await controller.client.call('userCreate', { body: { ...ADMIN, roles: ['admin'] } });
  const admin = await openConsole(browser, controller.controller.url);
  const { page } = admin;
  await logIn(page, ADMIN);
  await page.goto('/api-tokens');
  await page.getByRole('button', { name: 'Create an API token' }).click();
  const dialog = page.getByRole('dialog', { name: 'Create an API token' });
  const roles = await dialog
    .getByLabel('Role', { exact: true })
    .getByRole('option')
    .allTextContents();
  expect(roles).toEqual(['admin', 'operator', 'auditor', 'member']);
  expect(await dialog.getByLabel('Organization').count()).toBe(0);
  expectQuiet(admin);
  await admin.context.close();
});
