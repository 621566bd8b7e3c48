/**
 * PostgreSQL as a store, for one controller or several. Transactions are SERIALIZABLE: the server
 * ends those that could not have run one after the other, and they are run again. Within one
 * controller they take turns (turns.ts); one that others were in the way of several times excludes
 * them, so that it comes to an end.
 *
 * A database belongs to one product: its tables are made in a schema that is empty, and later known
 * by a comment on `schema_version`.
 */
import { randomInt } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import type { ClientConfig } from 'pg';
import type { Logger } from 'pino';
import {
  BUS_SILENCE_MS,
  DATABASE_QUEUE_MAX,
  DATABASE_TURN_MS,
  MIGRATION_WAIT_MS,
  TRANSACTION_ALONE_FROM,
  TRANSACTION_PAUSE_MS,
  TRANSACTION_PAUSE_MS_MAX,
  TRANSACTION_TRIES_MAX,
} from '../limits.ts';
import { RequestError } from '../request-error.ts';
import { StartupError, errorText } from '../startup-error.ts';
import type { Engine, TransactionWork } from './engine.ts';
import { DatabaseNewerError, migrate } from './migrations.ts';
import { PostgresBus, away } from './postgres-bus.ts';
import { connectionConfig, openPool } from './postgres-dialect.ts';
import { connectWriter } from './postgres-hosts.ts';
import type { PostgresTarget } from './postgres-target.ts';
import { isRepeatable, postgresTrouble } from './postgres-trouble.ts';
import type { Schema } from './schema.ts';
import { Turns } from './turns.ts';

/** Oldest server, as it numbers itself. */
const SERVER_VERSION_MIN = 150_000;
/** Marks the tables as this product's (comment on schema_version). */
export const TABLES_MARK = 'etherloom';
/** Numbers of advisory locks: who changes tables, and who would not be stopped again. */
const LOCK_TABLES = 0x6c6f_6f6d_01n;
const LOCK_ALONE = 0x6c6f_6f6d_02n;

/** Opens a database, makes or migrates its tables. Rejects with StartupError. */
export async function openPostgres(target: PostgresTarget, log?: Logger): Promise<Engine> {
  await prepareDatabase(target, log);
  return makeEngine(target, log);
}

/** Runs `work` on a connection of its own, whose statements take as long as they take. */
export async function withPatience<T>(
  target: PostgresTarget,
  work: (db: Kysely<Schema>) => Promise<T>,
): Promise<T> {
  const { db } = openPool(target, 'patient');
  try {
    return await work(db);
  } catch (error) {
    throw refusal(target, error);
  } finally {
    await db.destroy();
  }
}

/** No other controller makes, migrates or replaces tables until the end of the transaction. */
export async function lockTables(db: Kysely<Schema>): Promise<void> {
  await sql`select set_config('lock_timeout', ${String(MIGRATION_WAIT_MS)}, true)`.execute(db);
  await sql`select pg_advisory_xact_lock(${sql.lit(LOCK_TABLES)})`.execute(db);
}

/** What a database holds: nothing, tables of this product, or of another one. */
export async function ownerOf(db: Kysely<Schema>): Promise<'nobody' | 'etherloom' | 'other'> {
  const { rows } = await sql<{ name: string; mark: string | null }>`
    select relname as name, obj_description(pg_class.oid, 'pg_class') as mark
    from pg_class
    where relnamespace = (select oid from pg_namespace where nspname = current_schema())
      and relkind in ('r', 'p', 'v', 'm', 'f', 'S')`.execute(db);
  if (rows.length === 0) return 'nobody';
  const version = rows.find(({ name }) => name === 'schema_version');
  return version?.mark === TABLES_MARK ? 'etherloom' : 'other';
}

/** Marks the tables as this product's. */
export async function markTables(db: Kysely<Schema>): Promise<void> {
  await sql`comment on table schema_version is ${sql.lit(TABLES_MARK)}`.execute(db);
}

async function prepareDatabase(target: PostgresTarget, log: Logger | undefined): Promise<void> {
  await withPatience(target, async (db) => {
    await checkServer(db, target);
    await warnOfLoss(db, target, log);
    await db.transaction().execute(async (tx) => {
      await lockTables(tx);
      const owner = await ownerOf(tx);
      if (owner === 'other') throw foreign(target);
      await migrate(tx);
      if (owner === 'nobody') await markTables(tx);
    });
  });
}

/** What is acknowledged is to be on disk; a server may be told to lie about it. */
async function warnOfLoss(
  db: Kysely<Schema>,
  target: PostgresTarget,
  log: Logger | undefined,
): Promise<void> {
  const { rows } = await sql<{ fsync: string }>`show fsync`.execute(db);
  if (rows[0]?.fsync === 'off')
    log?.warn({ database: target.name }, 'fsync is off: the database loses writes with the power');
}

/** Rejects with StartupError for a server that cannot hold a database of this product. */
export async function checkServer(db: Kysely<Schema>, target: PostgresTarget): Promise<void> {
  const { rows } = await sql<{
    version: number;
    encoding: string;
    schema: string | null;
    standby: boolean;
  }>`select current_setting('server_version_num')::int as version,
       current_setting('server_encoding') as encoding,
       current_schema()::text as schema, pg_is_in_recovery() as standby`.execute(db);
  const [found] = rows;
  const refuse = (why: string) =>
    new StartupError('database_invalid', `the database ${target.name} ${why}; nothing was changed`);
  if (found === undefined || found.version < SERVER_VERSION_MIN)
    throw refuse(`is of PostgreSQL ${(found?.version ?? 0) / 10_000}: 15 or later is needed`);
  if (found.encoding !== 'UTF8')
    throw refuse(`has the encoding ${found.encoding}: create it with ENCODING 'UTF8'`);
  if (found.schema === null)
    throw refuse('has no schema that this user finds: see its search_path, and create one');
  if (found.standby) throw refuse('is a standby, which takes no writes: name the primary');
}

