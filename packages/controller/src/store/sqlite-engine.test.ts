/** SQLite's file: who may read it, what is refused as damage. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Keyring } from '../authority/keyring.ts';
import { settle } from '../authority/settle.ts';
import { SCHEMA_VERSION } from './migrations.ts';
import { ensureDefaultOrganization } from './organizations.ts';
import { openSqlite } from './sqlite-engine.ts';
import { Store } from './store.ts';

let directory: string;
let path: string;
let store: Store;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'etherloom-sqlite-test-'));
  path = join(directory, 'controller.db');
  store = await openStore();
});
afterEach(async () => {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

async function openStore(): Promise<Store> {
  const opened = new Store(await openSqlite(path), {
    now: () => Date.UTC(2030, 0, 1),
    random: randomBytes,
    keyring: new Keyring(randomBytes(32)),
    settle,
  });
  await opened.transact(ensureDefaultOrganization);
  return opened;
}

describe('the database file', () => {
  test('is readable by its owner alone and keeps what was written', async () => {
    await store.transact((tx) =>
      tx.db
        .insertInto('custody')
        .values({ id: 1, kind: 'file', derivation: null, proof: 'kept' })
        .execute(),
    );
    await store.close();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(existsSync(`${path}.unfinished`)).toBe(false);
    store = await openStore();
    expect(
      await store.transact((tx) => tx.db.selectFrom('custody').select('proof').execute()),
    ).toEqual([{ proof: 'kept' }]);
  });

  const damages: readonly (readonly [name: string, damage: () => void])[] = [
    [
      'text',
      () =>
        writeFileSync(path, 'not a database at all, but long enough to look like one'.repeat(100)),
    ],
    ['nothing', () => writeFileSync(path, '')],
    [
      "another program's tables",
      () => {
        rmSync(path);
        const other = new DatabaseSync(path);
        other.exec('CREATE TABLE t (a)');
        other.close();
      },
    ],
    [
      'a page that was overwritten',
      () => {
        const bytes = readFileSync(path);
        bytes.fill(0xa5, 4_096, 20_000);
        writeFileSync(path, bytes);
      },
    ],
    ['half of it', () => writeFileSync(path, readFileSync(path).subarray(0, 30_000))],
  ];
  test.each(damages)('with %s in it is refused, named and left as it is', async (_, damage) => {
    await store.close();
    damage();
    const before = readFileSync(path);
    await expect(openSqlite(path)).rejects.toMatchObject({
      code: 'database_corrupt',
      message: expect.stringContaining(path),
    });
    expect(readFileSync(path).equals(before)).toBe(true);
    rmSync(path);
    store = await openStore();
  });

  test('of a later version is refused', async () => {
    await store.transact((tx) =>
      tx.db
        .updateTable('schema_version')
        .set({ version: SCHEMA_VERSION + 1, oldest_writer: SCHEMA_VERSION + 1 })
        .execute(),
    );
    await store.close();
    await expect(openSqlite(path)).rejects.toMatchObject({ code: 'database_newer' });
    rmSync(path);
    store = await openStore();
  });
});
