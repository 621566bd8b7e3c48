/** Last lines of a log, for error messages. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { LOG_TAIL_BYTES, LOG_TAIL_LINES } from './limits.ts';

/** Last lines of a file; '' when it is empty or missing. */
export function readTail(path: string, lines: number = LOG_TAIL_LINES): string {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    return '';
  }
  try {
    const { size } = fstatSync(file);
    const bytes = Buffer.alloc(Math.min(size, LOG_TAIL_BYTES));
    readSync(file, bytes, 0, bytes.length, size - bytes.length);
    return bytes.toString('utf8').trimEnd().split('\n').slice(-lines).join('\n');
  } finally {
    closeSync(file);
  }
}

/** The tails of several logs, each under its path; empty ones are left out. */
export function describeTails(paths: readonly string[], lines?: number): string {
  return paths
    .map((path) => ({ path, tail: readTail(path, lines) }))
    .filter(({ tail }) => tail !== '')
    .map(({ path, tail }) => `\n--- end of ${path}\n${tail}`)
    .join('');
}
