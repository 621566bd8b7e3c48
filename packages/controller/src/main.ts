/**
 * The controller's program: arguments, ready line, signals, exit status.
 *
 * Standard output carries the ready line alone, standard error the log (JSON lines). Exit status: 0
 * after SIGTERM or SIGINT, 1 when it cannot start, 2 for wrong arguments.
 */
import { parseArgs } from 'node:util';
import { PUSHED_WHOLE_MAX } from '@etherloom/api';
import { destination, pino } from 'pino';
import type { SealingKeySource } from './authority/sealing-key.ts';
import type { Controller } from './controller.ts';
import { startController } from './controller.ts';
import { LISTEN_DEFAULT, parseListenAddress, parsePublicUrl } from './data/listen-address.ts';
import { DATABASE_OPTIONS, DATABASE_USAGE, isDatabaseCommand } from './database-commands.ts';
import { runDatabaseCommand, targetOf } from './database-commands.ts';
import { parseMetricsAddress } from './metrics/metrics-address.ts';
import { StartupError } from './startup-error.ts';

const USAGE = `Usage: loom controller --data DIR [--database URL | --database-file FILE] [--listen HOST:PORT] [--public-url URL] [--log-level LEVEL] [--restored]
                       [--authority-key-file FILE | --authority-passphrase-file FILE] [--authority-keys-lost] [--json]
       loom controller backup FILE | restore FILE | migrate-database ...   (loom controller backup --help)

  --data DIR          where it keeps its state; made on the first start, with DIR/admin.token and DIR/tls.*
  --database URL      keeps all that has to last in PostgreSQL 15 or later instead of DIR/controller.db:
                      postgres://USER@HOST/NAME; a host elsewhere is reached over TLS (sslmode=verify-full, sslrootcert=FILE).
                      A password comes from ~/.pgpass, from PGPASSWORD, or with the URL from a file:
  --database-file FILE
                      the same, the URL is the line in FILE
  --listen HOST:PORT  default ${LISTEN_DEFAULT}; [::]:8443 serves IPv6 too
  --public-url URL    https URL that join tokens carry, where the addresses of this host are not reachable
  --log-level LEVEL   error, warn, info (default) or debug; the log goes to standard error
  --push-whole-max N  members up to which agents hold a network whole (default and most ${PUSHED_WHOLE_MAX}); above, those that they deal with
  --metrics-listen WHERE
                      serves metrics (Prometheus) at unix:PATH or a loopback address such as 127.0.0.1:9102; off unless given
  --restored          the database was restored from a backup: agents take its state in place of a later one that they hold
  --authority-key-file FILE
                      key that seals the authority keys in the database (default DIR/authority.kek; made on the first start)
  --authority-passphrase-file FILE
                      seals them with a passphrase instead, the line in FILE
  --authority-keys-lost
                      that key is lost: start without the keys it sealed; loom authority recover makes others
  --json              ready line and start errors as JSON
`;

const OPTIONS = {
  ...DATABASE_OPTIONS,
  listen: { type: 'string' },
  'public-url': { type: 'string' },
  'log-level': { type: 'string' },
  'metrics-listen': { type: 'string' },
  restored: { type: 'boolean' },
  'push-whole-max': { type: 'string' },
  'authority-key-file': { type: 'string' },
  'authority-passphrase-file': { type: 'string' },
  'authority-keys-lost': { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

const LOG_LEVELS = ['error', 'warn', 'info', 'debug'];

function readArguments(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, strict: true, allowPositionals: false })
      .values;
  } catch (error) {
    throw new StartupError(
      'usage',
      error instanceof Error ? error.message : 'wrong arguments',
      error,
    );
  }
}

