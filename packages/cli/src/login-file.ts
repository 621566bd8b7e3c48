/**
 * Which controller `loom` talks to and as whom: LOOM_URL, LOOM_TOKEN and LOOM_TLS_FINGERPRINT go
 * before what `loom login` stored.
 * The file holds the token, so it is for its owner alone (0600) and replaced whole (temporary file,
 * fsync, rename, fsync of the directory).
 */
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fingerprintSchema } from '@etherloom/api';
import { parseControllerUrl, parseFingerprint } from './arguments.ts';
import { CliError } from './failure.ts';

export interface Login {
  readonly url: string;
  readonly token: string;
  readonly tlsFingerprint: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** ~/.config/etherloom/login.json, or below XDG_CONFIG_HOME. */
export function loginPath(env: Environment): string {
  const base = env['XDG_CONFIG_HOME'] || join(env['HOME'] || homedir(), '.config');
  return join(base, 'etherloom', 'login.json');
}

/** The login to use. Throws CliError that says how to log in. */
export async function resolveLogin(env: Environment): Promise<Login> {
  const given = readEnvironment(env);
  if (given.url !== undefined && given.token !== undefined && given.tlsFingerprint !== undefined) {
    return { url: given.url, token: given.token, tlsFingerprint: given.tlsFingerprint };
  }
  const path = loginPath(env);
  const stored = await readLogin(path);
  // A stored token must not go to a server that the environment names: only the same controller may
  // be completed from the file.
  if (stored !== null && (given.url === undefined || given.url === stored.url)) {
    return {
      url: stored.url,
      token: given.token ?? stored.token,
      tlsFingerprint: given.tlsFingerprint ?? stored.tlsFingerprint,
    };
  }
  const missing = Object.entries({
    LOOM_URL: given.url,
    LOOM_TOKEN: given.token,
    LOOM_TLS_FINGERPRINT: given.tlsFingerprint,
  })
    .filter(([, value]) => value === undefined)
    .map(([name]) => name);
  throw new CliError(
    'login_missing',
    `not logged in to a controller: run \`loom login URL --token-file FILE --tls-fingerprint F\`, or set ${missing.join(', ')}`,
  );
}

function readEnvironment(env: Environment): Partial<Login> {
  const url = env['LOOM_URL'];
  const tlsFingerprint = env['LOOM_TLS_FINGERPRINT'];
  const token = env['LOOM_TOKEN'];
  return {
    ...(url ? { url: checked('LOOM_URL', url, parseControllerUrl) } : {}),
    ...(token ? { token: checked('LOOM_TOKEN', token, parseToken) } : {}),
    ...(tlsFingerprint
      ? { tlsFingerprint: checked('LOOM_TLS_FINGERPRINT', tlsFingerprint, parseFingerprint) }
      : {}),
  };
}

function parseToken(text: string): string {
  if (/^[\x21-\x7e]+$/.test(text)) return text;
  throw new TypeError('A token is one word, as in DIR/admin.token of the controller.');
}

function checked(name: string, text: string, parse: (text: string) => string): string {
  try {
    return parse(text);
  } catch (error) {
    throw new CliError(
      'usage',
      `${name} is wrong. ${error instanceof Error ? error.message : ''}`,
      error,
    );
  }
}

/** The stored login; null when there is none. */
export async function readLogin(path: string): Promise<Login | null> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw new CliError('file_unreadable', `${path} cannot be read: ${String(error)}`, error);
  }
  const login = parseLogin(text);
  if (login !== null) return login;
  throw new CliError(
    'login_file_corrupt',
    `${path} is damaged: delete it and run \`loom login\` again`,
  );
}

function parseLogin(text: string): Login | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  const { url, token, tlsFingerprint } = value as Record<string, unknown>; // checked
  if (typeof url !== 'string' || typeof token !== 'string' || token === '') return null;
  const fingerprint = fingerprintSchema.safeParse(tlsFingerprint);
  if (!fingerprint.success || URL.parse(url)?.protocol !== 'https:') return null;
  return { url, token, tlsFingerprint: fingerprint.data };
}

/** Stores a login in place of an earlier one. */
export async function writeLogin(path: string, login: Login): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}.tmp`;
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile(`${JSON.stringify(login, null, 2)}\n`);
    await file.sync();
    await file.close();
    await rename(draft, path);
  } catch (error) {
    await file.close().catch(() => {}); // the first error is the one to tell
    await rm(draft, { force: true });
    throw error;
  }
  const directory = await open(dirname(path), 'r');
  await directory.sync();
  await directory.close();
}
