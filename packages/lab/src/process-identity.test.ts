import { spawn } from 'node:child_process';
import { expect, test } from 'vitest';
import {
  endProcesses,
  identify,
  identifySelf,
  isRunning,
  signalProcess,
} from './process-identity.ts';

test('this process runs, under its start time alone', () => {
  const self = identifySelf();
  expect(isRunning(self)).toBe(true);
  expect(isRunning({ ...self, startTime: '1' })).toBe(false);
});

test('never signals a process that has another start time', async () => {
  const { child, identity, ended } = startSleep();
  expect(signalProcess({ ...identity, startTime: '1' }, 'SIGKILL')).toBe(false);
  expect(await endProcesses([{ ...identity, startTime: '1' }])).toEqual([]);
  expect(child.exitCode ?? child.signalCode).toBeNull();
  expect(signalProcess(identity, 'SIGKILL')).toBe(true);
  await ended;
  expect(isRunning(identity)).toBe(false);
});

test('kills what does not end by itself', async () => {
  const { identity, ended } = start('sh', [
    '-c',
    'trap "" TERM; echo ready; while :; do read x; done',
  ]);
  await ended.ready;
  expect(await endProcesses([identity], 100)).toEqual([]);
  expect(await ended).toBe('SIGKILL');
});

function startSleep() {
  return start('sleep', ['60']);
}

function start(program: string, args: readonly string[]) {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'ignore'] });
  const ended = new Promise((resolve) => {
    child.once('exit', (status, signal) => resolve(signal ?? status));
  });
  const ready = new Promise((resolve) => child.stdout.once('data', resolve));
  const identity = identify(child.pid ?? 0);
  if (identity === null) throw new Error('the child did not start');
  return { child, identity, ended: Object.assign(ended, { ready }) };
}
