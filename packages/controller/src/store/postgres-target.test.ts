/** Which URLs of databases are taken, and that none is repeated with its password. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parsePostgresUrl, readPostgresFile } from './postgres-target.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'etherloom-target-test-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const modeOf = (url: string) =>
  new URL(parsePostgresUrl(url, 'argument').url).searchParams.get('sslmode');

test.each([
  ['postgres://u@db.example.net/loom', 'verify-full'],
  ['postgres://u@192.0.2.1/loom?sslmode=require', 'verify-full'],
  ['postgres://u@db.example.net/loom?sslmode=disable', 'disable'],
  ['postgres://u@127.0.0.1/loom', null],
  ['postgres://u@[::1]/loom', null],
  ['postgres:///loom?host=/run/postgresql', null],
])('%s is reached with sslmode %s', (url, mode) => {
  expect(modeOf(url)).toBe(mode);
});

test.each([
  'postgres://u:geheim@h/loom',
  'postgres://u@h/loom?password=geheim',
  'mysql://u:geheim@h/loom',
  'geheim',
  'postgres://geheim:x',
  'postgres://u@h/?application_name=geheim',
  'postgres://u@h/loom?sslmode=geheim',
])('%s is refused as an argument, without being repeated', (url) => {
  let message = '';
  try {
    parsePostgresUrl(url, 'argument');
  } catch (error) {
    expect(error).toMatchObject({ code: 'usage' });
    message = String(error);
  }
  expect(message).not.toBe('');
  expect(message).not.toContain('geheim');
});

test('a file may hold a password when its owner alone may read it; messages name none', () => {
  const file = join(directory, 'url');
  writeFileSync(file, 'postgres://u:geheim@db.example.net:5433/loom\n', { mode: 0o600 });
  const target = readPostgresFile(file);
  expect(target.url).toContain('geheim');
  expect(target.name).toBe('postgres://db.example.net:5433/loom');
  chmodSync(file, 0o644);
  expect(() => readPostgresFile(file)).toThrow(/chmod 600/);
});
