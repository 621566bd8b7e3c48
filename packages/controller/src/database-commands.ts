/**
 * Commands on the database of a controller: `loom controller backup`, `restore` and
 * `migrate-database`. They run on the controller's machine, without its API: a backup while
 * controllers run, the others while none does.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openDataDirectory } from './data/data-directory.ts';
import { StartupError } from './startup-error.ts';
import type { BackupReport, DatabasePlace } from './store/backup.ts';
import { backup, moveToPostgres, restore, setAsideMoved } from './store/backup.ts';
import type { PostgresTarget } from './store/postgres-target.ts';
import { parsePostgresUrl, readPostgresFile } from './store/postgres-target.ts';

/** Where a database is, as all commands take it. */
export const DATABASE_OPTIONS = {
  data: { type: 'string' },
  database: { type: 'string' },
  'database-file': { type: 'string' },
} as const;

const OPTIONS = {
  ...DATABASE_OPTIONS,
  'as-it-was': { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** Of the commands of this file. */
export const DATABASE_USAGE = `Usage: loom controller backup FILE (--data DIR | --database URL | --database-file FILE) [--json]
       loom controller restore FILE (--data DIR | --database URL | --database-file FILE) [--as-it-was] [--json]
       loom controller migrate-database --data DIR (--database URL | --database-file FILE) [--json]

  backup            writes one snapshot of the database into FILE (mode 0600) while controllers go on
  restore           verifies FILE and puts it in the place of the database; no controller may be running.
                    Agents then take its state in place of a later one that they hold. A database of
                    SQLite that was there is kept beside it
    --as-it-was     no agent was told of anything after the backup: revisions stay as they are
  migrate-database  copies DIR/controller.db into an empty database of PostgreSQL and compares both;
                    no controller may be running. DIR/controller.db is kept as DIR/controller.db.moved
  --data DIR        database in SQLite: the directory of its controller
  --database URL    database in PostgreSQL; see loom controller --help
`;

const COMMANDS = {
  backup: runBackup,
  restore: runRestore,
  'migrate-database': runMigrate,
} as const;

type Values = ReturnType<typeof readArguments>['values'];

interface Asked {
  readonly values: Values;
  readonly operands: readonly string[];
}

interface Done {
  readonly report: BackupReport;
  /** For people, one line each. */
  readonly lines: readonly string[];
}

/** Whether a first argument names a command of this file. */
export function isDatabaseCommand(name: string | undefined): name is keyof typeof COMMANDS {
  return name !== undefined && Object.hasOwn(COMMANDS, name);
}

/** Runs it, and gives what is to be printed. Rejects with StartupError. */
export async function runDatabaseCommand(
  name: keyof typeof COMMANDS,
  args: readonly string[],
): Promise<string> {
  const { values, positionals } = readArguments(args);
  if (values.help === true) return DATABASE_USAGE;
  const { report, lines } = await COMMANDS[name]({ values, operands: positionals });
  const rows = report.tables.reduce((sum, table) => sum + table.rows, 0);
  const { schemaVersion } = report;
  const tables = report.tables.length;
  if (values.json === true) return `${JSON.stringify({ schemaVersion, tables, rows })}\n`;
  const counted = `${rows} rows of ${tables} tables, schema version ${schemaVersion}`;
  return [lines[0], `  ${counted}`, ...lines.slice(1).map((line) => `  ${line}`), ''].join('\n');
}

async function runBackup({ values, operands }: Asked): Promise<Done> {
  const file = oneFile('backup', operands);
  const report = await backup(placeOf(values), file, Date.now());
  return { report, lines: [`Wrote ${file}.`, ...keepText(values)] };
}

async function runRestore({ values, operands }: Asked): Promise<Done> {
  const file = oneFile('restore', operands);
  if (!existsSync(file)) throw new StartupError('backup_invalid', `there is no file ${file}`);
  const isAsItWas = values['as-it-was'] === true;
  const { keptAs, ...report } = await holding(values, () =>
    restore(file, placeOf(values), { isAsItWas, nowMs: Date.now() }),
  );
  const kept = keptAs === null ? [] : [`the database that was there is ${keptAs}`];
  const raised = isAsItWas ? [] : ['revisions were raised: each agent takes its networks anew'];
  const told = 'each ledger says in a further entry what it was restored from';
  return { report, lines: [`Restored ${file}.`, ...kept, ...raised, told, ...keepText(values)] };
}

async function runMigrate({ values, operands }: Asked): Promise<Done> {
  const target = targetOf(values);
  if (values.data === undefined || target === undefined || operands.length > 0)
    throw new StartupError('usage', 'migrate-database takes --data DIR and --database URL');
  const path = databasePath(values.data);
  return await holding(values, async () => {
    const report = await moveToPostgres(path, target);
    const moved = setAsideMoved(path);
    const lines = [
      `Copied ${path} to ${target.name}.`,
      `start the controller with --database, and with the same --data ${values.data}`,
      `the file is kept as ${moved}: remove it when all is well`,
    ];
    return { report, lines };
  });
}

/** No controller runs on the directory meanwhile. */
async function holding<T>(values: Values, work: () => Promise<T>): Promise<T> {
  if (values.data === undefined) return await work();
  const directory = openDataDirectory(values.data);
  try {
    return await work();
  } finally {
    directory.release();
  }
}

/** A backup opens nothing by itself: what else an operator has to keep. */
function keepText({ data }: Values): string[] {
  const directory = data ?? 'DIR of each controller';
  return [
    `the keys in it are sealed: keep ${directory}/authority.kek, or the file or passphrase that is used instead, apart from it`,
    `agents know a controller by its certificate: keep ${directory}/tls.key and ${directory}/tls.crt, too`,
  ];
}

function oneFile(command: string, operands: readonly string[]): string {
  const [file] = operands;
  if (file !== undefined && operands.length === 1) return file;
  throw new StartupError('usage', `${command} takes one FILE`);
}

function placeOf(values: Values): DatabasePlace {
  const target = targetOf(values);
  if (target !== undefined) return { kind: 'postgres', target };
  if (values.data === undefined || values.data === '')
    throw new StartupError('usage', 'name the database with --data DIR or --database URL');
  return { kind: 'sqlite', path: databasePath(values.data) };
}

function databasePath(directory: string): string {
  return join(directory, 'controller.db');
}

/** The database of PostgreSQL that arguments name; undefined: none. Throws StartupError. */
export function targetOf(values: {
  readonly database?: string | undefined;
  readonly 'database-file'?: string | undefined;
}): PostgresTarget | undefined {
  const { database: url, 'database-file': file } = values;
  if (url !== undefined && file !== undefined)
    throw new StartupError('usage', '--database and --database-file exclude each other');
  if (file !== undefined) return readPostgresFile(file);
  return url === undefined ? undefined : parsePostgresUrl(url, 'argument');
}

function readArguments(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, strict: true, allowPositionals: true });
  } catch (error) {
    throw new StartupError(
      'usage',
      error instanceof Error ? error.message : 'wrong arguments',
      error,
    );
  }
}
