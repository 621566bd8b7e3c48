/**
 * A controller whose database is put back to an older backup: what hosts do by themselves, what
 * they tell, and how an operator gets out of it. The world is that of scenario.ts.
 */
import { copyFileSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startController, waitFor } from '@etherloom/lab';
import type { LabAgent, LabController } from '@etherloom/lab';
import { buildScenario, createToken, ipv4Of, joinNetwork, joinWith, pick } from './scenario.ts';
import { waitForPeers } from './scenario.ts';
import type { Scenario } from './scenario.ts';

let scenario: Scenario;
let controller: LabController;
let alpha: LabAgent;
let beta: LabAgent;

beforeAll(async () => {
  scenario = await buildScenario({ underlay: 'ipv4' });
  ({ alpha, beta } = scenario.agents);
  controller = scenario.controller;
});
afterAll(async () => {
  await scenario?.world.dispose();
});

test('hosts take nothing from it, say so, and follow it after a start with --restored', async () => {
  await joinNetwork(scenario, { name: 'demo', ipv4: '10.71.0.0/24' }, [alpha, beta]);
  await stop();
  const database = join(controller.dataDirectory, 'controller.db');
  const backup = join(scenario.world.directory, 'backup.db');
  copyFileSync(database, backup);

  controller = await start();
  const members = (count: number): Promise<unknown> =>
    waitFor(
      `alpha to know ${count} members`,
      async () => (await networkOf(alpha)).members === count,
    );
  await beta.loom(['leave', 'demo']);
  await members(1);
  await joinWith(beta, await createToken({ ...scenario, controller }, { network: 'demo' }), 'demo');
  await members(2);
  const before = await networkOf(alpha);

  await stop();
  for (const suffix of ['-wal', '-shm']) rmSync(database + suffix, { force: true });
  copyFileSync(backup, database);
  controller = await start();
  await waitFor('alpha to say so', async () => (await networkOf(alpha)).problem !== null, {
    deadlineMs: 60_000,
  });
  const { problem, revision } = await networkOf(alpha);
  expect(problem).toMatch(/older backup.*--restored/);
  expect(revision).toBe(before.revision);
  expect((await alpha.loom(['status'])).stdout).toMatch(/Problem .*--restored/);
  expect(readFileSync(controller.process.logPath, 'utf8')).toContain('later revision than this');

  await stop();
  controller = await start(true);
  for (const agent of [alpha, beta]) {
    await waitFor(
      `${agent.label} to follow`,
      async () => {
        const network = await networkOf(agent);
        return network.problem === null && network.revision > before.revision;
      },
      { deadlineMs: 60_000 },
    );
  }
  await beta.loom(['leave', 'demo']);
  await members(1);
  await joinWith(beta, await createToken({ ...scenario, controller }, { network: 'demo' }), 'demo');
  await members(2);
  await waitForPeers([alpha, beta]);
});

function start(isRestored = false): Promise<LabController> {
  return startController(scenario.world, {
    namespace: pick(scenario.namespaces, 'controller'),
    listen: `${ipv4Of('controller')}:8443`,
    dataDirectory: controller.dataDirectory,
    isRestored,
  });
}

async function stop(): Promise<void> {
  controller.process.kill('SIGTERM');
  await controller.process.exited;
}

async function networkOf(
  agent: LabAgent,
): Promise<Awaited<ReturnType<LabAgent['status']>>['networks'][number]> {
  const [network] = (await agent.status()).networks;
  if (network === undefined) throw new Error(`${agent.label} is in no network`);
  return network;
}
