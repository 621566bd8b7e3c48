/**
 * Makes a directory that only this user may enter, or takes one that is there: never one of another
 * user, who could read and replace what is put into it, and never by closing one that holds
 * something else, such as /tmp.
 */
import { chmodSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { errnoOf } from '../errors.ts';
import { syncDirectory } from './atomic-file.ts';

/** What a fresh file system has at its root. */
const NOBODYS_FILES = ['lost+found'];

/** `isOwn` knows a file that marks a directory as this program's. Throws an Error that says why. */
export function makeOwnDirectory(path: string, isOwn: (name: string) => boolean): void {
  makeWithParents(path);
  const found = statSync(path);
  if (!found.isDirectory()) throw new Error('it is no directory');
  const user = process.geteuid?.();
  if (found.uid !== user)
    throw new Error(`it belongs to user ${found.uid} and this is user ${user}: chown it`);
  if ((found.mode & 0o077) === 0) return;
  const names = readdirSync(path).filter((name) => !NOBODYS_FILES.includes(name));
  if (names.length > 0 && !names.some(isOwn))
    throw new Error(
      'it is open to others and holds files of something else, so it is left as it is: a directory of its own is needed',
    );
  chmodSync(path, 0o700);
}

/**
 * As mkdir -p, and kept when the power fails: what is synced into a directory is lost with it.
 * Node's own has no end where a parent can have no entries, such as /proc.
 */
export function makeWithParents(path: string, mode = 0o700): void {
  try {
    make(path, mode);
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return;
    if (errnoOf(error) !== 'ENOENT' || dirname(path) === path) throw error;
    makeWithParents(dirname(path), mode);
    make(path, mode);
  }
}

function make(path: string, mode: number): void {
  mkdirSync(path, { mode });
  syncDirectory(dirname(path));
}
