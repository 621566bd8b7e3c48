/**
 * A long-running process of a world, with its output in log files, so that it does not depend on
 * its starter's pipes.
 */
import type { ChildProcess, StdioOptions } from 'node:child_process';
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { LabError } from './lab-error.ts';
import { describeTails } from './log-tail.ts';
import type { ProcessIdentity } from './process-identity.ts';
import { endProcesses, identify, signalProcess } from './process-identity.ts';

export interface BackgroundExit {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process that runs until it is stopped. */
export interface Background {
  readonly label: string;
  readonly identity: ProcessIdentity;
  /** Standard output. */
  readonly outputPath: string;
  /** Standard error. */
  readonly logPath: string;
  readonly child: ChildProcess;
  readonly exited: Promise<BackgroundExit>;
  /** How it ended; null while it runs. */
  exit(): BackgroundExit | null;
  /** Sends a signal if that very process still runs. */
  kill(signal: NodeJS.Signals): boolean;
  /** SIGTERM, a grace, SIGKILL; resolves when it has ended. */
  stop(): Promise<void>;
  /** Throws with the logs' tails when it has ended by itself. */
  assertRunning(): void;
}

export interface BackgroundOptions {
  readonly label: string;
  readonly argv: readonly string[];
  readonly outputPath: string;
  readonly logPath: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string | undefined;
  /** Adds a channel for messages and handles. */
  readonly ipc?: boolean | undefined;
}

/** Starts it in its own process group, so that Ctrl-C reaches the starter alone. */
export async function startBackground(options: BackgroundOptions): Promise<Background> {
  const child = openAndSpawn(options);
  let exit: BackgroundExit | null = null;
  const exited = new Promise<BackgroundExit>((resolve) => {
    child.once('exit', (status, signal) => {
      exit = { status, signal };
      resolve(exit);
    });
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (error) => {
      reject(
        new LabError(
          'command_missing',
          `${options.label} cannot be started: ${error.message}`,
          error,
        ),
      );
    });
  });
  const identity = identify(child.pid ?? 0) ?? { pid: child.pid ?? 0, startTime: 'ended' };
  const logs = [options.outputPath, options.logPath];
  return {
    label: options.label,
    identity,
    outputPath: options.outputPath,
    logPath: options.logPath,
    child,
    exited,
    exit: () => exit,
    kill: (signal) => signalProcess(identity, signal),
    stop: async () => {
      const left = await endProcesses([identity]);
      if (left.length > 0)
        throw new LabError(
          'dispose_incomplete',
          `${options.label} (pid ${identity.pid}) does not end`,
        );
      // A child that was let go of does not keep the event loop alive until it is reaped.
      child.ref();
      await exited;
    },
    assertRunning: () => {
      if (exit !== null) throw endedError(options.label, exit, logs);
    },
  };
}

/** Error for a process that ended by itself. */
function endedError(label: string, exit: BackgroundExit, logs: readonly string[]): LabError {
  const how = exit.signal === null ? `with status ${exit.status}` : `by ${exit.signal}`;
  return new LabError('process_ended', `${label} ended ${how}${describeTails(logs)}`);
}

function openAndSpawn(options: BackgroundOptions): ChildProcess {
  const [file, ...args] = options.argv;
  if (file === undefined) throw new TypeError('a process needs a program');
  const output = openSync(options.outputPath, 'a', 0o600);
  const log = openSync(options.logPath, 'a', 0o600);
  try {
    const stdio: StdioOptions = ['ignore', output, log];
    return spawn(file, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      detached: true,
      stdio: options.ipc ? [...stdio, 'ipc'] : stdio,
    });
  } finally {
    closeSync(output);
    closeSync(log);
  }
}
