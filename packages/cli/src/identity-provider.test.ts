/** loom identity-provider by the real `loom` against a real controller. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { collect } from '@etherloom/api';
import type { IdentityProvider } from '@etherloom/api';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ControllerProcess } from './testing/controller-process.ts';
import { startController } from './testing/controller-process.ts';

const LOOM = join(import.meta.dirname, '../../../loom');
const SECRET = 'client S3cret=text';

let controller: ControllerProcess;
let loom: ControllerProcess['loom'];
beforeAll(async () => {
  controller = await startController();
  ({ loom } = controller);
});
afterAll(() => controller.stop());

const ISSUER = ['--issuer', 'https://id.example.org', '--client-id', 'loom'];

async function held(name: string): Promise<IdentityProvider | undefined> {
  const all = await collect(controller.client(), 'identityProviderList');
  return all.find((provider) => provider.name === name);
}

/** Runs a command, of which nothing may print the secret. */
async function quiet(args: readonly string[], input = '') {
  const run = await loom(['identity-provider', ...args], {}, input);
  expect(run.stdout + run.stderr).not.toContain('S3cret');
  return run;
}

test('one is added with a secret of standard input, shown, listed, changed and removed', async () => {
  const groups = ['--group-role', 'staff=member', '--group-role', 'cn=admins,dc=x=admin'];
  const args = ['create', 'The Company', ...ISSUER, '--client-secret-file', '-', ...groups];
  const made = await quiet(args, `${SECRET}\n`);
  expect(made).toMatchObject({ status: 0, stderr: '' });
  expect(made.stdout).toMatch(/register https:\/\/.*\/v1\/login\/providers\/idp_\w+\/callback/);
  expect(await held('The Company')).toMatchObject({
    hasSecret: true,
    refusesUnmapped: true,
    groupRoles: [
      { group: 'staff', role: 'member' },
      { group: 'cn=admins,dc=x', role: 'admin' },
    ],
  });
  const id = (await held('The Company'))?.id ?? '';
  expect((await quiet(['list'])).stdout).toMatch(
    /The Company +https:\/\/id\.example\.org +loom +yes/,
  );
  for (const given of [id, 'The Company'])
    expect(JSON.parse((await quiet(['show', given, '--json'])).stdout)).toMatchObject({ id });
  const changes = ['--name', 'company', '--unmapped', 'admit', '--group-role', 'staff=operator'];
  expect(await quiet(['set', 'The Company', ...changes])).toMatchObject({ status: 0, stderr: '' });
  expect(await held('company')).toMatchObject({
    id,
    clientId: 'loom',
    hasSecret: true,
    refusesUnmapped: false,
    groupRoles: [{ group: 'staff', role: 'operator' }],
  });
  await quiet(['set', 'company', '--clear-group-roles']);
  expect(await held('company')).toMatchObject({ groupRoles: [], refusesUnmapped: false });
  expect((await quiet(['delete', 'company'])).stdout).toContain(
    'Removed identity provider company',
  );
  expect(await held('company')).toBeUndefined();
});

test('a secret comes from a file of one line, and a public client has none', async () => {
  const create = (name: string, ...more: readonly string[]) =>
    quiet(['create', name, ...ISSUER, ...more]);
  const ofFile = (text: string): string[] => [
    '--client-secret-file',
    controller.write('secret', text),
  ];
  expect(await create('file', ...ofFile(`${SECRET}\n`))).toMatchObject({ status: 0 });
  expect(await held('file')).toMatchObject({ hasSecret: true });
  expect(await create('public', '--public-client')).toMatchObject({ status: 0 });
  expect(await held('public')).toMatchObject({ hasSecret: false });
  const another = `another ${SECRET}`;
  const { length } = await collect(controller.client(), 'auditList');
  expect(await quiet(['set', 'public', ...ofFile(another)])).toMatchObject({ status: 0 });
  expect(await held('public')).toMatchObject({ hasSecret: true });
  const ledger = await collect(controller.client(), 'auditList');
  expect(ledger.length).toBe(length + 1);
  expect(JSON.stringify(ledger)).not.toContain('S3cret');
  for (const text of ['', '\n', `${SECRET}\nmore\n`, 'S3cret'.repeat(1_000)]) {
    const run = await create('broken', ...ofFile(text));
    expect(run.status).toBe(1);
    expect(run.stderr).toContain('holds no client secret');
  }
  expect((await create('broken', '--client-secret-file', '/none/such')).status).toBe(1);
  expect(await held('broken')).toBeUndefined();
});

