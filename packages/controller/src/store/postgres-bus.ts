/**
 * The bus on PostgreSQL: one connection of its own that LISTENs, and a table of what was posted and
 * of what was left for one to collect.
 *
 * NOTIFY within a transaction is delivered with its commit, in order, to whoever listens then. A
 * reader whose connection broke, or who sits behind a pooler that swallows notifications, reads
 * the table: all rows of transactions that were not over when it last looked (pg_snapshot_xmin), so
 * none is missed whatever the order of commits, and none that it has seen is read again.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Transaction } from 'kysely';
import { sql } from 'kysely';
import type { Client, Notification } from 'pg';
import type { Logger } from 'pino';
import {
  BUS_BACKLOG_MAX,
  BUS_KEPT_MS,
  BUS_LEFT_MS,
  BUS_NOTIFICATION_BYTES_MAX,
  BUS_POLL_MS,
  BUS_RETRY_MS_MAX,
  BUS_RETRY_MS_MIN,
} from '../limits.ts';
import { randomUnit } from '../identifiers.ts';
import { RequestError } from '../request-error.ts';
import { errorText } from '../startup-error.ts';
import type { Bus, BusListener } from './bus.ts';
import { destroyClient } from './postgres-hosts.ts';
import { postgresTrouble } from './postgres-trouble.ts';
import type { Schema } from './schema.ts';

const CHANNEL = 'etherloom';
/** In place of a transaction's number: whoever reads what was posted never comes by it. */
const LEFT = 0;
/** Milliseconds of the database's clock. */
export const DATABASE_NOW = '(extract(epoch from clock_timestamp()) * 1000)::bigint';

interface Position {
  /** Transactions below were over when it was read, and all their rows seen. */
  readonly transaction: number;
  /** History of the database that the number is of: another one after a promotion. */
  readonly timeline: string;
}

interface PostedRow {
  readonly id: string;
  readonly transaction_number: number;
}

/** `connect` opens a connection that takes writes, or rejects; `onLost` is told of each loss. */
export class PostgresBus implements Bus {
  readonly #connect: () => Promise<Client>;
  readonly #onLost: () => void;
  readonly #log: Logger | undefined;
  readonly #sender = randomBytes(8).toString('hex');
  readonly #stop = new AbortController();
  #listener: BusListener | undefined;
  #client: Client | undefined;
  /** false once a broken connection could not be opened again at once. */
  #isReached = true;
  #position: Position | undefined;
  /** Everything that was posted before, by the monotonic clock, was read. */
  #readAtMs = 0;
  /** Ids that were handled, with their transactions; those below the position are forgotten. */
  readonly #seen = new Map<string, number>();
  #work: Promise<void> = Promise.resolve();
  #statement: Promise<unknown> = Promise.resolve();
  #polling: Promise<void> | undefined;

  constructor(connect: () => Promise<Client>, onLost: () => void, log: Logger | undefined) {
    this.#connect = connect;
    this.#onLost = onLost;
    this.#log = log;
  }

  get isReached(): boolean {
    return this.#isReached;
  }

  async post(db: Transaction<Schema>, text: string): Promise<void> {
    const id = randomUUID();
    await sql`insert into bus_messages (id, transaction_number, sender, body, posted_at_ms)
      values (${id}, pg_current_xact_id()::text::bigint, ${this.#sender}, ${text}, ${sql.raw(DATABASE_NOW)})`.execute(
      db,
    );
    const isShort = Buffer.byteLength(text) <= BUS_NOTIFICATION_BYTES_MAX - 64;
    await this.#notify(db, id, isShort ? text : '');
  }

  async mention(db: Transaction<Schema>, text: string): Promise<void> {
    await this.#notify(db, '-', text);
  }

  async #notify(db: Transaction<Schema>, id: string, text: string): Promise<void> {
    await sql`select pg_notify(${CHANNEL}, ${`${this.#sender} ${id} ${text}`})`.execute(db);
  }

  async say(text: string): Promise<void> {
    await this.query('select pg_notify($1, $2)', [CHANNEL, `${this.#sender} - ${text}`]);
  }

  async leave(key: string, text: string): Promise<void> {
    await this.query(
      `insert into bus_messages (id, transaction_number, sender, body, posted_at_ms)
       values ($1, ${LEFT}, $2, $3, ${DATABASE_NOW})`,
      [key, this.#sender, text],
    );
  }

  async collect(key: string): Promise<string | undefined> {
    const [row] = await this.query<{ body: string }>(
      `delete from bus_messages where id = $1 and transaction_number = ${LEFT} returning body`,
      [key],
    );
    return row?.body;
  }

  /** One statement at a time: a connection takes no other one while it is busy. */
  query<Row>(text: string, parameters: readonly unknown[] = []): Promise<readonly Row[]> {
    const statement = this.#statement.then(() => this.#send<Row>(text, parameters));
    this.#statement = statement.catch(() => undefined); // whoever asked hears of it
    return statement;
  }

  async #send<Row>(text: string, parameters: readonly unknown[]): Promise<readonly Row[]> {
    const client = this.#client;
    if (client === undefined) throw away();
    try {
      return (await client.query(text, [...parameters])).rows as Row[]; // as the caller's text says
    } catch (error) {
      const trouble = postgresTrouble(error);
      if (trouble?.code === 'unavailable') this.#drop(client, error);
      throw trouble ?? error;
    }
  }

  async listen(listener: BusListener): Promise<void> {
    this.#listener = listener;
    await this.#open();
    this.#work = this.#run();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#work;
    const client = this.#client;
    this.#client = undefined;
    await client?.end().catch(() => undefined); // it is gone either way
  }

