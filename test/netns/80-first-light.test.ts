/**
 * `npm start` as a user runs it (without its set-up): it works, and whenever it is stopped nothing
 * is left behind.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CHECKOUT, RUNS_DIRECTORY, runCommand } from '@etherloom/lab';
import { expect, test } from 'vitest';

const PROGRAM = join(CHECKOUT.root, 'packages/lab/src/first-light.ts');

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  /** Name of the run, read from the progress. */
  readonly run: string;
}

test('--once --json works, prints one JSON result and leaves nothing behind', async () => {
  const ended = await run(['--once', '--json'], null);
  const result = JSON.parse(ended.stdout) as {
    ok: boolean;
    steps: { name: string; ok: boolean; detail: string }[];
    throughputGbps: number;
  }; // first-light.ts prints it
  expect(result.steps.filter((step) => !step.ok)).toEqual([]);
  expect(result.steps.map((step) => step.name).join(' ')).toBe(
    'world controller agents network join peers neighbours ping file throughput',
  );
  expect(result).toMatchObject({ ok: true, throughputGbps: expect.any(Number) });
  expect(ended.status).toBe(0);
  await expectNothingLeft(ended.run);
});

test.each([
  ['while hosts are made', '[ 1/10]'],
  ['while agents start', '[ 2/10]'],
  ['while hosts join', '[ 4/10]'],
  ['while a file is on its way', '[ 8/10]'],
])('Ctrl-C %s removes everything', async (_, after) => {
  const ended = await run([], after);
  expect(ended.status).not.toBe(0);
  await expectNothingLeft(ended.run);
});

test('a wrong option exits 2', async () => {
  expect((await run(['--twice'], null)).status).toBe(2);
});

async function expectNothingLeft(name: string): Promise<void> {
  expect(name).toMatch(/^loom-[0-9a-f]{6}$/);
  expect((await runCommand(['ip', 'netns', 'list'])).stdout).not.toContain(name);
  expect((await runCommand(['ps', '-eo', 'args'])).stdout).not.toContain(name);
  expect(existsSync(join('/tmp', name))).toBe(false);
  expect(existsSync(join(RUNS_DIRECTORY, name))).toBe(false);
}

/** Runs the program; sends SIGINT when its progress shows `interruptAfter`. */
function run(args: readonly string[], interruptAfter: string | null): Promise<Ended> {
  const child = spawn(CHECKOUT.node, [PROGRAM, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let progress = '';
  let isInterrupted = false;
  const look = (text: string): void => {
    progress += text;
    if (isInterrupted || interruptAfter === null || !progress.includes(interruptAfter)) return;
    isInterrupted = true;
    child.kill('SIGINT');
  };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    look(text);
  });
  child.stderr.setEncoding('utf8').on('data', look);
  return new Promise((resolve) => {
    child.once('close', (status) => {
      resolve({ status, stdout, run: /\(run (loom-\w+)\)/.exec(progress)?.[1] ?? '' });
    });
  });
}
