/**
 * SQLite as a store: node:sqlite behind Kysely's SQLite dialect, one file, one connection,
 * transactions one after the other.
 *
 * A fresh database is made under another name and renamed when it is whole, so that a file of the
 * right name without tables can only be damage, and is refused. A file that fails its check is left
 * as it is.
 */
import { closeSync, existsSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { SQLInputValue, StatementSync } from 'node:sqlite';
import type { SqliteDatabase, Transaction } from 'kysely';
import { Kysely, SqliteDialect } from 'kysely';
import { syncDirectory } from '../data/atomic-file.ts';
import { STATEMENTS_KEPT_MAX } from '../limits.ts';
import { RequestError } from '../request-error.ts';
import { StartupError, errorText } from '../startup-error.ts';
import type { Engine, TransactionWork } from './engine.ts';
import { DatabaseNewerError, migrate } from './migrations.ts';
import type { Schema } from './schema.ts';
import { GroupCommit } from './sqlite-group.ts';

/** Marks the file as this product's (PRAGMA application_id): the letters "loom". */
const APPLICATION_ID = 0x6c6f_6f6d;
/** Another process that reads the file for a backup is waited for this long. */
const BUSY_TIMEOUT_MS = 5_000;

/** Opens the database at `path`, or makes it; checks and migrates it. Rejects with StartupError. */
export async function openSqlite(path: string): Promise<Engine> {
  if (!existsSync(path)) {
    refuseMoved(path);
    await buildSqlite(path, (tx) => migrate(tx)).catch((error: unknown) => {
      throw refusal(path, error);
    });
  }
  const database = openChecked(path);
  const engine = makeEngine(database);
  try {
    await engine.db.transaction().execute((tx) => migrate(tx));
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

/** Where the database of a directory is kept that went on in PostgreSQL. */
export function movedPath(path: string): string {
  return `${path}.moved`;
}

/** An empty database in the place of one that went on elsewhere would lose all agents. */
function refuseMoved(path: string): void {
  if (!existsSync(movedPath(path))) return;
  throw new StartupError(
    'database_invalid',
    `the database of this directory was moved to PostgreSQL: name it with --database, or rename ${movedPath(path)} to ${path} to go on with what it was then`,
  );
}

/**
 * Makes a database file of what `build` puts into it; until it is whole it has another name. It
 * replaces a file of that name when `build` has ended.
 */
export async function buildSqlite(
  path: string,
  build: (db: Transaction<Schema>) => Promise<void>,
  beforeRename: () => void = () => {},
): Promise<void> {
  const unfinished = `${path}.unfinished`;
  const clean = () => {
    for (const suffix of ['', '-wal', '-shm']) rmSync(unfinished + suffix, { force: true });
  };
  clean();
  closeSync(openSync(unfinished, 'wx', 0o600));
  const database = new DatabaseSync(unfinished);
  try {
    database.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
    setPragmas(database);
    const engine = makeEngine(database);
    await engine.db.transaction().execute(build);
    await engine.close();
  } catch (error) {
    if (database.isOpen) database.close();
    clean();
    throw error;
  }
  beforeRename();
  renameSync(unfinished, path);
  syncDirectory(dirname(path));
}

/** A database of no file, as `build` makes it, for looking at what tables there are. */
export async function withMemory<T>(work: (db: Kysely<Schema>) => Promise<T>): Promise<T> {
  const engine = makeEngine(new DatabaseSync(':memory:'));
  try {
    return await work(engine.db);
  } finally {
    await engine.close();
  }
}

/**
 * Reads a database that a controller may write to meanwhile, in one transaction: what was committed
 * when it began. Rejects with StartupError.
 */
export async function snapshotSqlite<T>(
  path: string,
  read: (db: Transaction<Schema>) => Promise<T>,
): Promise<T> {
  if (!existsSync(path))
    throw new StartupError('data_directory_invalid', `there is no database ${path}`);
  const engine = makeEngine(openChecked(path, true));
  try {
    return await engine.db.transaction().execute(read);
  } finally {
    await engine.close();
  }
}

function openChecked(path: string, isRead = false): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { readOnly: isRead });
    const id = database.prepare('PRAGMA application_id').get()?.['application_id'];
    if (id !== APPLICATION_ID) throw new Error('it is no etherloom database');
    const problems = database
      .prepare('PRAGMA quick_check(3)')
      .all()
      .map((row) => String(row['quick_check']));
    if (problems[0] !== 'ok') throw new Error(problems.join('; '));
    if (isRead) database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
    else setPragmas(database);
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

const SQLITE_BUSY = 5;
const SQLITE_READONLY = 8;
const SQLITE_FULL = 13;

/** `unavailable` for what an operator has to mend on the controller's machine. */
function sqliteTrouble(error: unknown): RequestError | undefined {
  switch (sqliteResult(error)) {
    case SQLITE_BUSY:
      return new RequestError('unavailable', 'another program holds the database: end that one');
    case SQLITE_FULL:
      return new RequestError('unavailable', "the controller's disk is full: free space there");
    case SQLITE_READONLY:
      return new RequestError('unavailable', "the controller's disk is read-only");
    default:
      return undefined;
  }
}

/** The primary result code of an error of SQLite; undefined for another error. */
function sqliteResult(error: unknown): number | undefined {
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
  const group = new GroupCommit(db);
  const run = <T>(work: TransactionWork<T>): Promise<T> =>
    group.run(work).catch((error: unknown) => {
      throw sqliteTrouble(error) ?? error;
    });
  return {
    db,
    transact: run,
    read: run,
    bus: null,
    lockRows: (query) => query,
    async close() {
      await db.destroy();
      if (database.isOpen) database.close(); // unused, destroy() leaves it open
    },
  };
}

/** The part of better-sqlite3's interface that Kysely asks for, over node:sqlite. */
function adapt(database: DatabaseSync): SqliteDatabase {
  const kept = new Map<string, StatementSync>();
  /** Compiling a query costs more than running it; the one unused for longest goes first. */
  const prepared = (text: string): StatementSync => {
    const statement = kept.get(text) ?? database.prepare(text);
    kept.delete(text);
    kept.set(text, statement);
    if (kept.size > STATEMENTS_KEPT_MAX) kept.delete(kept.keys().next().value ?? '');
    return statement;
  };
  return {
    close: () => database.close(),
    prepare(text) {
      const statement = prepared(text);
      return {
        reader: statement.columns().length > 0,
        all: (parameters) => statement.all(...toInputs(parameters)),
        run: (parameters) => statement.run(...toInputs(parameters)),
        // Of its own: another run of the same text would end it.
        iterate: (parameters) => database.prepare(text).iterate(...toInputs(parameters)),
      };
    },
  };
}

function toInputs(parameters: readonly unknown[]): SQLInputValue[] {
  return parameters as SQLInputValue[]; // all that schema.ts has
}