  /** Polls, and connects again, until it is closed. */
  async #run(): Promise<void> {
    let failures = 0;
    while (!this.#stop.signal.aborted) {
      try {
        if (this.#client === undefined) await this.#open();
        else await this.#poll();
        failures = 0;
        await this.#pause(BUS_POLL_MS);
      } catch (error) {
        failures += 1;
        if (this.#client === undefined && failures > 1) this.#setReached(false, error);
        const longestMs = Math.min(BUS_RETRY_MS_MIN * 2 ** failures, BUS_RETRY_MS_MAX);
        await this.#pause((longestMs / 2) * (1 + randomUnit()));
      }
    }
  }

  async #pause(ms: number): Promise<void> {
    await pause(ms, undefined, { signal: this.#stop.signal }).catch(() => undefined); // stopped
  }

  async #open(): Promise<void> {
    const client = await this.#connect();
    try {
      client.on('error', (error) => this.#drop(client, error));
      client.on('end', () => this.#drop(client, new Error('the connection was closed')));
      client.on('notification', (notification) => this.#take(notification));
      await client.query(`listen ${CHANNEL}`);
      const { rows } = await client.query(
        'select substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) as timeline, pg_snapshot_xmin(pg_current_snapshot())::text::bigint as transaction',
      );
      const [now] = rows as Position[]; // as the text says
      const before = this.#position;
      this.#client = client;
      if (now === undefined) throw away();
      const isSame =
        before !== undefined &&
        before.timeline === now.timeline &&
        before.transaction <= now.transaction &&
        // Others may have swept what this one has not read.
        performance.now() - this.#readAtMs < BUS_KEPT_MS / 2;
      this.#position = isSame ? before : now;
      if (!isSame) this.#readAtMs = performance.now();
      if (isSame) await this.#poll();
      else this.#seen.clear();
      this.#setReached(true);
      if (before !== undefined && !isSame) this.#listener?.onGap();
    } catch (error) {
      this.#drop(client, error);
      throw error;
    }
  }

  #drop(client: Client, error: unknown): void {
    const wasHeld = this.#client === client;
    if (wasHeld) this.#client = undefined;
    client.removeAllListeners('notification');
    destroyClient(client);
    if (wasHeld) this.#log?.warn({ reason: errorText(error) }, 'the connection of the bus broke');
  }

  #setReached(isReached: boolean, why?: unknown): void {
    if (isReached === this.#isReached) return;
    this.#isReached = isReached;
    if (!isReached) this.#onLost();
    if (isReached) this.#log?.info('the database is reached again');
    else this.#log?.warn({ reason: errorText(why) }, 'the database is not reached');
    this.#listener?.onReach(isReached);
  }

  #take({ payload = '' }: Notification): void {
    const [, sender, id, text = ''] = /^(\S+) (\S+) ?(.*)$/s.exec(payload) ?? [];
    if (sender === undefined || sender === this.#sender) return;
    // One that was too long to come along is read from the table.
    if (text === '') return void this.#poll().catch(() => undefined); // the next poll repeats it
    if (id !== undefined && id !== '-') {
      if (this.#seen.has(id)) return;
      this.#seen.set(id, this.#position?.transaction ?? 0);
    }
    this.#listener?.onMessage(text);
  }

  /** Reads what was posted and not seen; who asks meanwhile waits for the same. */
  async #poll(): Promise<void> {
    this.#polling ??= this.#readPosted().finally(() => {
      this.#polling = undefined;
    });
    await this.#polling;
  }

  async #readPosted(): Promise<void> {
    const before = this.#position;
    if (before === undefined) return;
    const beganAtMs = performance.now();
    const [head] = await this.query<{ transaction: number }>(
      'select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as transaction',
    );
    const posted = await this.query<PostedRow>(
      'select id, transaction_number from bus_messages where transaction_number >= $1 and sender <> $2 order by transaction_number limit $3',
      [before.transaction, this.#sender, BUS_BACKLOG_MAX + 1],
    );
    const isFar = posted.length > BUS_BACKLOG_MAX;
    if (isFar) this.#listener?.onGap();
    else await this.#handle(posted.filter(({ id }) => !this.#seen.has(id)));
    for (const { id, transaction_number } of posted) this.#seen.set(id, transaction_number);
    const transaction = head?.transaction ?? before.transaction;
    this.#position = { ...before, transaction };
    this.#readAtMs = beganAtMs;
    for (const [id, of] of this.#seen) if (of < transaction) this.#seen.delete(id);
  }

  async #handle(posted: readonly PostedRow[]): Promise<void> {
    if (posted.length === 0) return;
    const rows = await this.query<{ id: string; body: string }>(
      'select id, body from bus_messages where id = any($1)',
      [posted.map(({ id }) => id)],
    );
    for (const { id, body } of rows) if (!this.#seen.has(id)) this.#listener?.onMessage(body);
  }

  async sweep(): Promise<void> {
    await this.query(`delete from bus_messages where posted_at_ms < ${DATABASE_NOW} - $1`, [
      BUS_KEPT_MS,
    ]);
    await this.query(
      `delete from bus_messages
       where transaction_number = ${LEFT} and posted_at_ms < ${DATABASE_NOW} - $1`,
      [BUS_LEFT_MS],
    );
  }
}

/** What is said of a database that is not reached. */
export function away(): RequestError {
  return new RequestError('unavailable', 'the database does not answer', { retryAfterSeconds: 1 });
}
