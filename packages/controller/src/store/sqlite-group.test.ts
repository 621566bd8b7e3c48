import { mkdtempSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Engine } from './engine.ts';
import { openSqlite } from './sqlite-engine.ts';

let directory: string;
let path: string;
let engine: Engine;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'etherloom-group-test-'));
  path = join(directory, 'controller.db');
  engine = await openSqlite(path);
});
afterEach(async () => {
  await engine.close();
  rmSync(directory, { recursive: true, force: true });
});

const write = (scope: string, count = 1): Promise<void> =>
  engine.transact(async (db) => {
    await db.insertInto('counts').values({ noun: 'group', scope, count }).execute();
  });
const stored = (): Promise<string[]> =>
  engine.read(async (db) => {
    const rows = await db
      .selectFrom('counts')
      .select('scope')
      .where('noun', '=', 'group')
      .orderBy('scope')
      .execute();
    return rows.map(({ scope }) => scope);
  });

/** Looks from outside: what a crash would leave. */
function committed(): number {
  const database = new DatabaseSync(path, { readOnly: true });
  const row = database.prepare(`select count(*) as n from counts where noun = 'group'`).get();
  database.close();
  return Number(row?.['n']);
}

test('one that fails takes back its own changes and no others', async () => {
  const bad = engine.transact(async (db) => {
    await db.insertInto('counts').values({ noun: 'group', scope: 'bad', count: 1 }).execute();
    throw new Error('refused');
  });
  const results = await Promise.allSettled([write('a'), bad, write('b'), write('a'), write('c')]);
  expect(results.map(({ status }) => status)).toEqual([
    'fulfilled',
    'rejected',
    'fulfilled',
    'rejected', // it is there already
    'fulfilled',
  ]);
  expect(await stored()).toEqual(['a', 'b', 'c']);
});

test('what is acknowledged is committed, of however many at once', async () => {
  const seen: number[] = [];
  const writes = Array.from({ length: 150 }, async (_, n) => {
    await write(String(n).padStart(3, '0'));
    seen.push(committed() - n);
  });
  await Promise.all(writes);
  expect(seen.every((above) => above > 0)).toBe(true);
  expect(committed()).toBe(150);
});

test('they run in the order in which they came, each seeing those before it', async () => {
  const seen = await Promise.all(
    ['a', 'b', 'c', 'd'].map((scope) =>
      engine.transact(async (db) => {
        await db.insertInto('counts').values({ noun: 'group', scope, count: 1 }).execute();
        const rows = await db
          .selectFrom('counts')
          .select('scope')
          .where('noun', '=', 'group')
          .execute();
        return rows.length;
      }),
    ),
  );
  expect(seen).toEqual([1, 2, 3, 4]);
});
