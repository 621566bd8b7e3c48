import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { Keyring } from './keyring.ts';

const random = (bytes: number) => new Uint8Array(randomBytes(bytes));
const GIVEN = { organization_id: 'org_a', purpose: 'authority', created_at: '' } as const;

test('a row that was moved does not open, also after it was opened where it belongs', () => {
  const keyring = new Keyring(random(32));
  const row = keyring.make(GIVEN, random);
  expect(keyring.open(row)?.key).toBe(row.public_key);
  expect(keyring.open({ ...row, organization_id: 'org_b' })).toBe(null);
  expect(keyring.open({ ...row, purpose: 'renewal' })).toBe(null);
});

test('a key that is forgotten is opened anew', () => {
  const keyring = new Keyring(random(32));
  const row = keyring.make(GIVEN, random);
  keyring.open(row);
  keyring.forget(row.public_key);
  expect(keyring.open({ ...row, sealed: '' })).toBe(null);
});
