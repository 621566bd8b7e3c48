/**
 * What an error of PostgreSQL, or of the way to it, means to whoever asked: that another
 * transaction was in the way, or that the database cannot serve for a while. The texts hold neither
 * addresses nor rows, since callers see them.
 */
import { RequestError } from '../request-error.ts';
import { systemErrorCode } from '../startup-error.ts';

/** Another transaction was in the way: the same work succeeds when it is run again. */
const REPEATABLE: ReadonlySet<string> = new Set([
  '40001', // serialization_failure
  '40P01', // deadlock_detected
  '23505', // unique_violation: another transaction took the name that this one saw free
]);

/** SQLSTATEs, and classes of them (two characters), that pass by themselves or by an operator. */
const TROUBLES: Readonly<Record<string, string>> = {
  '08': 'the database does not answer',
  '25006': 'the database is read-only: it is a standby, or was told to take no writes',
  '25P03': 'the database ended a transaction that took too long',
  '28': 'the database refuses the user or password of this controller',
  '3D000': 'the database does not exist on its server',
  '40001': 'too many changes at once were in the way of each other',
  '40P01': 'too many changes at once were in the way of each other',
  '42501': 'the database does not allow this controller what it needs',
  '53100': 'the disk of the database is full: free space there',
  '53200': 'the database is out of memory',
  '53300': 'the database has too many connections',
  '55P03': 'the database is busy',
  '57014': 'the database took too long',
  '57P01': 'the database is stopping',
  '57P02': 'the database was restarted',
  '57P03': 'the database is starting',
  '58': 'the database has a fault of its disk',
};

/** What pg says without a code. */
const LOST =
  /^(Connection terminated|timeout exceeded|Query read timeout|Client has encountered|Client was closed|The server does not support SSL|Cannot use a pool after)/;

const SYSTEM_CODES: ReadonlySet<string> = new Set([
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT', // of a unix socket
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
]);

/** The same work may be run again. */
export function isRepeatable(error: unknown): boolean {
  return REPEATABLE.has(systemErrorCode(error));
}

/** `unavailable` for what passes by itself or by an operator; undefined for any other error. */
export function postgresTrouble(error: unknown): RequestError | undefined {
  if (error instanceof RequestError) return undefined;
  const code = systemErrorCode(error);
  if (code === '22021')
    return new RequestError('invalid_request', 'a text holds the character NUL, which none may');
  const text = TROUBLES[code] ?? TROUBLES[code.slice(0, 2)];
  if (text !== undefined && code.length === 5) return unavailable(text);
  if (SYSTEM_CODES.has(code) || code.startsWith('ERR_TLS') || code.includes('CERT'))
    return unavailable('the database does not answer');
  return error instanceof Error && LOST.test(error.message)
    ? unavailable('the database does not answer')
    : undefined;
}

function unavailable(text: string): RequestError {
  return new RequestError('unavailable', text, { retryAfterSeconds: 1 });
}
