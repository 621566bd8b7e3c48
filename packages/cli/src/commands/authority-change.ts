/** loom authority init | rotate | recover: the next version of an authority. */
import type { AuthorityView, Client, SignedStatement } from '@etherloom/api';
import { collect } from '@etherloom/api';
import type { Authority } from '@etherloom/core';
import { addSignature, changesRecovery } from '@etherloom/core';
import { describePending } from '../authority/describe.ts';
import type { FreshKey, KeyFile } from '../authority/key-file.ts';
import { makeKey, readPassphraseFile } from '../authority/key-file.ts';
import type { NextVersion, Proposed } from '../authority/propose.ts';
import { propose } from '../authority/propose.ts';
import { sendSignatures } from '../authority/sign.ts';
import {
  readAuthority,
  readPinnedAuthority,
  readVersions,
  untilSettled,
} from '../authority/view.ts';
import type { Context } from '../context.ts';
import { createContext, openController, organizationMeant } from '../context.ts';
import { CliError } from '../failure.ts';
import { count } from '../terminal.ts';
import { readKeyFiles } from './authority-sign.ts';

interface ChangeOptions {
  readonly json?: boolean;
  readonly organization?: string;
  readonly out?: string;
  readonly passphraseFile?: string;
  readonly keys?: number;
  readonly threshold?: number;
  readonly recoveryKeys?: number;
  readonly recoveryThreshold?: number;
  readonly recoveryKey?: readonly string[];
}

interface InitOptions extends ChangeOptions {
  readonly offline?: boolean;
}

interface RotateOptions extends ChangeOptions {
  readonly key?: readonly string[];
  readonly held?: boolean;
  readonly drop?: readonly string[];
  readonly add?: number;
}

interface RecoverOptions extends ChangeOptions {
  readonly recoveryKey: readonly string[];
  readonly held?: boolean;
}

/** What a change is made from. */
interface Base {
  readonly context: Context;
  readonly client: Client;
  readonly view: AuthorityView;
  readonly authority: Authority;
  readonly signers: readonly KeyFile[];
  readonly options: ChangeOptions;
}

async function openBase(options: ChangeOptions, paths: readonly string[]): Promise<Base> {
  const context = createContext(options);
  const signers = await readKeyFiles(paths, options.passphraseFile);
  const client = await openController();
  const organization = options.organization ?? signers[0]?.organizationId ?? organizationMeant();
  const view = await client.call('authorityShow', { params: { organization } });
  return {
    context,
    client,
    view,
    authority: readPinnedAuthority(view, signers),
    signers,
    options,
  };
}

/** Runs `loom authority init`. */
export async function initAuthority(options: InitOptions): Promise<void> {
  if (options.offline !== true && (options.keys ?? options.threshold) !== undefined)
    throw new CliError('usage', '--keys and --threshold go with --offline');
  const base = await openBase(options, options.recoveryKey ?? []);
  const { statement } = base.authority;
  const isFirst = statement.recoveryThreshold === 0;
  if (base.view.custody !== 'held')
    throw new CliError(
      'authority_refused',
      `the keys of ${base.view.organizationName} are offline already: use loom authority rotate`,
    );
  if (options.offline !== true && !isFirst && options.recoveryKeys === undefined)
    throw new CliError(
      'usage',
      `the authority of ${base.view.organizationName} has recovery keys: say --recovery-keys N to replace them, and --recovery-key FILE of the former ones`,
    );
  const keys = options.offline === true ? freshKeys('authority', options.keys ?? 1) : [];
  const recoveryKeys = options.recoveryKeys ?? (isFirst ? 1 : undefined);
  const withRecovery =
    recoveryKeys === undefined ? base : { ...base, options: { ...options, recoveryKeys } };
  const proposed = await finish(withRecovery, keys, {
    keys: keys.length === 0 ? statement.keys : publicKeys(keys),
    threshold: keys.length === 0 ? statement.threshold : (options.threshold ?? keys.length),
    recoveryKeys: statement.recoveryKeys,
    recoveryThreshold: statement.recoveryThreshold,
    renewalKeys: statement.renewalKeys,
  });
  if (options.offline !== true || !proposed.isInForce) return;
  const signed = await signAgain(base.client, proposed.view, keys);
  if (!base.context.isJson) base.context.print(`Signed ${count(signed, 'statement')} in force.`);
}

