/**
 * Running commands to their end: arguments never pass a shell, failures say what was run and what
 * it printed.
 */
import type { ExecFileException } from 'node:child_process';
import { execFile } from 'node:child_process';
import { LabError } from './lab-error.ts';
import { COMMAND_OUTPUT_BYTES_MAX, COMMAND_TIMEOUT_MS } from './limits.ts';

export interface CommandOptions {
  /** Added to this process's environment; undefined takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Written to the command's standard input. */
  readonly input?: string;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface CommandResult {
  /** Exit status; null when a signal ended it. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a command and resolves whatever its exit status is; rejects when it cannot be run or is too
 * slow.
 */
export function tryCommand(
  argv: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const [file, ...args] = argv;
  if (file === undefined) throw new TypeError('a command needs a program');
  const timeoutMs = options.timeoutMs ?? COMMAND_TIMEOUT_MS;
  return new Promise((resolve, reject) => {
    const child = execFile(
      file,
      args,
      {
        cwd: options.cwd,
        env: { ...process.env, ...options.env },
        timeout: timeoutMs,
        killSignal: 'SIGKILL',
        maxBuffer: COMMAND_OUTPUT_BYTES_MAX,
        signal: options.signal,
      },
      (error, stdout, stderr) => {
        if (error === null) return resolve({ status: 0, stdout, stderr });
        if (typeof error.code === 'number') return resolve({ status: error.code, stdout, stderr });
        reject(cannotRun(argv, error, { timeoutMs, stderr }));
      },
    );
    // A command that does not read its input closes it; its status tells the rest.
    child.stdin?.on('error', () => {});
    child.stdin?.end(options.input ?? '');
  });
}

/** Runs a command; rejects when its exit status is not 0. */
export async function runCommand(
  argv: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const result = await tryCommand(argv, options);
  if (result.status === 0) return result;
  const said = (result.stderr.trim() || result.stdout.trim() || 'it printed nothing').slice(-2_000);
  throw new LabError(
    'command_failed',
    `"${argv.join(' ')}" ended with status ${result.status}: ${said}`,
  );
}

function cannotRun(
  argv: readonly string[],
  error: ExecFileException,
  about: { readonly timeoutMs: number; readonly stderr: string },
): Error {
  if (error.code === 'ENOENT') {
    return new LabError(
      'command_missing',
      `"${argv[0]}" is not installed (or its directory is not on PATH)`,
      error,
    );
  }
  if (error.name === 'AbortError') return error;
  const why = error.killed
    ? `took longer than ${about.timeoutMs} ms`
    : `was ended by ${error.signal ?? error.message}`;
  return new LabError(
    'command_failed',
    `"${argv.join(' ')}" ${why}: ${about.stderr.trim().slice(-2_000)}`,
    error,
  );
}
