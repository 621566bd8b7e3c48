import { chownSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeOwnDirectory } from './own-directory.ts';

const isOwn = (name: string): boolean => name === 'controller.db';
let parent = '';
let path = '';

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'etherloom-own-directory-'));
  path = join(parent, 'a', 'b');
});
afterEach(() => rmSync(parent, { recursive: true }));

test('makes a directory and its parents for this user alone', () => {
  makeOwnDirectory(path, isOwn);
  expect(modeOf(path)).toBe(0o700);
});

test('closes one that is empty, fresh from a file system, or its own', () => {
  for (const files of [[], ['lost+found'], ['controller.db', 'other']]) {
    makeOpen(files);
    makeOwnDirectory(path, isOwn);
    expect(modeOf(path)).toBe(0o700);
    rmSync(path, { recursive: true });
  }
});

test('leaves one that holds something else, such as /tmp, as it is', () => {
  makeOpen(['somebody-elses']);
  expect(() => makeOwnDirectory(path, isOwn)).toThrow(/files of something else/);
  expect(modeOf(path)).toBe(0o755);
});

test('ends where no directory can be made', () => {
  expect(() => makeOwnDirectory('/proc/etherloom/data', isOwn)).toThrow(/ENOENT/);
});

test('refuses one of another user, who could read what is put into it', () => {
  let others = '/'; // root's, for whoever is not root
  if (process.geteuid?.() === 0) {
    makeOpen([]);
    chownSync(path, 65_534, 65_534);
    others = path;
  }
  expect(() => makeOwnDirectory(others, isOwn)).toThrow(/belongs to user \d+ and this is user/);
});

function makeOpen(files: readonly string[]): void {
  mkdirSync(path, { recursive: true, mode: 0o755 });
  for (const name of files) writeFileSync(join(path, name), '');
}

function modeOf(directory: string): number {
  return statSync(directory).mode & 0o777;
}
