/** Users, tokens and logins by the real `loom` against a real controller. */
import { spawn } from 'node:child_process';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ControllerProcess, Environment, Run } from './testing/controller-process.ts';
import { LOOM, runLoom, startController } from './testing/controller-process.ts';

const PASSWORD = 'correct horse battery';

let directory: string;
let passwordFile: string;
let controller: ControllerProcess;
let admin: Environment;

beforeAll(async () => {
  controller = await startController();
  ({ directory, login: admin } = controller);
  passwordFile = controller.write('password', `${PASSWORD}\n`);
}, 30_000);
afterAll(() => controller.stop());

const loom = (args: readonly string[], env: Environment = {}): Promise<Run> =>
  runLoom(args, { ...controller.bare, ...env });

/** A command that a person types answers to: all that the terminal showed. */
function typed(
  args: readonly string[],
  answers: readonly (readonly [prompt: string, answer: string])[],
  env: Environment,
): Promise<string> {
  const line = [LOOM, ...args].map((arg) => `'${arg}'`).join(' ');
  const child = spawn('script', ['-qec', line, '/dev/null'], {
    env: { ...controller.bare, ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let shown = '';
  let next = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    shown += chunk.toString();
    const waiting = answers[next];
    if (waiting === undefined || !shown.includes(waiting[0])) return;
    next += 1;
    child.stdin.write(`${waiting[1]}\r`);
  });
  return new Promise((resolve) => child.once('close', () => resolve(shown)));
}

const pin = (): string[] => ['--tls-fingerprint', controller.tlsFingerprint];

test('a user is made, logs in for a token that ends, and logs out', async () => {
  const create = ['user', 'create', 'anna', '--role', 'operator', '--password-file', passwordFile];
  expect(await loom(create, admin)).toMatchObject({ status: 0, stderr: '' });
  const env = { XDG_CONFIG_HOME: join(directory, 'anna') };
  const login = [
    'login',
    controller.url,
    '--user',
    'anna',
    '--password-file',
    passwordFile,
    ...pin(),
  ];
  expect(await loom(login, env)).toMatchObject({ status: 0, stderr: '' });
  const file = join(directory, 'anna', 'etherloom', 'login.json');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  const stored = await readFile(file, 'utf8');
  expect(stored).toContain('loom_');
  expect(stored).not.toContain(PASSWORD);
  const whoami = JSON.parse((await loom(['whoami', '--json'], env)).stdout) as {
    kind: string;
    csrf?: string;
    expiresAt: string;
  }; // whoamiSchema without csrf
  expect(whoami).toMatchObject({ kind: 'api_token' });
  expect(whoami.csrf).toBeUndefined();
  expect(Date.parse(whoami.expiresAt)).toBeGreaterThan(Date.now());
  const refused = await loom(['network', 'create', 'blue'], env);
  expect(refused).toMatchObject({ status: 1 });
  expect(refused.stderr).toContain('network:write');
  const copy = JSON.parse(stored) as { token: string }; // login-file.ts
  expect(await loom(['logout'], env)).toMatchObject({ status: 0 });
  expect((await loom(['node', 'list'], env)).stderr).toContain('not logged in');
  const late = await loom(['node', 'list', '--json'], { ...admin, LOOM_TOKEN: copy.token });
  expect(JSON.parse(late.stderr)).toMatchObject({ error: { code: 'unauthenticated' } });
});

test('a person is asked for name and password, and the password is not shown', async () => {
  await loom(
    ['user', 'create', 'berta', '--role', 'member', '--password-file', passwordFile],
    admin,
  );
  const env = { XDG_CONFIG_HOME: join(directory, 'berta') };
  const answers = [
    ['User: ', 'berta'],
    ['Password: ', PASSWORD],
  ] as const;
  const shown = await typed(['login', controller.url, ...pin()], answers, env);
  expect(shown).toContain('Logged in to');
  expect(shown).not.toContain(PASSWORD);
  expect(shown).not.toContain('horse');
  expect((await loom(['whoami'], env)).stdout).toContain('berta/login from');
});

test('nothing is asked where nobody can answer, and nothing is stored', async () => {
  const env = { XDG_CONFIG_HOME: join(directory, 'nobody') };
  const run = await loom(['login', controller.url, '--user', 'anna', ...pin()], env);
  expect(run).toMatchObject({ status: 2, stdout: '' });
  expect(run.stderr).toContain('--password-file');
  const wrong = join(directory, 'wrong');
  await writeFile(wrong, 'not the password\n');
  const login = ['login', controller.url, '--user', 'anna', '--password-file', wrong, ...pin()];
  const refused = await loom([...login, '--json'], env);
  expect(JSON.parse(refused.stderr)).toMatchObject({ error: { code: 'unauthenticated' } });
  expect(refused.stderr).not.toContain('not the password');
  expect((await loom(['node', 'list'], env)).stderr).toContain('not logged in');
});

test('users are listed, get other roles, and are deleted', async () => {
  await loom(['user', 'create', 'carl', '--password-file', passwordFile], admin);
  const role = await loom(['user', 'role', 'carl', 'auditor', 'operator'], admin);
  expect(role).toMatchObject({ status: 0, stdout: expect.stringContaining('operator, auditor') });
  expect((await loom(['user', 'list'], admin)).stdout).toMatch(/carl +operator, auditor +password/);
  expect((await loom(['user', 'role', 'carl', 'boss'], admin)).status).toBe(2);
  expect((await loom(['user', 'role', 'carl', 'none'], admin)).stdout).toContain('no role');
  expect((await loom(['user', 'delete', 'carl'], admin)).status).toBe(0);
  expect((await loom(['user', 'list'], admin)).stdout).not.toContain('carl');
});

test('an API token is printed once, alone, works, and is revoked', async () => {
  const create = ['api-token', 'create', 'ci', '--role', 'member', '--expires', '1h'];
  const made = await loom([...create, '--scope', 'network:read'], admin);
  expect(made.stdout).toMatch(/^loom_[0-9a-z]{8}_[A-Za-z0-9_-]{43}\n$/);
  const env = { ...admin, LOOM_TOKEN: made.stdout.trim() };
  expect((await loom(['network', 'list'], env)).status).toBe(0);
  expect((await loom(['node', 'list'], env)).status).toBe(1);
  const list = (await loom(['api-token', 'list'], admin)).stdout;
  expect(list).toMatch(/ci +loom_[0-9a-z]{8} +member +network:read/);
  const id = /atk_\w+/.exec(list.split('\n').find((line) => line.startsWith('ci ')) ?? '')?.[0];
  expect((await loom(['api-token', 'revoke', id ?? ''], admin)).status).toBe(0);
  expect((await loom(['network', 'list'], env)).status).toBe(1);
});

test('--organization and LOOM_ORGANIZATION say which organization is meant', async () => {
  expect((await loom(['organization', 'create', 'acme'], admin)).status).toBe(0);
  const there = ['--organization', 'acme'];
  expect((await loom(['network', 'create', 'theirs', ...there], admin)).status).toBe(0);
  expect((await loom(['network', 'list', ...there], admin)).stdout).toContain('theirs');
  const elsewhere = ['network', 'list', '--organization', 'default'];
  expect((await loom(elsewhere, admin)).stdout).not.toContain('theirs');
  const env = { ...admin, LOOM_ORGANIZATION: 'acme' };
  expect((await loom(['network', 'show', 'theirs'], env)).status).toBe(0);
  expect((await loom(['network', 'show', 'theirs', '--organization', 'default'], env)).status).toBe(
    1,
  );
});
