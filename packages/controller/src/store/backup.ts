/**
 * Backups of the controller's database, and its moves: out of a database into a file, out of a file
 * into a fresh database, out of SQLite into PostgreSQL. All three read one snapshot of the source
 * and compare what arrived, row by row, with what was read, before the target counts.
 */
import { existsSync, linkSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import { syncDirectory } from '../data/atomic-file.ts';
import { CONTROLLER_ORIGIN } from '../access/principal.ts';
import { writeRestores } from '../audit/restore-entry.ts';
import { StartupError } from '../startup-error.ts';
import { VERSION } from '../version.ts';
import type { BackupTable, Manifest, TableSummary } from './backup-file.ts';
import { BackupWriter, readBackup } from './backup-file.ts';
import type { Catalog } from './backup-rows.ts';
import { POSTGRES_CATALOG, RowInserter, SQLITE_CATALOG } from './backup-rows.ts';
import { lastingTables, summarize, tableLines } from './backup-rows.ts';
import { SCHEMA_VERSION, migrate } from './migrations.ts';
import { checkServer, lockTables, markTables, ownerOf, withPatience } from './postgres-engine.ts';
import type { PostgresTarget } from './postgres-target.ts';
import { supersedeRevisions } from './revisions.ts';
import type { Schema } from './schema.ts';
import { buildSqlite, movedPath, openSqlite, snapshotSqlite, withMemory } from './sqlite-engine.ts';

/** A database: a file of SQLite, or one of PostgreSQL. */
export type DatabasePlace =
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'postgres'; readonly target: PostgresTarget };

/** What was written. */
export interface BackupReport {
  readonly schemaVersion: number;
  readonly tables: readonly TableSummary[];
}

/** Writes a database, which controllers may go on using, into a file. Rejects with StartupError. */
export async function backup(
  from: DatabasePlace,
  file: string,
  nowMs: number,
): Promise<BackupReport> {
  return await readSnapshot(from, async (db, catalog) => {
    const schemaVersion = await versionOf(db);
    const writer = new BackupWriter(file, {
      schemaVersion,
      createdAt: new Date(nowMs).toISOString(),
      program: VERSION,
    });
    try {
      for (const table of await lastingTables(catalog, db)) {
        writer.beginTable(table);
        for await (const line of tableLines(catalog, db, table)) writer.addRow(line);
      }
      return { schemaVersion, tables: writer.finish() };
    } catch (error) {
      writer.abandon();
      throw error;
    }
  });
}

/** Reads what was committed when it began, whatever is written meanwhile. */
export function readSnapshot<T>(
  from: DatabasePlace,
  read: (db: Kysely<Schema>, catalog: Catalog) => Promise<T>,
): Promise<T> {
  if (from.kind === 'sqlite') return snapshotSqlite(from.path, (db) => read(db, SQLITE_CATALOG));
  return withPatience(from.target, (db) =>
    db
      .transaction()
      .setIsolationLevel('repeatable read')
      .setAccessMode('read only')
      .execute(async (tx) => {
        if ((await ownerOf(tx)) !== 'etherloom') throw notOurs(from.target);
        return read(tx, POSTGRES_CATALOG);
      }),
  );
}

export interface RestoreOptions {
  /** No agent has been told of anything later: revisions stay as they are. */
  readonly isAsItWas: boolean;
  readonly nowMs: number;
}

/**
 * Puts a backup in the place of a database: the whole of it or, when anything is not as the backup
 * says, nothing. No controller may be using the database; one of SQLite is kept beside it. Rejects
 * with StartupError.
 */
