/** The program on PostgreSQL: arguments, moves, kill -9, and that nobody sees the password. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startPostgres } from '@etherloom/lab';
import type { PostgresServer } from '@etherloom/lab';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { makeDataDirectory, makeJoinRequest, makeNode } from './testing/controller-fixture.ts';
import type { Served } from './testing/program-fixture.ts';
import { runProgram, serveProgram } from './testing/program-fixture.ts';

const LONG_MS = 120_000;
let server: PostgresServer;
let directory: string;
let data: string;
let database: string;
let count = 0;
const running = new Set<Served>();
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.remove());
beforeEach(async () => {
  directory = makeDataDirectory();
  data = join(directory, 'data');
  database = `m${count++}`;
  await server.sql('postgres', `create database ${database}`);
});
afterEach(async () => {
  for (const served of running) await served.end('SIGKILL');
  running.clear();
  rmSync(directory, { recursive: true, force: true });
});

async function serve(...args: string[]): Promise<Served> {
  const served = await serveProgram('--data', data, ...args);
  running.add(served);
  return served;
}

test(
  'a controller moves to PostgreSQL with all it knows, and does not go on in SQLite by mistake',
  async () => {
    const first = await serve();
    await first.client.call('networkCreate', { body: { name: 'moved' } });
    const url = server.url(database);
    const busy = await runProgram('migrate-database', '--data', data, '--database', url);
    expect(busy).toMatchObject({ status: 1 });
    await first.end('SIGTERM');
    const moved = await runProgram('migrate-database', '--data', data, '--database', url);
    expect(moved).toMatchObject({ status: 0, err: '' });

    const second = await serve('--database', url);
    const { items } = await second.client.call('networkList');
    expect(items.map(({ name }) => name)).toEqual(['moved']);
    await second.end('SIGTERM');
    await expect(serve()).rejects.toThrow(/was moved to PostgreSQL/);
  },
  LONG_MS,
);

test(
  'kill -9 under load loses no acknowledged write',
  async () => {
    const acknowledged: string[] = [];
    for (let round = 0; round < 2; round += 1) {
      const { client, child, end } = await serve('--database', server.url(database));
      if (round === 0)
        await client.call('networkCreate', { body: { name: 'demo', ipv4: '10.0.0.0/16' } });
      const { token } = await client.call('tokenCreate', { body: { network: 'demo', uses: 100 } });
      const joins = Array.from({ length: 40 }, async () => {
        const node = makeNode();
        await client.call('join', { body: makeJoinRequest(node, token) });
        acknowledged.push(node.id);
        if (acknowledged.length % 15 === 0) child.kill('SIGKILL');
      });
      await Promise.allSettled(joins);
      await end('SIGKILL');
    }
    const ids = await server.sql(database, 'select node_id from memberships');
    expect(ids.split('\n')).toEqual(expect.arrayContaining(acknowledged));
    expect(acknowledged.length).toBeGreaterThanOrEqual(15);
  },
  LONG_MS,
);

test(
  'the password is in no log, no list of processes, and no error',
  async () => {
    const file = join(directory, 'url');
    const url = new URL(server.url(database));
    url.searchParams.set('password', 'geheim');
    writeFileSync(file, `${url.href}\n`, { mode: 0o600 });
    const served = await serve('--database-file', file, '--log-level', 'debug');
    await served.client.call('networkCreate', { body: { name: 'a' } });
    const { pid } = served.child;
    const listed = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
    await server.stop();
    await expect(
      served.client.call('networkCreate', { body: { name: 'b' } }),
    ).rejects.toMatchObject({
      code: 'unavailable',
    });
    const failed = await runProgram('backup', join(directory, 'b'), '--database-file', file);
    expect(failed.status).toBe(1);
    await server.start();
    await served.end('SIGTERM');
    expect(served.err()).toContain('database');
    for (const text of [listed, served.err(), failed.err, failed.out])
      expect(text).not.toContain('geheim');
  },
  LONG_MS,
);
