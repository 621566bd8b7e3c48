/**
 * Replaces a file so that a reader finds the old content or the whole of the new one, whatever
 * moment the process or the machine dies at: the bytes go to a temporary file beside it and are
 * synced, the rename is the switch, the sync of the directory keeps it. Synchronous, because state
 * is on disk before anything acts on it. One writer a directory (lock.ts), so one temporary name a
 * file.
 */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { STATE_WRITE_BYTES } from '../limits.ts';

/** The moments at which a process can die, in order; `piece` comes once for each piece written. */
export type WriteStep = 'opened' | 'piece' | 'synced' | 'closed' | 'renamed' | 'kept';

/** Ends the name of a temporary file; what ends so is garbage of an interrupted write. */
export const TEMPORARY_SUFFIX = '.tmp';

/**
 * Replaces the file. Throws the system's error; the old content is whole then. `onStep` lets a test
 * die at each moment.
 */
export function writeFileAtomic(
  path: string,
  bytes: Uint8Array,
  onStep: (step: WriteStep) => void = () => undefined,
): void {
  const temporary = path + TEMPORARY_SUFFIX;
  const file = openSync(temporary, 'w', 0o600);
  try {
    onStep('opened');
    for (let at = 0; at < bytes.length;) {
      at += writeSync(file, bytes, at, Math.min(STATE_WRITE_BYTES, bytes.length - at));
      onStep('piece');
    }
    fsyncSync(file);
    onStep('synced');
  } catch (error) {
    rmSync(temporary, { force: true }); // on a full disk it would hold what others could use
    throw error;
  } finally {
    closeSync(file);
  }
  onStep('closed');
  renameSync(temporary, path);
  onStep('renamed');
  syncDirectory(dirname(path));
  onStep('kept');
}

/** Deletes a file for good; a missing one is no error. */
export function removeFile(path: string): void {
  rmSync(path, { force: true });
  syncDirectory(dirname(path));
}

/** Makes renames and deletions in a directory last. */
export function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