function foreign(target: PostgresTarget): StartupError {
  return new StartupError(
    'database_invalid',
    `the database ${target.name} holds tables of something else: create an empty one for etherloom; nothing was changed`,
  );
}

function refusal(target: PostgresTarget, error: unknown): unknown {
  if (error instanceof StartupError) return error;
  if (error instanceof DatabaseNewerError)
    return new StartupError(
      'database_newer',
      `${target.name}: ${error.message}; start the version of etherloom that wrote it, or a later one`,
    );
  const trouble = postgresTrouble(error)?.message;
  const reason = trouble === undefined ? errorText(error) : `${trouble} (${errorText(error)})`;
  return new StartupError(
    'database_unavailable',
    `the database ${target.name} cannot be used: ${reason}; nothing was changed`,
  );
}

function makeEngine(target: PostgresTarget, log: Logger | undefined): Engine {
  const health = new Health(target, log);
  const { db, drop } = openPool(target, 'serving', (error) => health.lost(error));
  const turns = new Turns({ queueMax: DATABASE_QUEUE_MAX, waitMs: DATABASE_TURN_MS });
  const bus = new PostgresBus(
    () => connectWriter(target, (url) => busConfig(url)),
    // What waits on a network that is cut would hold up all others until it gives up.
    drop,
    log,
  );
  const reached = <T>(work: () => Promise<T>): Promise<T> =>
    bus.isReached ? health.watch(work()) : Promise.reject(away());
  return {
    db,
    bus,
    lockRows: (query) => query.forUpdate(),
    transact: (work) => reached(() => turns.take(() => transactAgain(db, work))),
    read: (work) =>
      reached(() =>
        db
          .transaction()
          .setIsolationLevel('repeatable read')
          .setAccessMode('read only')
          .execute(work),
      ),
    async close() {
      health.close();
      await bus.close();
      await db.destroy();
    },
  };
}

/** A statement of the bus reads little: silence is a sign, and soon. */
function busConfig(url: string): ClientConfig {
  return {
    ...connectionConfig({ url }, 'serving'),
    connectionTimeoutMillis: BUS_SILENCE_MS,
    query_timeout: BUS_SILENCE_MS,
  };
}

async function transactAgain<T>(db: Kysely<Schema>, work: TransactionWork<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await (attempt < TRANSACTION_ALONE_FROM
        ? serializable(db, work)
        : serializableAlone(db, work));
    } catch (error) {
      if (!isRepeatable(error) || attempt >= TRANSACTION_TRIES_MAX) throw error;
      await pause(pauseMs(attempt));
    }
  }
}

function serializable<T>(db: Kysely<Schema>, work: TransactionWork<T>): Promise<T> {
  return db
    .transaction()
    .setIsolationLevel('serializable')
    .execute(async (tx) => {
      await sql`select pg_advisory_xact_lock_shared(${sql.lit(LOCK_ALONE)})`.execute(tx);
      return work(tx);
    });
}

/**
 * No other controller writes meanwhile, so nothing is in its way. The lock is taken before the
 * transaction has its snapshot, else it would help nobody.
 */
function serializableAlone<T>(db: Kysely<Schema>, work: TransactionWork<T>): Promise<T> {
  return db.connection().execute(async (connection) => {
    await sql`select pg_advisory_lock(${sql.lit(LOCK_ALONE)})`.execute(connection);
    try {
      return await serializable(connection, work);
    } finally {
      await sql`select pg_advisory_unlock(${sql.lit(LOCK_ALONE)})`.execute(connection);
    }
  });
}

/** Half of it by chance, so that two which met do not meet again. */
function pauseMs(attempt: number): number {
  const longest = Math.min(TRANSACTION_PAUSE_MS * 2 ** attempt, TRANSACTION_PAUSE_MS_MAX);
  return longest / 2 + randomInt(Math.ceil(longest / 2));
}

/** Says in the log when the database is lost and when it is back, once each, until it is closed. */
class Health {
  readonly #target: PostgresTarget;
  readonly #log: Logger | undefined;
  #isLost = false;
  #isClosed = false;

  constructor(target: PostgresTarget, log: Logger | undefined) {
    this.#target = target;
    this.#log = log;
  }

  /** The outcome of a transaction, with errors of the database made `unavailable`. */
  async watch<T>(outcome: Promise<T>): Promise<T> {
    try {
      const result = await outcome;
      this.#found();
      return result;
    } catch (error) {
      if (error instanceof RequestError) throw error;
      const trouble = postgresTrouble(error);
      if (trouble === undefined) throw error;
      if (trouble.code === 'unavailable') this.lost(error);
      throw trouble;
    }
  }

  /** Connections that are let go of may still fail: the pool does not wait for their ends. */
  close(): void {
    this.#isClosed = true;
  }

  lost(error: unknown): void {
    if (this.#isLost || this.#isClosed) return;
    this.#isLost = true;
    this.#log?.warn({ database: this.#target.name, reason: errorText(error) }, 'database trouble');
  }

  #found(): void {
    if (!this.#isLost) return;
    this.#isLost = false;
    this.#log?.info({ database: this.#target.name }, 'the database serves again');
  }
}
