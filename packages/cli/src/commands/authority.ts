/** loom authority show | init | pending | sign | rotate | recover */
import type { AuthorityView } from '@etherloom/api';
import { AUTHORITY_KEYS_MAX, collect } from '@etherloom/api';
import type { Command } from 'commander';
import { integerIn, parseKey, parseReference } from '../arguments.ts';
import { describePending } from '../authority/describe.ts';
import { renderPending } from '../authority/render.ts';
import { readAuthority, readVersions } from '../authority/view.ts';
import type { Context } from '../context.ts';
import { createContext, openController, organizationMeant } from '../context.ts';
import { withJson } from '../options.ts';
import { count, renderFields } from '../terminal.ts';
import { initAuthority, recoverAuthority, rotateAuthority } from './authority-change.ts';
import { signPending } from './authority-sign.ts';

const parseCount = integerIn(1, AUTHORITY_KEYS_MAX);
const several =
  <T>(parse: (text: string) => T) =>
  (text: string, before: readonly T[] | undefined): T[] => [...(before ?? []), parse(text)];
const path = (text: string): string => text;

/** Adds `authority` and its commands. */
export function addAuthorityCommands(program: Command): void {
  const authority = program
    .command('authority')
    .description('the keys by which an organization signs what its members act on');
  common(authority.command('show'))
    .description('show the authority, its keys and what waits')
    .action(show);
  addChangeCommands(authority);
  common(authority.command('pending'))
    .description('show what waits for signatures, in words')
    .action(showPending);
  common(authority.command('sign'))
    .description('sign what waits, after showing it')
    .requiredOption('--key <file>', 'key file; may be given several times', several(path))
    .option('--passphrase-file <file>', 'passphrase that opens the key files')
    .option('--yes', 'sign without asking')
    .action(signPending);
}

function addChangeCommands(authority: Command): void {
  withFiles(common(authority.command('init')))
    .description('make recovery keys; with --offline, take the keys out of the controller')
    .option(
      '--recovery-key <file>',
      'recovery key file, to replace recovery keys; several times',
      several(path),
    )
    .option('--offline', 'make the keys here: changes then wait for `loom authority sign`')
    .option('--keys <n>', 'keys to make (with --offline; default 1)', parseCount)
    .option('--threshold <m>', 'keys that must sign (default: all)', parseCount)
    .addHelpText(
      'after',
      '\nExamples:\n  loom authority init --out /media/safe\n  loom authority init --offline --keys 3 --threshold 2 --out /media/safe',
    )
    .action(initAuthority);
  withFiles(common(authority.command('rotate')))
    .description('put other keys in the place of those in force')
    .option('--key <file>', 'key file that signs the change; several times', several(path))
    .option(
      '--recovery-key <file>',
      'recovery key file, to replace recovery keys; several times',
      several(path),
    )
    .option('--held', 'the controller makes and keeps the key')
    .option('--keys <n>', 'make n keys here in place of all', parseCount)
    .option('--drop <key>', 'public key to leave out; several times', several(parseKey))
    .option('--add <n>', 'keys to make here beside those that stay', parseCount)
    .option('--threshold <m>', 'keys that must sign (default: as before, or all)', parseCount)
    .addHelpText(
      'after',
      '\nExamples:\n  loom authority rotate                                        (held: a fresh key in the controller)\n  loom authority rotate --held --key a.key                     (offline to held)\n  loom authority rotate --drop KEY --add 1 --key a.key --out . (one holder is gone)',
    )
    .action(rotateAuthority);
  withFiles(common(authority.command('recover')))
    .description('put other keys in the place of lost ones, with recovery keys')
    .requiredOption(
      '--recovery-key <file>',
      'recovery key file; may be given several times',
      several(path),
    )
    .option('--held', 'the controller makes and keeps the key')
    .option('--keys <n>', 'make n keys here', parseCount)
    .option('--threshold <m>', 'keys that must sign (default: all)', parseCount)
    .addHelpText(
      'after',
      '\nExamples:\n  loom authority recover --recovery-key r.key --held\n  loom authority recover --recovery-key r.key --keys 1 --out /media/safe',
    )
    .action(recoverAuthority);
}

function common(command: Command): Command {
  return withJson(command).option(
    '--organization <organization>',
    'name or id (default: default)',
    parseReference,
  );
}

function withFiles(command: Command): Command {
  return command
    .option('--out <dir>', 'directory for key files (default: this one)')
    .option('--passphrase-file <file>', 'passphrase that opens and seals key files')
    .option(
      '--recovery-keys <n>',
      'recovery keys to make in place of those in force (first init: default 1)',
      parseCount,
    )
    .option('--recovery-threshold <m>', 'recovery keys that must sign (default: all)', parseCount);
}

interface ShowOptions {
  readonly json?: boolean;
  readonly organization?: string;
}

async function show(options: ShowOptions): Promise<void> {
  const context = createContext(options);
  const client = await openController();
  const params = { organization: options.organization ?? organizationMeant() };
  const view = await client.call('authorityShow', { params });
  context.show(view, () => renderAuthority(view, context));
}

function renderAuthority(view: AuthorityView, context: Context): string {
  const { statement } = readAuthority(view);
  const keyLine = (key: string): string =>
    view.heldKeys.includes(key) ? `${key} (in the controller)` : key;
  const fields: [string, string][] = [
    ['Organization', `${view.organizationName} (${view.organizationId})`],
    [
      'Custody',
      view.custody === 'held'
        ? 'held: the controller signs what is changed'
        : 'offline: changes wait for loom authority sign',
    ],
    ['Version', `${statement.version}, since ${statement.issuedAt}`],
    ['Hash', view.hash],
    ['Must sign', `${statement.threshold} of ${count(statement.keys.length, 'key')}`],
    ...statement.keys.map((key): [string, string] => ['  key', keyLine(key)]),
    [
      'Recovery',
      statement.recoveryThreshold === 0
        ? 'none: loom authority init makes a recovery key'
        : `${statement.recoveryThreshold} of ${count(statement.recoveryKeys.length, 'key')}`,
    ],
    ...statement.recoveryKeys.map((key): [string, string] => ['  key', key]),
    ['Renewal', view.renewalKey ?? 'none here: members run out'],
    [
      'Waiting',
      view.pendingCount === 0
        ? 'nothing'
        : `${count(view.pendingCount, 'statement')}: loom authority pending`,
    ],
  ];
  return renderFields(fields, context.palette);
}

async function showPending(options: ShowOptions): Promise<void> {
  const context = createContext(options);
  const client = await openController();
  const params = { organization: options.organization ?? organizationMeant() };
  const view = await client.call('authorityShow', { params });
  const items = await collect(client, 'authorityPending', { params });
  context.show({ items }, () =>
    items.length === 0
      ? 'Nothing waits.'
      : renderPending(describePending(items, readVersions(view)), context),
  );
}
