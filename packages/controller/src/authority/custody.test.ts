/** Private keys at rest: sealed, refused with a wrong key, given up only when asked. */
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fromBase64url, toBase64url } from '@etherloom/api';
import { signerOf } from '@etherloom/core';
import type { TestController } from '../testing/controller-fixture.ts';
import { startTestController } from '../testing/controller-fixture.ts';
import { lookInto } from '../testing/test-database.ts';
import { Keyring } from './keyring.ts';
import { seal, unseal } from './sealing.ts';
import type { SealingKeySource } from './sealing-key.ts';

let scratch: string;
const started: TestController[] = [];
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'etherloom-custody-test-'));
});
afterEach(async () => {
  for (const controller of started.splice(0)) await controller.stop();
  rmSync(scratch, { recursive: true, force: true });
});

async function start(
  options: { sealingKey?: SealingKeySource; areAuthorityKeysLost?: boolean } = {},
): Promise<TestController> {
  const controller = await startTestController({
    dataDirectory: join(scratch, 'data'),
    ...options,
  });
  started.push(controller);
  return controller;
}

/** Starts, runs, stops. */
async function run(options: Parameters<typeof start>[0] = {}): Promise<void> {
  const controller = await start(options);
  await controller.client.call('networkCreate', { body: { name: `n${started.length}` } });
  await controller.stop();
}

function write(name: string, text: string, mode = 0o600): string {
  const path = join(scratch, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

function filesOf(directory: string): Map<string, Buffer> {
  return new Map(readdirSync(directory).map((name) => [name, readFileSync(join(directory, name))]));
}

test('no file of the data directory holds a private key in any usual form', async () => {
  await run();
  const data = join(scratch, 'data');
  const sealingKey = fromBase64url(readFileSync(join(data, 'authority.kek'), 'utf8').trim());
  const rows = await lookInto(data, (run) => run('SELECT * FROM sealed_keys'));
  expect(new Set(rows.map((row) => row['purpose']))).toEqual(new Set(['authority', 'renewal']));
  for (const row of rows) {
    const context = ['etherloom key 1', row['organization_id'], row['purpose'], row['public_key']];
    const seed = unseal(sealingKey, context.join('\n'), String(row['sealed']));
    if (seed === null) throw new Error('a sealed key does not open');
    expect(signerOf(seed).key).toBe(row['public_key']);
    const forms = [
      Buffer.from(seed),
      ...(['hex', 'base64', 'base64url'] as const).map((form) =>
        Buffer.from(Buffer.from(seed).toString(form).replace(/=+$/, '')),
      ),
    ];
    for (const [name, bytes] of filesOf(data))
      for (const form of forms) expect(bytes.includes(form), name).toBe(false);
  }
});

test('a sealed key does not open in the place of another, nor when it was changed', () => {
  const keyring = new Keyring(randomBytes(32));
  const given = { organization_id: 'org_a', purpose: 'authority', created_at: '' } as const;
  const row = keyring.make(given, randomBytes);
  expect(keyring.open(row)?.key).toBe(row.public_key);
  expect(keyring.open({ ...row, public_key: 'other' })).toBeNull();
  const other = new Keyring(randomBytes(32));
  expect(other.open(row)).toBeNull();
  const key = randomBytes(32);
  const sealed = Buffer.from(fromBase64url(seal(key, 'a', randomBytes(32), randomBytes)));
  for (let i = 0; i < sealed.length; i += 7) {
    const changed = Buffer.from(sealed);
    changed[i] = (changed[i] ?? 0) ^ 1;
    expect(unseal(key, 'a', toBase64url(changed))).toBeNull();
  }
  expect(unseal(key, 'b', toBase64url(sealed))).toBeNull();
});

const other = `${toBase64url(randomBytes(32))}\n`;
const refusals: readonly (readonly [
  name: string,
  source: () => SealingKeySource | undefined,
  reason: RegExp,
])[] = [
  ['another key file', () => ({ kind: 'file', path: write('k', other) }), /is not the key file/],
  [
    'no file',
    () => ({ kind: 'file', path: join(scratch, 'none') }),
    /none cannot be read .*--authority-key-file/,
  ],
  ['a file that holds no key', () => ({ kind: 'file', path: write('k', 'x') }), /holds no key/],
  [
    'a file that others may read',
    () => ({ kind: 'file', path: write('k', other, 0o644) }),
    /chmod 600/,
  ],
  [
    'a passphrase where there was a key file',
    () => ({ kind: 'passphrase', path: write('p', 'correct horse battery') }),
    /sealed with a key file/,
  ],
  [
    'a key file that was overwritten',
    () => {
      write('data/authority.kek', other);
      return undefined;
    },
    /is not the key file/,
  ],
];

test.each(refusals)('with %s it does not start, and changes nothing', async (_, source, reason) => {
  await run();
  const given = source();
  const before = filesOf(join(scratch, 'data'));
  await expect(start(given === undefined ? {} : { sealingKey: given })).rejects.toMatchObject({
    code: 'authority_key_invalid',
    message: expect.stringMatching(reason),
  });
  const after = filesOf(join(scratch, 'data'));
  for (const name of ['controller.db', 'authority.kek'])
    expect(after.get(name)).toEqual(before.get(name));
});

test('a missing key file is named together with what to do, and no other is made', async () => {
  await run();
  const path = join(scratch, 'data', 'authority.kek');
  rmSync(path);
  await expect(start()).rejects.toMatchObject({
    code: 'authority_key_invalid',
    message: expect.stringContaining(path),
  });
  expect(filesOf(join(scratch, 'data')).has('authority.kek')).toBe(false);
});

test('a passphrase opens what it sealed, and another does not', async () => {
  const sealingKey = { kind: 'passphrase', path: write('p', 'correct horse battery\n') } as const;
  await run({ sealingKey });
  await run({ sealingKey });
  expect(filesOf(join(scratch, 'data')).has('authority.kek')).toBe(false);
  await expect(
    start({ sealingKey: { kind: 'passphrase', path: write('q', 'correct horse batterx') } }),
  ).rejects.toMatchObject({ code: 'authority_key_invalid' });
  await expect(start()).rejects.toMatchObject({
    message: expect.stringContaining('sealed with a passphrase'),
  });
  await expect(
    start({ sealingKey: { kind: 'passphrase', path: write('r', 'short') } }),
  ).rejects.toMatchObject({ message: expect.stringContaining('12 at least') });
});

test('keys that are given up as lost leave everything else, and changes wait', async () => {
  await run();
  write('data/authority.kek', other);
  const controller = await start({ areAuthorityKeysLost: true });
  const authority = await controller.client.call('authorityShow', {
    params: { organization: 'default' },
  });
  expect(authority).toMatchObject({ custody: 'offline', version: 1, heldKeys: [] });
  expect((await controller.client.call('networkList')).items).toHaveLength(1);
  const network = await controller.client.call('networkCreate', { body: { name: 'waits' } });
  expect(network.revision).toBe(0);
  await controller.stop();
  await run();
});
