/**
 * Keeps one data path: attaches to the one that runs, or starts it. The process is detached, in a
 * session of its own and with its output in a file, so that it goes on forwarding when the agent
 * dies; datapath.json says which process it is.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import {
  accessSync,
  closeSync,
  constants,
  ftruncateSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { monotonicMs, pause } from '../clock.ts';
import { readStateFile, writeStateFile } from '../disk/state-file.ts';
import type { StateFileKind } from '../disk/state-file.ts';
import { AgentError, errnoOf, messageOf } from '../errors.ts';
import {
  DATAPATH_CONNECT_RETRY_MS,
  DATAPATH_LOG_BYTES_MAX,
  DATAPATH_START_MS,
  DATAPATH_STOP_MS,
} from '../limits.ts';
import { DatapathClient, DatapathRefusal, assertSocketPath } from './client.ts';
import type { DatapathClientHandlers, HelloReply } from './client.ts';

const recordSchema = z.strictObject({
  pid: z.int().positive(),
  program: z.string(),
  port: z.int(),
  workers: z.int().nullable(),
});
type ProcessRecord = z.infer<typeof recordSchema>;
const RECORD: StateFileKind<typeof recordSchema> = {
  kind: 'datapath',
  schema: recordSchema,
  recovery: 'Delete the file.',
};

export interface DatapathProcessOptions {
  readonly stateDirectory: string;
  /** Path of the data path's program. */
  readonly program: string;
  readonly port: number;
  readonly workers: number | null;
}

/** A data path that answers. */
export interface AttachedDatapath {
  readonly client: DatapathClient;
  readonly hello: HelloReply;
  /** True when this call started it, so that it holds no table and no key. */
  readonly isFresh: boolean;
}

export class DatapathProcess {
  readonly #options: DatapathProcessOptions;
  readonly #socketPath: string;
  readonly #logPath: string;
  readonly #recordPath: string;
  #workers: number | null;