export async function restore(
  file: string,
  to: DatabasePlace,
  options: RestoreOptions,
): Promise<BackupReport & { readonly keptAs: string | null }> {
  const manifest = await readBackup(file);
  assertKnown(manifest.header.schemaVersion);
  const load = (db: Kysely<Schema>, catalog: Catalog) =>
    loadBackup(file, manifest, { db, catalog, ...options });
  let keptAs: string | null = null;
  if (to.kind === 'sqlite')
    await buildSqlite(
      to.path,
      (db) => load(db, SQLITE_CATALOG),
      () => {
        keptAs = keepFormer(to.path);
      },
    );
  else
    await withPatience(to.target, async (db) => {
      await checkServer(db, to.target);
      await db.transaction().execute(async (tx) => {
        await lockTables(tx);
        await dropTables(tx, to.target);
        await load(tx, POSTGRES_CATALOG);
        await markTables(tx);
      });
    });
  return { schemaVersion: manifest.header.schemaVersion, tables: manifest.tables, keptAs };
}

/**
 * Copies the database of a data directory into an empty one of PostgreSQL. The file gets another
 * name, so that no controller goes on with it by mistake. Rejects with StartupError.
 */
export async function moveToPostgres(path: string, target: PostgresTarget): Promise<BackupReport> {
  if (!existsSync(path))
    throw new StartupError('data_directory_invalid', `there is no database ${path}`);
  const source = await openSqlite(path); // brings it to this program's version
  try {
    const tables = await withPatience(target, async (db) => {
      await checkServer(db, target);
      return db.transaction().execute(async (tx) => {
        await lockTables(tx);
        if ((await ownerOf(tx)) !== 'nobody') throw notEmpty(target);
        await migrate(tx);
        await markTables(tx);
        return copyAll(source.db, tx);
      });
    });
    return { schemaVersion: SCHEMA_VERSION, tables };
  } finally {
    await source.close();
  }
}

/** The database of a directory was moved: it is kept under another name. */
export function setAsideMoved(path: string): string {
  const moved = movedPath(path);
  for (const suffix of ['-wal', '-shm'])
    if (existsSync(path + suffix)) renameSync(path + suffix, moved + suffix);
  renameSync(path, moved);
  syncDirectory(dirname(path));
  return moved;
}

async function copyAll(from: Kysely<Schema>, to: Kysely<Schema>): Promise<TableSummary[]> {
  const summaries: TableSummary[] = [];
  for (const table of await lastingTables(SQLITE_CATALOG, from)) {
    const inserter = new RowInserter(to, table);
    for await (const line of tableLines(SQLITE_CATALOG, from, table))
      await inserter.add(JSON.parse(line) as (string | number | null)[]); // tableLines made it
    await inserter.flush();
    summaries.push(await summarize(SQLITE_CATALOG, from, table));
  }
  await compare(POSTGRES_CATALOG, to, summaries);
  return summaries;
}

interface Loading extends RestoreOptions {
  readonly db: Kysely<Schema>;
  readonly catalog: Catalog;
}

/** Fills a database that holds nothing, compares it with the manifest, and brings it up to date. */
async function loadBackup(file: string, manifest: Manifest, into: Loading): Promise<void> {
  const { db, catalog } = into;
  await migrate(db, manifest.header.schemaVersion);
  const known = await lastingTables(catalog, db);
  assertSameTables(known, manifest);
  let inserter: RowInserter | null = null;
  await readBackup(file, {
    table: async (table) => {
      await inserter?.flush();
      inserter = new RowInserter(db, assertColumns(known, table));
    },
    row: (row) => inserter?.add(row),
  });
  await (inserter as RowInserter | null)?.flush(); // a visitor set it
  await compare(catalog, db, manifest.tables);
  await migrate(db);
  if (!into.isAsItWas) await supersedeRevisions({ db });
  await writeRestores(
    { db, now: new Date(into.nowMs), origin: CONTROLLER_ORIGIN },
    manifest.header.createdAt,
  );
}

function assertKnown(version: number): void {
  if (version <= SCHEMA_VERSION) return;
  throw new StartupError(
    'database_newer',
    `the backup has schema version ${version}; this program knows ${SCHEMA_VERSION}: restore it with the version of etherloom that wrote it, or a later one`,
  );
}

function assertSameTables(known: readonly BackupTable[], manifest: Manifest): void {
  const names = (tables: readonly string[]) => tables.toSorted().join(' ');
  const there = names(known.map(({ table }) => table));
  if (there === names(manifest.tables.map(({ name }) => name))) return;
  throw mismatch('its tables are not those of its schema version');
}

