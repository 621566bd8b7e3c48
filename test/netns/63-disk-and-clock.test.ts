/**
 * A host whose disk takes nothing, and one whose wall clock is wrong by a year: neither loses what
 * it is, nor acts on what is stale. The world is that of scenario.ts; alpha has its state on a
 * small file system of its own, beta has a clock of its own.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readTail, startAgent, startController, waitFor } from '@etherloom/lab';
import type { AgentOptions, Background, LabAgent, LabController } from '@etherloom/lab';
import { YEAR_MS, makeWallClock } from './clock.ts';
import type { WallClock } from './clock.ts';
import { ping } from './ping.ts';
import { buildScenario, createToken, ipv4Of, joinNetwork, joinWith, pick } from './scenario.ts';
import { waitForPeers } from './scenario.ts';
import type { Membership, Scenario } from './scenario.ts';

const DISK_BYTES = 512 * 1024;

let scenario: Scenario;
let controller: LabController;
let disk: Background;
let clock: WallClock;
/** The running agents; tests replace them. */
let alpha: LabAgent;
let beta: LabAgent;
let gamma: LabAgent;
let ofAlpha: Membership;
let ofBeta: Membership;

beforeAll(async () => {
  scenario = await buildScenario({ hosts: ['alpha', 'beta', 'gamma'], underlay: 'ipv4' });
  ({ controller } = scenario);
  ({ alpha, beta, gamma } = scenario.agents);
  const directory = join(scenario.world.directory, 'state', 'small-disk');
  mkdirSync(directory);
  disk = await scenario.world.spawn({
    label: 'small-disk',
    namespace: alpha.namespace,
    argv: ['sh', '-c', MOUNT, directory, String(DISK_BYTES)],
  });
  await waitFor('the small disk', () => readTail(disk.outputPath).includes('mounted'));
  clock = makeWallClock(scenario.world, 'beta');
  for (const agent of [alpha, beta]) await stop(agent, 'SIGTERM');
  alpha = await startAlpha({ ...alpha, stateDirectory: directory });
  beta = await startBeta();
  const { members } = await joinNetwork(scenario, { name: 'demo' }, [alpha, beta]);
  [ofAlpha, ofBeta] = members as [Membership, Membership]; // one for each agent given
});
afterAll(async () => {
  await scenario?.world.dispose();
});

describe.each([
  [
    'full',
    ['sh', '-c', 'dd if=/dev/zero of="$0/fill" bs=1k 2>/dev/null || true'],
    ['sh', '-c', 'rm "$0/fill"'],
    /its disk is full, free some space/,
  ],
  [
    'read-only',
    ['sh', '-c', 'mount --bind "$0" "$0" && until mount -o remount,bind,ro "$0"; do :; done'], // busy while a file is written
    ['sh', '-c', 'umount -l "$0"'],
    /its disk is read-only, mount it writable/,
  ],
] as const)('a disk that is %s', (name, spoil, mend, advice) => {
  test('holds no frame up, lets nothing be acted on that is not stored, and heals', async () => {
    const { nodeId } = await alpha.status();
    await onDisk([...spoil, alpha.stateDirectory]);
    await joinWith(gamma, await createToken(scenario, { network: 'demo' }), 'demo');
    await waitFor('alpha to say why', async () => {
      return advice.test((await alpha.status()).controller.lastError ?? logOf(alpha));
    });
    expect((await alpha.status()).networks).toMatchObject([{ name: 'demo', members: 2 }]);
    expect((await ping(scenario.world, beta, ofAlpha.ipv4, { count: 20 })).received).toBe(20);

    await stop(alpha, 'SIGKILL');
    await expect(startAlpha(alpha)).rejects.toThrow(advice);
    expect((await ping(scenario.world, beta, ofAlpha.ipv4, { count: 20 })).received).toBe(20);

    await onDisk([...mend, alpha.stateDirectory]);
    alpha = await startAlpha(alpha);
    expect((await alpha.status()).nodeId).toBe(nodeId);
    await waitForPeers([alpha, beta, gamma], 60_000);
    expect((await alpha.status()).problems).toEqual([]);
    await gamma.loom(['leave', 'demo']);
    await waitFor(`alpha to forget gamma after ${name}`, async () => {
      return (await alpha.status()).networks[0]?.members === 2;
    });
  });
});

