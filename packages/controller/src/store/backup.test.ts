/** Backups of a database that is written to, and what becomes of damaged ones; on either engine. */
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { backupWithoutLedgers } from '../testing/backup-text.ts';
import { findInconsistencies } from '../testing/consistency.ts';
import { joinAs, makeNetwork, nodeIdOf, openStoreOn } from '../testing/store-fixture.ts';
import { openTestEngine, placeOfTest } from '../testing/test-database.ts';
import { RESTORED_REVISIONS } from '../limits.ts';
import { readBackup } from './backup-file.ts';
import { backup, readSnapshot, restore } from './backup.ts';
import { endMembership } from './members.ts';
import { SCHEMA_VERSION } from './migrations.ts';
import type { Store } from './store.ts';

const NOW_MS = Date.UTC(2030, 0, 1);
const AS_IT_WAS = { isAsItWas: true, nowMs: NOW_MS };
let directory: string;
let file: string;
let store: Store;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'etherloom-backup-test-'));
  file = join(directory, 'backup');
  store = await openStoreOn(await openTestEngine(databasePath('a')), () => NOW_MS);
});
afterEach(async () => {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

const databasePath = (name: string) => join(directory, `${name}.db`);

/** Runs `work` while members come and go; resolves to how many changes there were meanwhile. */
async function whileWriting(networkId: string, work: () => Promise<unknown>): Promise<number> {
  let isOver = false;
  let count = 0;
  const writing = (async () => {
    while (!isOver) {
      await joinAs(store, 'busy', `w${count}`);
      if (count % 3 === 2)
        await store.transact((tx) => endMembership(tx, networkId, nodeIdOf(`w${count - 1}`)));
      count += 1;
    }
  })();
  await work();
  isOver = true;
  await writing;
  return count;
}

test('a backup that is made while others write restores to a state that fits together', async () => {
  const networkId = await makeNetwork(store, 'busy');
  for (let i = 0; i < 20; i += 1) await joinAs(store, 'busy', `n${i}`);
  const from = await placeOfTest(databasePath('a'));
  const files = [1, 2, 3].map((number) => join(directory, `backup-${number}`));
  const written = await whileWriting(networkId, async () => {
    for (const path of files) await backup(from, path, NOW_MS);
  });
  expect(written).toBeGreaterThan(0);
  for (const [index, path] of files.entries()) {
    const copy = databasePath(`copy-${index}`);
    await restore(path, await placeOfTest(copy), AS_IT_WAS);
    const restored = await openStoreOn(await openTestEngine(copy), () => NOW_MS);
    expect(await findInconsistencies(restored)).toEqual([]);
    const members = await restored.read((tx) =>
      tx.db.selectFrom('memberships').selectAll().execute(),
    );
    expect(members.length).toBeGreaterThanOrEqual(20);
    await restored.close();
  }
});

test('a snapshot shows nothing that is committed after its first row was read', async () => {
  await makeNetwork(store, 'a');
  await joinAs(store, 'a', 'n1');
  const count = await readSnapshot(await placeOfTest(databasePath('a')), async (db) => {
    await db.selectFrom('organizations').selectAll().execute();
    await joinAs(store, 'a', 'n2');
    const rows = await db.selectFrom('memberships').selectAll().execute();
    return rows.length;
  });
  expect(count).toBe(1);
});

test('a backup of what was restored is the same, line by line, but for the ledger that says so', async () => {
  await makeNetwork(store, 'a');
  for (let i = 0; i < 5; i += 1) await joinAs(store, 'a', `n${i}`);
  await backup(await placeOfTest(databasePath('a')), file, NOW_MS);
  await restore(file, await placeOfTest(databasePath('b')), AS_IT_WAS);
  const again = join(directory, 'again');
  await backup(await placeOfTest(databasePath('b')), again, NOW_MS);
  const text = backupWithoutLedgers(file);
  expect(text).toContain(nodeIdOf('n4'));
  expect(backupWithoutLedgers(again)).toBe(text);
});

test('what was restored is above anything that agents hold, unless nobody was told of more', async () => {
  const id = await makeNetwork(store, 'a');
  const revisionOf = (of: Store) =>
    of.read((tx) =>
      tx.db
        .selectFrom('networks')
        .select('revision')
        .where('id', '=', id)
        .executeTakeFirstOrThrow(),
    );
  const { revision } = await revisionOf(store);
  await backup(await placeOfTest(databasePath('a')), file, NOW_MS);
  await restore(file, await placeOfTest(databasePath('b')), { isAsItWas: false, nowMs: NOW_MS });
  const restored = await openStoreOn(await openTestEngine(databasePath('b')), () => NOW_MS);
  expect((await revisionOf(restored)).revision).toBeGreaterThanOrEqual(
    revision + RESTORED_REVISIONS,
  );
  await restored.close();
});

test('the file is readable by its owner alone, and is not written over another', async () => {
  const from = await placeOfTest(databasePath('a'));
  await backup(from, file, NOW_MS);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const before = readFileSync(file);
  await expect(backup(from, file, NOW_MS)).rejects.toMatchObject({ code: 'backup_invalid' });
  expect(readFileSync(file)).toEqual(before);
  expect(readdirSync(directory).filter((name) => name.includes('unfinished'))).toEqual([]);
});

test('says what it holds: rows of each table, and the version of the schema', async () => {
  await makeNetwork(store, 'a');
  await joinAs(store, 'a', 'n1');
  await backup(await placeOfTest(databasePath('a')), file, NOW_MS);
  const { header, tables } = await readBackup(file);
  expect(header).toMatchObject({
    schemaVersion: SCHEMA_VERSION,
    createdAt: '2030-01-01T00:00:00.000Z',
  });
  expect(tables.find(({ name }) => name === 'memberships')).toMatchObject({ rows: 1 });
  expect(tables.map(({ name }) => name)).not.toContain('sessions');
});

/** The row of a node. */
const ROW = new RegExp(`\\n\\["${nodeIdOf('n1')}","org_[^\\n]*`);

/** Each gives the text of a damaged backup. */
const damages: readonly (readonly [name: string, damage: (text: string) => string])[] = [
  ['nothing in it', () => ''],
  ['its first half alone', (text) => text.slice(0, text.length / 2)],
  ['all but its last line', (text) => text.slice(0, text.lastIndexOf('\n', text.length - 2) + 1)],
  ['all but its last character', (text) => text.slice(0, -1)],
  ['a line that is missing', (text) => text.replace(ROW, '')],
  ['a line twice', (text) => text.replace(ROW, '$&$&')],
  ['a letter that is another one', (text) => text.replace('"n1"', '"n2"')],
  ['something after its end', (text) => `${text}{}\n`],
  [
    'the end of another one',
    (text) => text.replace(/"sha256":"[0-9a-f]{64}"\}\n$/, `"sha256":"${'0'.repeat(64)}"}\n`),
  ],
  ['a later schema', (text) => text.replace(/"schemaVersion":\d+/, '"schemaVersion":9999')],
  ['a later format', (text) => text.replace('"formatVersion":1', '"formatVersion":2')],
];

test.each(damages)(
  'a backup with %s is refused, and the database stays as it is',
  async (_, damage) => {
    await makeNetwork(store, 'a');
    await joinAs(store, 'a', 'n1');
    const place = await placeOfTest(databasePath('a'));
    await backup(place, file, NOW_MS);
    const text = readFileSync(file, 'utf8');
    const damaged = damage(text);
    expect(damaged).not.toBe(text);
    writeFileSync(join(directory, 'damaged'), damaged);
    await store.close();
    await expect(restore(join(directory, 'damaged'), place, AS_IT_WAS)).rejects.toMatchObject({
      code: expect.stringMatching(/^(backup_invalid|database_newer)$/),
    });
    store = await openStoreOn(await openTestEngine(databasePath('a')), () => NOW_MS);
    const after = join(directory, 'after');
    await backup(place, after, NOW_MS);
    expect(readFileSync(after, 'utf8')).toBe(text);
  },
);
