/** loom audit list | show | keep | export | verify */
import { createWriteStream } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { LedgerEntry, LedgerPlace, LedgerVerdict } from '@etherloom/api';
import { describeRestore, verifyLedger } from '@etherloom/api';
import { hashStatement, verifyEd25519 } from '@etherloom/core';
import type { Command } from 'commander';
import {
  parseAuditDays,
  parseEntryNumber,
  parseLimit,
  parsePublicKey,
  parseTime,
} from '../arguments.ts';
import { cleanText } from '../clean-text.ts';
import type { Context } from '../context.ts';
import { createContext, openController } from '../context.ts';
import { CliError } from '../failure.ts';
import { exportLines, fileLines } from '../ledger-stream.ts';
import { withJson } from '../options.ts';
import { count, renderFields, renderTable } from '../terminal.ts';

interface Options {
  readonly json?: boolean;
}

interface ListOptions extends Options {
  readonly actor?: string;
  readonly action?: string;
  readonly target?: string;
  readonly network?: string;
  readonly since?: string;
  readonly until?: string;
  readonly limit?: number;
}

/** Adds `audit` and its commands. */
export function addAuditCommands(program: Command): void {
  const audit = program
    .command('audit')
    .description('read, export and verify the ledger: who changed what, when, from where and why');
  withJson(audit.command('list'))
    .description('list entries, the newest first')
    .option('--actor <id>', 'by id of a user, token or node; bootstrap or controller')
    .option('--action <action>', 'such as network.create')
    .option('--target <id>', 'by id of what was changed')
    .option('--network <network>', 'about this network: id, or name of one that is there')
    .option('--since <time>', 'from then on, such as 2026-05-01T08:00:00Z', parseTime)
    .option('--until <time>', 'up to then', parseTime)
    .option('--limit <n>', 'how many entries (default: 50)', parseLimit)
    .action(listEntries);
  withJson(audit.command('show'))
    .description('show how far the ledger goes, and the keys that sign it: keep those elsewhere')
    .action(showLedger);
  withJson(audit.command('keep'))
    .description('set how many days entries are kept; older ones go, up to a checkpoint')
    .argument('<days>', '30 to 3650', parseAuditDays)
    .action(keepDays);
  audit
    .command('export')
    .description('write the ledger as JSON Lines, with what proves it')
    .argument('[file]', 'default: standard output')
    .option('--after <n>', 'begin after this entry, which was exported before', parseEntryNumber)
    .action(exportLedger);
  withJson(audit.command('verify'))
    .description(
      'recompute the chain and check every signature; of an export, or of the controller',
    )
    .argument('[file]', 'an export, or - for standard input; default: ask the controller')
    .option(
      '--key <key>',
      "key that you know to be the ledger's (audit show); several times",
      (text: string, before: readonly string[] | undefined) => [
        ...(before ?? []),
        parsePublicKey(text),
      ],
    )
    .option(
      '--known <export>',
      'an export that you kept, or NUMBER:HASH of an entry (audit show): it has to be in this one',
    )
    .addHelpText(
      'after',
      '\nExit status: 0 everything is as it was written, 1 it is not. Without --key the keys that the export itself names are\ntaken: who could write the whole database could have made them. An export that is older than another one verifies as well,\nand so does a ledger that a restored backup took back: --known finds both, and says from which entry on something is gone.',
    )
    .action(verify);
}

async function listEntries(options: ListOptions): Promise<void> {
  const context = createContext(options);
  const client = await openController();
  const { actor, action, target, network, since, until, limit = 50 } = options;
  const { items, next } = await client.call('auditList', {
    query: { actor, action, target, network, since, until, limit },
  });
  context.show({ items, next }, () => {
    if (items.length === 0) return 'No entries.';
    const columns = ['>NUMBER', 'TIME', 'ACTOR', 'ACTION', 'TARGET', 'FROM', 'REASON'];
    return renderTable(columns, items.map(rowOf), context.palette);
  });
}

function rowOf(entry: LedgerEntry): string[] {
  return [
    String(entry.number),
    entry.at.replace(/\.\d+Z$/, 'Z'),
    entry.actor.name,
    entry.action,
    entry.target.name ?? entry.target.id,
    entry.source ?? '-',
    entry.reason ?? '',
  ];
}

async function showLedger(options: Options): Promise<void> {
  const context = createContext(options);
  const client = await openController();
  const ledger = await client.call('ledgerShow');
  context.show(ledger, () =>
    renderFields(
      [
        ['Organization', ledger.organizationId],
        ['Entries', `${ledger.head.firstNumber} to ${ledger.head.number}`],
        ['Newest hash', ledger.head.hash],
        ['Keys', ledger.keys.join(' ')],
        ['Kept for', count(ledger.auditDays, 'day')],
      ],
      context.palette,
    ),
  );
}

