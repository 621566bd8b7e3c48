import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { WriteStep } from './atomic-file.ts';
import { writeFileAtomic } from './atomic-file.ts';

const OLD = 'a'.repeat(200_000);
const NEW = 'b'.repeat(200_000);
let directory = '';

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'loom-atomic-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

test.each<[WriteStep, number, string]>([
  ['opened', 1, OLD],
  ['piece', 1, OLD],
  ['piece', 3, OLD],
  ['synced', 1, OLD],
  ['closed', 1, OLD],
  ['renamed', 1, NEW],
  ['kept', 1, NEW],
])('holds a whole file when the process is killed after %s %i', (step, count, expected) => {
  const path = join(directory, 'state.json');
  writeFileSync(path, OLD);
  expect(writeAndDie(path, step, count)).toBe('SIGKILL');
  expect(readFileSync(path, 'utf8')).toBe(expected);
  writeFileAtomic(path, new TextEncoder().encode('c'));
  expect(readFileSync(path, 'utf8')).toBe('c');
});

test('makes a file that only its owner reads', () => {
  const path = join(directory, 'state.json');
  writeFileAtomic(path, new TextEncoder().encode('x'));
  expect(spawnSync('stat', ['-c', '%a', path], { encoding: 'utf8' }).stdout).toBe('600\n');
});

/**
 * Writes NEW in a child that kills itself at the count-th such step; gives the signal that ended
 * it.
 */
function writeAndDie(path: string, step: WriteStep, count: number): NodeJS.Signals | null {
  const program = `
    import { writeFileAtomic } from ${JSON.stringify(new URL('./atomic-file.ts', import.meta.url).href)};
    let left = ${count};
    writeFileAtomic(${JSON.stringify(path)}, new TextEncoder().encode('b'.repeat(200_000)), (step) => {
      if (step === ${JSON.stringify(step)} && --left === 0) process.kill(process.pid, 'SIGKILL');
    });`;
  return spawnSync(process.execPath, ['--input-type=module', '--eval', program]).signal;
}
