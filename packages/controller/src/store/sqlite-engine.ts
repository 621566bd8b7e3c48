/**
 * SQLite as a store: node:sqlite behind Kysely's SQLite dialect, one file, one connection,
 * transactions one after the other.
 *
 * A fresh database is made under another name and renamed when it is whole, so that a file of the
 * right name without tables can only be damage, and is refused. A file that fails its check is left
 * as it is.
 */
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { SQLInputValue } from 'node:sqlite';
import type { SqliteDatabase } from 'kysely';
import { Kysely, SqliteDialect } from 'kysely';
import { StartupError, errorText } from '../startup-error.ts';
import type { Engine } from './engine.ts';
import { DatabaseNewerError, migrate } from './migrations.ts';
import type { Schema } from './schema.ts';

/** Marks the file as this product's (PRAGMA application_id): the letters "loom". */
const APPLICATION_ID = 0x6c6f_6f6d;
/** Another process that reads the file for a backup is waited for this long. */
const BUSY_TIMEOUT_MS = 5_000;

/** Opens the database at `path`, or makes it; checks and migrates it. Rejects with StartupError. */
export async function openSqlite(path: string): Promise<Engine> {
  if (!existsSync(path)) {
    await createDatabase(path).catch((error: unknown) => {
      throw refusal(path, error);
    });
  }
  const database = openChecked(path);
  const engine = makeEngine(database);
  try {
    await migrate(engine.db);
    return engine;
  } catch (error) {
    await engine.close();
    if (error instanceof DatabaseNewerError) {
      throw new StartupError(
        'database_newer',
        `${path}: ${error.message}; start the version of etherloom that wrote it, or a later one`,
        error,
      );
    }
    throw refusal(path, error);
  }
}

async function createDatabase(path: string): Promise<void> {
  const unfinished = `${path}.unfinished`;
  for (const suffix of ['', '-wal', '-shm']) rmSync(unfinished + suffix, { force: true });
  closeSync(openSync(unfinished, 'wx', 0o600));
  const database = new DatabaseSync(unfinished);
  database.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
  setPragmas(database);
  const engine = makeEngine(database);
  await migrate(engine.db);
  await engine.close();
  renameSync(unfinished, path);
  const directory = openSync(dirname(path), 'r');
  fsyncSync(directory);
  closeSync(directory);
}

function openChecked(path: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path);
    const id = database.prepare('PRAGMA application_id').get()?.['application_id'];
    if (id !== APPLICATION_ID) throw new Error('it is no etherloom database');
    const problems = database
      .prepare('PRAGMA quick_check(3)')
      .all()
      .map((row) => String(row['quick_check']));
    if (problems[0] !== 'ok') throw new Error(problems.join('; '));
    setPragmas(database);
    return database;
  } catch (error) {
    database?.close();
    throw refusal(path, error);
  }
}

/** Results of SQLite that speak of the disk and not of the file's content. */
const DISK_RESULTS: Readonly<Record<number, string>> = {
  3: 'this user may not write it',
  5: 'another program holds it: end that one',
  8: 'it or its disk is read-only: make it writable',
  13: 'its disk is full: free some space there',
  14: 'it cannot be opened: see who owns it and its directory',
};

/** The primary result code of an error of SQLite; undefined for another error. */
export function sqliteResult(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error)) return undefined;
  return typeof error.errcode === 'number' ? error.errcode & 0xff : undefined;
}

function refusal(path: string, cause: unknown): StartupError {
  const disk = DISK_RESULTS[sqliteResult(cause) ?? 0];
  if (disk !== undefined)
    return new StartupError(
      'data_directory_invalid',
      `the database ${path} cannot be used (${errorText(cause)}), ${disk}; nothing was changed`,
      cause,
    );
  return new StartupError(
    'database_corrupt',
    `the database ${path} is damaged or unreadable (${errorText(cause)}); nothing was changed. Restore it from a backup together with its -wal file, ` +
      'or move it away to begin with an empty one, in which case every node must join again',
    cause,
  );
}

function setPragmas(database: DatabaseSync): void {
  database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
  database.exec('PRAGMA journal_mode = WAL');
  database.exec('PRAGMA synchronous = FULL'); // an acknowledged write survives a power cut
  database.exec('PRAGMA foreign_keys = ON');
  database.exec('PRAGMA trusted_schema = OFF');
  database.exec('PRAGMA secure_delete = ON'); // of a key that was removed nothing is left
}

function makeEngine(database: DatabaseSync): Engine {
  const db = new Kysely<Schema>({ dialect: new SqliteDialect({ database: adapt(database) }) });
  return {
    db,
    lockRows: (query) => query,
    async close() {
      await db.destroy();
      if (database.isOpen) database.close(); // unused, destroy() leaves it open
    },
  };
}

/** The part of better-sqlite3's interface that Kysely asks for, over node:sqlite. */
function adapt(database: DatabaseSync): SqliteDatabase {
  return {
    close: () => database.close(),
    prepare(text) {
      const statement = database.prepare(text);
      return {
        reader: statement.columns().length > 0,
        all: (parameters) => statement.all(...toInputs(parameters)),
        run: (parameters) => statement.run(...toInputs(parameters)),
        iterate: (parameters) => statement.iterate(...toInputs(parameters)),
      };
    },
  };
}

function toInputs(parameters: readonly unknown[]): SQLInputValue[] {
  return parameters as SQLInputValue[]; // all that schema.ts has
}
