/** Moves between SQLite and PostgreSQL, and restores into PostgreSQL. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { backupWithoutLedgers } from '../testing/backup-text.ts';
import { findInconsistencies } from '../testing/consistency.ts';
import { joinAs, makeNetwork, nodeIdOf, openStoreOn } from '../testing/store-fixture.ts';
import { buildTestDatabase, testTarget } from '../testing/test-database.ts';
import { backup, moveToPostgres, restore } from './backup.ts';
import { endMembership } from './members.ts';
import { openPostgres } from './postgres-engine.ts';
import type { PostgresTarget } from './postgres-target.ts';
import { openSqlite } from './sqlite-engine.ts';

const NOW_MS = Date.UTC(2030, 0, 1);
let directory: string;
let path: string;
let target: PostgresTarget;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'etherloom-move-test-'));
  path = join(directory, 'controller.db');
  target = await targetNamed('target');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function targetNamed(name: string): Promise<PostgresTarget> {
  const made = await testTarget(join(directory, name));
  if (made === undefined) throw new Error('these tests are of PostgreSQL');
  return made;
}

/** A database without anything in it. */
async function emptyTarget(): Promise<PostgresTarget> {
  const client = new Client({ connectionString: target.url });
  await client.connect();
  await client.query('drop schema public cascade; create schema public');
  await client.end();
  return target;
}

/** A controller's life in a few rows. */
async function fillSqlite(): Promise<void> {
  const store = await openStoreOn(await openSqlite(path), () => NOW_MS);
  const id = await makeNetwork(store, 'a');
  await makeNetwork(store, 'b');
  for (let i = 0; i < 30; i += 1) await joinAs(store, i % 3 === 0 ? 'b' : 'a', `n${i}`);
  await store.transact((tx) => endMembership(tx, id, nodeIdOf('n1')));
  await store.close();
}

test('SQLite to PostgreSQL, into a backup, and back to SQLite: nothing is another', async () => {
  await fillSqlite();
  await backup({ kind: 'sqlite', path }, join(directory, 'first'), NOW_MS);
  const report = await moveToPostgres(path, await emptyTarget());
  expect(report.tables.find(({ name }) => name === 'nodes')).toMatchObject({ rows: 30 });
  const store = await openStoreOn(await openPostgres(target), () => NOW_MS);
  expect(await findInconsistencies(store)).toEqual([]);
  await store.close();
  await backup({ kind: 'postgres', target }, join(directory, 'second'), NOW_MS);
  const back = join(directory, 'back.db');
  await restore(
    join(directory, 'second'),
    { kind: 'sqlite', path: back },
    { isAsItWas: true, nowMs: NOW_MS },
  );
  await backup({ kind: 'sqlite', path: back }, join(directory, 'third'), NOW_MS);
  const [first, second] = ['first', 'second'].map((name) =>
    readFileSync(join(directory, name), 'utf8'),
  );
  expect(second).toBe(first);
  // A restore stands in the ledger.
  expect(backupWithoutLedgers(join(directory, 'third'))).toBe(
    backupWithoutLedgers(join(directory, 'first')),
  );
  const returned = await openStoreOn(await openSqlite(back), () => NOW_MS);
  expect(await findInconsistencies(returned)).toEqual([]);
  await returned.close();
});

test('a database that holds anything is not moved into', async () => {
  await fillSqlite();
  await expect(moveToPostgres(path, target)).rejects.toMatchObject({
    code: 'database_invalid',
    message: expect.stringContaining('not empty'),
  });
  await emptyTarget();
  await buildTestDatabase(join(directory, 'target'), async (db) => {
    await db.schema.createTable('schema_version').addColumn('other', 'text').execute();
  });
  await expect(moveToPostgres(path, target)).rejects.toMatchObject({ code: 'database_invalid' });
});

test('a database that a controller has open is not restored into', async () => {
  const engine = await openPostgres(target);
  const store = await openStoreOn(engine, () => NOW_MS);
  await makeNetwork(store, 'kept');
  const file = join(directory, 'file');
  await backup({ kind: 'postgres', target }, file, NOW_MS);
  const restoring = () =>
    restore(file, { kind: 'postgres', target }, { isAsItWas: true, nowMs: NOW_MS });
  await expect(restoring()).rejects.toMatchObject({ code: 'database_in_use' });
  expect(await store.read((tx) => tx.db.selectFrom('networks').select('name').execute())).toEqual([
    { name: 'kept' },
  ]);
  await store.close();
  await expect
    .poll(() =>
      restoring().then(
        () => true,
        () => false,
      ),
    )
    .toBe(true);
});

test('tables of something else beside ours are not removed by a restore', async () => {
  const store = await openStoreOn(await openPostgres(target), () => NOW_MS);
  await store.close();
  const file = join(directory, 'file');
  await backup({ kind: 'postgres', target }, file, NOW_MS);
  const client = new Client({ connectionString: target.url });
  await client.connect();
  await client.query('create table invoices (id int)');
  await client.end();
  await expect
    .poll(() =>
      restore(file, { kind: 'postgres', target }, { isAsItWas: true, nowMs: NOW_MS }).catch(
        (error: Error) => error.message,
      ),
    )
    .toContain('invoices');
});
