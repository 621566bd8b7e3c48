/**
 * Secrets of clients of identity providers: from a file, from standard input, or typed without an
 * echo. Never from the command line, which other users of a machine can read.
 */
import { open } from 'node:fs/promises';
import { CliError } from './failure.ts';
import { CLIENT_SECRET_FILE_BYTES_MAX } from './limits.ts';
import { ask } from './password-prompt.ts';

/** The one line of a file; of standard input where the path is "-". */
export async function readClientSecretFile(path: string): Promise<string> {
  const where = path === '-' ? 'standard input' : path;
  const text = path === '-' ? await readAll(process.stdin) : await readFileText(path);
  const secret = text?.replace(/\r?\n$/, '');
  if (secret !== undefined && secret !== '' && !/[\r\n]/.test(secret)) return secret;
  throw new CliError('file_unreadable', `${where} holds no client secret: it must be one line`);
}

/** Asks a person for it. */
export async function askClientSecret(): Promise<string> {
  if (!process.stdin.isTTY || !process.stderr.isTTY)
    throw new CliError(
      'usage',
      'nobody can be asked for the client secret here: use --client-secret-file FILE, or - for standard input',
    );
  const secret = await ask('Client secret: ', true);
  if (secret !== '') return secret;
  throw new CliError('unconfirmed', 'no client secret was given: nothing was changed');
}

async function readFileText(path: string): Promise<string | undefined> {
  try {
    const file = await open(path, 'r');
    try {
      return await readAll(file.createReadStream({ autoClose: false }));
    } finally {
      await file.close();
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : '';
    throw new CliError('file_unreadable', `the client secret file cannot be read: ${why}`, error);
  }
}

/** undefined: it is longer than any secret. */
async function readAll(stream: AsyncIterable<unknown>): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    const piece = Buffer.from(chunk as Uint8Array); // of a stream without an encoding
    chunks.push(piece);
    bytes += piece.length;
    if (bytes > CLIENT_SECRET_FILE_BYTES_MAX) return undefined;
  }
  return Buffer.concat(chunks).toString('utf8');
}
