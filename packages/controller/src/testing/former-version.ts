/**
 * For tests: what the program of a former version asks of its database. former/version-N.json holds
 * each statement that it makes, with values, once: recorded from that version's own code, by giving
 * Kysely a `log` while its tests of store, http, link, lease and authority ran. Texts are cut at 48
 * characters, and statements of migrations are left out. A further version is recorded in the same
 * way when it is released.
 */
import { readFileSync } from 'node:fs';
import type { Kysely } from 'kysely';
import { CompiledQuery, sql } from 'kysely';
import { z } from 'zod';
import type { Schema } from '../store/schema.ts';
import { TEST_ENGINE } from './test-database.ts';

const statementsSchema = z.array(
  z.tuple([z.string(), z.array(z.union([z.string(), z.number(), z.null()]))]),
);

export interface FormerStatement {
  readonly text: string;
  readonly values: readonly (string | number | null)[];
}

/** Versions that were recorded. */
export const FORMER_VERSIONS = [4];

/** All that a version asks. */
export function formerStatements(version: number): FormerStatement[] {
  const url = new URL(`former/version-${version}.json`, import.meta.url);
  return statementsSchema
    .parse(JSON.parse(readFileSync(url, 'utf8')))
    .map(([text, values]) => ({ text, values }));
}

/** A row that a version puts into a table. */
export interface FormerRow {
  readonly table: string;
  readonly values: Readonly<Record<string, string | number | null>>;
}

/** One row for each table that a version inserts into. */
export function formerRows(version: number): FormerRow[] {
  const rows = formerStatements(version).flatMap(({ text, values }) => {
    const [, table, names] = /^insert into "(\w+)" \(([^)]*)\)/.exec(text) ?? [];
    if (table === undefined || names === undefined) return [];
    const columns = names.split(', ').map((name) => name.slice(1, -1));
    const entries = columns.map((column, index) => [column, values[index] ?? null] as const);
    return [{ table, values: Object.fromEntries(entries) }];
  });
  return [...new Map(rows.map((row) => [row.table, row])).values()];
}

/** Runs it as that version does, but for references to rows that are not there. */
export async function runFormer(db: Kysely<Schema>, statement: FormerStatement): Promise<void> {
  let count = 0;
  const text =
    TEST_ENGINE === 'sqlite' ? statement.text : statement.text.replaceAll('?', () => `$${++count}`);
  await db.executeQuery(CompiledQuery.raw(text, [...statement.values]));
}

/** References are not checked on this connection, or in this transaction. */
export async function ignoreReferences(db: Kysely<Schema>): Promise<void> {
  if (TEST_ENGINE === 'sqlite') await sql`pragma defer_foreign_keys = on`.execute(db);
  else await sql`set local session_replication_role = replica`.execute(db);
}
