import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runCommand, tryCommand } from './command.ts';
import { GiveUp, waitFor } from './wait.ts';

test('resolves to what was looked for, after what was not yet there', async () => {
  const looks = [undefined, null, false, 0];
  expect(await waitFor('a number', () => looks.shift(), { intervalMs: 1 })).toBe(0);
});

test('a late condition names what was waited for, the last error and the logs', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'loom-wait-'));
  const log = join(directory, 'agent.log');
  await writeFile(log, 'first\nlast line\n');
  const look = (): never => {
    throw new Error('sees no peers');
  };
  const waiting = waitFor('east1 to see peers', look, {
    deadlineMs: 5,
    intervalMs: 1,
    logs: [log],
  });
  await expect(waiting).rejects.toMatchObject({
    code: 'deadline_passed',
    message: expect.stringMatching(/east1 to see peers \(last: sees no peers\)[^]*last line/),
  });
  await rm(directory, { recursive: true });
});

test('stops at once when waiting is of no use', async () => {
  const look = (): never => {
    throw new GiveUp(new Error('it ended'));
  };
  await expect(waitFor('x', look)).rejects.toThrow('it ended');
});

test('stops when it is told to', async () => {
  const stop = new AbortController();
  const waiting = waitFor('x', () => null, { signal: stop.signal });
  stop.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow();
});

test('a command that fails says what was run and what it printed', async () => {
  await expect(runCommand(['sh', '-c', 'echo broken >&2; exit 3'])).rejects.toMatchObject({
    code: 'command_failed',
    message: expect.stringMatching(/ended with status 3: broken/),
  });
  expect(await tryCommand(['sh', '-c', 'cat; exit 3'], { input: 'given' })).toEqual({
    status: 3,
    stdout: 'given',
    stderr: '',
  });
});

test('a command that is missing or too slow says so', async () => {
  await expect(runCommand(['no-such-program'])).rejects.toMatchObject({ code: 'command_missing' });
  await expect(tryCommand(['sleep', '60'], { timeoutMs: 20 })).rejects.toThrow('longer than 20 ms');
});