describe('a wall clock', () => {
  test.each([
    ['ahead', YEAR_MS],
    ['back', -YEAR_MS],
  ])('that jumps a year %s while the agent runs changes nothing', async (_way, jumpMs) => {
    const before = Date.parse((await beta.status()).clock?.now ?? '');
    clock.set(jumpMs);
    expect((await ping(scenario.world, beta, ofAlpha.ipv4, { count: 20 })).received).toBe(20);
    const { problems, clock: shown, networks } = await beta.status();
    expect(problems).toEqual([]);
    expect(Math.abs(Date.parse(shown?.now ?? '') - before)).toBeLessThan(YEAR_MS / 2);
    expect(networks[0]?.trust?.membersValid).toBe(2);
    clock.set(0);
  });

  test.each([
    ['ahead', YEAR_MS],
    ['behind', -YEAR_MS],
  ])('that is a year %s at a start is corrected by a controller', async (_way, aheadMs) => {
    clock.set(aheadMs);
    await stop(beta, 'SIGTERM');
    beta = await startBeta();
    await waitForPeers([alpha, beta], 60_000);
    const { problems, networks } = await beta.status();
    expect(problems.filter(({ code }) => code !== 'clock_differs')).toEqual([]);
    expect(networks[0]?.trust?.membersValid).toBe(2);
    clock.set(0);
    await stop(beta, 'SIGTERM');
    beta = await startBeta();
    await waitForPeers([alpha, beta], 60_000);
    expect((await beta.status()).problems).toEqual([]);
  });

  test('that is a year behind at a start without a controller is not before what was signed', async () => {
    await stopController();
    clock.set(-YEAR_MS);
    await stop(beta, 'SIGTERM');
    beta = await startBeta();
    await waitForPeers([alpha, beta], 60_000);
    expect((await beta.status()).networks[0]?.trust?.membersValid).toBe(2);
  });

  test('that is a year ahead at a start without a controller ends sessions until one is back', async () => {
    const { nodeId } = await beta.status();
    clock.set(YEAR_MS);
    await stop(beta, 'SIGTERM');
    beta = await startBeta();
    const { problems, peers, networks } = await beta.status();
    expect(problems.map(({ code }) => code)).toContain('credential_ended');
    expect(peers.up).toBe(0);
    expect(networks).toMatchObject([{ name: 'demo', mac: ofBeta.mac }]);
    await startControllerAgain();
    await waitForPeers([alpha, beta], 90_000);
    expect((await beta.status()).nodeId).toBe(nodeId);
  });
});

/** A file system of its own, in the mounts of one process, which others enter. */
const MOUNT =
  'mount -t tmpfs -o size="$1",mode=0700 none "$0" && echo mounted && exec sleep infinity';

const inside = (): string[] => ['nsenter', '-t', String(disk.identity.pid), '-m', '--'];

async function onDisk(argv: readonly string[]): Promise<void> {
  await scenario.world.exec(null, [...inside(), ...argv]);
}

function startAlpha(
  agent: Pick<LabAgent, 'namespace' | 'label' | 'stateDirectory' | 'socketPath'>,
): Promise<LabAgent> {
  return start(agent, { prefix: inside() });
}

function startBeta(): Promise<LabAgent> {
  return start(beta, { env: clock.env });
}

function start(
  { namespace, label, stateDirectory, socketPath }: Parameters<typeof startAlpha>[0],
  options: Pick<AgentOptions, 'prefix' | 'env'>,
): Promise<LabAgent> {
  const place = { label, stateDirectory, socketPath };
  return startAgent(scenario.world, namespace, { ...place, ...options });
}

async function stop(agent: LabAgent, signal: NodeJS.Signals): Promise<void> {
  agent.kill(signal);
  await agent.process.exited;
}

async function stopController(): Promise<void> {
  controller.process.kill('SIGKILL');
  await controller.process.exited;
}

async function startControllerAgain(): Promise<void> {
  controller = await startController(scenario.world, {
    namespace: pick(scenario.namespaces, 'controller'),
    listen: `${ipv4Of('controller')}:8443`,
    dataDirectory: controller.dataDirectory,
  });
}

function logOf(agent: LabAgent): string {
  return readFileSync(agent.process.logPath, 'utf8');
}
