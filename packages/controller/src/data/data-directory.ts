/**
 * The controller's data directory: made on the first start, readable by its owner alone, and held
 * by one controller at a time.
 *
 *   admin.token          bearer token of the administrator
 *   tls.key, tls.crt     the server's key and certificate
 *   controller.id        which of the controllers of a PostgreSQL database it is
 *   setup.code           makes the first user; there until it is used
 *   authority.kek        seals the private keys in the database, unless another key is named
 *   controller.db        the database (with -wal and -shm while it runs)
 *   controller.lock      held while a controller runs
 *
 * The lock is a transaction on a SQLite file of its own: SQLite locks files through the kernel,
 * which releases them when a process ends in any way, and the database itself stays readable for a
 * backup.
 */
import { chmodSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { RandomBytes } from '../identifiers.ts';
import { makeSecret } from '../identifiers.ts';
import { StartupError, errorText, systemErrorCode } from '../startup-error.ts';
import { writeFileAtomic } from './atomic-file.ts';
import { makeOwnDirectory } from './own-directory.ts';

export interface DataDirectory {
  readonly path: string;
  readonly databasePath: string;
  readonly adminTokenPath: string;
  readonly tlsKeyPath: string;
  readonly tlsCertificatePath: string;
  readonly sealingKeyPath: string;
  readonly setupCodePath: string;
  /** There is no database yet. */
  readonly isFresh: boolean;
  /** Lets another controller have it. */
  release(): void;
}

const OWN_FILES = ['admin.token', 'controller.db', 'controller.lock', 'tls.crt'];

/** Makes the directory when it is not there, and takes its lock. Throws StartupError. */
export function openDataDirectory(path: string): DataDirectory {
  try {
    makeOwnDirectory(path, (name) => OWN_FILES.includes(name));
  } catch (error) {
    throw new StartupError(
      'data_directory_invalid',
      `the data directory ${path} cannot be used: ${errorText(error)}; name another with --data`,
      error,
    );
  }
  const release = takeLock(join(path, 'controller.lock'), path);
  const databasePath = join(path, 'controller.db');
  return {
    path,
    databasePath,
    adminTokenPath: join(path, 'admin.token'),
    tlsKeyPath: join(path, 'tls.key'),
    tlsCertificatePath: join(path, 'tls.crt'),
    sealingKeyPath: join(path, 'authority.kek'),
    setupCodePath: join(path, 'setup.code'),
    isFresh: !existsSync(databasePath),
    release,
  };
}

function takeLock(lockPath: string, directory: string): () => void {
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(lockPath);
    lock.exec('PRAGMA busy_timeout = 0');
    lock.exec('PRAGMA journal_mode = MEMORY'); // nothing is ever written to it
    lock.exec('BEGIN EXCLUSIVE');
    chmodSync(lockPath, 0o600);
  } catch (error) {
    lock?.close();
    const code = error instanceof Error && 'errcode' in error ? error.errcode : undefined;
    if (code === SQLITE_BUSY) {
      throw new StartupError(
        'data_directory_in_use',
        `another controller runs on ${directory}: stop it first, or name another directory with --data`,
        error,
      );
    }
    throw new StartupError(
      'data_directory_invalid',
      `${lockPath} cannot be locked (${errorText(error)}); ` +
        (code === SQLITE_CORRUPT || code === SQLITE_NOTADB
          ? `remove it when no controller runs on ${directory}`
          : 'see that its disk is writable and has space'),
      error,
    );
  }
  const held = lock;
  return () => held.close();
}

/** Result code of SQLite for a lock that another connection holds. */
const SQLITE_BUSY = 5;
/** Result codes for a file that is no database. */
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

const TOKEN_FORM = /^[A-Za-z0-9_-]{43}$/;

/**
 * Reads the administrator's token, or makes it. Throws StartupError for a file that holds something
 * else.
 */
export function loadAdminToken(path: string, random: RandomBytes): string {
  if (!existsSync(path)) {
    const token = makeSecret(random);
    writeFileAtomic(path, `${token}\n`);
    return token;
  }
  const advice = 'restore it from a backup, or remove it: the next start writes another token';
  const text = readOwnFile(path, 'admin_token_invalid', advice).trim();
  if (TOKEN_FORM.test(text)) return text;
  throw new StartupError(
    'admin_token_invalid',
    `${path} does not hold an administrator token (43 characters of base64url); ${advice}`,
  );
}

/** Reads a file of the directory, and says what to do when that fails. */
export function readOwnFile(
  path: string,
  code: 'admin_token_invalid' | 'data_directory_invalid' | 'tls_invalid',
  advice: string,
): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const reason =
      systemErrorCode(error) === 'EACCES' ? 'this user may not read it' : errorText(error);
    throw new StartupError(code, `${path} is unreadable (${reason}); ${advice}`, error);
  }
}