  constructor(options: DatapathProcessOptions) {
    this.#options = options;
    this.#workers = options.workers;
    this.#socketPath = join(options.stateDirectory, 'datapath.sock');
    this.#logPath = join(options.stateDirectory, 'datapath.log');
    this.#recordPath = join(options.stateDirectory, 'datapath.json');
    assertSocketPath(this.#socketPath);
  }

  /**
   * Attaches to the running data path or starts one. Rejects with AgentError saying why none could
   * be had.
   */
  async attach(handlers: DatapathClientHandlers): Promise<AttachedDatapath> {
    const running = await this.#attachRunning(handlers);
    if (running !== undefined) return running;
    return await this.#start(handlers);
  }

  /**
   * Starts later data paths with as many workers as the first one had: the mesh has told its peers
   * the number of lanes.
   */
  keepWorkers(workers: number): void {
    this.#workers ??= workers;
  }

  /** Ends the process, by force when it does not follow. */
  async stop(): Promise<void> {
    const record = this.#readRecord();
    if (record !== undefined) await endProcess(record.pid, this.#socketPath);
    rmSync(this.#socketPath, { force: true });
    rmSync(this.#recordPath, { force: true });
  }

  /** Cuts the log when it grew over its limit; the process appends, so it goes on at the start. */
  boundLog(): void {
    try {
      if (statSync(this.#logPath).size <= DATAPATH_LOG_BYTES_MAX) return;
      const log = openSync(this.#logPath, 'r+');
      ftruncateSync(log, 0);
      closeSync(log);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
  }

  async #attachRunning(handlers: DatapathClientHandlers): Promise<AttachedDatapath | undefined> {
    const record = this.#readRecord();
    const fits =
      record === undefined ||
      (record.port === this.#options.port &&
        (this.#workers === null || record.workers === this.#workers));
    try {
      if (fits)
        return { ...(await DatapathClient.connect(this.#socketPath, handlers)), isFresh: false };
    } catch (error) {
      const isAbsent = ['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE'].includes(
        errnoOf(error) ?? '',
      );
      const isUnusable =
        error instanceof DatapathRefusal ||
        (error instanceof AgentError && error.code !== 'socket_path_too_long');
      if (!isAbsent && !isUnusable) throw error;
    }
    // Another version, another port, or one that does not answer: it makes room for one that fits.
    await this.stop();
    return undefined;
  }

  async #start(handlers: DatapathClientHandlers): Promise<AttachedDatapath> {
    this.#checkProgram();
    this.boundLog();
    const child = this.#spawn();
    let failure: AgentError | undefined;
    child.once(
      'error',
      (error) =>
        (failure = new AgentError(
          'datapath_failed',
          `the data path did not start: ${error.message}`,
        )),
    );
    child.once('exit', (code, signal) => (failure ??= this.#explainExit(code, signal)));
    if (child.pid !== undefined) this.#writeRecord(child.pid);
    const deadline = monotonicMs() + DATAPATH_START_MS;
    while (failure === undefined && monotonicMs() < deadline) {
      try {
        return { ...(await DatapathClient.connect(this.#socketPath, handlers)), isFresh: true };
      } catch (error) {
        if (error instanceof AgentError) throw error;
        await pause(DATAPATH_CONNECT_RETRY_MS);
      }
    }
    if (failure === undefined) await this.stop();
    throw (
      failure ??
      new AgentError(
        'datapath_failed',
        `the data path did not answer within ${DATAPATH_START_MS} ms of its start`,
      )
    );
  }

  #spawn(): ChildProcess {
    const { program, port } = this.#options;
    const workers = this.#workers;
    const log = openSync(this.#logPath, 'a', 0o600);
    try {
      const lanes = workers === null ? [] : ['--workers', String(workers)];
      const child = spawn(
        program,
        ['--control', this.#socketPath, '--port', String(port), ...lanes],
        {
          detached: true,
          stdio: ['ignore', log, log],
          cwd: '/',
        },
      );
      child.unref();
      return child;
    } finally {
      closeSync(log);
    }
  }

  #checkProgram(): void {
    try {
      accessSync(this.#options.program, constants.X_OK);
    } catch (error) {
      throw new AgentError(
        'datapath_missing',
        `${this.#options.program} is not there or cannot be run: build it with \`make\`, or name it with --datapath`,
        { cause: error },
      );
    }
  }

  #explainExit(code: number | null, signal: NodeJS.Signals | null): AgentError {
    const said = lastLine(this.#logPath);
    const how = signal === null ? `ended with status ${code}` : `was ended by ${signal}`;
    return new AgentError(
      'datapath_failed',
      said === '' ? `the data path ${how}; see ${this.#logPath}` : said,
    );
  }

  #writeRecord(pid: number): void {
    const { program, port } = this.#options;
    const workers = this.#workers;
    writeStateFile(this.#recordPath, RECORD, { pid, program, port, workers });
  }

  /** The record is only a hint; a damaged one is none. */
  #readRecord(): ProcessRecord | undefined {
    try {
      return readStateFile(this.#recordPath, RECORD);
    } catch {
      return undefined;
    }
  }
}

/** Ends a process only when it still serves this control socket: process ids are used again. */
async function endProcess(pid: number, socketPath: string): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (!serves(pid, socketPath)) return;
    process.kill(pid, signal);
    // Its port is free only when it has ended.
    const deadline = monotonicMs() + DATAPATH_STOP_MS;
    while (serves(pid, socketPath) && monotonicMs() < deadline)
      await pause(DATAPATH_CONNECT_RETRY_MS);
  }
}

function serves(pid: number, socketPath: string): boolean {
  try {
    // A zombie's is empty.
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(socketPath);
  } catch {
    return false;
  }
}

function lastLine(path: string): string {
  try {
    return readFileSync(path, 'utf8').trimEnd().split('\n').at(-1) ?? '';
  } catch (error) {
    return messageOf(error);
  }
}
