/**
 * What somebody does who has no mouse or cannot see the page: a whole journey by keys alone, from
 * logging in to deleting what was made.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Browser, Page } from 'playwright-core';
import type { TestController } from '../../packages/controller/src/testing/controller-fixture.ts';
import { startTestController } from '../../packages/controller/src/testing/controller-fixture.ts';
import { expectQuiet, openConsole, startBrowser } from './browser.ts';
import type { Console } from './browser.ts';
import { OWNER, readSetupCode } from './journeys.ts';

/** More presses than any page has places to stop at. */
const TABS_MAX = 60;

let controller: TestController;
let browser: Browser;
let operator: Console;

beforeAll(async () => {
  [controller, browser] = await Promise.all([startTestController(), startBrowser()]);
  operator = await openConsole(browser, controller.controller.url);
});
afterAll(async () => {
  await browser?.close();
  await controller?.remove();
});

/** What has the focus, as a screen reader names it. */
async function focused(page: Page): Promise<string> {
  const script = `(() => {
    const it = document.activeElement;
    if (it === null) return '';
    const labels = it.labels === undefined || it.labels === null ? [] : [...it.labels];
    const said = it.getAttribute('aria-label') ?? labels.map((label) => label.textContent).join(' ');
    return said || it.textContent || '';
  })()`;
  return String(await page.evaluate(script)).trim();
}

/** Presses Tab until something of that name has the focus. */
async function tabTo(page: Page, name: string): Promise<void> {
  const seen: string[] = [];
  for (let press = 0; press < TABS_MAX; press++) {
    const here = await focused(page);
    if (here === name) return;
    seen.push(here);
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab never came to "${name}"; it came to ${seen.join(' | ')}`);
}

async function type(page: Page, field: string, text: string): Promise<void> {
  await tabTo(page, field);
  await page.keyboard.type(text);
}

test('the owner is made by keys; the first field has the focus', async () => {
  const { page } = operator;
  await page.getByLabel('Set-up code').waitFor();
  await expect.poll(() => focused(page)).toBe('Set-up code');
  await page.keyboard.type(readSetupCode(controller.dataDirectory));
  await type(page, 'Your user name', OWNER.name);
  await type(page, 'Password', OWNER.password);
  await type(page, 'Password again', OWNER.password);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
});

test('the first stop of a page skips to what it is about', async () => {
  const { page } = operator;
  await page.reload();
  await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
  // Until it has come there is nothing in the page to stop at.
  await page.getByRole('main').getByRole('link', { name: 'Create a network' }).waitFor();
  await page.keyboard.press('Tab');
  await expect.poll(() => focused(page)).toBe('Skip to the page');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  await expect
    .poll(() => page.evaluate('document.activeElement.closest("main") !== null'))
    .toBe(true);
});

test('a network is created in a dialog that keeps the focus, and Escape leaves it', async () => {
  const { page } = operator;
  await page.reload();
  await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
  await tabTo(page, 'Networks');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Networks', level: 1 }).waitFor();
  await tabTo(page, 'Create a network');
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog', { name: 'Create a network' });
  await dialog.waitFor();
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  await expect.poll(() => focused(page)).toBe('Create a network');
  await page.keyboard.press('Enter');
  await dialog.waitFor();
  for (let press = 0; press < 20; press++) {
    await page.keyboard.press('Tab');
    // Beyond its last field a dialog of the browser leads to the browser's own bar, not the page.
    const isOutside = await page.evaluate(
      'document.activeElement !== document.body && document.activeElement.closest("dialog") === null',
    );
    expect(isOutside).toBe(false);
  }
  await tabTo(page, 'Name');
  await page.keyboard.type('keys');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'keys', level: 1 }).waitFor();
});

test('a network is deleted once its name was typed', async () => {
  const { page } = operator;
  // A page that was gone to has the focus: the first such link is the network's own.
  await tabTo(page, 'Settings');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'End' }).waitFor();
  await tabTo(page, 'Delete the network');
  await page.keyboard.press('Enter');
  await page.getByRole('dialog', { name: 'Delete keys?' }).waitFor();
  await tabTo(page, 'Type keys to confirm');
  await page.keyboard.type('keys');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Networks', level: 1 }).waitFor();
  await page.getByRole('heading', { name: 'No network yet' }).waitFor();
  expectQuiet(operator);
});
