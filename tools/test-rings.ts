/**
 * Runs rings of checks and tests one after the other (`make NAME` each), times them, and ends with
 * the summary of tools/test-summary.ts. All rings run even when one fails: one run shows everything
 * that is wrong. On SIGINT or SIGTERM the running ring gets the same signal, so that it can remove
 * its namespaces, and the summary of what was done is still printed.
 *
 *     node tools/test-rings.ts [--skips-fail] RING...
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readTally, summarize } from './test-summary.ts';
import type { RingResult } from './test-summary.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const RESULTS = '.cache/results';

let running: ChildProcess | null = null;
let stoppedBy: NodeJS.Signals | null = null;

function runRing(name: string): Promise<RingResult> {
  const startedAt = performance.now();
  console.log(`\n── ${name}`);
  return new Promise((resolve) => {
    const child = spawn('make', [name, `RESULTS=${ROOT}${RESULTS}`], {
      cwd: ROOT,
      stdio: 'inherit',
    });
    const done = (hasSucceeded: boolean): void => {
      running = null;
      const durationMs = performance.now() - startedAt;
      console.log(
        `── ${name}: ${hasSucceeded ? 'ok' : 'FAILED'}, ${(durationMs / 1000).toFixed(1)} s`,
      );
      resolve({ name, hasSucceeded, durationMs });
    };
    running = child;
    child.once('error', (error) => {
      console.error(`cannot run make: ${error.message}; install it with: apt-get install make`);
      done(false);
    });
    child.once('exit', (status) => done(status === 0));
  });
}

async function main(args: readonly string[]): Promise<number> {
  const names = args.filter((arg) => !arg.startsWith('--'));
  const unknown = args.filter((arg) => arg.startsWith('--') && arg !== '--skips-fail');
  if (names.length === 0 || unknown.length > 0) {
    console.error(
      `usage: test-rings.ts [--skips-fail] RING...${unknown.map((arg) => `; unknown: ${arg}`).join('')}`,
    );
    return 2;
  }
  rmSync(`${ROOT}${RESULTS}`, { recursive: true, force: true });
  mkdirSync(`${ROOT}${RESULTS}`, { recursive: true });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      stoppedBy = signal;
      running?.kill(signal);
    });
  }
  const rings: RingResult[] = [];
  for (const name of names) {
    if (stoppedBy === null) rings.push(await runRing(name));
    else rings.push({ name, hasSucceeded: false, durationMs: 0 });
  }
  const reports = new Map(names.map((name) => [name, readTally(`${ROOT}${RESULTS}`, name)]));
  const doSkipsFail = args.includes('--skips-fail') || process.env['CI'] !== undefined;
  const summary = summarize(rings, reports, doSkipsFail);
  for (const line of summary.lines) console.log(line);
  return summary.exitStatus;
}

process.exitCode = await main(process.argv.slice(2));
