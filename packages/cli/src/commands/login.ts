/**
 * loom login: stores URL, token and pinned certificate of a controller, after it was asked with
 * them.
 */
import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline/promises';
import { createClient } from '@etherloom/api';
import { createPinnedSender } from '@etherloom/transport';
import type { Command } from 'commander';
import { parseControllerUrl, parseFingerprint } from '../arguments.ts';
import type { Context } from '../context.ts';
import { createContext } from '../context.ts';
import { CliError } from '../failure.ts';
import { fetchFingerprint } from '../fetch-fingerprint.ts';
import { CONTROLLER_TIMEOUT_MS, TOKEN_FILE_BYTES_MAX } from '../limits.ts';
import { loginPath, writeLogin } from '../login-file.ts';
import { withJson } from '../options.ts';

interface LoginOptions {
  readonly json?: boolean;
  readonly tokenFile: string;
  readonly tlsFingerprint?: string;
}

const HOW_TO_GET =
  'the controller prints its fingerprint at its start; on its machine: openssl x509 -in DIR/tls.crt -noout -fingerprint -sha256';

/** Adds `login`. */
export function addLoginCommand(program: Command): void {
  withJson(program.command('login'))
    .description('store which controller to talk to, and as whom')
    .argument('<url>', 'for example https://192.0.2.1:8443', parseControllerUrl)
    .requiredOption(
      '--token-file <file>',
      'file with the admin token (DIR/admin.token of the controller)',
    )
    .option(
      '--tls-fingerprint <sha256>',
      'fingerprint of the controller; without it you are asked',
      parseFingerprint,
    )
    .addHelpText('after', `\nWhere the fingerprint comes from: ${HOW_TO_GET}.`)
    .action(login);
}

async function login(url: string, options: LoginOptions): Promise<void> {
  const context = createContext(options);
  const token = await readToken(options.tokenFile);
  const tlsFingerprint = options.tlsFingerprint ?? (await confirmFingerprint(url, context));
  const send = createPinnedSender({ tlsFingerprint, timeoutMs: CONTROLLER_TIMEOUT_MS });
  const client = createClient({ baseUrl: url, send, token });
  await client.call('organizationList');
  const path = loginPath(process.env);
  await writeLogin(path, { url, token, tlsFingerprint });
  context.show(
    { url, tlsFingerprint, file: path },
    () => `Logged in to ${url}; stored in ${path}.`,
  );
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
