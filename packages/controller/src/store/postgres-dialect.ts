/**
 * PostgreSQL behind Kysely such that one schema means the same as in SQLite: an `integer` has 64
 * bits and comes back as a number, and `text` is compared byte by byte.
 */
import type { DataTypeNode, PostgresPool, PostgresPoolClient, QueryCompiler } from 'kysely';
import { CastNode, Kysely, PostgresDialect, PostgresQueryCompiler } from 'kysely';
import { Pool, types } from 'pg';
import type { PoolClient, PoolConfig } from 'pg';
import {
  DATABASE_CONNECTIONS_MAX,
  DATABASE_CONNECT_MS,
  DATABASE_LOCK_MS,
  DATABASE_SILENCE_MS,
  DATABASE_STATEMENT_MS,
} from '../limits.ts';
import { systemErrorCode } from '../startup-error.ts';
import { assertWritable, destroyClient, hostsOf } from './postgres-hosts.ts';
import type { Hosts } from './postgres-hosts.ts';
import type { PostgresTarget } from './postgres-target.ts';
import type { Schema } from './schema.ts';

/** How a connection says who it is. */
export const APPLICATION_NAME = 'etherloom controller';

export interface PostgresAccess {
  readonly db: Kysely<Schema>;
  /** Connections that are open. */
  readonly openCount: () => number;
  /** Gives up all connections: what waits for an answer on one of them fails. */
  readonly drop: () => void;
}

/** `patient`: one connection whose statements take as long as they take, for moving a database. */
export type Pace = 'serving' | 'patient';

/** Settings of a connection to `target`, for pg. */
export function connectionConfig(target: Pick<PostgresTarget, 'url'>, pace: Pace): PoolConfig {
  const isServing = pace === 'serving';
  return {
    connectionString: target.url,
    application_name: APPLICATION_NAME,
    connectionTimeoutMillis: DATABASE_CONNECT_MS,
    keepAlive: true,
    types: { getTypeParser: (oid, format) => parserOf(oid, format) },
    ...(isServing
      ? {
          statement_timeout: DATABASE_STATEMENT_MS,
          lock_timeout: DATABASE_LOCK_MS,
          idle_in_transaction_session_timeout: DATABASE_SILENCE_MS,
          query_timeout: DATABASE_SILENCE_MS,
        }
      : {}),
  };
}

/** Opens a pool. `onLost` hears of connections that broke while nobody used them. */
export function openPool(
  target: PostgresTarget,
  pace: Pace,
  onLost: (error: Error) => void = () => {},
): PostgresAccess {
  const pool = new Pool({
    ...connectionConfig(target, pace),
    max: pace === 'serving' ? DATABASE_CONNECTIONS_MAX : 1,
    min: 1,
  });
  pool.on('error', onLost);
  const held = new Set<PoolClient>();
  pool.on('connect', (client) => held.add(client));
  pool.on('remove', (client) => held.delete(client));
  const db = new Kysely<Schema>({
    dialect: new SameDialect({ pool: guard(pool, hostsOf(target)) }),
  });
  return {
    db,
    openCount: () => pool.totalCount,
    drop: () => {
      for (const client of held) destroyClient(client);
    },
  };
}

/** An acknowledged write is on disk, whatever the server's default is. */
const BE_DURABLE = `select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') in ('off', 'local')`;

/** SQLSTATE of a server that takes no writes. */
const READ_ONLY = '25006';
const OID_INT8 = 20;
const OID_NUMERIC = 1700;

/** Counts and sums are int8 and numeric there; all of ours fit a number. */
function parserOf(oid: number, format: 'text' | 'binary' | undefined): (value: never) => unknown {
  return (
    oid === OID_INT8 || oid === OID_NUMERIC ? toNumber : types.getTypeParser(oid, format)
  ) as (value: never) => unknown; // pg hands each parser what its format says
}

function toNumber(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && !Number.isSafeInteger(value))
    throw new RangeError(`the database holds ${text}, which no number of this program can be`);
  return value;
}

/**
 * A connection that went silent in the middle of a query is closed, not used again. Of several
 * servers the one that takes writes is found.
 */
function guard(pool: Pool, hosts: Hosts): PostgresPool {
  const guarded = new WeakMap<PoolClient, PostgresPoolClient>();
  const connect = async (): Promise<PostgresPoolClient> => {
    const client = await pool.connect();
    const known = guarded.get(client) ?? (await prepare(client, hosts));
    guarded.set(client, known);
    return known;
  };
  return {
    async connect() {
      for (let left = hosts.count; ; left -= 1) {
        const { url } = hosts;
        pool.options.connectionString = url;
        try {
          return await connect();
        } catch (error) {
          hosts.pass(url);
          if (left <= 1) throw error;
        }
      }
    },
    end: () => pool.end(),
  };
}

async function prepare(client: PoolClient, hosts: Hosts): Promise<PostgresPoolClient> {
  const guarded = guardClient(client, hosts);
  try {
    if (hosts.count > 1) await assertWritable(client);
    await guarded.query(BE_DURABLE, []);
    return guarded;
  } catch (error) {
    client.release(true);
    throw error;
  }
}

function guardClient(client: PoolClient, hosts: Hosts): PostgresPoolClient {
  const { url } = hosts;
  let broken: Error | undefined;
  client.on('error', (error) => {
    broken = error;
  });
  const runQuery = async (text: string, parameters: readonly unknown[]) => {
    if (broken !== undefined) throw broken;
    try {
      return await client.query(text, [...parameters]);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      if (error.message === 'Query read timeout') broken = error;
      if (systemErrorCode(error) === READ_ONLY) {
        broken = error; // it became a standby
        hosts.pass(url);
      }
      throw error;
    }
  };
  // Statements of one transaction may be asked for at the same time; a connection runs one.
  let last: Promise<unknown> = Promise.resolve();
  const query = (text: string, parameters: readonly unknown[]) => {
    const result = last.then(() => runQuery(text, parameters));
    last = result.catch(() => {});
    return result;
  };
  return {
    query: query as unknown as PostgresPoolClient['query'], // its form of cursors is not used
    release: () => client.release(broken),
  };
}

class SameDialect extends PostgresDialect {
  override createQueryCompiler(): QueryCompiler {
    return new SameCompiler();
  }
}

class SameCompiler extends PostgresQueryCompiler {
  protected override visitDataType(node: DataTypeNode): void {
    if (node.dataType === 'integer') this.append('bigint');
    else if (node.dataType === 'text' && !this.#isCast()) this.append('text collate "C"');
    else super.visitDataType(node);
  }

  /** A cast names a type alone. */
  #isCast(): boolean {
    return this.parentNode !== undefined && CastNode.is(this.parentNode);
  }
}
