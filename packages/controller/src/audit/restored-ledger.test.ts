/** What a reader with a later checkpoint learns of a ledger that a restored backup took back. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { LedgerVerdict } from '@etherloom/api';
import { backup, restore } from '../store/backup.ts';
import type { TestController } from '../testing/controller-fixture.ts';
import { makeDataDirectory, startTestController } from '../testing/controller-fixture.ts';
import { checkLedger, exportLedgerOf } from '../testing/ledger-check.ts';
import { forgetDatabase, placeOfTest } from '../testing/test-database.ts';

const BACKUP_AT = '2030-01-01T00:00:00.000Z';
const RESTORED_AT = '2030-02-01T00:00:00.000Z';

let directory: string;
let dataDirectory: string;
let running: TestController;
beforeEach(async () => {
  directory = makeDataDirectory();
  dataDirectory = makeDataDirectory();
  running = await startTestController({ dataDirectory });
});
afterEach(async () => {
  await running.stop();
  rmSync(dataDirectory, { recursive: true, force: true });
  rmSync(directory, { recursive: true, force: true });
  await forgetDatabase(join(dataDirectory, 'controller.db'));
});

type Verified = Extract<LedgerVerdict, { ok: true }>;

async function verified(lines: readonly string[], known?: Verified): Promise<Verified> {
  const verdict = await checkLedger(lines, known === undefined ? {} : { known: known.places });
  if (!verdict.ok) throw new Error(verdict.reason);
  return verdict;
}

async function refusal(lines: readonly string[], known: Verified): Promise<string> {
  const verdict = await checkLedger(lines, { known: known.places });
  return verdict.ok ? 'verified' : verdict.reason;
}

async function change(times: number): Promise<void> {
  for (let i = 0; i < times; i += 1)
    await running.client.call('ledgerChange', { body: { auditDays: 100 + (i % 2) } });
}

/** What a reader keeps at the time of a backup, and later. */
async function live(): Promise<{ readonly early: Verified; readonly late: Verified }> {
  await change(2);
  const place = await placeOfTest(join(dataDirectory, 'controller.db'));
  const early = await verified(await exportLedgerOf(running));
  await backup(place, join(directory, 'backup'), Date.parse(BACKUP_AT));
  await change(6);
  const late = await verified(await exportLedgerOf(running));
  await running.stop();
  return { early, late };
}

async function goBack(isAsItWas = false): Promise<void> {
  const place = await placeOfTest(join(dataDirectory, 'controller.db'));
  await restore(join(directory, 'backup'), place, { isAsItWas, nowMs: Date.parse(RESTORED_AT) });
  running = await startTestController({ dataDirectory });
}

test.each([false, true])(
  'the ledger says what it was restored from (with --as-it-was: %s)',
  async (isAsItWas) => {
    const { early } = await live();
    await goBack(isAsItWas);
    const { items } = await running.client.call('auditList', {
      query: { action: 'ledger.restore' },
    });
    expect(items).toMatchObject([
      {
        number: early.number + 1,
        at: RESTORED_AT,
        actor: { kind: 'controller' },
        after: { backupAt: BACKUP_AT, number: early.number },
        reason: expect.stringContaining(`newest entry was ${early.number}`),
      },
    ]);
  },
);

test('who knows a later entry is told from which one on the ledger is gone', async () => {
  const { early, late } = await live();
  await goBack();
  const wanted = [`a backup of ${BACKUP_AT}`, `written after entry ${early.number} is gone`];
  const shorter = await refusal(await exportLedgerOf(running), late);
  for (const text of [`ends with entry ${early.number + 1}`, ...wanted])
    expect(shorter).toContain(text);
  // Others stand where those were.
  await change(12);
  const longer = await refusal(await exportLedgerOf(running), late);
  for (const text of [`entry ${late.number} is not the one that you know`, ...wanted])
    expect(longer).toContain(text);
});

test('who knows nothing later sees the ledger go on, and that it was restored', async () => {
  const { early } = await live();
  await goBack();
  const lines = await exportLedgerOf(running);
  expect(await verified(lines, early)).toMatchObject({
    knownNumber: early.number,
    restores: [
      { number: early.number + 1, at: RESTORED_AT, headNumber: early.number, backupAt: BACKUP_AT },
    ],
  });
});

test('a ledger that was only shortened or written anew says nothing of a backup', async () => {
  const { late } = await live();
  running = await startTestController({ dataDirectory });
  const lines = await exportLedgerOf(running);
  const places = [{ number: late.number, hash: '1'.repeat(64) }];
  expect(await refusal(lines, { ...late, places })).toContain('says nothing of a restored backup');
  const beyond = [{ number: late.number + 100, hash: '1'.repeat(64) }];
  expect(await refusal(lines, { ...late, places: beyond })).toContain('ends with entry');
});

test('a database that was put back by other means says so with --restored', async () => {
  await change(1);
  const { number } = await verified(await exportLedgerOf(running));
  await running.stop();
  running = await startTestController({ dataDirectory, isRestored: true });
  const { restores } = await verified(await exportLedgerOf(running));
  expect(restores).toMatchObject([{ number: number + 1, headNumber: number, backupAt: null }]);
});
