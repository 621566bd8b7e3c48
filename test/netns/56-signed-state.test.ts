/**
 * What an agent holds on disk is verified before it is used, with nobody to ask: the controller is
 * away at each start. The world is that of scenario.ts.
 */
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startAgent, startController, waitFor } from '@etherloom/lab';
import type { LabAgent, LabController } from '@etherloom/lab';
import { ping } from './ping.ts';
import { buildScenario, ipv4Of, joinNetwork, pick, waitForPeers } from './scenario.ts';
import type { Membership, Scenario } from './scenario.ts';

const SECONDS_OF_30_DAYS = 30 * 86_400;

interface StoredFile {
  sha256: string;
  content: {
    proof?: unknown;
    state: { members: { addresses: string[]; endpointRecord?: string | null }[] };
  };
}

let scenario: Scenario;
let controller: LabController;
let alpha: LabAgent;
let beta: LabAgent;
let ofBeta: Membership;

beforeAll(async () => {
  scenario = await buildScenario({ underlay: 'ipv4' });
  ({ alpha, beta } = scenario.agents);
  controller = scenario.controller;
  const agents = [alpha, beta];
  const { members } = await joinNetwork(scenario, { name: 'demo', ipv4: '10.72.0.0/24' }, agents);
  const [, second] = members;
  if (second === undefined) throw new Error('beta has joined');
  ofBeta = second;
});
afterAll(async () => {
  await scenario?.world.dispose();
});

test('a verified network is up again without a controller, and says for how long', async () => {
  await stopController();
  await restartAlpha(() => undefined);
  await untilBetaAnswers();
  const { authority, problems, networks } = await alpha.status();
  expect(authority?.version).toBe(1);
  expect(problems).toEqual([]);
  const [trust] = networks.map((network) => network.trust);
  expect(trust).toMatchObject({ membersValid: 2, stalenessDays: 30, firstPeer: 'beta' });
  for (const left of [trust?.ownSecondsLeft, trust?.firstPeerSecondsLeft]) {
    expect(left).toBeGreaterThan(SECONDS_OF_30_DAYS - 3_600);
    expect(left).toBeLessThanOrEqual(SECONDS_OF_30_DAYS);
  }
  const { stdout } = await alpha.loom(['status']);
  expect(stdout).toMatch(/Authority .*version 1 \(/);
  expect(stdout).toMatch(/Credential .*29 d .* left without a controller; first peer beta: 29 d/);
});

test('a state that was changed under a true checksum is set aside, shown, and healed', async () => {
  await restartAlpha((content) => content.state.members[0]?.addresses.push('10.72.0.99'));
  const { problems, networks, peers } = await alpha.status();
  expect(problems).toMatchObject([{ network: 'demo', code: 'state_differs' }]);
  expect([networks, peers.total]).toEqual([[], 0]);
  expect((await alpha.loom(['status'])).stdout).toMatch(/Problem .*demo: state_differs: /);
  await startControllerAgain();
  await waitForPeers([alpha, beta]);
  await untilBetaAnswers();
  expect((await alpha.status()).problems).toEqual([]);
});

test('a state directory of a former version is used, and proved at the next contact', async () => {
  await stopController();
  await restartAlpha((content) => {
    delete content.proof;
    for (const member of content.state.members) delete member.endpointRecord;
    rmSync(join(alpha.stateDirectory, 'trust.json'));
  });
  await untilBetaAnswers();
  const held = await alpha.status();
  expect(held.authority).toBe(null);
  expect(held.networks.map(({ trust }) => trust)).toEqual([null]);
  await startControllerAgain();
  await waitFor('alpha to hold a proof', async () => {
    const { networks } = await alpha.status();
    return networks.some(({ trust }) => trust !== null);
  });
  const { authority, problems } = await alpha.status();
  expect(authority?.version).toBe(1);
  expect(problems).toEqual([]);
  expect(readFileSync(alpha.process.logPath, 'utf8')).toContain('authority is pinned from here on');
  await untilBetaAnswers();
});

async function untilBetaAnswers(): Promise<void> {
  await waitFor('a ping to pass', async () => {
    return (await ping(scenario.world, alpha, ofBeta.ipv4, { count: 1 })).received === 1;
  });
}

/** Stops the agent, changes what it holds of the network, makes the checksum anew and starts it. */
async function restartAlpha(change: (content: StoredFile['content']) => void): Promise<void> {
  alpha.kill('SIGTERM');
  await alpha.process.exited;
  const directory = join(alpha.stateDirectory, 'networks');
  const [name = ''] = readdirSync(directory).filter((file) => file.endsWith('.json'));
  const file: StoredFile = JSON.parse(readFileSync(join(directory, name), 'utf8'));
  change(file.content);
  file.sha256 = createHash('sha256').update(JSON.stringify(file.content)).digest('hex');
  writeFileSync(join(directory, name), JSON.stringify(file));
  alpha = await startAgent(scenario.world, alpha.namespace, {
    label: alpha.label,
    stateDirectory: alpha.stateDirectory,
    socketPath: alpha.socketPath,
  });
}

async function stopController(): Promise<void> {
  controller.process.kill('SIGTERM');
  await controller.process.exited;
}

async function startControllerAgain(): Promise<void> {
  controller = await startController(scenario.world, {
    namespace: pick(scenario.namespaces, 'controller'),
    listen: `${ipv4Of('controller')}:8443`,
    dataDirectory: controller.dataDirectory,
  });
}
