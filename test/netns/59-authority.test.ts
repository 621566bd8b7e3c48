/**
 * The rehearsal of docs/operations.md, "The authority", with real hosts: keys are taken out of the
 * controller, lost, recovered and handed back, and the controller loses its sealing key, while two
 * hosts talk all the time. The world is that of scenario.ts.
 */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CHECKOUT, runCommand, startController, waitFor } from '@etherloom/lab';
import type { LabAgent, LabController } from '@etherloom/lab';
import { ping } from './ping.ts';
import type { Membership, Scenario } from './scenario.ts';
import { buildScenario, createToken, ipv4Of, joinNetwork, joinWith, pick } from './scenario.ts';

let scenario: Scenario;
let controller: LabController;
let members: readonly Membership[];
let out: string;

beforeAll(async () => {
  scenario = await buildScenario({ underlay: 'ipv4', hosts: ['alpha', 'beta', 'gamma'] });
  controller = scenario.controller;
  out = join(scenario.world.directory, 'keys');
  const { alpha, beta } = scenario.agents;
  const body = { name: 'demo', ipv4: '10.59.0.0/24' };
  ({ members } = await joinNetwork(scenario, body, [alpha, beta]));
});
afterAll(async () => {
  await scenario?.world.dispose();
});

async function authority(...args: string[]): Promise<string> {
  const { stdout } = await runCommand([CHECKOUT.loom, 'authority', ...args], {
    env: {
      LOOM_URL: controller.localUrl,
      LOOM_TOKEN: controller.adminToken,
      LOOM_TLS_FINGERPRINT: controller.tlsFingerprint,
    },
  });
  return stdout;
}

function keyFile(part: string): string {
  const name = readdirSync(out).find((one) => one.includes(part));
  if (name === undefined) throw new Error(`no key file ${part}`);
  return join(out, name);
}

async function handshakesOf(agent: LabAgent): Promise<number[]> {
  const { stdout } = await agent.loom(['peers', '--json']);
  const { peers } = JSON.parse(stdout) as { peers: { handshakes: number }[] }; // the local API
  return peers.map(({ handshakes }) => handshakes);
}

/** Pings from alpha to beta during some work; no ping may be lost, no session made anew. */
async function whilePinging(seconds: number, work: () => Promise<void>): Promise<void> {
  const [from, to] = members;
  if (!from || !to) throw new Error('no members');
  const before = await handshakesOf(from.agent);
  const intervalSeconds = 0.1;
  const options = { count: seconds / intervalSeconds, intervalSeconds, interface: from.interface };
  const [result] = await Promise.all([ping(scenario.world, from.agent, to.ipv4, options), work()]);
  expect(result.received).toBe(result.sent);
  for (const { agent } of [from, to]) {
    const [network] = (await agent.status()).networks;
    expect(network?.problem).toBeNull();
  }
  expect(await handshakesOf(from.agent)).toEqual(before);
}

async function follows(revision: number): Promise<void> {
  for (const { agent } of members)
    await waitFor(
      `${agent.label} to follow`,
      async () => ((await agent.status()).networks[0]?.revision ?? 0) >= revision,
    );
}

const revisionOfNetwork = async (): Promise<number> =>
  (await controller.client.call('networkShow', { params: { network: 'demo' } })).revision;

test('a lost offline key is recovered and handed back, and no ping is lost', async () => {
  await whilePinging(40, async () => {
    const made = await authority('init', '--offline', '--out', out);
    expect(made).toContain('Signed 4 statements in force.');
    await follows(await revisionOfNetwork());
    rmSync(keyFile('-authority-v2-'));
    const recovery = ['recover', '--recovery-key', keyFile('-recovery-v2-')];
    await authority(...recovery, '--keys', '1', '--out', out);
    await authority('sign', '--key', keyFile('-authority-v3-'), '--yes');
    await follows(await revisionOfNetwork());
    await authority('rotate', '--held', '--key', keyFile('-authority-v3-'));
    expect(await authority('show')).toMatch(/held[\s\S]*Waiting +nothing/);
    await follows(await revisionOfNetwork());
  });
});

test('a host that joins while keys are offline is a member once it is signed', async () => {
  const { gamma } = scenario.agents;
  const keys = join(scenario.world.directory, 'keys-2');
  out = keys;
  await authority('init', '--offline', '--out', keys);
  const token = await createToken({ ...scenario, controller }, { network: 'demo' });
  const refused = await gamma.join({ token, name: 'gamma' }).then(
    () => '',
    (error: unknown) => String(error),
  );
  expect(refused).toMatch(/sign/);
  await authority('sign', '--key', keyFile('-authority-'), '--yes');
  await waitFor('gamma to have the network', async () => {
    const [network] = (await gamma.status()).networks;
    return network?.members === 3;
  });
  await authority('rotate', '--held', '--key', keyFile('-authority-'));
});

test('a lost sealing key stops the start; given up and recovered, hosts follow', async () => {
  // Recovery keys outlive rotations: those that were made first are the ones that count.
  out = join(scenario.world.directory, 'keys');
  const recovery = keyFile('-recovery-');
  await whilePinging(40, async () => {
    controller.process.kill('SIGTERM');
    await controller.process.exited;
    rmSync(join(controller.dataDirectory, 'authority.kek'));
    await expect(start()).rejects.toThrow(/authority\.kek cannot be read/);
    controller = await start('--authority-keys-lost');
    await authority('recover', '--recovery-key', recovery, '--held');
    await follows(await revisionOfNetwork());
  });
  const { gamma } = scenario.agents;
  await gamma.loom(['leave', 'demo']);
  const token = await createToken({ ...scenario, controller }, { network: 'demo' });
  expect((await joinWith(gamma, token, 'demo')).ipv4).toMatch(/^10\.59\.0\./);
});

function start(...args: string[]): Promise<LabController> {
  return startController(scenario.world, {
    namespace: pick(scenario.namespaces, 'controller'),
    listen: `${ipv4Of('controller')}:8443`,
    dataDirectory: controller.dataDirectory,
    args,
  });
}
