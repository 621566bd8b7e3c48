/**
 * Several controllers over one PostgreSQL: whichever of them, or of the servers under them, dies or
 * is cut off, agents find another controller, members keep talking, and no acknowledged write is
 * lost.
 *
 *   c1 .10   c2 .20     alpha .11   beta .12     primary .31   standby .32
 *     |        |            |          |             |             |
 *   --+--------+------------+----------+-------------+-------------+--  switch, 198.51.100.0/24
 */
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createWorld, judgeHistory, joinWithoutAgent, readFinalState } from '@etherloom/lab';
import { startAgent, startController, startLoad, startPostgres, waitFor } from '@etherloom/lab';
import type {
  LabAgent,
  LabController,
  Load,
  Namespace,
  PostgresServer,
  World,
} from '@etherloom/lab';
import { ping } from './ping.ts';
import { joinWith, pick, waitForPeers } from './scenario.ts';
import type { Membership } from './scenario.ts';

const NUMBERS = { c1: 10, c2: 20, alpha: 11, beta: 12, primary: 31, standby: 32 } as const;
type Place = keyof typeof NUMBERS;
const addressOf = (place: Place): string => `198.51.100.${NUMBERS[place]}`;
/** Agents and controllers have healed, or something is wrong. */
const HEAL = { deadlineMs: 60_000 };

let world: World;
const namespaces: Record<string, Namespace> = {};
let primary: PostgresServer;
let standby: PostgresServer;
const controllers: Partial<Record<'c1' | 'c2', LabController>> = {};
let alpha: LabAgent;
let beta: LabAgent;
let ofBeta: Membership;

beforeAll(async () => {
  world = await createWorld();
  const switchNamespace = await world.addNamespace('switch');
  await world.addBridge(switchNamespace, 'br0');
  for (const place of Object.keys(NUMBERS) as Place[]) {
    const namespace = await world.addNamespace(place);
    namespaces[place] = namespace;
    await world.link(
      { namespace, device: 'eth0', addresses: [`${addressOf(place)}/24`] },
      { namespace: switchNamespace, device: `p-${place}`, bridge: 'br0' },
    );
  }
  await startDatabase();
  await startAt('c1');
  await startAt('c2');
  const [first] = all();
  if (first === undefined) throw new Error('no controller was started');
  await first.client.call('networkCreate', { body: { name: 'demo', ipv4: '10.68.0.0/24' } });
  const { token } = await first.client.call('tokenCreate', { body: { network: 'demo', uses: 2 } });
  alpha = await startAgent(world, pick(namespaces, 'alpha'), {});
  beta = await startAgent(world, pick(namespaces, 'beta'), {});
  await joinWith(alpha, token, 'demo');
  ofBeta = await joinWith(beta, token, 'demo');
  await waitForPeers([alpha, beta]);
});
afterAll(async () => {
  await standby?.remove();
  await primary?.remove();
  await world?.dispose();
});

const all = (): LabController[] => Object.values(controllers);
const within = (place: Place): readonly string[] => [
  'ip',
  'netns',
  'exec',
  pick(namespaces, place).name,
];

async function startDatabase(): Promise<void> {
  const given = { isDurable: true, port: 5_432 };
  primary = await startPostgres({
    ...given,
    host: addressOf('primary'),
    within: within('primary'),
  });
  await primary.sql('postgres', 'create database loom');
  standby = await primary.startStandby({ host: addressOf('standby'), within: within('standby') });
  await primary.sql('postgres', `alter system set synchronous_standby_names = '*'`);
  await primary.sql('postgres', 'select pg_reload_conf()');
}

async function startAt(place: 'c1' | 'c2'): Promise<void> {
  const dataDirectory = join(world.directory, 'state', place);
  const [first] = all();
  if (controllers[place] === undefined && first !== undefined) {
    mkdirSync(dataDirectory, { recursive: true, mode: 0o700 });
    const name = 'authority.kek'; // the operator hands it to each controller
    copyFileSync(join(first.dataDirectory, name), join(dataDirectory, name));
  }
  const hosts = `${addressOf('primary')},${addressOf('standby')}`;
  controllers[place] = await startController(world, {
    namespace: pick(namespaces, place),
    listen: `${addressOf(place)}:8443`,
    dataDirectory,
    label: place,
    args: ['--database', `postgres://loom@${hosts}/loom?sslmode=disable`],
  });
}

async function placeOf(agent: LabAgent): Promise<'c1' | 'c2' | null> {
  const { controller } = await agent.status();
  if (!controller.connected) return null;
  return controller.url?.includes(`${addressOf('c1')}:`) === true ? 'c1' : 'c2';
}

const other = (place: 'c1' | 'c2'): 'c1' | 'c2' => (place === 'c1' ? 'c2' : 'c1');

async function linkedPlace(agent: LabAgent): Promise<'c1' | 'c2'> {
  return await waitFor(`${agent.label} to be linked`, () => placeOf(agent), HEAL);
}

/** A change of the network that is made at a controller reaches an agent. */
async function expectToLearn(agent: LabAgent, at: LabController): Promise<void> {
  const before = await revisionOf(agent);
  await change(at);
  await waitFor(
    `${agent.label} to learn what was changed`,
    async () => (await revisionOf(agent)) > before,
    { ...HEAL, logs: [agent.process.logPath] },
  );
}