function assertColumns(known: readonly BackupTable[], table: BackupTable): BackupTable {
  const made = known.find((one) => one.table === table.table);
  if (made?.columns.toSorted().join(' ') === table.columns.toSorted().join(' ')) return table;
  throw mismatch(`table ${table.table} has other columns than its schema version`);
}

/** Compares what is there with what should be; the columns' order is the target's own. */
async function compare(
  catalog: Catalog,
  db: Kysely<Schema>,
  wanted: readonly TableSummary[],
): Promise<void> {
  const tables = await lastingTables(catalog, db);
  for (const summary of wanted) {
    const table = tables.find((one) => one.table === summary.name);
    const found = table === undefined ? undefined : await summarize(catalog, db, table);
    if (found?.rows !== summary.rows || found.sha256 !== summary.sha256)
      throw mismatch(`table ${summary.name} arrived with other rows`);
  }
}

function mismatch(why: string): StartupError {
  return new StartupError('backup_invalid', `the copy is not like what was read: ${why}`);
}

async function versionOf(db: Kysely<Schema>): Promise<number> {
  const row = await db.selectFrom('schema_version').select('version').executeTakeFirstOrThrow();
  if (row.version > SCHEMA_VERSION) assertKnown(row.version);
  return row.version;
}

/** Removes the tables of a database that nobody uses. */
async function dropTables(db: Kysely<Schema>, target: PostgresTarget): Promise<void> {
  const owner = await ownerOf(db);
  if (owner === 'nobody') return;
  if (owner === 'other') throw notOurs(target);
  await assertUnused(db, target);
  const ours = new Set(
    (
      await withMemory(async (memory) => {
        await migrate(memory);
        return SQLITE_CATALOG.tables(memory);
      })
    ).map(({ table }) => table),
  );
  const there = await POSTGRES_CATALOG.tables(db);
  const others = there.filter(({ table }) => !ours.has(table));
  if (others.length > 0)
    throw new StartupError(
      'database_invalid',
      `the database ${target.name} holds the table ${others[0]?.table}, which is not of etherloom: move it elsewhere; nothing was changed`,
    );
  for (const { table } of there) await sql`drop table ${sql.table(table)} cascade`.execute(db);
}

/** Whoever is connected may be a controller. */
async function assertUnused(db: Kysely<Schema>, target: PostgresTarget): Promise<void> {
  const { rows } = await sql<{ count: number }>`
    select count(*) as count from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()
      and backend_type = 'client backend'`.execute(db);
  const count = rows[0]?.count ?? 0;
  if (count === 0) return;
  throw new StartupError(
    'database_in_use',
    `${count} connections use the database ${target.name}: stop all controllers and programs that do; nothing was changed`,
  );
}

/** Keeps a database file, whole, under another name; null when there is none. */
function keepFormer(path: string): string | null {
  if (!existsSync(path)) return null;
  takeIntoFile(path);
  let kept = `${path}.before-restore`;
  for (let count = 2; existsSync(kept); count += 1) kept = `${path}.before-restore-${count}`;
  linkSync(path, kept);
  // A log that is left is that of a damaged database. Beside the other file it would spoil it.
  for (const suffix of ['-wal', '-shm'])
    if (existsSync(path + suffix)) renameSync(path + suffix, kept + suffix);
  syncDirectory(dirname(path));
  return kept;
}

/** Moves what the log of a database holds into its file. */
function takeIntoFile(path: string): void {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path);
    database.exec('PRAGMA journal_mode = DELETE');
  } catch {
    // It is damaged: that may be why it is replaced.
  }
  database?.close();
}

function notOurs(target: PostgresTarget): StartupError {
  return new StartupError(
    'database_invalid',
    `the database ${target.name} is none of etherloom; nothing was changed`,
  );
}

function notEmpty(target: PostgresTarget): StartupError {
  return new StartupError(
    'database_invalid',
    `the database ${target.name} is not empty: create another one; nothing was changed`,
  );
}