test.each([
  [['create', 'x', ...ISSUER], '--client-secret-file FILE'],
  [['create', 'x', ...ISSUER, '--public-client', '--client-secret-file', '-'], 'exclude'],
  [['create', 'x', ...ISSUER, '--client-secret', 'y'], 'unknown option'],
  [['create', 'x', ...ISSUER, '--public-client', '--group-role', 'staff'], 'GROUP=ROLE'],
  [['create', 'x', ...ISSUER, '--public-client', '--group-role', 'staff=boss'], 'A role is one of'],
  [['create', 'x'], '--issuer'],
  [['set', 'x'], 'name what to change'],
  [['set', 'x', '--clear-group-roles', '--group-role', 'a=member'], 'exclude'],
  [['set', 'x', '--ask-client-secret', '--client-secret-file', '-'], 'exclude'],
])('a command line that makes no sense sends nothing: %j', async (args, message) => {
  const run = await loom(['identity-provider', ...args]);
  expect(run).toMatchObject({ status: 2, stdout: '' });
  expect(run.stderr).toContain(message);
});

test('one that is not there is said to be so, and what the controller refuses too', async () => {
  const run = await loom(['identity-provider', 'delete', 'nobody', '--json']);
  expect(run.status).toBe(1);
  expect(JSON.parse(run.stderr)).toMatchObject({ error: { code: 'not_found' } });
  const args = ['create', 'plain', '--issuer', 'http://id.example.org', '--client-id', 'x'];
  const refused = await quiet([...args, '--public-client']);
  expect(refused.status).toBe(1);
  expect(refused.stderr).toContain('must be https');
});

test('who may not is told which permission it lacks; what is beyond its own roles is refused', async () => {
  await quiet(['create', 'guarded', ...ISSUER, '--public-client']);
  const client = controller.client();
  const password = 'correct horse battery';
  for (const [name, role] of [
    ['ada', 'admin'],
    ['otto', 'operator'],
    ['aud', 'auditor'],
  ] as const)
    await client.call('userCreate', { body: { name, password, roles: [role] } });
  const as = async (name: string, args: readonly string[]) => {
    const { token } = await client.call('loginToken', { body: { name, password } });
    return loom(['identity-provider', ...args], { LOOM_TOKEN: token });
  };
  const operator = await as('otto', ['list']);
  expect(operator).toMatchObject({ status: 1, stdout: '' });
  expect(operator.stderr).toContain('identity_provider:read');
  const auditor = await as('aud', ['set', 'guarded', '--name', 'mine']);
  expect(auditor.stderr).toContain('identity_provider:write');
  const owner = await as('ada', ['set', 'guarded', '--group-role', 'all=owner']);
  expect(owner.status).toBe(1);
  expect(owner.stderr).toContain('nobody gives away');
  expect(await as('ada', ['set', 'guarded', '--group-role', 'all=admin'])).toMatchObject({
    status: 0,
  });
});

test('a person is asked for the secret, and it is not shown', async () => {
  const line = [LOOM, 'identity-provider', 'create', 'asked', ...ISSUER]
    .map((arg) => `'${arg}'`)
    .join(' ');
  const child = spawn('script', ['-qec', line, '/dev/null'], {
    env: controller.admin,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let shown = '';
  let isAsked = false;
  child.stdout.on('data', (chunk: Buffer) => {
    shown += chunk.toString();
    if (isAsked || !shown.includes('Client secret: ')) return;
    isAsked = true;
    child.stdin.write(`${SECRET}\r`);
  });
  await new Promise((resolve) => child.once('close', resolve));
  expect(shown).toContain('Added identity provider');
  expect(shown).not.toContain('S3cret');
  expect(await held('asked')).toMatchObject({ hasSecret: true });
});
