/** Logging in by an identity provider, from adding it in the console to being refused by it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Browser } from 'playwright-core';
import type { TestController } from '../../packages/controller/src/testing/controller-fixture.ts';
import { startTestController } from '../../packages/controller/src/testing/controller-fixture.ts';
import type { TestProvider } from '../../packages/controller/src/testing/identity-provider-fixture.ts';
import {
  CLIENT_ID,
  CLIENT_SECRET,
  startProvider,
} from '../../packages/controller/src/testing/identity-provider-fixture.ts';
import { expectQuiet, openConsole, startBrowser } from './browser.ts';
import { goTo, readSetupCode, setUp } from './journeys.ts';

let controller: TestController;
let provider: TestProvider;
let browser: Browser;

beforeAll(async () => {
  [controller, provider, browser] = await Promise.all([
    startTestController(),
    startProvider(),
    startBrowser(),
  ]);
  provider.accounts.set('s-1', { name: 'anna', groups: ['netops'] });
  provider.accounts.set('s-2', { name: 'mallory', groups: ['golf'] });
});
afterAll(async () => {
  await browser?.close();
  await provider?.stop();
  await controller?.remove();
});

test('a provider is added, and shows the address to register there', async () => {
  const owner = await openConsole(browser, controller.controller.url);
  const { page } = owner;
  await setUp(page, readSetupCode(controller.dataDirectory));
  await goTo(page, 'Single sign-on');
  await page.getByRole('button', { name: 'Add a provider' }).click();
  const dialog = page.getByRole('dialog', { name: 'Add an identity provider' });
  await dialog.getByLabel('Name', { exact: true }).fill('Company');
  await dialog.getByLabel('Issuer').fill(provider.issuer);
  await dialog.getByLabel('Client id').fill(CLIENT_ID);
  await dialog.getByLabel('Client secret').fill(CLIENT_SECRET);
  await dialog.getByLabel('Groups to roles').fill('netops = boss');
  await dialog.getByText('"netops = boss" is not: group = role').waitFor();
  await dialog.getByLabel('Groups to roles').fill('netops = operator');
  await dialog.getByRole('button', { name: 'Save' }).click();
  const redirectUri = await page.getByRole('region', { name: 'the redirect URI' }).textContent();
  expect(redirectUri).toContain('/callback');
  provider.redirectUris.push(redirectUri ?? '');
  expectQuiet(owner);
  await owner.context.close();
});

test('whoever has a group with a role is let in with that role', async () => {
  provider.current = 's-1';
  const url = controller.controller.url;
  const user = await openConsole(browser, url, { allowed: provider.issuer });
  const { page } = user;
  await page.getByRole('link', { name: 'Log in with Company' }).click();
  await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
  const places = page.getByRole('navigation', { name: 'Places' });
  expect(await places.getByRole('link', { name: 'Join a host' }).count()).toBe(1);
  expect(await places.getByRole('link', { name: 'Users and roles' }).count()).toBe(0);
  expectQuiet(user);
  await user.context.close();
});

test('whoever has none is told why', async () => {
  provider.current = 's-2';
  const url = controller.controller.url;
  const user = await openConsole(browser, url, { allowed: provider.issuer });
  const { page } = user;
  await page.getByRole('link', { name: 'Log in with Company' }).click();
  await page.getByText('none of your groups at the provider has a role').waitFor();
  await user.context.close();
});
