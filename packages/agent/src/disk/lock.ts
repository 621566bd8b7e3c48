/**
 * Keeps a second agent off a state directory. The lock is SQLite's lock on a file: the kernel holds
 * it for this process and gives it back when the process ends in whatever way, so that there is no
 * stale lock to judge, nor a race in replacing one.
 */
import { DatabaseSync } from 'node:sqlite';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AgentError, messageOf } from '../errors.ts';

export interface StateLock {
  readonly release: () => void;
}

/** Takes the lock or throws AgentError `state_directory_locked`. */
export function lockStateDirectory(directory: string): StateLock {
  const pidPath = join(directory, 'agent.pid');
  const database = openLock(directory, pidPath);
  try {
    writeFileSync(pidPath, `${process.pid}\n`, { mode: 0o600 });
  } catch {
    // It only names the holder to people; a disk that cannot be written is told by the next write.
  }
  return { release: () => database.close() };
}

function openLock(directory: string, pidPath: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(join(directory, 'agent.lock'), { timeout: 0 });
    // The journal stays in memory: the transaction is never written and must leave no file behind.
    database.exec('PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE');
    return database;
  } catch (error) {
    database?.close();
    if (!/lock/.test(messageOf(error))) {
      throw new AgentError(
        'state_directory_unusable',
        `${join(directory, 'agent.lock')} cannot be locked: ${messageOf(error)}${adviceOf(error)}`,
        { cause: error },
      );
    }
    throw new AgentError(
      'state_directory_locked',
      `another agent${holder(pidPath)} uses ${directory}; stop it, or give this one its own --state directory`,
    );
  }
}

/** Results of SQLite for a file that is no database (SQLITE_CORRUPT, SQLITE_NOTADB). */
const DAMAGED_RESULTS: readonly unknown[] = [11, 26];

/** The file holds nothing but the lock. */
function adviceOf(error: unknown): string {
  const result = error instanceof Error && 'errcode' in error ? error.errcode : undefined;
  return DAMAGED_RESULTS.includes(result)
    ? '; remove it when no other agent uses the directory'
    : '';
}

function holder(pidPath: string): string {
  try {
    const pid = Number.parseInt(readFileSync(pidPath, 'utf8'), 10);
    return Number.isInteger(pid) ? ` (process ${pid})` : '';
  } catch {
    return '';
  }
}