/**
 * At the hand-over from the controller, what its key signed is signed again, unchanged, by the keys
 * that take its place: they are at hand here, and later they may be far apart.
 */
async function signAgain(
  client: Client,
  view: AuthorityView,
  fresh: readonly FreshKey[],
): Promise<number> {
  const settled = await untilSettled(client, view);
  const params = { organization: view.organizationId };
  const items = await collect(client, 'authorityPending', { params });
  const again = describePending(items, readVersions(settled)).filter(({ isAgain }) => isAgain);
  const signatures = again.flatMap(({ item }) =>
    fresh
      .reduce((signed: SignedStatement, { signer }) => addSignature(signed, signer), {
        statement: item.statement,
        signatures: [],
      })
      .signatures.map((signature) => ({ hash: item.hash, ...signature })),
  );
  await sendSignatures(client, view.organizationId, signatures);
  return again.length;
}

/** Runs `loom authority rotate`. */
export async function rotateAuthority(options: RotateOptions): Promise<void> {
  const paths = [...(options.key ?? []), ...(options.recoveryKey ?? [])];
  const base = await openBase(options, paths);
  const { statement } = base.authority;
  const isSome = options.add !== undefined || options.drop !== undefined;
  const ways = [options.held === true, options.keys !== undefined, isSome];
  if (ways.filter(Boolean).length > 1)
    throw new CliError('usage', '--held, --keys and --drop or --add exclude each other');
  if (isSome) return replaceSome(base, options);
  if (options.keys !== undefined) return replaceAll(base, options.keys);
  if (options.held !== true && base.view.custody !== 'held')
    throw new CliError(
      'usage',
      'the keys are offline: say --keys N to make others here, --drop and --add to change some, or --held to hand them to the controller',
    );
  await handToController(base, statement.renewalKeys);
}

async function replaceSome(base: Base, options: RotateOptions): Promise<void> {
  const { statement } = base.authority;
  const drop = options.drop ?? [];
  const unknown = drop.find((key) => !statement.keys.includes(key));
  if (unknown !== undefined)
    throw new CliError(
      'usage',
      `${unknown} is no key of the authority: loom authority show lists them`,
    );
  const fresh = freshKeys('authority', options.add ?? 0);
  const keys = [...statement.keys.filter((key) => !drop.includes(key)), ...publicKeys(fresh)];
  if (keys.length === 0) throw new CliError('usage', 'no key would be left: add some with --add');
  const threshold = options.threshold ?? Math.min(statement.threshold, keys.length);
  await finish(base, fresh, { ...statement, keys, threshold });
}

async function replaceAll(base: Base, amount: number): Promise<void> {
  const fresh = freshKeys('authority', amount);
  const threshold = base.options.threshold ?? amount;
  await finish(base, fresh, { ...base.authority.statement, keys: publicKeys(fresh), threshold });
}

async function handToController(base: Base, renewalKeys: readonly string[]): Promise<void> {
  const { key, renewalKey } = await base.client.call('authorityKeys', {
    params: { organization: base.view.organizationId },
  });
  await finish(base, [], {
    ...base.authority.statement,
    keys: [key],
    threshold: 1,
    renewalKeys: renewalKeys.includes(renewalKey) ? renewalKeys : [renewalKey],
  });
}

