/**
 * What becomes of acknowledged writes when a controller or the database dies, is cut off or moves:
 * clients ask all controllers without a pause, and the whole history is judged against what the
 * database holds in the end.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Client } from '@etherloom/api';
import { judgeHistory, readFinalState, startLoad, startPostgres } from '@etherloom/lab';
import type { Load, PostgresServer } from '@etherloom/lab';
import { parsePostgresUrl } from '../store/postgres-target.ts';
import type { PostgresTarget } from '../store/postgres-target.ts';
import { startTestCluster } from '../testing/cluster-fixture.ts';
import type { TestCluster } from '../testing/cluster-fixture.ts';
import { makeClient, makeDataDirectory } from '../testing/controller-fixture.ts';
import { connectAgent, joinNetwork, makeNode } from '../testing/controller-fixture.ts';

const HEAL = { timeout: 30_000 };
const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));

const undos: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const undo of undos.splice(0).toReversed()) await undo();
});

/** Ports below those that clients are given: one that is free stays free while a server is away. */
async function makeServer(port: number): Promise<PostgresServer> {
  const server = await startPostgres({ host: '127.0.0.1', port, isDurable: true });
  undos.push(() => server.remove());
  await server.sql('postgres', 'create database loom');
  return server;
}

const targetOf = (...servers: readonly PostgresServer[]): PostgresTarget => {
  const hosts = servers.map(({ port }) => `127.0.0.1:${port}`).join(',');
  return parsePostgresUrl(`postgres://loom@${hosts}/loom?sslmode=disable`, 'argument');
};

async function makeCluster(target: PostgresTarget): Promise<TestCluster> {
  const cluster = await startTestCluster(2, {}, target);
  undos.push(() => cluster.remove());
  return cluster;
}

async function beginLoad(clients: readonly Client[]): Promise<Load> {
  const load = await startLoad({ prefix: 'load-', clients, workers: 3, pauseMs: 20 });
  undos.push(() => load.stop());
  await load.acknowledged(25);
  return load;
}

/** Every controller shows the same, and it is what was acknowledged. */
async function judge(load: Load, clients: readonly Client[]): Promise<void> {
  await load.stop();
  const states = [];
  // One that has not found the database again says so, and does in a moment.
  for (const client of clients)
    states.push(await vi.waitFor(() => readFinalState(client, 'load-'), HEAL));
  for (const state of states) expect(state).toEqual(states[0]);
  const [state] = states;
  if (state === undefined) throw new Error('there is no controller to ask');
  expect(judgeHistory(load.history, state)).toEqual([]);
}

const clientsOf = (cluster: TestCluster): Client[] =>
  cluster.controllers.map(({ client }) => client);

/** A server is made, killed and started, and a load is waited for. */
const TIMEOUT_MS = 90_000;

describe(
  'no acknowledged write is lost and nothing is given twice',
  { timeout: TIMEOUT_MS },
  () => {
    test('when PostgreSQL is restarted under load', async () => {
      const server = await makeServer(27_611);
      const cluster = await makeCluster(targetOf(server));
      const load = await beginLoad(clientsOf(cluster));
      await server.stop();
      await server.start();
      await load.acknowledged(25);
      await judge(load, clientsOf(cluster));
    });

    test('when PostgreSQL is killed under load', async () => {
      const server = await makeServer(27_612);
      const cluster = await makeCluster(targetOf(server));
      const load = await beginLoad(clientsOf(cluster));
      await server.kill();
      await server.start();
      await load.acknowledged(25);
      await judge(load, clientsOf(cluster));
    });

    test('when the primary is killed and its synchronous standby promoted', async () => {
      const primary = await makeServer(27_613);
      const standby = await primary.startStandby({ port: 27_614 });
      undos.push(() => standby.remove());
      await primary.sql('postgres', `alter system set synchronous_standby_names = '*'`);
      await primary.sql('postgres', 'select pg_reload_conf()');
      await vi.waitFor(async () => {
        const state = await primary.sql('postgres', 'select sync_state from pg_stat_replication');
        expect(state).toBe('sync');
      }, HEAL);
      const cluster = await makeCluster(targetOf(primary, standby));
      const load = await beginLoad(clientsOf(cluster));
      await primary.kill();
      await standby.promote();
      await load.acknowledged(25);
      await judge(load, clientsOf(cluster));
    });

    test('when a controller is killed under load', async () => {
      const server = await makeServer(27_615);
      const cluster = await makeCluster(targetOf(server));
      const third = await startProcess(cluster, server.url('loom'));
      const load = await beginLoad([...clientsOf(cluster), third.client]);
      third.child.kill('SIGKILL');
      await load.acknowledged(25);
      await judge(load, clientsOf(cluster));
    });

    test('when the database stands still and goes on', async () => {
      const server = await makeServer(27_616);
      const cluster = await makeCluster(targetOf(server));
      const load = await beginLoad(clientsOf(cluster));
      server.freeze(true);
      const [client] = clientsOf(cluster);
      await vi.waitFor(async () => {
        await expect(client?.call('networkList')).rejects.toMatchObject({ code: 'unavailable' });
      }, HEAL);
      server.freeze(false);
      await load.acknowledged(25);
      await judge(load, clientsOf(cluster));
    });
  },
);

