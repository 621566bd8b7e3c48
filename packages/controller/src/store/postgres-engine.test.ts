/** What PostgreSQL is asked for beside what both engines do: tests that need a server. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres } from '@etherloom/lab';
import type { PostgresServer } from '@etherloom/lab';
import { sql } from 'kysely';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { findInconsistencies } from '../testing/consistency.ts';
import { joinAs, makeNetwork, openStoreOn } from '../testing/store-fixture.ts';
import type { Engine } from './engine.ts';
import { SCHEMA_VERSION } from './migrations.ts';
import { openPostgres } from './postgres-engine.ts';
import { parsePostgresUrl, readPostgresFile } from './postgres-target.ts';

let server: PostgresServer;
let database: string;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.remove());
beforeEach(async () => {
  database = `d_${randomBytes(6).toString('hex')}`;
  await server.sql('postgres', `create database ${database}`);
});

const target = () => parsePostgresUrl(server.url(database), 'argument');

test('several controllers that start at once on an empty database make one set of tables', async () => {
  const engines = await Promise.all([1, 2, 3, 4].map(() => openPostgres(target())));
  expect(await server.sql(database, 'select version from schema_version')).toBe(
    `${SCHEMA_VERSION}`,
  );
  for (const engine of engines) await engine.close();
});

const foreign: readonly (readonly [name: string, made: string])[] = [
  ['a table', 'create table invoices (id int)'],
  ['a view', 'create view v as select 1 as one'],
  ['a table of the name of ours', 'create table schema_version (version int)'],
];
test.each(foreign)(
  'a database with %s of something else is refused, and left alone',
  async (_, made) => {
    await server.sql(database, made);
    await expect(openPostgres(target())).rejects.toMatchObject({
      code: 'database_invalid',
      message: expect.stringContaining('something else'),
    });
    const count = "select count(*) from pg_class where relnamespace = 'public'::regnamespace";
    expect(await server.sql(database, count)).toBe('1');
  },
);

test('a database of another encoding is refused', async () => {
  await server.sql(
    'postgres',
    `create database ${database}_l encoding 'LATIN1' locale 'C' template template0`,
  );
  const other = parsePostgresUrl(server.url(`${database}_l`), 'argument');
  await expect(openPostgres(other)).rejects.toMatchObject({
    message: expect.stringContaining('UTF8'),
  });
});

test('order and comparison are those of bytes, whatever the database is made with', async () => {
  const engine = await openPostgres(target());
  const names = ['b', 'a-b', 'ab', 'a_c', 'B', 'é', 'a b'];
  for (const name of names)
    await engine.transact((db) =>
      db.insertInto('organizations').values({ id: name, name, created_at: '' }).execute(),
    );
  const rows = await engine.db.selectFrom('organizations').select('name').orderBy('name').execute();
  expect(rows.map(({ name }) => name)).toEqual(names.toSorted());
  await engine.close();
});

test('numbers beyond 32 bits are kept and come back as numbers', async () => {
  const engine = await openPostgres(target());
  const large = 2 ** 52 + 1;
  await engine.transact((db) =>
    db.insertInto('counts').values({ noun: 'nodes', scope: '', count: large }).execute(),
  );
  const row = await engine.db.selectFrom('counts').select('count').executeTakeFirst();
  expect(row).toEqual({ count: large });
  await engine.close();
});

describe('two controllers that write at once', () => {
  let engines: readonly Engine[] = [];
  beforeEach(async () => {
    engines = [await openPostgres(target()), await openPostgres(target())];
    return async () => {
      for (const engine of engines) await engine.close();
    };
  });

  test('lose no change of each other: each counts up what both count', async () => {
    const [one] = engines;
    await one?.transact((db) =>
      db.insertInto('counts').values({ noun: 'nodes', scope: '', count: 0 }).execute(),
    );
    const rise = (engine: Engine) =>
      engine.transact(async (db) => {
        const row = await db
          .selectFrom('counts')
          .select('count')
          .where('noun', '=', 'nodes')
          .executeTakeFirstOrThrow();
        await db
          .updateTable('counts')
          .set({ count: row.count + 1 })
          .where('noun', '=', 'nodes')
          .execute();
      });
    const rises = 40;
    await Promise.all(
      engines.flatMap((engine) => Array.from({ length: rises }, () => rise(engine))),
    );
    const row = await one?.db.selectFrom('counts').select('count').executeTakeFirst();
    expect(row?.count).toBe(2 * rises);
  });

  test('give no address, name or VNI twice', async () => {
    const stores = await Promise.all(engines.map((engine) => openStoreOn(engine)));
    const [first] = stores;
    if (first === undefined) throw new Error('there are two');
    await makeNetwork(first, 'shared');
    await Promise.all(
      stores.flatMap((store, index) =>
        Array.from({ length: 6 }, (_, i) => joinAs(store, 'shared', `n${index}-${i}`)),
      ),
    );
    expect(await findInconsistencies(first)).toEqual([]);
    expect(await server.sql(database, 'select count(*) from memberships')).toBe('12');
    const organizations = await server.sql(database, 'select count(*) from organizations');
    expect(organizations).toBe('1');
  });

  test('work that others are in the way of begins from nothing each time', async () => {
    const [one, two] = engines;
    if (one === undefined || two === undefined) throw new Error('there are two');
    const put = (engine: Engine, scope: string) =>
      engine.transact((db) =>
        db.insertInto('counts').values({ noun: 'nodes', scope, count: 0 }).execute(),
      );
    let tries = 0;
    const seen = await one.transact(async (db) => {
      tries += 1;
      const rows = await db.selectFrom('counts').selectAll().execute();
      if (tries === 1) await put(two, 'in the way');
      await db
        .insertInto('counts')
        .values({ noun: 'nodes', scope: 'in the way', count: 1 })
        .onConflict((conflict) => conflict.doNothing())
        .execute();
      await db
        .insertInto('counts')
        .values({ noun: 'nodes', scope: `saw ${rows.length}`, count: 1 })
        .execute();
      return rows.length;
    });
    expect({ tries, seen }).toEqual({ tries: 2, seen: 1 });
    const scopes = await one.db.selectFrom('counts').select('scope').orderBy('scope').execute();
    expect(scopes.map(({ scope }) => scope)).toEqual(['in the way', 'saw 1']);
  });

  test('one that is in the way again and again is excluded in the end', async () => {
    const [one, two] = engines;
    if (one === undefined || two === undefined) throw new Error('there are two');
    let isOver = false;
    const busy = (async () => {
      for (let i = 0; !isOver; i += 1)
        await two.transact(async (db) => {
          await db.selectFrom('counts').selectAll().execute();
          await db
            .insertInto('counts')
            .values({ noun: 'nodes', scope: `busy ${i}`, count: 0 })
            .execute();
        });
    })();
    for (let i = 0; i < 5; i += 1)
      await one.transact(async (db) => {
        const before = await db.selectFrom('counts').select('scope').execute();
        await sql`select pg_sleep(0.05)`.execute(db);
        await db
          .insertInto('counts')
          .values({ noun: 'nodes', scope: `slow ${i}`, count: before.length })
          .execute();
      });
    isOver = true;
    await busy;
    const slow = await server.sql(
      database,
      "select count(*) from counts where scope like 'slow %'",
    );
    expect(slow).toBe('5');
  });
});

describe('a database that is away', () => {
  test('says unavailable without the text of the driver, once in the log, and serves again', async () => {
    const lines: string[] = [];
    const log = pino({}, { write: (line: string) => lines.push(line) });
    const own = await startPostgres();
    await own.sql('postgres', 'create database a');
    const engine = await openPostgres(parsePostgresUrl(own.url('a'), 'argument'), log);
    const read = () =>
      engine.transact((db) => db.selectFrom('organizations').selectAll().execute());
    try {
      await read();
      await own.kill();
      for (let i = 0; i < 5; i += 1)
        await expect(read()).rejects.toMatchObject({
          code: 'unavailable',
          message: expect.stringMatching(/database/),
        });
      await own.start();
      await expect
        .poll(
          () =>
            read().then(
              () => true,
              () => false,
            ),
          { timeout: 40_000 },
        )
        .toBe(true);
    } finally {
      await engine.close();
      await own.remove();
    }
    const warnings = lines.filter((line) => line.includes('database trouble'));
    expect(warnings).toHaveLength(1);
    expect(lines.join('')).not.toMatch(/\bat .*node_modules|"stack"/);
  });

  test('a start names what is wrong and says no password', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'etherloom-postgres-test-'));
    const file = join(directory, 'url');
    writeFileSync(file, 'postgres://loom:geheim@127.0.0.1:1/loom?sslmode=disable\n', {
      mode: 0o600,
    });
    const error: unknown = await openPostgres(readPostgresFile(file)).catch(
      (thrown: unknown) => thrown,
    );
    rmSync(directory, { recursive: true });
    expect(error).toMatchObject({
      code: 'database_unavailable',
      message: expect.stringContaining('127.0.0.1:1'),
    });
    expect(JSON.stringify([error, String(error), (error as Error).stack])).not.toContain('geheim');
  });
});

test('what was acknowledged is there after the server and all of its processes were killed', async () => {
  const durable = await startPostgres({ isDurable: true });
  await durable.sql('postgres', 'create database a');
  const engine = await openPostgres(parsePostgresUrl(durable.url('a'), 'argument'));
  const store = await openStoreOn(engine);
  await makeNetwork(store, 'a');
  const acknowledged: string[] = [];
  let isKilled = false;
  const writing = (async () => {
    for (let i = 0; !isKilled; i += 1) {
      const isDone = await joinAs(store, 'a', `n${i}`).then(
        () => true,
        () => false,
      );
      if (isDone) acknowledged.push(`n${i}`);
    }
  })();
  await expect.poll(() => acknowledged.length, { timeout: 60_000 }).toBeGreaterThan(10);
  await durable.kill();
  isKilled = true;
  await writing;
  await durable.start();
  const names = (await durable.sql('a', 'select name from nodes')).split('\n');
  expect(names).toEqual(expect.arrayContaining(acknowledged));
  await expect
    .poll(() => findInconsistencies(store).catch(() => ['away']), { timeout: 20_000 })
    .toEqual([]);
  await engine.close();
  await durable.remove();
}, 120_000);

test('what a server does not wait for by default is waited for', async () => {
  await server.sql('postgres', `alter database ${database} set synchronous_commit = off`);
  const engine = await openPostgres(target());
  const shown = await engine.transact((db) =>
    sql<{ value: string }>`select current_setting('synchronous_commit') as value`.execute(db),
  );
  expect(shown.rows).toEqual([{ value: 'on' }]);
  await engine.close();
});
