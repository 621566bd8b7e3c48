/** What controllers of one database hear of each other, on a real server. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { openTestEngine } from '../testing/test-database.ts';
import type { Bus } from './bus.ts';
import type { Engine } from './engine.ts';

let directory: string;
let engines: Engine[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'etherloom-bus-test-'));
  engines = [];
});
afterEach(async () => {
  for (const engine of engines) await engine.close();
  rmSync(directory, { recursive: true, force: true });
});

interface Ear {
  readonly engine: Engine;
  readonly bus: Bus;
  readonly heard: string[];
  readonly gaps: () => number;
  readonly reaches: boolean[];
}

async function listen(): Promise<Ear> {
  const engine = await openTestEngine(join(directory, 'controller.db'));
  engines.push(engine);
  const heard: string[] = [];
  const reaches: boolean[] = [];
  let gaps = 0;
  const { bus } = engine;
  if (bus === null) throw new Error('these tests are of PostgreSQL');
  await bus.listen({
    onMessage: (text) => heard.push(text),
    onGap: () => (gaps += 1),
    onReach: (isReached) => reaches.push(isReached),
  });
  return { engine, bus, heard, gaps: () => gaps, reaches };
}

const within = { timeout: 10_000 };

// The first of all: the driver warns once.
test('asks its connection one thing at a time', async () => {
  const { bus } = await listen();
  const warnings: string[] = [];
  const take = ({ message }: Error): void => void warnings.push(message);
  process.on('warning', take);
  await Promise.all(Array.from({ length: 8 }, (_, i) => bus.say(`text ${i}`)));
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', take);
  expect(warnings).toEqual([]);
});

test('a text goes to all others with the commit, and to nobody without it', async () => {
  const [from, first, second] = [await listen(), await listen(), await listen()];
  const failing = from.engine.transact(async (db) => {
    await from.bus.post(db, 'never');
    throw new Error('taken back');
  });
  await expect(failing).rejects.toThrow('taken back');
  await from.engine.transact((db) => from.bus.post(db, 'committed'));
  await vi.waitFor(() => {
    expect(first.heard).toEqual(['committed']);
    expect(second.heard).toEqual(['committed']);
  }, within);
  expect(from.heard).toEqual([]);
});

test('a text that is longer than a notification comes whole', async () => {
  const [from, to] = [await listen(), await listen()];
  const text = 'ü'.repeat(50_000);
  await from.engine.transact((db) => from.bus.post(db, text));
  await vi.waitFor(() => expect(to.heard).toEqual([text]), within);
});

test('what came without a notification is read, in whatever order it was committed', async () => {
  const [from, to] = [await listen(), await listen()];
  const insert = (text: string) =>
    sql`insert into bus_messages (id, transaction_number, sender, body, posted_at_ms)
      values (${text}, pg_current_xact_id()::text::bigint, 'other', ${text}, 0)`;
  let commitLate: () => void = () => undefined;
  const isLate = new Promise<void>((resolve) => (commitLate = resolve));
  let begun: () => void = () => undefined;
  const hasBegun = new Promise<void>((resolve) => (begun = resolve));
  const early = from.engine.db.transaction().execute(async (db) => {
    await insert('began first').execute(db);
    begun();
    await isLate;
  });
  await hasBegun;
  await from.engine.db.transaction().execute((db) => insert('began last').execute(db));
  await vi.waitFor(() => expect(to.heard).toEqual(['began last']), within);
  // Another look passes before the one that began first is there.
  await from.bus.query('select pg_sleep(1.2)');
  commitLate();
  await early;
  await vi.waitFor(() => expect(to.heard).toEqual(['began last', 'began first']), within);
});

test('a broken connection is opened again, and nothing that was posted meanwhile is missed', async () => {
  const [from, to] = [await listen(), await listen()];
  const [own] = await to.bus.query<{ pid: number }>('select pg_backend_pid() as pid');
  await from.engine.transact(async (db) => {
    await sql`select pg_terminate_backend(${own?.pid})`.execute(db);
    await from.bus.post(db, 'meanwhile');
  });
  await from.bus.say('to who listens');
  await vi.waitFor(() => expect(to.heard).toContain('meanwhile'), within);
  await from.engine.transact((db) => from.bus.post(db, 'afterwards'));
  await vi.waitFor(() => expect(to.heard).toContain('afterwards'), within);
  expect(to.gaps()).toBe(0);
});

test('what is said goes to who listens, and is kept by nobody', async () => {
  const [from, to] = [await listen(), await listen()];
  await from.bus.say('now');
  await vi.waitFor(() => expect(to.heard).toEqual(['now']), within);
  expect(await from.bus.query('select id from bus_messages')).toEqual([]);
});

test('what is left for one is heard by nobody, collected once, and dropped when nobody comes', async () => {
  const [from, to] = [await listen(), await listen()];
  const text = 'ü'.repeat(50_000);
  for (const key of ['wanted', 'stale', 'fresh']) await from.bus.leave(key, text);
  await from.bus.query(`update bus_messages set posted_at_ms = 0 where id = 'stale'`);
  await from.bus.sweep();
  // A look at what was posted passes by all of it.
  await from.engine.transact((db) => from.bus.post(db, 'posted'));
  await vi.waitFor(() => expect(to.heard).toEqual(['posted']), within);
  expect(await to.bus.collect('wanted')).toBe(text);
  expect(await to.bus.collect('wanted')).toBeUndefined();
  expect(await to.bus.collect('stale')).toBeUndefined();
  expect(await to.bus.collect('fresh')).toBe(text);
  const [posted] = await to.bus.query<{ id: string }>('select id from bus_messages');
  expect(await to.bus.collect(posted?.id ?? ''), 'what all are to read stays').toBeUndefined();
});
