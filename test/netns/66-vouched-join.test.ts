/**
 * New members while every controller is down (docs/trust.md 7): a join token that was made before
 * with --offline-ok lets one host in, whom the controller takes in when it is back. The world is
 * that of scenario.ts.
 */
import { randomBytes } from 'node:crypto';
import { decodeJoinToken, encodeJoinToken, fromBase64url } from '@etherloom/api';
import { Mesh, keyPairOf, parseEndpoint } from '@etherloom/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startAgent, startController, waitFor } from '@etherloom/lab';
import type { LabAgent, LabController } from '@etherloom/lab';
import { buildFlood, startFlood } from './flood.ts';
import { ping } from './ping.ts';
import {
  buildScenario,
  createToken,
  ipv4Of,
  joinNetwork,
  joinWith,
  pick,
  waitForPeers,
} from './scenario.ts';
import type { Membership, Scenario } from './scenario.ts';

const LABELS = ['alpha', 'beta', 'gamma', 'delta'] as const;

let scenario: Scenario;
let controller: LabController;
let alpha: LabAgent;
let beta: LabAgent;
let gamma: LabAgent;
let delta: LabAgent;
let members: readonly Membership[];
let token = '';
let endedToken = '';
let lifelong = '';
let ofGamma: Membership;

beforeAll(async () => {
  scenario = await buildScenario({ hosts: LABELS, underlay: 'ipv4' });
  ({ controller } = scenario);
  ({ alpha, beta, gamma, delta } = scenario.agents);
  const made = await joinNetwork(scenario, { name: 'demo', ipv4: '10.76.0.0/24' }, [alpha, beta]);
  ({ members } = made);
  endedToken = await createOfflineToken(1);
  token = await createOfflineToken(86_400);
  lifelong = await createOfflineToken(86_400);
  controller.process.kill('SIGKILL');
  await controller.process.exited;
  const ends = Date.parse(voucherOf(endedToken).expiresAt);
  await waitFor('a token to end', () => Promise.resolve(Date.now() > ends));
});
afterAll(async () => {
  await scenario?.world.dispose();
});

test('a voucher that was altered, or has run out, lets nobody in', async () => {
  const decoded = decodeJoinToken(token);
  const { voucher } = decoded;
  if (voucher === undefined) throw new Error('the token has a voucher');
  const [key] = decodeJoinToken(lifelong).voucher?.voucher.signatures ?? [];
  const statement = voucher.voucher.statement.replace(/10\.76\.0\.\d+/, '10.76.0.99');
  const altered = { ...voucher.voucher, statement };
  const wider = encodeJoinToken({ ...decoded, voucher: { ...voucher, voucher: altered } });
  expect(key, 'one authority signs all').toMatchObject({ key: voucher.voucher.signatures[0]?.key });
  await expect(gamma.join({ token: wider })).rejects.toThrow(/signatures of the authority/);
  await expect(gamma.join({ token: endedToken })).rejects.toThrow(/the voucher is good from/);
  expect((await gamma.status()).networks).toEqual([]);
});

test('a host joins without any controller and reaches all members', async () => {
  ofGamma = await joinWith(gamma, token, 'demo');
  expect(ofGamma.ipv4).toBe(addressOf(token));
  for (const member of members) {
    await untilReached(gamma, member.ipv4);
    await untilReached(member.agent, ofGamma.ipv4);
  }
  const { problems, networks } = await gamma.status();
  expect(problems).toMatchObject([{ network: 'demo', code: 'membership_vouched' }]);
  expect(networks).toMatchObject([{ name: 'demo', members: 2, mac: ofGamma.mac }]);
});

test('the same token lets no other host in, and the first one stays', async () => {
  await expect(delta.join({ token })).rejects.toThrow(/another host has used the token/);
  expect((await delta.status()).networks).toEqual([]);
  await waitFor('the members to show it', async () => {
    const seen = await Promise.all([alpha, beta].map((agent) => agent.status()));
    return seen.some(({ problems }) => problems.some(({ code }) => code === 'voucher_doubled'));
  });
  await untilReached(alpha, ofGamma.ipv4);
});

