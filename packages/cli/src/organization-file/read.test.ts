import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ORGANIZATION_FILE_BYTES_MAX, ORGANIZATION_JOIN_TOKENS_MAX } from '../limits.ts';
import { readOrganization } from './read.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'loom-organization-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function write(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

test('reads a file: sections that are left out stay out', () => {
  const path = write('a.yaml', 'etherloom: 1\nnetworks:\n  demo: { ipv4: 10.1.0.0/24 }\n');
  expect(readOrganization(path)).toEqual({
    etherloom: 1,
    networks: { demo: { ipv4: '10.1.0.0/24' } },
  });
});

test('reads all YAML files of a directory as one, in the order of their names', () => {
  write('b.yml', 'etherloom: 1\nnodes:\n  web-1: {}\n');
  write('a.yaml', 'etherloom: 1\nnetworks:\n  one: {}\n');
  write('c.yaml', 'etherloom: 1\nnetworks:\n  two: {}\n');
  write('notes.txt', 'no YAML: [');
  mkdirSync(join(directory, 'inner'));
  const all = readOrganization(directory);
  expect(Object.keys(all.networks ?? {})).toEqual(['one', 'two']);
  expect(all.nodes).toEqual({ 'web-1': {} });
});

describe('refuses, naming file, line and field', () => {
  test.each([
    [
      'etherloom: 1\nnetworks:\n  demo:\n    mtu: 1400\n',
      /line 4: networks\.demo\.mtu: there is no such field/,
    ],
    ['etherloom: 1\nnetworks:\n  demo:\n    mtuBytes: 100\n', /line 4: networks\.demo\.mtuBytes/],
    ['etherloom: 1\nnetworks:\n  Demo: {}\n', /networks\.Demo/],
    ['etherloom: 2\n', /line 1: etherloom: must be 1/],
    ['networks: {}\n', /etherloom: must be 1/],
    ['etherloom: 1\nnetworks:\n  a: {}\n  a: {}\n', /line 4: Map keys must be unique/],
    ['etherloom: 1\nnetworks: [\n', /line 3/],
    ['', /etherloom: must be 1/],
    ['etherloom: 1\nusers:\n  anna:\n    roles: [boss]\n', /line 4: users\.anna\.roles\.0/],
    [
      'etherloom: 1\nnetworks:\n  a:\n    joinTokens:\n      x: { uses: 2, offlineOk: true }\n',
      /line 5: networks\.a\.joinTokens\.x: a token with offlineOk has one use/,
    ],
    ['etherloom: 1\nnetworks:\n  a:\n    joinTokens:\n      x: { uses: 0 }\n', /line 5: .*x\.uses/],
    ['etherloom: 1\nnetworks:\n  a:\n    joinTokens:\n      x: { secret: s }\n', /no such field/],
  ])('%j', (text, message) => {
    const path = write('a.yaml', text);
    expect(() => readOrganization(path)).toThrow(message);
    expect(() => readOrganization(path)).toThrow(path);
  });

  test('a name that two files give', () => {
    write('a.yaml', 'etherloom: 1\nnetworks:\n  demo: {}\n');
    write('b.yaml', 'etherloom: 1\nnetworks:\n  demo: {}\n');
    expect(() => readOrganization(directory)).toThrow(/network "demo" stands in .*a\.yaml and in/);
  });

  test('a user that two files give, and more join tokens than a person can hand out', () => {
    write('a.yaml', 'etherloom: 1\nusers:\n  anna@example.org: { roles: [admin] }\n');
    write('b.yaml', 'etherloom: 1\nusers:\n  anna@example.org: { roles: [] }\n');
    expect(() => readOrganization(directory)).toThrow(/user "anna@example\.org" stands in/);
    const tokens = (count: number) =>
      Array.from({ length: count }, (_, i) => `      t${i}: {}\n`).join('');
    const networks = (count: number) =>
      `etherloom: 1\nnetworks:\n  one:\n    joinTokens:\n${tokens(count)}`;
    const path = write('many.yaml', networks(1_000));
    expect(() => readOrganization(path)).toThrow(/1000 join tokens are declared; 100 are the most/);
    writeFileSync(path, networks(ORGANIZATION_JOIN_TOKENS_MAX));
    expect(() => readOrganization(path)).not.toThrow();
  });

  test('a path that is not there, an empty directory, and a file without end', () => {
    expect(() => readOrganization(join(directory, 'none.yaml'))).toThrow(/cannot be read/);
    expect(() => readOrganization(directory)).toThrow(/holds no file/);
    const path = write('a.yaml', `etherloom: 1\n# ${'x'.repeat(ORGANIZATION_FILE_BYTES_MAX)}`);
    expect(() => readOrganization(path)).toThrow(/are read at most/);
  });

  test('aliases that multiply', () => {
    const levels = Array.from({ length: 12 }, (_, i) =>
      i === 0
        ? 'l0: &l0 [x, x, x, x, x, x, x, x, x]'
        : `l${i}: &l${i} [${`*l${i - 1}, `.repeat(9)}]`,
    );
    const path = write('a.yaml', ['etherloom: 1', ...levels].join('\n'));
    expect(() => readOrganization(path)).toThrow(/alias/i);
  });
});
