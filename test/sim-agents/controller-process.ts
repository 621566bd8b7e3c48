/** The controller as a process of its own, as it is installed, and what it costs by /proc. */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createInterface } from 'node:readline';

const MAIN = fileURLToPath(new URL('../../packages/controller/src/main.ts', import.meta.url));
/** USER_HZ of Linux. */
const TICK_MS = 10;

/** A running controller. */
export interface ControllerProcess {
  readonly pid: number;
  readonly port: number;
  readonly url: string;
  readonly tlsFingerprint: string;
  readonly adminToken: string;
  /** CPU time of all its threads. */
  cpuMs(): number;
  rssBytes(): number;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
}

/** Starts it over a directory; `port` 0 takes any. */
export async function startControllerProcess(
  directory: string,
  port: number,
  nodeFlags: readonly string[] = [],
): Promise<ControllerProcess> {
  const child = spawn(
    process.execPath,
    [
      ...nodeFlags,
      MAIN,
      '--data',
      join(directory, 'controller'),
      '--listen',
      `127.0.0.1:${port}`,
      '--log-level',
      'warn',
      '--json',
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const ready = await readReady(child);
  const { pid = 0 } = child;
  return {
    pid,
    port: Number(new URL(ready.url).port),
    url: ready.url,
    tlsFingerprint: ready.tlsFingerprint,
    adminToken: readFileSync(join(directory, 'controller/admin.token'), 'utf8').trim(),
    cpuMs: () => cpuMsOf(pid),
    rssBytes: () => rssBytesOf(pid),
    kill: () =>
      new Promise((resolve) => {
        child.once('exit', () => resolve());
        child.kill('SIGKILL');
      }),
  };
}

interface Ready {
  readonly url: string;
  readonly tlsFingerprint: string;
}

function readReady(child: ChildProcess): Promise<Ready> {
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the controller ended with ${code}`)));
    const { stdout } = child;
    if (stdout === null) return reject(new Error('its output is not piped'));
    createInterface(stdout).once('line', (line) => resolve(JSON.parse(line) as Ready)); // its own
  });
}

/** CPU time of a process, all threads, in steps of 10 ms. */
export function cpuMsOf(pid: number | 'self'): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

function rssBytesOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(text)?.[1] ?? 0) * 1_024;
}
