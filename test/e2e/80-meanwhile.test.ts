/**
 * Two people change the same thing: the second is told so, keeps what was typed, sees what is there
 * by then, and goes on either way. The first of the two calls the API; the second is a browser.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Browser, Locator, Page } from 'playwright-core';
import type { TestController } from '../../packages/controller/src/testing/controller-fixture.ts';
import { startTestController } from '../../packages/controller/src/testing/controller-fixture.ts';
import {
  expectQuiet,
  findBarriers,
  openConsole,
  overflowOnTelephone,
  startBrowser,
} from './browser.ts';
import type { Console } from './browser.ts';
import { readSetupCode, setUp } from './journeys.ts';

let controller: TestController;
let browser: Browser;
let operator: Console;

beforeAll(async () => {
  [controller, browser] = await Promise.all([startTestController(), startBrowser()]);
  operator = await openConsole(browser, controller.controller.url);
  await setUp(operator.page, readSetupCode(controller.dataDirectory));
  const { client } = controller;
  await client.call('networkCreate', { body: { name: 'shared' } });
  await client.call('userCreate', {
    body: { name: 'grace', password: 'the moth is in relay 70', roles: ['member'] },
  });
  await client.call('identityProviderCreate', {
    body: { name: 'Company', issuer: 'https://id.example', clientId: 'loom' },
  });
});
afterAll(async () => {
  await browser?.close();
  await controller?.remove();
});

const showNetwork = () => controller.client.call('networkShow', { params: { network: 'shared' } });

/** The notice, once it is there: of nobody else's change it says nothing. */
async function conflictIn(place: Page | Locator): Promise<Locator> {
  const notice = place.getByRole('alert').filter({ hasText: 'Somebody changed this meanwhile' });
  await notice.waitFor();
  return notice;
}

/** A row of the notice: the field, what it was, what it is, what was typed. */
function cellsOf(notice: Locator, field: string): Promise<string[]> {
  const row = notice.getByRole('row').filter({ hasText: field });
  return row.getByRole('cell').allTextContents();
}

test('settings of a network: what was typed stays, and is saved over theirs when meant', async () => {
  const { page } = operator;
  await page.goto('/networks/shared/settings');
  const days = page.getByLabel('Days without any controller');
  await expect.poll(() => days.inputValue()).toBe('30');
  await days.fill('45');
  await controller.client.call('networkSettings', {
    params: { network: 'shared' },
    body: { stalenessDays: 7, clones: 'reject' },
  });
  const save = page.getByRole('region', { name: 'Rules' }).getByRole('button', { name: 'Save' });
  await save.click();
  const notice = await conflictIn(page);
  expect(await cellsOf(notice, 'Days without any controller')).toEqual(['30', '7', '45']);
  expect(await cellsOf(notice, 'When a machine is copied')).toEqual([
    'Split',
    'Reject',
    'nothing: theirs stays',
  ]);
  expect(await days.inputValue()).toBe('45');
  expect((await showNetwork()).settings.stalenessDays).toBe(7);
  // What was left alone follows theirs: saving does not take it back.
  expect(await page.getByRole('radio', { name: 'Reject' }).isChecked()).toBe(true);
  expect(await findBarriers(page)).toEqual([]);
  expect(await overflowOnTelephone(page)).toBe(0);
  await save.click();
  await page.getByText('Saved the rules').waitFor();
  await notice.waitFor({ state: 'detached' });
  const { settings } = await showNetwork();
  expect(settings).toMatchObject({ stalenessDays: 45, clones: 'reject' });
});

test('theirs is taken by a press, and nothing is sent', async () => {
  const { page } = operator;
  await page.goto('/networks/shared/settings');
  const days = page.getByLabel('Days without any controller');
  await days.fill('60');
  await controller.client.call('networkSettings', {
    params: { network: 'shared' },
    body: { stalenessDays: 90 },
  });
  await page.getByRole('region', { name: 'Rules' }).getByRole('button', { name: 'Save' }).click();
  const notice = await conflictIn(page);
  await notice.getByRole('button', { name: 'Take theirs' }).click();
  await notice.waitFor({ state: 'detached' });
  await expect.poll(() => days.inputValue()).toBe('90');
  expect((await showNetwork()).settings.stalenessDays).toBe(90);
});

