/** For tests: the controller's program as a process. */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { Client } from '@etherloom/api';
import { makeClient } from './controller-fixture.ts';

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));
const readySchema = z.object({
  url: z.url(),
  tlsFingerprint: z.string(),
  adminTokenFile: z.string(),
});

export interface Ended {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

export interface Served {
  readonly child: ChildProcess;
  readonly client: Client;
  readonly err: () => string;
  /** Sends a signal, and waits for the end. */
  end(signal: NodeJS.Signals): Promise<void>;
}

/** Runs the program to its end. */
export async function runProgram(...args: string[]): Promise<Ended> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const [status] = (await once(child, 'close')) as [number | null]; // of `close`
  return { status, out, err };
}

/** Starts the program; resolves when it serves. */
export async function serveProgram(...args: string[]): Promise<Served> {
  const given = ['--listen', '127.0.0.1:0', '--json', ...args];
  const child = spawn(process.execPath, [MAIN, ...given], { stdio: ['ignore', 'pipe', 'pipe'] });
  let err = '';
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const closed = once(child, 'close');
  const line = await Promise.race([
    once(child.stdout, 'data').then(([chunk]) => String(chunk)),
    closed.then(() => ''),
  ]);
  if (line === '') throw new Error(`it did not start: ${err}`);
  const ready = readySchema.parse(JSON.parse(line));
  return {
    child,
    client: makeClient(ready, readFileSync(ready.adminTokenFile, 'utf8').trim()),
    err: () => err,
    async end(signal) {
      child.kill(signal);
      await closed;
    },
  };
}