async function run(args: readonly string[]): Promise<void> {
  const [command, ...rest] = args;
  if (isDatabaseCommand(command)) {
    process.stdout.write(await runDatabaseCommand(command, rest));
    return;
  }
  const values = readArguments(args);
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  if (values.data === undefined || values.data === '')
    throw new StartupError('usage', '--data DIR is missing');
  const level = values['log-level'] ?? 'info';
  if (!LOG_LEVELS.includes(level))
    throw new StartupError('usage', `--log-level "${level}" is none of ${LOG_LEVELS.join(', ')}`);
  const log = pino(
    { level, base: null, timestamp: () => `,"time":"${new Date().toISOString()}"` },
    destination({ dest: 2, sync: true }),
  );
  const controller = await startController({
    dataDirectory: values.data,
    database: targetOf(values),
    listen: parseListenAddress(values.listen ?? LISTEN_DEFAULT),
    publicUrl:
      values['public-url'] === undefined ? undefined : parsePublicUrl(values['public-url']),
    isRestored: values.restored === true,
    pushedWholeMax: readPushedWholeMax(values['push-whole-max']),
    metricsListen:
      values['metrics-listen'] === undefined
        ? undefined
        : parseMetricsAddress(values['metrics-listen']),
    sealingKey: readSealingKeySource(values),
    areAuthorityKeysLost: values['authority-keys-lost'] === true,
    log,
  });
  stopOnSignal(controller, () => log.info('stopping'));
  process.stdout.write(values.json === true ? readyJson(controller) : readyText(controller));
}

function readPushedWholeMax(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const count = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (count >= 1 && count <= PUSHED_WHOLE_MAX) return count;
  throw new StartupError(
    'usage',
    `--push-whole-max "${text}" is no number from 1 to ${PUSHED_WHOLE_MAX}`,
  );
}

function readSealingKeySource(
  values: ReturnType<typeof readArguments>,
): SealingKeySource | undefined {
  const { 'authority-key-file': file, 'authority-passphrase-file': passphrase } = values;
  if (file !== undefined && passphrase !== undefined)
    throw new StartupError(
      'usage',
      '--authority-key-file and --authority-passphrase-file exclude each other',
    );
  if (file === '' || passphrase === '')
    throw new StartupError('usage', 'the file of --authority-... must be named');
  if (file !== undefined) return { kind: 'file', path: file };
  return passphrase === undefined ? undefined : { kind: 'passphrase', path: passphrase };
}

function readyJson(controller: Controller): string {
  const ready = {
    ready: true,
    url: controller.url,
    joinUrls: controller.joinUrls,
    tlsFingerprint: controller.tlsFingerprint,
    pid: process.pid,
    adminTokenFile: controller.adminTokenPath,
    tlsCertificateFile: controller.tlsCertificatePath,
  };
  return `${JSON.stringify(ready)}\n`;
}

function readyText(controller: Controller): string {
  return [
    `The controller serves ${controller.url} (process ${process.pid}).`,
    `  documentation      ${controller.url}/docs`,
    `  join tokens carry  ${controller.joinUrls.join(' ')}`,
    `  TLS fingerprint    ${controller.tlsFingerprint}`,
    ...(controller.setupCode === null
      ? []
      : [
          `  first user         open ${controller.url} and give the set-up code ${controller.setupCode}`,
        ]),
    `  log in with        loom login ${controller.url} --token-file ${controller.adminTokenPath} --tls-fingerprint ${controller.tlsFingerprint}`,
    '',
  ].join('\n');
}

function stopOnSignal(controller: Controller, onStop: () => void): void {
  const stop = () => {
    process.once('SIGTERM', () => process.exit(1)); // asked twice: at once
    process.once('SIGINT', () => process.exit(1));
    onStop();
    controller.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(
          `stopping failed: ${error instanceof Error ? error.message : String(error)}\n`,
        );
        process.exit(1);
      },
    );
  };
  let isAsked = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      if (!isAsked) stop();
      isAsked = true;
    });
  }
}

function fail(error: unknown, isJson: boolean, usage: string): void {
  const code = error instanceof StartupError ? error.code : 'internal';
  const message = error instanceof Error ? error.message : String(error);
  if (isJson) process.stderr.write(`${JSON.stringify({ error: { code, message } })}\n`);
  else process.stderr.write(`loom controller: ${message}\n${code === 'usage' ? `\n${usage}` : ''}`);
  process.exitCode = code === 'usage' ? 2 : 1;
}

const args = process.argv.slice(2);
try {
  await run(args);
} catch (error) {
  fail(error, args.includes('--json'), isDatabaseCommand(args[0]) ? DATABASE_USAGE : USAGE);
}
