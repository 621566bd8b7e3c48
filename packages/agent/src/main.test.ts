import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
let directory = '';

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'loom-main-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

test.each([
  [[], /--state DIR is missing/],
  [['--state', 'x', '--port', '0'], /--port takes a number from 1 to 65535, given "0"/],
  [['--state', 'x', '--workers', '17'], /--workers takes a number from 1 to 16/],
  [['--state', 'x', '--metrics', '0.0.0.0:9101'], /0\.0\.0\.0 is no loopback address/],
  [['--state', 'x', '--metrics', '9101'], /--metrics takes unix:PATH, .*given "9101"/],
  [['--bogus'], /--bogus/],
])('ends with status 2 and the usage for %j', (args, message) => {
  const { status, stderr } = run(args);
  expect(status).toBe(2);
  expect(stderr).toMatch(message);
  expect(stderr).toContain('usage: loom agent --state DIR');
});

test.each(['999', '120001', '1e4', ''])('refuses a rekey time of tests of %j', (text) => {
  const { status, stderr } = run(inDirectory(), { LOOM_REKEY_MS: text });
  expect(status).toBe(2);
  expect(stderr).toContain(`LOOM_REKEY_MS takes 1000 to 120000, given "${text}"`);
});

test('says how to build a data path that is missing', () => {
  const { status, stderr } = run([...inDirectory(), '--datapath', join(directory, 'none')]);
  expect(status).toBe(1);
  expect(stderr).toMatch(
    /^loom agent: .*none is not there or cannot be run: build it with `make`/m,
  );
});

test('gives the reason of a data path that does not live', () => {
  const { status, stderr } = run([...inDirectory(), '--datapath', '/bin/false']);
  expect(status).toBe(1);
  expect(stderr).toMatch(/the data path ended with status 1; see .*datapath.log/);
});

test('refuses a damaged state file by name, in one line', () => {
  const state = join(directory, 'state');
  run([...inDirectory(), '--datapath', '/bin/false']);
  writeFileSync(join(state, 'identity.json'), '{"etherloom":"identity"');
  const { status, stderr } = run(inDirectory());
  expect(status).toBe(1);
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(stderr).toMatch(/identity\.json is cut short or no JSON\. Restore the file from a backup/);
});

test('refuses a state directory whose sockets the kernel could not name', () => {
  const { status, stderr } = run([
    '--state',
    join(directory, 'x'.repeat(100)),
    '--socket',
    join(directory, 'a.sock'),
  ]);
  expect(status).toBe(1);
  expect(stderr).toMatch(/the kernel takes 107; choose a shorter directory/);
});

function inDirectory(): string[] {
  return [
    '--state',
    join(directory, 'state'),
    '--socket',
    join(directory, 'agent.sock'),
    '--port',
    '28002',
  ];
}

function run(
  args: string[],
  env: Readonly<Record<string, string>> = {},
): { status: number | null; stderr: string } {
  return spawnSync(process.execPath, [MAIN, ...args], {
    encoding: 'utf8',
    timeout: 20_000,
    env: { ...process.env, ...env },
  });
}
