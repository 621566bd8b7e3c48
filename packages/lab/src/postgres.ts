/**
 * Real PostgreSQL servers for tests: primaries and standbys, each in a directory of its own, that
 * can be stopped, killed, restarted and promoted. PostgreSQL refuses to run as root, so a test that
 * is root runs it as another user. By default a server listens on a unix socket in its directory
 * alone, and does not wait for the disk; it ends when the test's process does.
 */
import { chownSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Background } from './background.ts';
import { startBackground } from './background.ts';
import { runCommand, tryCommand } from './command.ts';
import { LabError } from './lab-error.ts';
import { START_DEADLINE_MS } from './limits.ts';
import { readTail } from './log-tail.ts';
import type { ProcessIdentity } from './process-identity.ts';
import { endProcesses, identify, isRunning, signalProcess } from './process-identity.ts';
import { GiveUp, waitFor } from './wait.ts';

export interface PostgresOptions {
  /** Address that it listens at besides its socket, for tests across namespaces or TCP. */
  readonly host?: string;
  /** TCP port, and the number of its socket. */
  readonly port?: number;
  /** It waits for the disk as servers do; a test that kills it wants that. */
  readonly isDurable?: boolean;
  /** Command that runs another one elsewhere: `ip netns exec NAME`. */
  readonly within?: readonly string[];
  /** Lines of postgresql.conf. */
  readonly settings?: readonly string[];
}

/** A server, running or not. */
export interface PostgresServer {
  readonly directory: string;
  readonly port: number;
  /** URL of one of its databases: over TCP where it has a host, else by its socket. */
  url(database: string): string;
  /** Runs SQL on a database; resolves to what psql prints, without headings. */
  sql(database: string, text: string): Promise<string>;
  /** Starts it after stop or kill; resolves when it answers. */
  start(): Promise<void>;
  /** Ends it in order: open connections are cut. */
  stop(): Promise<void>;
  /** Ends all of its processes by SIGKILL. */
  kill(): Promise<void>;
  /** Freezes, or thaws, all of its processes: it is there and does not answer. */
  freeze(isFrozen: boolean): void;
  /** Makes a standby the primary; resolves when it takes writes. */
  promote(): Promise<void>;
  /** Copies a running primary into a standby that follows it. */
  startStandby(options?: PostgresOptions): Promise<PostgresServer>;
  /** Ends it and removes its directory. */
  remove(): Promise<void>;
}

const USER = 'loom';
const PORT_DEFAULT = 5432;
/** Collation of a server whose order is not that of bytes: the product must not depend on it. */
const LOCALE = ['--locale=C.UTF-8', '--locale-provider=icu', '--icu-locale=en-US'];

/** Makes a server and starts it. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const directory = makeServerDirectory();
  const data = join(directory, 'data');
  await run([
    'initdb',
    '-D',
    data,
    '-U',
    USER,
    '-A',
    'trust',
    '-E',
    'UTF8',
    '--no-sync',
    ...LOCALE,
  ]);
  if (options.host !== undefined)
    await appendFile(
      join(data, 'pg_hba.conf'),
      'host all all all trust\nhost replication all all trust\n',
    );
  return startMade(directory, options);
}

async function startMade(directory: string, options: PostgresOptions): Promise<PostgresServer> {
  const server = new Server(directory, options);
  try {
    await server.configure();
    await server.start();
    return server;
  } catch (error) {
    await server.remove();
    throw error;
  }
}

function makeServerDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'loom-postgres-'));
  const owner = serverUser();
  if (owner !== null) chownSync(directory, owner.uid, owner.gid);
  return directory;
}

/** Who runs a server: this user, or for root another one. */
function serverUser(): { readonly uid: number; readonly gid: number } | null {
  if (process.geteuid?.() !== 0) return null;
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const [, , uid, gid] =
    users.find(([name]) => name === 'postgres') ?? users.find(([name]) => name === 'nobody') ?? [];
  if (uid === undefined || gid === undefined)
    throw new LabError('not_privileged', 'there is no user to run PostgreSQL as');
  return { uid: Number(uid), gid: Number(gid) };
}

function asServer(argv: readonly string[], isChild = false): string[] {
  const user = serverUser();
  const [name = '', ...rest] = argv;
  const drop =
    user === null ? [] : ['--reuid', `${user.uid}`, '--regid', `${user.gid}`, '--clear-groups'];
  const follow = isChild ? ['--pdeathsig', 'SIGQUIT'] : [];
  return ['setpriv', ...drop, ...follow, join(programs(), name), ...rest];
}

/** Where Debian has the programs of the newest server that is installed. */
function programs(): string {
  const root = '/usr/lib/postgresql';
  const versions = existsSync(root) ? readdirSync(root).map(Number) : [];
  const newest = Math.max(...versions.filter((version) => version >= 15));
  if (Number.isFinite(newest)) return join(root, `${newest}`, 'bin');
  throw new LabError('command_missing', 'PostgreSQL is missing: apt-get install postgresql');
}

