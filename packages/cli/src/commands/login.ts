/**
 * loom login: stores URL, token and pinned certificate of a controller, after it was asked with
 * them. With a user name and a password the controller makes an API token, which ends by itself;
 * the password is stored nowhere. loom logout revokes the token and forgets it.
 */
import { open, rm } from 'node:fs/promises';
import { createInterface } from 'node:readline/promises';
import { hostname } from 'node:os';
import type { Client } from '@etherloom/api';
import { ApiError, createClient } from '@etherloom/api';
import { createPinnedSender } from '@etherloom/transport';
import type { Command } from 'commander';
import {
  parseControllerUrl,
  parseDuration,
  parseFingerprint,
  parseName,
  parseUserName,
} from '../arguments.ts';
import type { Context } from '../context.ts';
import { createContext } from '../context.ts';
import { CliError } from '../failure.ts';
import { fetchFingerprint } from '../fetch-fingerprint.ts';
import { CONTROLLER_TIMEOUT_MS, TOKEN_FILE_BYTES_MAX } from '../limits.ts';
import { loginPath, readLogin, writeLogin } from '../login-file.ts';
import { withJson } from '../options.ts';
import { ask, readPasswordFile } from '../password-prompt.ts';

interface LoginOptions {
  readonly json?: boolean;
  readonly tokenFile?: string;
  readonly user?: string;
  readonly passwordFile?: string;
  readonly organization?: string;
  readonly expires?: number;
  readonly tlsFingerprint?: string;
}

const HOW_TO_GET =
  'the controller prints its fingerprint at its start; on its machine: openssl x509 -in DIR/tls.crt -noout -fingerprint -sha256';

/** Adds `login`. */
export function addLoginCommand(program: Command): void {
  withJson(program.command('login'))
    .description('store which controller to talk to, and as whom')
    .argument('<url>', 'for example https://192.0.2.1:8443', parseControllerUrl)
    .option(
      '--token-file <file>',
      'file with an API token, or with the admin token (DIR/admin.token of the controller)',
    )
    .option('--user <name>', 'log in as this user; without it you are asked', parseUserName)
    .option('--password-file <file>', 'file with its password; without it you are asked')
    .option('--organization <name>', 'where the user logs in (default: default)', parseName)
    .option('--expires <duration>', 'life of the token that is made (default: 30d)', parseDuration)
    .option(
      '--tls-fingerprint <sha256>',
      'fingerprint of the controller; without it you are asked',
      parseFingerprint,
    )
    .addHelpText('after', `\nWhere the fingerprint comes from: ${HOW_TO_GET}.`)
    .action(login);
  withJson(program.command('logout'))
    .description('revoke the API token of the login, and forget it')
    .action(logout);
}

async function login(url: string, options: LoginOptions): Promise<void> {
  const context = createContext(options);
  const { tokenFile } = options;
  if (tokenFile !== undefined && (options.user ?? options.passwordFile) !== undefined)
    throw new CliError('usage', '--token-file and --user exclude each other');
  const ofFile = tokenFile === undefined ? null : await readToken(tokenFile);
  if (ofFile === null) checkCanAsk(options);
  const tlsFingerprint = options.tlsFingerprint ?? (await confirmFingerprint(url, context));
  const send = createPinnedSender({ tlsFingerprint, timeoutMs: CONTROLLER_TIMEOUT_MS });
  const token = ofFile ?? (await makeToken(createClient({ baseUrl: url, send }), options));
  const client = createClient({ baseUrl: url, send, token });
  await client.call('sessionShow');
  const path = loginPath(process.env);
  await writeLogin(path, { url, token, tlsFingerprint });
  context.show(
    { url, tlsFingerprint, file: path },
    () => `Logged in to ${url}; stored in ${path}.`,
  );
}

/** Nothing is asked over the network for a login that cannot end. */
function checkCanAsk({ user, passwordFile }: LoginOptions): void {
  if ((user !== undefined && passwordFile !== undefined) || process.stdin.isTTY) return;
  throw new CliError(
    'usage',
    'nobody can be asked here: use --token-file FILE, or --user NAME with --password-file FILE',
  );
}

/** The token that the controller makes for a user name and a password. */
async function makeToken(client: Client, options: LoginOptions): Promise<string> {
  const name = options.user ?? parseUserName((await ask('User: ', false)).trim());
  const password =
    options.passwordFile === undefined
      ? await ask('Password: ', true)
      : await readPasswordFile(options.passwordFile);
  const made = await client.call('loginToken', {
    body: {
      name,
      password,
      tokenName: `login from ${hostname()}`.replace(/[^\w .@+-]/g, '-').slice(0, 64),
      ...(options.organization === undefined ? {} : { organization: options.organization }),
      ...(options.expires === undefined ? {} : { lifetimeSeconds: options.expires }),
    },
  });
  return made.token;
}

async function logout(options: { readonly json?: boolean }): Promise<void> {
  const context = createContext(options);
  const path = loginPath(process.env);
  const login = await readLogin(path);
  if (login === null) return context.show({}, () => 'Nobody is logged in.');
  const { url, token, tlsFingerprint } = login;
  const isApiToken = token.startsWith('loom_');
  if (isApiToken) {
    const send = createPinnedSender({ tlsFingerprint, timeoutMs: CONTROLLER_TIMEOUT_MS });
    await createClient({ baseUrl: url, send, token })
      .call('sessionDelete')
      .catch((error: unknown) => {
        // One that is over already is what was wanted.
        if (!(error instanceof ApiError) || error.code !== 'unauthenticated') throw error;
      });
  }
  await rm(path);
  const what = isApiToken ? 'revoked its token' : 'its token, that of admin.token, stays good';
  context.show({}, () => `Logged out of ${url}: ${what}.`);
}

async function readToken(path: string): Promise<string> {
  try {
    const file = await open(path, 'r');
    try {
      const { bytesRead, buffer } = await file.read({
        buffer: Buffer.alloc(TOKEN_FILE_BYTES_MAX + 1),
      });
      const token = buffer.toString('utf8', 0, bytesRead).trim();
      if (bytesRead <= TOKEN_FILE_BYTES_MAX && /^[\x21-\x7e]+$/.test(token)) return token;
    } finally {
      await file.close();
    }
  } catch (error) {
    throw new CliError(
      'file_unreadable',
      `the token file cannot be read: ${error instanceof Error ? error.message : ''}`,
      error,
    );
  }
  throw new CliError(
    'file_unreadable',
    `${path} holds no token: it must be one line, as in DIR/admin.token of the controller`,
  );
}

async function confirmFingerprint(url: string, context: Context): Promise<string> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new CliError(
      'fingerprint_unconfirmed',
      `--tls-fingerprint is needed where nobody can be asked: ${HOW_TO_GET}`,
    );
  }
  const found = await fetchFingerprint(url);
  context.note(
    `${url} shows the certificate with SHA-256 fingerprint\n\n  ${context.palette.bold(found)}\n`,
  );
  context.note(`Compare it with the controller's own: ${HOW_TO_GET}.`);
  const dialogue = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await dialogue.question('Is it the same? (yes/no) ');
  dialogue.close();
  if (answer.trim().toLowerCase() === 'yes') return found;
  throw new CliError(
    'fingerprint_unconfirmed',
    'not confirmed: nothing was sent and nothing stored',
  );
}