async function keepDays(auditDays: number, options: Options): Promise<void> {
  const context = createContext(options);
  const client = await openController();
  const ledger = await client.call('ledgerChange', {
    body: { auditDays },
  });
  context.show(ledger, () => `Entries are kept for ${count(ledger.auditDays, 'day')}.`);
}

async function exportLedger(
  file: string | undefined,
  options: Options & { readonly after?: number },
): Promise<void> {
  const { after } = options;
  const lines = await exportLines(after === undefined ? {} : { after });
  if (file === undefined) {
    const isTerminal = process.stdout.isTTY;
    const shown = shownLines(lines, isTerminal ? cleanText : (line) => line);
    return pipeline(shown, process.stdout, { end: false });
  }
  // A file that has the name is a whole export.
  const unfinished = `${file}.unfinished`;
  try {
    const output = createWriteStream(unfinished, { mode: 0o600 });
    await pipeline(
      shownLines(lines, (line) => line),
      output,
    );
    await sync(unfinished);
    await rename(unfinished, file);
    await sync(dirname(file));
  } catch (error) {
    await rm(unfinished, { force: true });
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    throw new CliError('file_unwritable', `${file} cannot be written: ${error.message}`, error);
  }
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r');
  await handle.sync();
  await handle.close();
}

async function* shownLines(
  lines: AsyncIterable<string>,
  show: (line: string) => string,
): AsyncGenerator<string> {
  for await (const line of lines) yield `${show(line)}\n`;
}

type Verified = Extract<LedgerVerdict, { ok: true }>;

interface VerifyOptions extends Options {
  readonly key?: readonly string[];
  readonly known?: string;
}

async function verify(file: string | undefined, options: VerifyOptions): Promise<void> {
  const context = createContext(options);
  const known = options.known === undefined ? null : await readKnown(options.known, options);
  const lines = file === undefined ? await exportLines({}) : fileLines(file);
  const verdict = await judge(lines, options, known?.places);
  if (!verdict.ok) throw new CliError('ledger_invalid', describeFault(verdict));
  if (known !== null) checkKnown(known, verdict);
  context.show(verdict, () => describeVerdict(verdict));
  if (!verdict.isPinned) warn(verdict.keys, context);
}

function judge(
  lines: AsyncIterable<string>,
  options: VerifyOptions,
  known: readonly LedgerPlace[] = [],
): Promise<LedgerVerdict> {
  return verifyLedger(lines, {
    sha256: hashStatement,
    isSignedBy: (key, text, signature) =>
      verifyEd25519(key, new TextEncoder().encode(text), signature),
    ...(options.key === undefined ? {} : { pinnedKeys: options.key }),
    known,
  });
}

interface Known {
  /** As it was given. */
  readonly name: string;
  /** null: it does not say. */
  readonly organizationId: string | null;
  readonly places: readonly LedgerPlace[];
}

/** What the user knows of the ledger: an entry, or all that an export vouches for. */
async function readKnown(text: string, options: VerifyOptions): Promise<Known> {
  const [, number, hash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (number !== undefined && hash !== undefined)
    return { name: text, organizationId: null, places: [{ number: Number(number), hash }] };
  const verdict = await judge(fileLines(text), options);
  if (!verdict.ok) throw new CliError('ledger_invalid', `${text}: ${describeFault(verdict)}`);
  return { name: text, organizationId: verdict.organizationId, places: verdict.places };
}

function checkKnown({ name, organizationId }: Known, verdict: Verified): void {
  if (organizationId !== null && organizationId !== verdict.organizationId)
    throw new CliError(
      'ledger_invalid',
      `${name} is of ${organizationId}, and this is the ledger of ${verdict.organizationId}`,
    );
  if (verdict.knownNumber === null)
    throw new CliError(
      'ledger_invalid',
      `nothing can be compared: this ledger begins with entry ${verdict.firstNumber}, after all that ${name} speaks of`,
    );
}

function describeFault(verdict: Extract<LedgerVerdict, { ok: false }>): string {
  const place = verdict.number === null ? '' : ` (the last good entry is ${verdict.number})`;
  return `the ledger does not verify, line ${verdict.line}${place}: ${verdict.reason}`;
}

function describeVerdict(verdict: Verified): string {
  const { organizationId, firstNumber, number, at, knownNumber } = verdict;
  return [
    `The ledger of ${organizationId} verifies: entries ${firstNumber} to ${number}, as of ${at}.`,
    `${count(verdict.checkpointCount, 'checkpoint')}; signed by ${verdict.keys.join(' ')}`,
    ...(knownNumber === null ? [] : [`It goes on from entry ${knownNumber}, which you know.`]),
    ...verdict.restores.map((restore) => sentence(describeRestore(restore))),
  ].join('\n');
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function warn(keys: readonly string[], context: Context): void {
  const pins = keys.map((key) => `--key ${key}`).join(' ');
  context.note(context.palette.warning(`No key was pinned: from here on, verify with ${pins}`));
}
