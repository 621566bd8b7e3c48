/**
 * For tests: the same tests on either engine. The vitest project `postgres` starts a server
 * (postgres-setup.ts) and says where it is; without that a test has SQLite. A database belongs to a
 * path: where SQLite has its file, and what names the one of PostgreSQL.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { SQLInputValue } from 'node:sqlite';
import { DatabaseSync } from 'node:sqlite';
import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import { Client } from 'pg';
import { afterAll, inject } from 'vitest';
import type { DatabasePlace } from '../store/backup.ts';
import type { Engine } from '../store/engine.ts';
import { markTables, openPostgres, withPatience } from '../store/postgres-engine.ts';
import type { PostgresTarget } from '../store/postgres-target.ts';
import { parsePostgresUrl } from '../store/postgres-target.ts';
import type { Schema } from '../store/schema.ts';
import { buildSqlite, openSqlite } from '../store/sqlite-engine.ts';
import { TEMPLATE_DATABASE } from './template-database.ts';

const serverUrl = inject('postgresUrl');
/** Which engine these tests run on. */
export const TEST_ENGINE = serverUrl === undefined ? 'sqlite' : 'postgres';

const targets = new Map<string, PostgresTarget>();
let admin: Client | undefined;
if (serverUrl !== undefined)
  afterAll(async () => {
    for (const { url } of targets.values()) await runAdmin(`drop database ${nameOf(url)} (force)`);
    await admin?.end();
  });

/** The database of PostgreSQL for a path, made when it is first asked for; undefined: SQLite. */
export async function testTarget(path: string): Promise<PostgresTarget | undefined> {
  const known = targets.get(path);
  if (serverUrl === undefined || known !== undefined) return known;
  const made = await makeTarget(serverUrl);
  targets.set(path, made);
  return made;
}

/** The database of a path is a fresh one again. */
export async function forgetDatabase(path: string): Promise<void> {
  const target = targets.get(path);
  targets.delete(path);
  if (target !== undefined) await runAdmin(`drop database ${nameOf(target.url)} (force)`);
}

/** Opens the database of a path, whichever engine it is of. */
export async function openTestEngine(path: string): Promise<Engine> {
  const target = await testTarget(path);
  return target === undefined ? openSqlite(path) : openPostgres(target);
}

/** Makes the database of a path of what `build` puts into it, in place of the usual tables. */
export async function buildTestDatabase(
  path: string,
  build: (db: Kysely<Schema>) => Promise<void>,
): Promise<void> {
  const target = await testTarget(path);
  if (target === undefined) return buildSqlite(path, build);
  await withPatience(target, (db) =>
    db.transaction().execute(async (tx) => {
      await sql`drop schema public cascade`.execute(tx);
      await sql`create schema public`.execute(tx);
      await build(tx);
      await markTables(tx);
    }),
  );
}

/** The database of a path, as backups name it. */
export async function placeOfTest(path: string): Promise<DatabasePlace> {
  const target = await testTarget(path);
  return target === undefined ? { kind: 'sqlite', path } : { kind: 'postgres', target };
}

/** Runs one statement with `?` for its values. */
export type RunSql = (
  text: string,
  values?: readonly SQLInputValue[],
) => Promise<readonly Record<string, unknown>[]>;

/** Looks into the database of a controller's directory behind its back. */
export async function lookInto<T>(
  dataDirectory: string,
  look: (run: RunSql) => Promise<T>,
): Promise<T> {
  const path = join(dataDirectory, 'controller.db');
  const target = await testTarget(path);
  if (target !== undefined) return lookIntoPostgres(target, look);
  const database = new DatabaseSync(path);
  try {
    return await look(async (text, values = []) => database.prepare(text).all(...values));
  } finally {
    database.close();
  }
}

/** The same with a database that is shared by several controllers. */
export async function lookIntoPostgres<T>(
  target: PostgresTarget,
  look: (run: RunSql) => Promise<T>,
): Promise<T> {
  const client = new Client({ connectionString: target.url });
  await client.connect();
  try {
    return await look(async (text, values = []) => {
      let count = 0;
      const numbered = text.replaceAll('?', () => `$${++count}`);
      return (await client.query(numbered, [...values])).rows as Record<string, unknown>[]; // of pg
    });
  } finally {
    await client.end();
  }
}

async function makeTarget(url: string): Promise<PostgresTarget> {
  const name = `t_${randomBytes(8).toString('hex')}`;
  await runAdmin(`create database ${name} template ${TEMPLATE_DATABASE} strategy file_copy`);
  return parsePostgresUrl(url.replace('DATABASE', name), 'argument');
}

function nameOf(url: string): string {
  return new URL(url).pathname.slice(1);
}

async function runAdmin(text: string): Promise<void> {
  if (admin === undefined) {
    admin = new Client({ connectionString: serverUrl?.replace('DATABASE', 'postgres') });
    await admin.connect();
  }
  await admin.query(text);
}
