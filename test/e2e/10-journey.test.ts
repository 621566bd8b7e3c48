/**
 * The first hour of an operator: set-up, a network, two hosts that join and turn green, one that is
 * removed and leaves. A real controller, real agents, one namespace each:
 *
 *      browser ── relay ── controller .10     alpha .11     beta .12
 *                              |                 |             |
 *                       -------+-----------------+-------------+----  198.51.100.0/24
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { waitFor } from '@etherloom/lab';
import type { LabAgent } from '@etherloom/lab';
import type { Browser } from 'playwright-core';
import { buildScenario } from '../netns/scenario.ts';
import type { Scenario } from '../netns/scenario.ts';
import { expectQuiet, openConsole, readClipboard, startBrowser, takePicture } from './browser.ts';
import type { Console } from './browser.ts';
import { OWNER, createNetwork, goTo, logIn, readSetupCode, setUp } from './journeys.ts';

describe.skipIf(process.getuid?.() !== 0)('the first hour', () => {
  let scenario: Scenario;
  let browser: Browser;
  let operator: Console;

  beforeAll(async () => {
    [scenario, browser] = await Promise.all([
      buildScenario({ hosts: ['alpha', 'beta'], underlay: 'ipv4' }),
      startBrowser(),
    ]);
    operator = await openConsole(browser, scenario.controller.localUrl);
  });
  afterAll(async () => {
    await browser?.close();
    await scenario?.world.dispose();
  });

  test('a wrong set-up code makes no owner', async () => {
    const { page } = operator;
    await page.getByLabel('Set-up code').fill('wrong-wrong-wrong-wrong');
    await page.getByLabel('Your user name').fill(OWNER.name);
    await page.getByLabel('Password', { exact: true }).fill(OWNER.password);
    await page.getByLabel('Password again').fill(OWNER.password);
    await takePicture(page, 'set-up');
    await page.getByRole('button', { name: 'Make me the owner' }).click();
    const alert = page.getByRole('alert');
    await alert.waitFor();
    expect(await alert.textContent()).toContain('req_');
  });

  test('the set-up code makes the owner, and is good once', async () => {
    const { page } = operator;
    await setUp(page, readSetupCode(scenario.controller.dataDirectory));
    const other = await openConsole(browser, scenario.controller.localUrl);
    await other.page.getByRole('heading', { name: 'Log in' }).waitFor();
    await other.context.close();
  });

  test('a network is created with a pool of its own', async () => {
    const { page } = operator;
    await createNetwork(page, 'blue');
    await page.getByText('No member yet').waitFor();
    await page.getByRole('link', { name: 'Addresses' }).click();
    await page.getByRole('img', { name: '0 in use, 0 reserved, 254 free' }).waitFor();
  });

  test.each(['alpha', 'beta'] as const)(
    '%s joins by the one command, and turns green without a reload',
    async (label) => {
      const { page } = operator;
      if (label === 'alpha') await goTo(page, 'Join a host');
      else await page.getByRole('button', { name: 'Make another one' }).click();
      await page.getByRole('button', { name: 'Make the command' }).click();
      const command = await page.getByRole('region', { name: 'the command' }).textContent();
      await page.getByRole('button', { name: 'Copy the command' }).click();
      await expect.poll(() => readClipboard(page)).toBe(command);
      await runOnHost(scenario.agents[label], command ?? '', label);
      const arrived = page.getByRole('list', { name: 'Arrived' });
      await arrived.getByText(label).waitFor();
      await arrived.getByText('online').waitFor();
      await page.getByText('1 host is in blue').waitFor();
      if (label === 'beta') await takePicture(page, 'join');
    },
  );

  test('the topology shows both hosts with a direct path between them', async () => {
    const { page } = operator;
    await waitFor('both hosts to have a session', async () => {
      const { peers } = await scenario.agents.alpha.status();
      return peers.up === 1;
    });
    await goTo(page, 'Topology');
    const picture = page.getByRole('application');
    await picture.locator('line.path.direct').waitFor({ state: 'attached' });
    // Endpoints are told after the links are there.
    await expect.poll(() => picture.getAttribute('aria-label')).toContain('2 nodes in 1 places');
    await page.getByRole('button', { name: 'Table' }).click();
    const row = page.getByRole('row', { name: /^alpha/ });
    await row.getByText('1 of 1').waitFor();
    await page.getByRole('button', { name: 'Picture' }).click();
  });

  test('the page of a node shows its sessions', async () => {
    const { page } = operator;
    await goTo(page, 'Nodes');
    await page.getByRole('link', { name: 'alpha' }).click();
    await page.getByRole('heading', { name: 'Sessions: 1 of 1 up' }).waitFor();
    await page.getByRole('row', { name: /beta/ }).getByText('up').first().waitFor();
    await takePicture(page, 'node');
  });

  test('a removed node leaves, and every page knows without a reload', async () => {
    const { page } = operator;
    const watcher = await openConsole(browser, scenario.controller.localUrl);
    await logIn(watcher.page, OWNER);
    await goTo(watcher.page, 'Nodes');
    await watcher.page.getByRole('link', { name: 'beta' }).waitFor();
    await goTo(page, 'Nodes');
    await page.getByRole('link', { name: 'beta' }).click();
    await page.getByRole('button', { name: 'Remove the node' }).click();
    const dialog = page.getByRole('dialog', { name: 'Remove beta?' });
    const remove = dialog.getByRole('button', { name: 'Remove' });
    await expect.poll(() => remove.isDisabled()).toBe(true);
    await dialog.getByLabel('Type beta to confirm').fill('beta');
    await dialog.getByLabel('Why').fill('rack 7 is taken down – für immer');
    await remove.click();
    await page.getByRole('heading', { name: 'Nodes', level: 1 }).waitFor();
    await watcher.page.getByRole('link', { name: 'beta' }).waitFor({ state: 'detached' });
    await waitFor('beta to take the network down', async () => {
      const { networks } = await scenario.agents.beta.status();
      return networks.length === 0;
    });
    expectQuiet(watcher);
    await watcher.context.close();
  });

  test('what was done is in the ledger, with before and after, and why', async () => {
    const { page } = operator;
    await goTo(page, 'Activity');
    const removal = page.getByRole('button', {
      name: /ada.*beta.*rack 7 is taken down – für immer/,
    });
    await removal.waitFor();
    const entry = page.getByRole('button', { name: /ada.*network blue/ }).first();
    await entry.click();
    await page.getByRole('table', { name: 'Before and after' }).waitFor();
    await takePicture(page, 'activity');
  });

  test('after logging out nothing is shown', async () => {
    const { page } = operator;
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByRole('heading', { name: 'Log in' }).waitFor();
    await page.goto('/nodes');
    await page.getByRole('heading', { name: 'Log in' }).waitFor();
    expectQuiet(operator);
  });
});

/** Runs what the page shows, as a person pastes it; the machine's own name is not the host's. */
async function runOnHost(agent: LabAgent, command: string, name: string): Promise<void> {
  const [program, ...args] = command.split(' ');
  expect(program).toBe('loom');
  await agent.loom([...args, '--name', name]);
}
