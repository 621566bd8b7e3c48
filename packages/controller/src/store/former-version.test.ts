/**
 * Databases of former versions come to the newest schema with all that they hold, and programs of
 * former versions go on with a database of the newest schema; on either engine.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Kysely, TableMetadata } from 'kysely';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FormerRow } from '../testing/former-version.ts';
import {
  FORMER_VERSIONS,
  formerRows,
  formerStatements,
  ignoreReferences,
  runFormer,
} from '../testing/former-version.ts';
import { TEST_ENGINE, buildTestDatabase, openTestEngine } from '../testing/test-database.ts';
import { POSTGRES_CATALOG, SQLITE_CATALOG } from './backup-rows.ts';
import { OLDEST_WRITER, SCHEMA_VERSION, migrate } from './migrations.ts';
import type { Schema } from './schema.ts';

const CATALOGS = { sqlite: SQLITE_CATALOG, postgres: POSTGRES_CATALOG };
let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'etherloom-former-test-'));
  path = join(directory, 'controller.db');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

class RollBack extends Error {}

/** Runs `work` and takes back what it did. */
async function withoutTrace(db: Kysely<Schema>, work: (tx: Kysely<Schema>) => Promise<void>) {
  const outcome = db.transaction().execute(async (tx) => {
    await work(tx);
    throw new RollBack();
  });
  await expect(outcome).rejects.toBeInstanceOf(RollBack);
}

type Tables = ReadonlyMap<string, TableMetadata>;

async function tablesOf(db: Kysely<Schema>): Promise<Tables> {
  const tables = await db.introspection.getTables();
  return new Map(tables.map((table) => [table.name, table]));
}

/** Columns that the steps change by intent: trees and statements are made anew. */
const CHANGED = new Set(['networks.settled_authority', 'published_members.bucket']);
/** Tables that a step replaces by others. */
const REPLACED = new Set(['vni_quarantine', 'schema_version']);

/** What rows refer to: those of these tests. */
const REFERENCES: Readonly<Record<string, () => string | number | null | undefined>> = {
  organization_id: () => rows.get('organizations')?.values['id'],
  network_id: () => rows.get('networks')?.values['id'],
  node_id: () => rows.get('nodes')?.values['id'],
  origin_node_id: () => rows.get('nodes')?.values['id'],
  used_by: () => rows.get('nodes')?.values['id'],
  token_id: () => rows.get('join_tokens')?.values['id'],
};

/** What of a row a table of an older version has, and values for what else it wants. */
function fitRow(row: FormerRow | undefined, table: TableMetadata) {
  const entries = table.columns.flatMap((column): [string, string | number | null][] => {
    const known = REFERENCES[column.name]?.() ?? row?.values[column.name];
    if (known !== undefined) return [[column.name, known]];
    if (column.isNullable || column.hasDefaultValue) return [];
    return [[column.name, /int/i.test(column.dataType) ? 1 : 'x']];
  });
  return Object.fromEntries(entries);
}

async function insert(db: Kysely<Schema>, table: string, row: FormerRow['values']): Promise<void> {
  const columns = sql.join(Object.keys(row).map((name) => sql.ref(name)));
  await sql`insert into ${sql.table(table)} (${columns})
    values (${sql.join(Object.values(row))})`.execute(db);
}

const rows = new Map(formerRows(4).map((row) => [row.table, row]));
const versions = Array.from({ length: SCHEMA_VERSION - 1 }, (_, index) => index + 1);

test.each(versions)(
  'a database of version %i keeps each row and each value of it',
  async (version) => {
    const put = new Map<string, FormerRow['values']>();
    await buildTestDatabase(path, async (db) => {
      await migrate(db, version);
      const tables = await tablesOf(db);
      for (const { table: name } of await CATALOGS[TEST_ENGINE].tables(db)) {
        const table = tables.get(name);
        if (table === undefined || !(rows.has(name) || name === 'vni_quarantine')) continue;
        const row = fitRow(rows.get(name), table);
        await insert(db, name, row);
        put.set(name, row);
      }
    });
    expect(put.size).toBeGreaterThanOrEqual(8);
    const engine = await openTestEngine(path);
    for (const [name, row] of put) {
      if (REPLACED.has(name)) continue;
      const [found] = (
        await sql<Record<string, unknown>>`select * from ${sql.table(name)}`.execute(engine.db)
      ).rows;
      for (const [column, value] of Object.entries(row))
        if (found !== undefined && column in found && !CHANGED.has(`${name}.${column}`))
          expect([name, column, found[column]]).toEqual([name, column, value]);
      expect([name, found === undefined]).toEqual([name, false]);
    }
    const [holder] = (await engine.db.selectFrom('vni_holders').select('vni').execute()).slice(-1);
    expect(holder).toBeDefined();
    expect(await engine.db.selectFrom('schema_version').selectAll().execute()).toEqual([
      { version: SCHEMA_VERSION, oldest_writer: OLDEST_WRITER },
    ]);
    await engine.close();
  },
);

describe.each(FORMER_VERSIONS)('a program of version %i, on the newest schema', (version) => {
  test('can make each of its statements', async () => {
    const engine = await openTestEngine(path);
    const refused: string[] = [];
    for (const statement of formerStatements(version))
      await withoutTrace(engine.db, async (tx) => {
        await ignoreReferences(tx);
        await runFormer(tx, statement).catch((error: unknown) => {
          refused.push(`${statement.text}: ${String(error)}`);
        });
      });
    expect(refused).toEqual([]);
    await engine.close();
  });

  test('finds all columns of its tables, and none more that it would have to fill', async () => {
    let former: Tables = new Map();
    await buildTestDatabase(path, async (db) => {
      await migrate(db, version);
      former = await tablesOf(db);
    });
    const engine = await openTestEngine(path);
    const newest = await tablesOf(engine.db);
    await engine.close();
    expect(former.size).toBeGreaterThan(10);
    const problems = [...former].flatMap(([name, { columns }]) => {
      const then = new Set(columns.map((column) => column.name));
      const found = newest.get(name)?.columns ?? [];
      const lost = [...then].filter((column) => !found.some((one) => one.name === column));
      const wanted = found.filter(
        (one) => !then.has(one.name) && !one.isNullable && !one.hasDefaultValue,
      );
      return [
        ...lost.map((column) => `${name}.${column} is gone`),
        ...wanted.map((one) => `${name}.${one.name} must be given`),
      ];
    });
    expect(problems).toEqual([]);
  });

  test('may write, and one that the database calls too old may not', () => {
    expect(OLDEST_WRITER).toBeLessThanOrEqual(version);
  });
});

test('a database of a later version is used when it says that this program may write', async () => {
  await setVersion({ version: SCHEMA_VERSION + 1, oldest_writer: SCHEMA_VERSION });
  await (await openTestEngine(path)).close();
  await setVersion({ version: SCHEMA_VERSION + 1, oldest_writer: SCHEMA_VERSION + 1 });
  await expect(openTestEngine(path)).rejects.toMatchObject({ code: 'database_newer' });
});

async function setVersion(row: Schema['schema_version']): Promise<void> {
  const engine = await openTestEngine(path);
  await engine.transact((tx) => tx.updateTable('schema_version').set(row).execute());
  await engine.close();
}