test('links stay open while the database is away, and get what changed when it is back', async () => {
  const server = await makeServer(27_617);
  const cluster = await makeCluster(targetOf(server));
  const [first, second] = cluster.controllers as [
    (typeof cluster.controllers)[0],
    (typeof cluster.controllers)[0],
  ]; // two were started
  await first.client.call('networkCreate', { body: { name: 'away' } });
  const node = makeNode();
  await joinNetwork(first, 'away', node);
  const { link } = await connectAgent(first, node);
  await link.next('snapshot');
  await server.stop();
  const denied = makeNode();
  await expect(joinNetwork(first, 'away', denied)).rejects.toMatchObject({ code: 'unavailable' });
  link.send({ type: 'resync', networkId: (await stored(server, first)).id });
  await server.start();
  const other = makeNode();
  await vi.waitFor(() => joinNetwork(second, 'away', other), HEAL);
  const knows = () =>
    link.received.some(
      (message) =>
        (message.type === 'snapshot' &&
          message.state.members.some(({ nodeId }) => nodeId === other.id)) ||
        (message.type === 'delta' && message.upserts.some(({ nodeId }) => nodeId === other.id)),
    );
  await vi.waitFor(() => expect(knows()).toBe(true), HEAL);
  expect(link.received.filter(({ type }) => type === 'refused')).toEqual([]);
});

test('a link that ended while the database was away is not shown for ever', async () => {
  const server = await makeServer(27_618);
  const cluster = await makeCluster(targetOf(server));
  const [first, second] = clientsOf(cluster);
  const [at] = cluster.controllers;
  if (at === undefined || first === undefined || second === undefined)
    throw new Error('two were started');
  await first.call('networkCreate', { body: { name: 'ended' } });
  const node = makeNode();
  await joinNetwork(at, 'ended', node);
  const { link } = await connectAgent(at, node);
  const isConnected = async (client: Client) =>
    (await client.call('nodeShow', { params: { node: node.id } })).connected;
  await vi.waitFor(async () => expect(await isConnected(second)).toBe(true), HEAL);
  await server.stop();
  link.close();
  await link.closed();
  await server.start();
  for (const client of [first, second])
    await vi.waitFor(async () => expect(await isConnected(client)).toBe(false), HEAL);
});

async function stored(
  server: PostgresServer,
  at: TestCluster['controllers'][0],
): Promise<{ id: string }> {
  await expect(at.client.call('networkList')).rejects.toMatchObject({ code: 'unavailable' });
  await server.start();
  const id = await server.sql('loom', `select id from networks where name = 'away'`);
  await server.stop();
  return { id };
}

/** Of the ready line; main.test.ts has its whole form. */
interface Ready {
  readonly url: string;
  readonly tlsFingerprint: string;
}

interface Program {
  readonly child: ChildProcess;
  readonly client: Client;
}

/** A controller of the same database in a process of its own. */
async function startProcess(cluster: TestCluster, url: string): Promise<Program> {
  const data = makeDataDirectory();
  undos.push(() => rmSync(data, { recursive: true, force: true }));
  const [first] = cluster.controllers;
  if (first === undefined) throw new Error('there is no controller to get the sealing key from');
  mkdirSync(data, { recursive: true });
  copyFileSync(join(first.dataDirectory, 'authority.kek'), join(data, 'authority.kek'));
  copyFileSync(join(first.dataDirectory, 'admin.token'), join(data, 'admin.token'));
  const args = ['--data', data, '--database', url, '--listen', '127.0.0.1:0', '--json'];
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
  undos.push(async () => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  });
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  await vi.waitFor(() => expect(out).toContain('\n'), HEAL);
  const ready = JSON.parse(out) as Ready; // its ready line
  return { child, client: makeClient(ready, first.adminToken) };
}