test('a flood of introductions takes nothing from members, and is counted', async () => {
  await buildFlood();
  const contacts = decodeJoinToken(token).voucher?.contacts ?? [];
  const credentials = contacts.map(({ credential }) => JSON.parse(credential.statement));
  const { sessionKey } = credentials.find(({ name }) => name === alpha.label);
  const flood = await startFlood(scenario.world, {
    kind: 'replay',
    from: pick(scenario.namespaces, 'stranger'),
    address: ipv4Of('alpha'),
    port: 8_002,
    rate: 2_000,
    datagrams: introductionTo(fromBase64url(sessionKey)),
  });
  try {
    await waitFor('introductions to be refused', async () => {
      const { introduction_limited: limited = 0 } = (await alpha.status()).refusals;
      return limited >= 20;
    });
    const options = { count: 50, intervalSeconds: 0.02 };
    const { sent, received } = await ping(scenario.world, alpha, ofGamma.ipv4, options);
    expect(received).toBe(sent);
  } finally {
    expect((await flood.stop()).sent).toBeGreaterThan(2_000);
  }
});

test('all agents start again and know the host that came in by a voucher', async () => {
  for (const agent of [alpha, beta, gamma]) {
    agent.kill('SIGKILL');
    await agent.process.exited;
  }
  [alpha, beta, gamma] = await Promise.all([restarted(alpha), restarted(beta), restarted(gamma)]);
  await waitForPeers([alpha, beta, gamma], 60_000);
  await untilReached(gamma, members[0]?.ipv4 ?? '');
  await untilReached(beta, ofGamma.ipv4);
});

test('a controller that returns takes the host in, and no ping is lost', async () => {
  const watching = ping(scenario.world, alpha, ofGamma.ipv4, {
    count: 1_000,
    intervalSeconds: 0.05,
  });
  controller = await startController(scenario.world, {
    namespace: pick(scenario.namespaces, 'controller'),
    listen: `${ipv4Of('controller')}:8443`,
    dataDirectory: controller.dataDirectory,
  });
  await waitFor(
    'the roster to name all three',
    async () => {
      const seen = await Promise.all([alpha, beta, gamma].map((agent) => agent.status()));
      return seen.every(({ networks }) => networks[0]?.members === 3);
    },
    { deadlineMs: 60_000, logs: [gamma.process.logPath] },
  );
  const { items } = await controller.client.call('memberList', { params: { network: 'demo' } });
  const own = items.find(({ nodeName }) => nodeName === 'gamma');
  expect(own).toMatchObject({ mac: ofGamma.mac, addresses: [ofGamma.ipv4, ofGamma.ipv6] });
  const { sent, received } = await watching;
  expect(received).toBe(sent);
  expect((await gamma.status()).problems).toEqual([]);
  const rows = (await controller.client.call('tokenList')).items;
  expect(rows.find(({ id }) => id === decodeJoinToken(token).tokenId)).toMatchObject({
    usesLeft: 0,
  });
});

/** The datagrams by which somebody without a voucher introduces himself. */
function introductionTo(sessionKey: Uint8Array): Uint8Array[] {
  const random = (bytes: number): Uint8Array => Uint8Array.from(randomBytes(bytes));
  const nodeId = random(16);
  const privateKey = random(32);
  const staticKeys = { privateKey, publicKey: keyPairOf(privateKey).publicKey };
  const mesh = new Mesh({ nodeId, staticKeys, startCount: 1, lanes: 1 }, { random });
  const endpoints = [parseEndpoint('192.0.2.1:8002')];
  const introduction = random(1_600);
  mesh.setPeers([{ peer: 1, nodeId: random(16), sessionKey, endpoints, introduction }], 0);
  mesh.handleTimeout(0);
  return mesh
    .drainActions()
    .flatMap((action) => (action.kind === 'sendDatagram' ? [action.bytes] : []));
}

async function createOfflineToken(lifetimeSeconds: number): Promise<string> {
  return await createToken(scenario, { network: 'demo', lifetimeSeconds, offlineOk: true });
}

function voucherOf(text: string): { expiresAt: string; addresses: string[] } {
  return JSON.parse(decodeJoinToken(text).voucher?.voucher.statement ?? '{}');
}

function addressOf(text: string): string {
  return voucherOf(text).addresses.find((address) => address.includes('.')) ?? '';
}

async function untilReached(from: LabAgent, address: string): Promise<void> {
  await waitFor(
    `${from.label} to reach ${address}`,
    async () => (await ping(scenario.world, from, address, { count: 1 })).received === 1,
    { deadlineMs: 60_000, logs: [from.process.logPath] },
  );
}

function restarted(agent: LabAgent): Promise<LabAgent> {
  const { label, stateDirectory, socketPath, namespace } = agent;
  return startAgent(scenario.world, namespace, { label, stateDirectory, socketPath });
}
