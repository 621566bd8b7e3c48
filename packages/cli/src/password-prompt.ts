/** Passwords: from a file, or typed by a person without an echo; never from the command line. */
import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { CliError } from './failure.ts';
import { PASSWORD_FILE_BYTES_MAX } from './limits.ts';

/** The one line of a file. */
export async function readPasswordFile(path: string): Promise<string> {
  const text = await readStart(path);
  const password = text.replace(/\r?\n$/, '');
  if (password !== '' && !/[\r\n]/.test(password)) return password;
  throw new CliError('file_unreadable', `${path} holds no password: it must be one line`);
}

async function readStart(path: string): Promise<string> {
  try {
    const file = await open(path, 'r');
    try {
      const buffer = Buffer.alloc(PASSWORD_FILE_BYTES_MAX + 1);
      const { bytesRead } = await file.read({ buffer });
      return bytesRead > PASSWORD_FILE_BYTES_MAX ? '' : buffer.toString('utf8', 0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : '';
    throw new CliError('file_unreadable', `the password file cannot be read: ${why}`, error);
  }
}

/** Asks a person; what is typed is shown when it is no secret. */
export async function ask(question: string, isSecret: boolean): Promise<string> {
  if (!process.stdin.isTTY || !process.stderr.isTTY)
    throw new CliError(
      'usage',
      `nobody can be asked for "${question.trim()}" here: name a user and a password file`,
    );
  const output = isSecret
    ? new Writable({ write: (_chunk, _encoding, done) => done() })
    : process.stderr;
  const dialogue = createInterface({ input: process.stdin, output, terminal: true });
  try {
    if (!isSecret) return await dialogue.question(question);
    // The terminal echoes nothing from here on: what is typed at once is not shown either.
    process.stderr.write(question);
    return await dialogue.question('');
  } finally {
    dialogue.close();
    if (isSecret) process.stderr.write('\n');
  }
}

/** A password to set: of a file, or typed twice. */
export async function readNewPassword(path: string | undefined): Promise<string> {
  if (path !== undefined) return readPasswordFile(path);
  const password = await ask('Password to set: ', true);
  if (password === (await ask('The same again: ', true))) return password;
  throw new CliError('unconfirmed', 'the two are not the same: nothing was changed');
}