/** Runs `loom authority recover`. */
export async function recoverAuthority(options: RecoverOptions): Promise<void> {
  if ((options.held === true) === (options.keys !== undefined))
    throw new CliError('usage', 'say --held, or --keys N to make the keys here');
  const base = await openBase(options, options.recoveryKey);
  const { statement } = base.authority;
  if (statement.recoveryThreshold === 0)
    throw new CliError(
      'authority_refused',
      `the authority of ${base.view.organizationName} has no recovery keys: only its own keys can change it`,
    );
  const foreign = base.signers.find(({ signer }) => !statement.recoveryKeys.includes(signer.key));
  if (foreign !== undefined)
    throw new CliError(
      'authority_refused',
      `${foreign.path} is no recovery key of version ${statement.version} of the authority`,
    );
  const isRenewing = base.view.renewalKey !== null;
  if (options.held === true) return handToController(base, isRenewing ? statement.renewalKeys : []);
  const fresh = freshKeys('authority', options.keys ?? 1);
  const { renewalKey } = isRenewing
    ? { renewalKey: base.view.renewalKey ?? '' }
    : await base.client.call('authorityKeys', {
        params: { organization: base.view.organizationId },
      });
  await finish(base, fresh, {
    ...statement,
    keys: publicKeys(fresh),
    threshold: options.threshold ?? fresh.length,
    renewalKeys: isRenewing ? statement.renewalKeys : [renewalKey],
  });
}

async function finish(
  base: Base,
  fresh: readonly FreshKey[],
  given: NextVersion,
): Promise<Proposed> {
  const { context, client, view, authority, signers, options } = base;
  const recovery = freshKeys('recovery', options.recoveryKeys ?? 0);
  const next: NextVersion =
    recovery.length === 0
      ? { ...given, recoveryThreshold: options.recoveryThreshold ?? given.recoveryThreshold }
      : {
          ...given,
          recoveryKeys: publicKeys(recovery),
          recoveryThreshold: options.recoveryThreshold ?? recovery.length,
        };
  checkThresholds(next);
  checkRecovery(base, next);
  const passphrase =
    options.passphraseFile === undefined ? null : await readPassphraseFile(options.passphraseFile);
  const proposed = await propose(client, {
    view,
    authority,
    next,
    fresh: [...fresh, ...recovery],
    out: options.out ?? '.',
    passphrase,
    signers: signers.map(({ signer }) => signer),
  });
  const { files, isInForce } = proposed;
  context.show({ ...proposed.view, isInForce, files }, () => renderProposed(proposed));
  if (isInForce) await untilSettled(client, proposed.view);
  return proposed;
}

/** No controller and no member takes other recovery keys from the ordinary keys alone. */
function checkRecovery({ authority, signers }: Base, next: NextVersion): void {
  const { statement } = authority;
  if (!changesRecovery(statement, next)) return;
  if (signers.some(({ signer }) => statement.recoveryKeys.includes(signer.key))) return;
  throw new CliError(
    'authority_refused',
    `recovery keys are replaced by ${statement.recoveryThreshold} of the ${count(statement.recoveryKeys.length, 'recovery key')} in force: add --recovery-key FILE`,
  );
}

function checkThresholds(next: NextVersion): void {
  for (const [option, threshold, keys] of [
    ['--threshold', next.threshold, next.keys.length],
    ['--recovery-threshold', next.recoveryThreshold, next.recoveryKeys.length],
  ] as const)
    if (threshold > keys)
      throw new CliError(
        'usage',
        `${option} ${threshold} of ${count(keys, 'key')} can never be reached`,
      );
}

function renderProposed({ view, isInForce, files }: Proposed): string {
  const recovery = files.some((path) => path.includes('-recovery-'));
  return [
    isInForce
      ? `Version ${view.version} of the authority of ${view.organizationName} is in force; custody: ${view.custody}.`
      : `The next version of the authority of ${view.organizationName} waits for further signatures: loom authority sign --key FILE`,
    ...files.map((path) => `Wrote ${path}`),
    ...(isInForce && readAuthority(view).statement.recoveryThreshold === 0
      ? [
          'It has no recovery key, so a lost key is final: add --recovery-keys 1 to the next change.',
        ]
      : []),
    ...(recovery ? ['Keep recovery keys apart from everything else: they are nowhere else.'] : []),
    ...(isInForce && view.custody === 'offline'
      ? ['What is in force has to be signed by its keys: loom authority sign --key FILE']
      : []),
  ].join('\n');
}

function freshKeys(purpose: FreshKey['purpose'], amount: number): FreshKey[] {
  return Array.from({ length: amount }, () => makeKey(purpose));
}

function publicKeys(keys: readonly FreshKey[]): string[] {
  return keys.map(({ signer }) => signer.key);
}