test('a form that nobody has touched follows what others change', async () => {
  const { page } = operator;
  await page.goto('/networks/shared/settings');
  const days = page.getByLabel('Days without any controller');
  await days.waitFor();
  await controller.client.call('networkSettings', {
    params: { network: 'shared' },
    body: { stalenessDays: 12 },
  });
  await expect.poll(() => days.inputValue()).toBe('12');
});

test('roles of a user', async () => {
  const { page } = operator;
  await page.goto('/users');
  await page.getByRole('button', { name: 'Roles of grace' }).click();
  const dialog = page.getByRole('dialog', { name: 'Roles of grace' });
  await dialog.getByLabel('operator').check();
  await controller.client.call('userRoles', {
    params: { user: 'grace' },
    body: { roles: ['auditor'] },
  });
  await dialog.getByRole('button', { name: 'Save' }).click();
  const notice = await conflictIn(dialog);
  expect(await cellsOf(notice, 'Roles')).toEqual(['member', 'auditor', 'operator, member']);
  expect(await dialog.getByLabel('operator').isChecked()).toBe(true);
  await notice.getByRole('button', { name: 'Take theirs' }).click();
  await notice.waitFor({ state: 'detached' });
  expect(await dialog.getByLabel('auditor').isChecked()).toBe(true);
  await dialog.getByLabel('operator').check();
  await dialog.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Changed the roles of grace').waitFor();
  const { roles } = await controller.client.call('userShow', { params: { user: 'grace' } });
  expect(roles.toSorted()).toEqual(['auditor', 'operator']);
});

test('an identity provider', async () => {
  const { page } = operator;
  await page.goto('/identity');
  await page.getByRole('button', { name: 'Change', exact: true }).click();
  const dialog = page.getByRole('dialog', { name: 'Change Company' });
  await dialog.getByLabel('Groups to roles').fill('netops = operator');
  const { client } = controller;
  const { items } = await client.call('identityProviderList');
  const params = { identityProvider: items[0]?.id ?? '' };
  const others = { name: 'Firm', groupRoles: [{ group: 'staff', role: 'member' as const }] };
  await client.call('identityProviderChange', { params, body: others });
  await dialog.getByRole('button', { name: 'Save' }).click();
  const notice = await conflictIn(dialog);
  expect(await cellsOf(notice, 'Groups to roles')).toEqual([
    '',
    'staff = member',
    'netops = operator',
  ]);
  expect(await dialog.getByLabel('Name', { exact: true }).inputValue()).toBe('Firm');
  expect(await findBarriers(page)).toEqual([]);
  await dialog.getByRole('button', { name: 'Save' }).click();
  await dialog.waitFor({ state: 'detached' });
  const provider = await client.call('identityProviderShow', { params });
  expect(provider.name).toBe('Firm');
  expect(provider.groupRoles).toEqual([{ group: 'netops', role: 'operator' }]);
});

test('how long the ledger is kept', async () => {
  const { page } = operator;
  await page.goto('/settings');
  const days = page.getByLabel('Days to keep entries');
  await days.fill('500');
  await controller.client.call('ledgerChange', { body: { auditDays: 100 } });
  const card = page.getByRole('region', { name: 'Ledger' });
  await card.getByRole('button', { name: 'Save' }).click();
  const notice = await conflictIn(card);
  expect(await cellsOf(notice, 'Days to keep entries')).toEqual(['400', '100', '500']);
  await card.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Entries are kept for 500 days').waitFor();
  expect((await controller.client.call('ledgerShow')).auditDays).toBe(500);
  expectQuiet(operator);
});
