/**
 * Where a PostgreSQL database is: a URL as the operator gave it, checked, and a name of it for
 * messages and logs, which holds no password.
 *
 * A password in an argument would stand in the list of processes, so there none is taken: it comes
 * from a file, from PGPASSWORD, or from ~/.pgpass. A database of another machine is reached over
 * TLS with a checked certificate unless the operator says otherwise.
 */
import { readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import { StartupError, errorText } from '../startup-error.ts';

export interface PostgresTarget {
  /** For pg alone: it may hold a password. The first, where there are several. */
  readonly url: string;
  /** One for each server that the URL names, a primary and its standbys. */
  readonly urls: readonly string[];
  /** For messages. */
  readonly name: string;
}

/** Reads the URL that is the line in a file. Throws StartupError. */
export function readPostgresFile(path: string): PostgresTarget {
  let text: string;
  let mode: number;
  try {
    ({ mode } = statSync(path));
    text = readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw usage(`the file of --database-file cannot be read: ${errorText(error)}`);
  }
  if ((mode & 0o077) !== 0)
    throw usage(`${path} may be read by others and can hold a password: chmod 600 it`);
  return parsePostgresUrl(text, 'file');
}

/** Where the text of a URL came from. */
export type UrlOrigin = 'argument' | 'file';

const EXAMPLE = 'postgres://loom@db.example.net/loom?sslmode=verify-full';
const MODES: Readonly<Record<string, string>> = {
  disable: 'disable',
  'no-verify': 'no-verify',
  prefer: 'verify-full',
  require: 'verify-full',
  'verify-ca': 'verify-full',
  'verify-full': 'verify-full',
};
const MODES_SHOWN = 'disable, no-verify, verify-full';

/**
 * Checks a URL, which may name several hosts separated by commas. Throws StartupError, whose text
 * does not repeat it.
 */
export function parsePostgresUrl(text: string, origin: UrlOrigin): PostgresTarget {
  const [first, ...others] = splitHosts(text).map((one) => parseOne(one, origin));
  if (first === undefined) throw usage(`the URL of a database looks like ${EXAMPLE}`);
  const urls = [first.url, ...others.map(({ url }) => url)];
  const standbys = others.length === 0 ? '' : ` (and ${others.length} more)`;
  return { url: first.url, urls, name: `${first.name}${standbys}` };
}

function splitHosts(text: string): string[] {
  const [, before = '', hosts = '', after = ''] =
    /^(\w+:\/\/(?:[^/?#@]*@)?)([^/?#]*)(.*)$/s.exec(text) ?? [];
  return before === '' ? [text] : hosts.split(',').map((host) => `${before}${host}${after}`);
}

function parseOne(text: string, origin: UrlOrigin): Pick<PostgresTarget, 'url' | 'name'> {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !['postgres:', 'postgresql:'].includes(url.protocol))
    throw usage(`the URL of a database looks like ${EXAMPLE}`);
  if (origin === 'argument' && (url.password !== '' || url.searchParams.has('password')))
    throw usage(
      'a password in an argument can be read by every user of this machine: put the URL into a file and name it with --database-file, or use PGPASSWORD or ~/.pgpass',
    );
  if (url.pathname.length < 2 && process.env['PGDATABASE'] === undefined)
    throw usage(`the URL names no database; it looks like ${EXAMPLE}`);
  const host = hostOf(url);
  setTls(url, host);
  const port = url.port === '' ? '' : `:${url.port}`;
  return { url: url.href, name: `postgres://${isLocal(host) ? '' : host}${port}${url.pathname}` };
}

function hostOf(url: URL): string {
  const given = url.searchParams.get('host') ?? decodeURIComponent(url.hostname);
  return (given === '' ? (process.env['PGHOST'] ?? '') : given).replace(/^\[|\]$/g, '');
}

/** On the way to another machine nobody may read or change rows. */
function setTls(url: URL, host: string): void {
  const given = url.searchParams.get('sslmode') ?? process.env['PGSSLMODE'];
  if (given === undefined) {
    if (!isLocal(host)) url.searchParams.set('sslmode', 'verify-full');
    return;
  }
  const mode = MODES[given];
  if (mode === undefined) throw usage(`sslmode is one of ${MODES_SHOWN}`);
  url.searchParams.set('sslmode', mode);
}

function isLocal(host: string): boolean {
  return (
    host === '' ||
    host.startsWith('/') ||
    host === 'localhost' ||
    host === '::1' ||
    (isIP(host) === 4 && host.startsWith('127.'))
  );
}

function usage(why: string): StartupError {
  return new StartupError('usage', why);
}
