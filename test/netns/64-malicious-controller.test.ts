/**
 * Real agents under a controller that lies (test/malice): what it says is refused and shown, and no
 * ping between honest members is lost. The faster ring test/malice has every lie; here are those
 * that would take something down. The world is that of scenario.ts; the liar listens beside the
 * controller, with its certificate, and has no authority key of its own to use.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeJoinToken, encodeJoinToken } from '@etherloom/api';
import type { ControllerMessage, NetworkProof, NetworkState } from '@etherloom/api';
import { networkDigest } from '@etherloom/core';
import { CHECKOUT, waitFor } from '@etherloom/lab';
import type { Background, LabAgent } from '@etherloom/lab';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { LiarOrder } from '../malice/lying-controller-main.ts';
import { ping } from './ping.ts';
import { buildScenario, createToken, ipv4Of, joinWith, pick, waitForPeers } from './scenario.ts';
import type { Membership, Scenario } from './scenario.ts';

const LIAR_MAIN = fileURLToPath(new URL('../malice/lying-controller-main.ts', import.meta.url));
const LIAR_PORT = 9_443;
const DAY_MS = 86_400_000;

let scenario: Scenario;
let liar: Background;
let alpha: LabAgent;
let beta: LabAgent;
let gamma: LabAgent;
let ofBeta: Membership;
let networkId = '';

beforeAll(async () => {
  scenario = await buildScenario({ underlay: 'ipv4', hosts: ['alpha', 'beta', 'gamma'] });
  ({ alpha, beta, gamma } = scenario.agents);
  const { client, dataDirectory, url, tlsFingerprint } = scenario.controller;
  const host = ipv4Of('controller');
  liar = await scenario.world.spawn({
    label: 'liar',
    namespace: pick(scenario.namespaces, 'controller'),
    argv: [CHECKOUT.node, LIAR_MAIN, dataDirectory, url, tlsFingerprint, host, String(LIAR_PORT)],
    ipc: true,
  });
  await new Promise((resolve) => liar.child.once('message', resolve));
  const body = { name: 'demo', ipv4: '10.72.0.0/24' };
  ({ id: networkId } = await client.call('networkCreate', { body }));
  const honest = decodeJoinToken(await createToken(scenario, { network: 'demo', uses: 3 }));
  const token = encodeJoinToken({ ...honest, urls: [`https://${host}:${LIAR_PORT}`] });
  for (const agent of [alpha, gamma]) await joinWith(agent, token, 'demo');
  ofBeta = await joinWith(beta, token, 'demo');
  await waitForPeers([alpha, beta, gamma]);
});
afterAll(async () => {
  await scenario?.world.dispose();
});
afterEach(async () => {
  order({ order: 'honest' });
  order({ order: 'drop' });
  await waitFor('all to be well', async () => (await codesOf(alpha)).length === 0, {
    deadlineMs: 90_000,
    logs: [alpha.process.logPath],
  });
});

test('a snapshot that moves a MAC is refused, shown by loom and by the controller', async () => {
  const { nodeId } = await alpha.status();
  await whilePinging(async () => {
    order({ order: 'say', nodeId: nodeId ?? '', message: forgedSnapshot(alpha) });
    await shows(alpha, 'state_differs');
  });
  const { stdout } = await alpha.loom(['status']);
  expect(stdout).toMatch(/Problem .*revision .* is not proved: the MAC of beta is given as/);
  await waitFor('the controller to be told', async () => {
    const { items } = await scenario.controller.client.call('nodeList');
    return items.some(({ problems }) => problems.some(({ code }) => code === 'state_differs'));
  });
});

test('a removal that nobody signed takes nothing down', async () => {
  const { nodeId } = await alpha.status();
  await whilePinging(async () => {
    const message = { type: 'removed', networkId, reason: 'a lie' } as const;
    order({ order: 'say', nodeId: nodeId ?? '', message });
    await shows(alpha, 'removal_unsigned');
    order({
      order: 'answer',
      message: { type: 'refused', code: 'node_removed', message: 'a lie' },
    });
    order({ order: 'drop' });
    await waitFor('the refusal', async () =>
      (await alpha.status()).controller.lastError?.includes('a lie'),
    );
  });
  expect((await alpha.status()).networks).toHaveLength(1);
});

test('a node that is called a copy goes on as it was', async () => {
  const message = { type: 'split', ticket: 't'.repeat(43), message: 'it is a copy' } as const;
  const { nodeId } = await alpha.status();
  await whilePinging(async () => {
    order({ order: 'answer', message });
    order({ order: 'drop' });
    await shows(alpha, 'verdict_disputed');
  });
  const status = await alpha.status();
  expect([status.nodeId, status.standing]).toEqual([nodeId, null]);
});

test.each([3_650 * DAY_MS, -3_650 * DAY_MS])('a time that is %d ms off ends nobody', async (ms) => {
  await whilePinging(async () => {
    order({ order: 'time', fromNowMs: ms });
    order({ order: 'drop' });
    await shows(alpha, 'clock_refused');
  });
});

test('a removal that is kept from one host reaches it by its peers', async () => {
  const { nodeId } = await alpha.status();
  await whilePinging(async () => {
    order({ order: 'silence', nodeId: nodeId ?? '' });
    await scenario.controller.client.call('memberDelete', {
      params: { network: 'demo', node: 'gamma' },
    });
    await shows(alpha, 'roster_withheld');
    await waitFor('gamma to be cut off', async () => (await alpha.status()).peers.up === 1);
  });
  await waitFor('gamma to have it down', async () => (await gamma.status()).networks.length === 0);
});

function order(given: LiarOrder): void {
  liar.child.send(given);
}

async function codesOf(agent: LabAgent): Promise<string[]> {
  return (await agent.status()).problems.map(({ code }) => code);
}

async function shows(agent: LabAgent, code: string): Promise<void> {
  await waitFor(
    `${agent.label} to show ${code}`,
    async () => (await codesOf(agent)).includes(code),
    {
      deadlineMs: 60_000,
      logs: [agent.process.logPath],
    },
  );
}

/** Pings beta from alpha until the work is done; none may be lost. */
async function whilePinging(work: () => Promise<void>): Promise<void> {
  let isDone = false;
  const working = work().finally(() => (isDone = true));
  let lost = 0;
  do {
    const { sent, received } = await ping(scenario.world, alpha, ofBeta.ipv4, { count: 5 });
    lost += sent - received;
  } while (!isDone);
  await working;
  expect(lost).toBe(0);
}

/** What the host holds, with beta's MAC moved. */
function forgedSnapshot(agent: LabAgent): ControllerMessage {
  const directory = join(agent.stateDirectory, 'networks');
  const [name = ''] = readdirSync(directory).filter((file) => file.endsWith('.json'));
  const file: { content: { state: NetworkState; proof: NetworkProof } } = JSON.parse(
    readFileSync(join(directory, name), 'utf8'),
  );
  const { state, proof } = file.content;
  for (const member of state.members) if (member.name === 'beta') member.mac = '02:00:00:00:00:99';
  state.revision += 1;
  return { type: 'snapshot', state, proof, digest: networkDigest(state) };
}
