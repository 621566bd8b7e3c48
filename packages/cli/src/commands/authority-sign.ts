/** loom authority sign: shows what waits, asks, signs, and brings the signatures. */
import { createInterface } from 'node:readline/promises';
import { describePending } from '../authority/describe.ts';
import type { KeyFile } from '../authority/key-file.ts';
import { readKeyFile, readPassphraseFile } from '../authority/key-file.ts';
import { renderPending } from '../authority/render.ts';
import { sendSignatures, signableBy, signaturesOf } from '../authority/sign.ts';
import { readPinnedAuthority, readVersions, untilSettled } from '../authority/view.ts';
import { collect } from '@etherloom/api';
import type { Context } from '../context.ts';
import { createContext, openController, organizationMeant } from '../context.ts';
import { CliError } from '../failure.ts';
import { count } from '../terminal.ts';

interface SignOptions {
  readonly json?: boolean;
  readonly organization?: string;
  readonly key: readonly string[];
  readonly passphraseFile?: string;
  readonly yes?: boolean;
}

/** Opens key files; one passphrase is for all that are sealed. */
export function readKeyFiles(
  paths: readonly string[],
  passphraseFile: string | undefined,
): Promise<KeyFile[]> {
  const readPassphrase = async (): Promise<string> => {
    if (passphraseFile !== undefined) return readPassphraseFile(passphraseFile);
    throw new CliError(
      'key_file_invalid',
      'the key file is sealed with a passphrase: name the file that holds it with --passphrase-file',
    );
  };
  return Promise.all(paths.map((path) => readKeyFile(path, readPassphrase)));
}

/** Runs `loom authority sign`. */
export async function signPending(options: SignOptions): Promise<void> {
  const context = createContext(options);
  const keys = await readKeyFiles(options.key, options.passphraseFile);
  const client = await openController();
  const organization = options.organization ?? keys[0]?.organizationId ?? organizationMeant();
  const shown = await client.call('authorityShow', { params: { organization } });
  const view = await untilSettled(client, shown);
  const authority = readPinnedAuthority(view, keys);
  const items = await collect(client, 'authorityPending', { params: { organization } });
  const described = describePending(items, readVersions(view));
  const wanted = described.filter((one) =>
    keys.some((key) => signableBy(key, [one], authority).length > 0),
  );
  if (wanted.length === 0) {
    const why =
      items.length === 0 ? 'Nothing waits.' : 'Nothing waits for a signature of this key.';
    return context.show({ taken: 0, published: 0, pendingCount: items.length }, () => why);
  }
  const note = context.isJson ? context.note : context.print;
  note(renderPending(wanted, context));
  const warned = wanted.filter(({ warnings }) => warnings.length > 0).length;
  if (options.yes !== true) await confirm(wanted.length, warned, context);
  const signatures = signaturesOf(keys, wanted, authority);
  const reply = await sendSignatures(client, view.organizationId, signatures);
  context.show(reply, () =>
    reply.pendingCount === 0
      ? `Signed ${count(wanted.length, 'statement')}; nothing waits any more.`
      : `Signed ${count(wanted.length, 'statement')}; ${count(reply.pendingCount, 'statement')} waiting, for other signatures or made since.`,
  );
}

async function confirm(total: number, warned: number, context: Context): Promise<void> {
  if (!process.stdin.isTTY)
    throw new CliError(
      'unconfirmed',
      'nothing was signed: answer on a terminal, or add --yes when what is shown above is right',
    );
  const input = createInterface({ input: process.stdin, output: process.stderr });
  const warning = warned === 0 ? '' : context.palette.bad(` ${warned} with warnings.`);
  const answer = await input.question(`Sign ${count(total, 'statement')}?${warning} [y/N] `);
  input.close();
  if (!/^y(es)?$/i.test(answer.trim())) throw new CliError('unconfirmed', 'nothing was signed');
}
