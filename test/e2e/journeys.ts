/** Steps that several journeys through the console begin with, by role and label alone. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';

export const OWNER = { name: 'ada', password: 'a loom has two beams' } as const;

/** The code that a fresh controller keeps in its directory. */
export function readSetupCode(dataDirectory: string): string {
  return readFileSync(join(dataDirectory, 'setup.code'), 'utf8').trim();
}

/** First run: makes the owner. Ends at the overview. */
export async function setUp(page: Page, code: string): Promise<void> {
  await page.getByLabel('Set-up code').fill(code);
  await page.getByLabel('Your user name').fill(OWNER.name);
  await page.getByLabel('Password', { exact: true }).fill(OWNER.password);
  await page.getByLabel('Password again').fill(OWNER.password);
  await page.getByRole('button', { name: 'Make me the owner' }).click();
  await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
}

/** Ends at the overview. */
export async function logIn(
  page: Page,
  user: typeof OWNER | { name: string; password: string },
): Promise<void> {
  await page.getByLabel('User name').fill(user.name);
  await page.getByLabel('Password').fill(user.password);
  await page.getByRole('button', { name: 'Log in', exact: true }).click();
  await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
}

/** Goes to a place of the rail. */
export async function goTo(page: Page, place: string): Promise<void> {
  await page.getByRole('navigation', { name: 'Places' }).getByRole('link', { name: place }).click();
  await page.getByRole('heading', { name: place, level: 1 }).waitFor();
}

/** Creates a network with the pool that is proposed. Ends at its page. */
export async function createNetwork(page: Page, name: string): Promise<void> {
  await goTo(page, 'Networks');
  await page.getByRole('button', { name: 'Create a network' }).first().click();
  const dialog = page.getByRole('dialog', { name: 'Create a network' });
  await dialog.getByLabel('Name').fill(name);
  await dialog.getByRole('button', { name: 'Create' }).click();
  await page.getByRole('heading', { name, level: 1 }).waitFor();
}
