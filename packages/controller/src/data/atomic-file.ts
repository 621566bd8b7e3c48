/**
 * Writes a file so that after a crash there is either the whole of it or nothing: temporary file,
 * fsync, rename, fsync of the folder.
 */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { StartupError, errorText } from '../startup-error.ts';

/** Replaces `path`. The file is readable by its owner alone. Throws StartupError. */
export function writeFileAtomic(path: string, text: string): void {
  const unfinished = `${path}.unfinished`;
  try {
    write(path, unfinished, text);
  } catch (error) {
    tryRemove(unfinished);
    throw new StartupError(
      'data_directory_invalid',
      `${path} cannot be written (${errorText(error)}): see that its disk is writable and has space`,
      error,
    );
  }
}

/** On a full disk it would hold what others could use. */
function tryRemove(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // The failure to write is the one to tell.
  }
}

function write(path: string, unfinished: string, text: string): void {
  rmSync(unfinished, { force: true });
  const file = openSync(unfinished, 'wx', 0o600);
  try {
    const bytes = Buffer.from(text, 'utf8');
    for (let written = 0; written < bytes.length;) written += writeSync(file, bytes, written);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(unfinished, path);
  syncDirectory(dirname(path));
}

/** Makes what was made, renamed or removed in a directory last. */
export function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
