/** `loom audit` as a child process against a real controller. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ledgerSchema } from '@etherloom/api';
import type { ControllerProcess } from './testing/controller-process.ts';
import { startController } from './testing/controller-process.ts';

let directory: string;
let loom: ControllerProcess['loom'];
let stop: ControllerProcess['stop'];

beforeAll(async () => {
  ({ directory, loom, stop } = await startController());
  await loom(['network', 'create', 'demo']);
  await loom(['network', 'set', 'demo', '--staleness-days', '5']);
}, 30_000);
afterAll(() => stop());

test('list shows who did what, filtered, and as JSON', async () => {
  const { stdout } = await loom(['audit', 'list', '--action', 'network.settings']);
  expect(stdout).toMatch(/NUMBER +TIME +ACTOR/);
  expect(stdout).toMatch(/admin\.token +network\.settings +demo +127\.0\.0\.1/);
  expect(stdout).not.toContain('network.create');
  const json = await loom(['audit', 'list', '--limit', '1', '--json']);
  expect(JSON.parse(json.stdout)).toMatchObject({ items: [{ action: 'network.settings' }] });
});

test('the controller, and an export of it, verify with the key that show names', async () => {
  const shown = ledgerSchema.parse(JSON.parse((await loom(['audit', 'show', '--json'])).stdout));
  const key = ['--key', shown.keys[0] ?? ''];
  const online = await loom(['audit', 'verify', ...key]);
  expect(online).toMatchObject({ status: 0, stderr: '' });
  expect(online.stdout).toContain(`entries 1 to ${shown.head.number}`);
  const file = join(directory, 'ledger.jsonl');
  expect((await loom(['audit', 'export', file])).status).toBe(0);
  expect((await loom(['audit', 'verify', file, ...key])).status).toBe(0);
  expect((await loom(['audit', 'export'])).stdout.split('\n').slice(0, -2)).toEqual(
    (await readFile(file, 'utf8')).split('\n').slice(0, -2), // all but the time of the end
  );
});

test('without a pinned key it says so', async () => {
  const { status, stderr } = await loom(['audit', 'verify']);
  expect(status).toBe(0);
  expect(stderr).toContain('No key was pinned');
});

test('a changed, a shortened and a broken export fail with exit status 1', async () => {
  const { stdout: whole } = await loom(['audit', 'export']);
  const tampered = [
    whole.replace('"stalenessDays":5', '"stalenessDays":7'),
    `${whole.trimEnd().split('\n').slice(0, -1).join('\n')}\n`,
    whole.slice(0, -20),
    '',
  ];
  for (const [i, text] of tampered.entries()) {
    const file = join(directory, `tampered-${i}`);
    await writeFile(file, text);
    const { status, stderr, stdout } = await loom(['audit', 'verify', file]);
    expect([i, status, stdout]).toEqual([i, 1, '']);
    expect(stderr).toMatch(/does not verify|cut off/);
  }
  expect((await loom(['audit', 'verify', join(directory, 'nothing')])).stderr).toContain(
    'cannot be read',
  );
});

test('what is known of the ledger has to be in it', async () => {
  const kept = join(directory, 'kept.jsonl');
  await loom(['audit', 'export', kept]);
  const shown = ledgerSchema.parse(JSON.parse((await loom(['audit', 'show', '--json'])).stdout));
  const { number, hash } = shown.head;
  await loom(['network', 'set', 'demo', '--staleness-days', '9']);
  for (const known of [kept, `${number}:${hash}`]) {
    const { status, stdout } = await loom(['audit', 'verify', '--known', known]);
    expect([status, stdout]).toEqual([0, expect.stringContaining(`goes on from entry ${number}`)]);
  }
  const later = join(directory, 'later.jsonl');
  await loom(['audit', 'export', later]);
  const older = await loom(['audit', 'verify', kept, '--known', later]);
  expect(older).toMatchObject({ status: 1, stdout: '' });
  expect(older.stderr).toContain(`ends with entry ${number}`);
  const other = await loom(['audit', 'verify', '--known', `${number}:${'0'.repeat(64)}`]);
  expect(other.stderr).toContain(`entry ${number} is not the one that you know`);
  expect((await loom(['audit', 'verify', '--known', join(directory, 'nothing')])).stderr).toContain(
    'cannot be read',
  );
});

test('keep changes for how long, within its bounds', async () => {
  expect((await loom(['audit', 'keep', '90'])).stdout).toContain('90 days');
  expect(await loom(['audit', 'keep', '7'])).toMatchObject({ status: 2 });
});
