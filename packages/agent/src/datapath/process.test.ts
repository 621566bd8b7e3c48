import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writeStateFile } from '../disk/state-file.ts';
import { z } from 'zod';
import { DatapathProcess } from './process.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'loom-process-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

test('has stopped a data path, port and all, when stop resolves: also one that takes no SIGTERM', async () => {
  const program = "process.on('SIGTERM', () => {}); console.log('up'); setInterval(() => {}, 1e6)";
  const socket = join(directory, 'datapath.sock');
  const child = spawn(process.execPath, ['--eval', program, '--', socket]);
  await once(child.stdout, 'data');
  const pid = child.pid ?? 0;
  const content = { pid, program: process.execPath, port: 8_002, workers: null };
  const kind = { kind: 'datapath', schema: z.any(), recovery: '' };
  writeStateFile(join(directory, 'datapath.json'), kind, content);
  const options = { stateDirectory: directory, program: process.execPath, port: 8_002 };
  await new DatapathProcess({ ...options, workers: null }).stop();
  expect(commandOf(pid)).toBe('');
});

/** Empty for a process that has ended, waited for or not. */
function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