async function run(argv: readonly string[]): Promise<string> {
  return (await runCommand(asServer(argv), { cwd: '/' })).stdout;
}

class Server implements PostgresServer {
  readonly directory: string;
  readonly port: number;
  readonly #options: PostgresOptions;
  readonly #data: string;
  #running: Background | null = null;

  constructor(directory: string, options: PostgresOptions) {
    this.directory = directory;
    this.port = options.port ?? PORT_DEFAULT;
    this.#options = options;
    this.#data = join(directory, 'data');
  }

  url(database: string): string {
    const { host } = this.#options;
    const address = host?.includes(':') === true ? `[${host}]` : host;
    return host === undefined
      ? `postgres:///${database}?host=${this.directory}&port=${this.port}&user=${USER}`
      : `postgres://${USER}@${address}:${this.port}/${database}?sslmode=disable`;
  }

  async sql(database: string, text: string): Promise<string> {
    const argv = ['psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-d', database];
    const command = [join(programs(), 'psql'), ...argv.slice(1), ...this.#address(), '-c', text];
    return (await runCommand(command)).stdout.trim();
  }

  /** Later lines win, so that a copy of a server gets its own. */
  async configure(): Promise<void> {
    const { host, isDurable, settings } = this.#options;
    const lines = [
      `port = ${this.port}`,
      `listen_addresses = '${host ?? ''}'`,
      `unix_socket_directories = '${this.directory}'`,
      'max_connections = 100',
      'shared_buffers = 32MB',
      `fsync = ${isDurable === true ? 'on' : 'off'}`,
      `full_page_writes = ${isDurable === true ? 'on' : 'off'}`,
      ...(settings ?? []),
    ];
    await appendFile(join(this.#data, 'postgresql.conf'), `\n${lines.join('\n')}\n`);
  }

  async start(): Promise<void> {
    if (this.#running?.exit() === null) return;
    const argv = asServer(['postgres', '-D', this.#data], true);
    const logPath = join(this.directory, 'log');
    const running = await startBackground({
      label: 'postgres',
      argv: [...(this.#options.within ?? []), ...argv],
      outputPath: logPath,
      logPath,
      env: {},
      cwd: '/',
    });
    this.#running = running;
    await waitFor('PostgreSQL to answer', () => this.#answers(running), {
      deadlineMs: START_DEADLINE_MS,
      intervalMs: 20,
    });
  }

  async stop(): Promise<void> {
    // SIGINT: "fast", with a checkpoint and without waiting for clients.
    if (this.#running === null) return;
    this.#running.kill('SIGINT');
    await this.#running.exited;
    this.#running = null;
  }

  async kill(): Promise<void> {
    const processes = this.#processes();
    for (const identity of processes) signalProcess(identity, 'SIGKILL');
    await waitFor('PostgreSQL to be gone', () => !processes.some(isRunning), { intervalMs: 10 });
    this.#running = null;
  }

  freeze(isFrozen: boolean): void {
    for (const identity of this.#processes())
      signalProcess(identity, isFrozen ? 'SIGSTOP' : 'SIGCONT');
  }

  async promote(): Promise<void> {
    await run(['pg_ctl', '-D', this.#data, '-w', 'promote']);
  }

  async startStandby(options: PostgresOptions = {}): Promise<PostgresServer> {
    const directory = makeServerDirectory();
    const target = join(directory, 'data');
    const copy = ['pg_basebackup', ...this.#address(), '-D', target, '-R', '-X', 'stream'];
    const command = asServer([...copy, '-c', 'fast', '--no-sync']);
    await runCommand([...(this.#options.within ?? []), ...command], { cwd: '/' });
    return startMade(directory, { ...this.#options, ...options });
  }

  async remove(): Promise<void> {
    await endProcesses(this.#processes());
    this.#running = null;
    rmSync(this.directory, { recursive: true, force: true });
  }

  #address(): string[] {
    return ['-h', this.directory, '-p', `${this.port}`, '-U', USER];
  }

  async #answers(running: Background): Promise<boolean> {
    if (running.exit() !== null)
      throw new GiveUp(new LabError('process_ended', readTail(running.logPath)));
    const { status } = await tryCommand([join(programs(), 'pg_isready'), ...this.#address()]);
    return status === 0;
  }

  /** The server and the processes that it made, which have sessions of their own. */
  #processes(): ProcessIdentity[] {
    if (this.#running === null) return [];
    const { pid } = this.#running.identity;
    const children = readdirSync('/proc').filter((name) => parentOf(name) === pid);
    return [pid, ...children.map(Number)].flatMap((id) => identify(id) ?? []);
  }
}

function parentOf(pid: string): number | null {
  if (!/^\d+$/.test(pid)) return null;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return null;
  }
}