/** Lets a further member into the network. */
async function change({ client }: LabController): Promise<void> {
  const { token } = await client.call('tokenCreate', { body: { network: 'demo' } });
  await joinWithoutAgent(client, token);
}

async function revisionOf(agent: LabAgent): Promise<number> {
  return (await agent.status()).networks.find(({ name }) => name === 'demo')?.revision ?? -1;
}

/** Pings between the members for as long as `work` takes, and asks all controllers for changes. */
async function underLoad(
  prefix: string,
  seconds: number,
  work: (load: Load) => Promise<void>,
): Promise<void> {
  const clients = all().map(({ client }) => client);
  const load = await startLoad({ prefix, clients, workers: 2, pauseMs: 50 });
  try {
    const pinging = ping(world, alpha, ofBeta.ipv4, { count: 20 * seconds, intervalSeconds: 0.05 });
    await load.acknowledged(10);
    await work(load);
    const { sent, received } = await pinging;
    expect(received, 'pings between members').toBe(sent);
  } finally {
    await load.stop();
  }
  await judge(load, prefix);
}

async function judge(load: Load, prefix: string): Promise<void> {
  const states = [];
  // One that has not found the database again says so, and does in a moment.
  for (const { client, url } of all()) {
    const read = () => readFinalState(client, prefix).catch(() => null);
    states.push(await waitFor(`${url} to show what it has`, read, HEAL));
  }
  const [state] = states;
  if (state === undefined) throw new Error('there is no controller to ask');
  for (const one of states) expect(one).toEqual(state);
  expect(judgeHistory(load.history, state)).toEqual([]);
}

test('agents know all controllers, and learn what is changed at whichever', async () => {
  for (const agent of [alpha, beta]) {
    const at = await linkedPlace(agent);
    await waitFor(`${agent.label} to know the other controller`, async () => {
      const { controller } = await agent.status();
      const [elsewhere] = controller.others;
      return elsewhere?.isUp === true && elsewhere.url.includes(addressOf(other(at)));
    });
    for (const controller of all()) await expectToLearn(agent, controller);
    expect((await agent.loom(['status'])).stdout).toContain(addressOf(other(at)));
  }
});

test('a controller that is killed under load costs its agents a moment and nobody a packet', async () => {
  const at = await linkedPlace(alpha);
  await underLoad('kill-', 15, async (load) => {
    controllers[at]?.process.kill('SIGKILL');
    await waitFor('alpha to be elsewhere', async () => (await placeOf(alpha)) === other(at), HEAL);
    await load.acknowledged(10);
    await controllers[at]?.process.exited;
    await startAt(at);
  });
  await expectToLearn(alpha, pickController(at));
});

test('a controller that the network swallows is left for another one', async () => {
  const at = await linkedPlace(alpha);
  const cut = (verb: string): Promise<unknown> =>
    world.exec(pick(namespaces, 'alpha'), [
      'ip',
      'route',
      verb,
      'blackhole',
      `${addressOf(at)}/32`,
    ]);
  await cut('add');
  await waitFor('alpha to be elsewhere', async () => (await placeOf(alpha)) === other(at), HEAL);
  await cut('delete');
  await expectToLearn(alpha, pickController(at));
});

test('a controller that is cut off from the database keeps its agents, and they catch up', async () => {
  const at = await linkedPlace(alpha);
  const cut = async (verb: string): Promise<void> => {
    for (const place of ['primary', 'standby'] as const)
      await world.exec(pick(namespaces, at), [
        'ip',
        'route',
        verb,
        'blackhole',
        `${addressOf(place)}/32`,
      ]);
  };
  await underLoad('cut-', 25, async (load) => {
    await cut('add');
    await waitFor(
      'it to say so',
      async () => {
        const refusal = await pickController(at)
          .client.call('networkList')
          .then(() => null)
          .catch((error: unknown) => error);
        return refusal instanceof Error && 'code' in refusal && refusal.code === 'unavailable';
      },
      HEAL,
    );
    expect(await placeOf(alpha), 'the link stays').toBe(at);
    await load.acknowledged(5);
    const before = await revisionOf(alpha);
    await change(pickController(other(at)));
    await cut('delete');
    await waitFor('alpha to catch up', async () => (await revisionOf(alpha)) > before, HEAL);
    await load.acknowledged(10);
  });
});

test('a restart of PostgreSQL is waited for', async () => {
  await underLoad('restart-', 15, async (load) => {
    await primary.stop();
    await primary.start();
    await load.acknowledged(10);
  });
  for (const controller of all()) await expectToLearn(alpha, controller);
});

test('a standby that is promoted when the primary was killed has all that was acknowledged', async () => {
  await underLoad('promote-', 20, async (load) => {
    await primary.kill();
    await standby.promote();
    await load.acknowledged(10);
  });
  for (const agent of [alpha, beta])
    for (const controller of all()) await expectToLearn(agent, controller);
});

function pickController(place: 'c1' | 'c2'): LabController {
  const controller = controllers[place];
  if (controller === undefined) throw new Error(`there is no controller at ${place}`);
  return controller;
}
