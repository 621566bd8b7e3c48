/** loom apply and loom export: join tokens, users, other organizations, and being killed. */
import { collect, decodeJoinToken, voucherNote } from '@etherloom/api';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { ControllerProcess, Environment, Run } from './testing/controller-process.ts';
import { firstLine, joinHost, startController } from './testing/controller-process.ts';

// Each runs a dozen commands, and passwords are slow to hash.
vi.setConfig({ testTimeout: 60_000 });

const PASSWORD = 'correct horse battery';
const TOKEN = /loom1\.[A-Za-z0-9_-]+/g;
/** Longest that something that has to come is waited for. */
const DEADLINE_MS = 15_000;

let controller: ControllerProcess;
let loom: ControllerProcess['loom'];
beforeAll(async () => {
  controller = await startController();
  ({ loom } = controller);
});
afterAll(() => controller.stop());

const file = (name: string, text: string): string =>
  controller.write(`${name}.yaml`, `etherloom: 1\n${text}`);

interface Applied {
  readonly steps: readonly { readonly kind: string; readonly text: string }[];
  readonly notes: readonly string[];
  readonly done: number;
  readonly joinTokens: readonly { readonly label: string; readonly token: string }[];
}

/** Applies with --json; nothing may be wrong. */
async function apply(path: string, ...options: readonly string[]): Promise<Applied> {
  const { status, stdout, stderr } = await loom(['apply', path, '--json', ...options]);
  expect([status, stderr]).toEqual([0, '']);
  return JSON.parse(stdout);
}

const tokens = async (label: string) =>
  (await collect(controller.client(), 'tokenList')).filter((token) => token.label === label);

/** What a person who was made by admin.token asks with: an API token of that user. */
async function logIn(name: string, organization?: string): Promise<Environment> {
  const { token } = await controller.client().call('loginToken', {
    body: { name, password: PASSWORD, ...(organization === undefined ? {} : { organization }) },
  });
  return { LOOM_TOKEN: token };
}

async function makeUser(name: string, role: string, ...more: readonly string[]): Promise<void> {
  const path = controller.write('password', `${PASSWORD}\n`);
  const args = ['user', 'create', name, '--role', role, '--password-file', path, ...more];
  expect(await loom(args)).toMatchObject({ status: 0 });
}

const rolesOf = async (name: string) =>
  (await collect(controller.client(), 'userList', { query: { name } })).map(({ roles }) => roles);

test('--plan makes no join token; apply prints it once, apart from the rest; again it does nothing', async () => {
  const path = file(
    'once',
    'networks:\n  one: { joinTokens: { hosts: { uses: 3 }, spare: {} } }\n',
  );
  const planned = await loom(['apply', path, '--plan']);
  expect(planned.stdout).toContain('+ join token hosts in one (3 uses)');
  expect(planned.stdout).not.toMatch(TOKEN);
  expect(await tokens('hosts')).toEqual([]);
  const run = await loom(['apply', path]);
  expect(run).toMatchObject({ status: 0, stderr: '' });
  const [before = '', section = ''] = run.stdout.split('Join tokens, each shown this once');
  expect(before).not.toMatch(TOKEN);
  const [hosts = '', spare = '', ...others] = section.match(TOKEN) ?? [];
  expect(others).toEqual([]);
  expect(decodeJoinToken(hosts)).toMatchObject({ networkName: 'one' });
  expect(await tokens('hosts')).toMatchObject([{ id: decodeJoinToken(hosts).tokenId, uses: 3 }]);
  await joinHost(controller.client(), spare, 'spare');
  for (const options of [[], ['--prune'], ['--plan', '--prune']]) {
    const again = await loom(['apply', path, ...options]);
    expect(again.stdout).not.toMatch(TOKEN);
    expect(again.stdout).toContain('Everything is as the files say.');
  }
  const list = await loom(['token', 'list']);
  expect(list.stdout).toMatch(/one +3 of 3 .* hosts\n/);
});

test('an export has labels, and no secret; applied to its organization it changes nothing', async () => {
  const made = await apply(file('e', 'networks:\n  exp: { joinTokens: { hosts: { uses: 3 } } }\n'));
  await loom(['token', 'create', '--network', 'exp']);
  const { stdout } = await loom(['export']);
  expect(stdout).toMatch(/hosts:\n +uses: 3\n +lifetimeSeconds: 3600\n +offlineOk: false\n/);
  expect(stdout).not.toMatch(TOKEN);
  expect(stdout).not.toContain(decodeJoinToken(made.joinTokens[0]?.token ?? '').secret);
  const again = await apply(controller.write('export.yaml', stdout), '--prune');
  expect(again).toMatchObject({ steps: [], done: 0, joinTokens: [] });
  expect((await collect(controller.client(), 'tokenList')).some(({ label }) => !label)).toBe(true);
});

test('with --json the token is in the object, and in nothing else', async () => {
  const path = file('json', 'networks:\n  json: { joinTokens: { hosts-json: {} } }\n');
  const { joinTokens, steps } = await apply(path);
  expect(joinTokens).toMatchObject([{ label: 'hosts-json', token: expect.stringMatching(TOKEN) }]);
  expect(JSON.stringify(steps)).not.toMatch(TOKEN);
});

test('a step that fails after a join token was made: the token is shown nevertheless', async () => {
  const path = file(
    'fails',
    'networks:\n  fails: { ipv4: null, ipv6: null, joinTokens: { a-first: {}, b-none: { offlineOk: true } } }\n',
  );
  const run = await loom(['apply', path, '--json']);
  expect(run.status).toBe(1);
  expect(JSON.parse(run.stdout)).toMatchObject({ done: 2, joinTokens: [{ label: 'a-first' }] });
  expect(JSON.parse(run.stderr)).toMatchObject({
    error: { message: expect.stringContaining('needs an address pool') },
  });
  expect(run.stderr).not.toMatch(TOKEN);
});

test('addresses that are kept for holders of tokens are no matter of files', async () => {
  const client = controller.client();
  await client.call('networkCreate', { body: { name: 'kept', ipv4: '10.77.0.0/24' } });
  const params = { network: 'kept' };
  const held = await client.call('reservationCreate', {
    params,
    body: { address: '10.77.0.9', note: voucherNote(`tok_${'0'.repeat(20)}`) },
  });
  expect((await loom(['export'])).stdout).not.toContain('10.77.0.9');
  const networks = (await collect(client, 'networkList')).map(({ name }) => `  ${name}: {}\n`);
  const others = networks.filter((line) => line !== '  kept: {}\n').join('');
  await apply(file('kept', `networks:\n  kept: { reservations: [] }\n${others}`), '--prune');
  expect(await collect(client, 'reservationList', { params })).toEqual([held]);
});

test('a token that differs is replaced: the former is good no more', async () => {
  const [first] = (
    await apply(file('d', 'networks:\n  diff: { joinTokens: { many: { uses: 2 } } }\n'))
  ).joinTokens;
  const path = file('d', 'networks:\n  diff: { joinTokens: { many: { uses: 9 } } }\n');
  const planned = await loom(['apply', path, '--plan']);
  expect(planned.stdout).toMatch(/~ join token many in diff \(replace: uses: 2 -> 9;/);
  const [second] = (await apply(path)).joinTokens;
  expect(await tokens('many')).toMatchObject([{ uses: 9 }]);
  const client = controller.client();
  const late = joinHost(client, first?.token ?? '', 'late');
  await expect(late).rejects.toMatchObject({ code: 'token_invalid' });
  await joinHost(client, second?.token ?? '', 'early');
  expect((await apply(path)).steps).toEqual([]);
});

test('a token that is used up, or has expired, is made again only when that is asked for', async () => {
  const path = file(
    'over',
    'networks:\n  over: { joinTokens: { used: {}, old: { lifetimeSeconds: 1 } } }\n',
  );
  const { joinTokens } = await apply(path);
  const used = joinTokens.find(({ label }) => label === 'used')?.token ?? '';
  await joinHost(controller.client(), used, 'one');
  const deadline = Date.now() + DEADLINE_MS;
  let left = await apply(path);
  while (left.notes.length < 2 && Date.now() < deadline) left = await apply(path);
  expect(left).toMatchObject({
    steps: [],
    notes: [
      expect.stringMatching(/"used" in network "over" is used up: --renew-tokens/),
      expect.stringMatching(/"old" in network "over" has expired: --renew-tokens/),
    ],
  });
  const renewed = await apply(path, '--renew-tokens');
  expect(renewed.joinTokens.map(({ label }) => label)).toEqual(['used', 'old']);
  expect(await tokens('used')).toMatchObject([{ usesLeft: 1 }]);
});

test('tokens that the files do not name go with --prune alone, those without a label never', async () => {
  await apply(file('p', 'networks:\n  prune: { joinTokens: { keep: {}, drop: {} } }\n'));
  const bare = JSON.parse(
    (await loom(['token', 'create', '--network', 'prune', '--json'])).stdout,
  ) as { id: string }; // joinTokenCreatedSchema
  const others = (await collect(controller.client(), 'networkList')).map(({ name }) => name);
  const rest = others.filter((name) => name !== 'prune').map((name) => `  ${name}: {}\n`);
  const path = file('p', `networks:\n  prune: { joinTokens: { keep: {} } }\n${rest.join('')}`);
  expect((await apply(path)).steps).toEqual([]);
  expect((await apply(path, '--prune')).steps).toMatchObject([{ kind: 'join_token.delete' }]);
  expect(await tokens('drop')).toEqual([]);
  expect(await tokens('keep')).toHaveLength(1);
  const ids = (await collect(controller.client(), 'tokenList')).map(({ id }) => id);
  expect(ids).toContain(bare.id);
});

test('a file with a thousand join tokens is refused before anything is made', async () => {
  const declared = Array.from({ length: 1_000 }, (_, i) => `      t${i}: {}\n`).join('');
  const run = await loom([
    'apply',
    file('t', `networks:\n  thousand:\n    joinTokens:\n${declared}`),
  ]);
  expect(run).toMatchObject({ status: 1, stdout: '' });
  expect(run.stderr).toContain('"uses: 1000" lets as many hosts in');
  expect((await loom(['network', 'show', 'thousand'])).status).toBe(1);
});

test('roles of users become those of the file, in an order in which somebody always owns', async () => {
  await makeUser('anna', 'owner');
  await makeUser('ben', 'admin');
  const path = file('users', 'users:\n  anna: { roles: [auditor] }\n  ben: { roles: [owner] }\n');
  expect((await loom(['apply', path, '--plan'])).stdout).toContain(
    '~ roles of user anna (owner -> auditor)',
  );
  expect(await rolesOf('anna')).toEqual([['owner']]);
  expect(await apply(path)).toMatchObject({ done: 2 });
  expect([await rolesOf('anna'), await rolesOf('ben')]).toEqual([[['auditor']], [['owner']]]);
  expect((await apply(path)).steps).toEqual([]);
  expect(JSON.parse((await loom(['export', '--json'])).stdout).users).toMatchObject({
    anna: { roles: ['auditor'] },
    ben: { roles: ['owner'] },
  });
});

test('who is not there, the last owner, and who applies: refused, with nothing done', async () => {
  await makeUser('olga', 'owner');
  const olga = await logIn('olga');
  const both = (users: string): string => file('no', `networks:\n  never: {}\nusers:\n${users}`);
  const refused = async (run: Run, message: string): Promise<void> => {
    expect(run).toMatchObject({ status: 1, stdout: '' });
    expect(run.stderr).toContain('nothing was changed');
    expect(run.stderr).toContain(message);
    expect((await loom(['network', 'show', 'never'])).status).toBe(1);
  };
  await refused(await loom(['apply', both('  zoe: { roles: [member] }\n')]), 'user create zoe');
  const none = both('  olga: { roles: [] }\n  ben: { roles: [admin] }\n');
  await refused(await loom(['apply', none]), 'without an owner');
  const self = both('  olga: { roles: [owner, admin] }\n');
  await refused(await loom(['apply', self], olga), 'user "olga", who applies it');
  const pruned = both('  ben: {}\n');
  await refused(await loom(['apply', pruned, '--prune'], olga), 'user "olga", who applies it');
  expect(await rolesOf('olga')).toEqual([['owner']]);
});

test('a file needs the permissions for what it speaks of, and no others', async () => {
  const client = controller.client();
  await client.call('networkCreate', { body: { name: 'shared' } });
  const { token } = await client.call('apiTokenCreate', { body: { name: 'ci', role: 'operator' } });
  const operator = { LOOM_TOKEN: token };
  const path = file('ci', 'networks:\n  shared: { joinTokens: { ci: {} } }\n');
  expect(await loom(['apply', path], operator)).toMatchObject({ status: 0, stderr: '' });
  const users = await loom(['apply', file('u', 'users: {}\n'), '--json'], operator);
  expect(users.status).toBe(1);
  expect(JSON.parse(users.stderr)).toMatchObject({
    error: { code: 'forbidden', message: expect.stringContaining('user:read') },
  });
  const exported = await loom(['export'], operator);
  expect(exported.status).toBe(0);
  expect(exported.stderr).toMatch(/users are left out: .*user:read/);
  expect(exported.stdout).toContain('ci:');
  expect(exported.stdout).not.toContain('users:');
});

test('a file of another organization changes that which is named, and no other', async () => {
  await loom(['organization', 'create', 'acme']);
  await makeUser('xaver', 'owner', '--organization', 'acme');
  const xaver = await logIn('xaver', 'acme');
  const all = (await loom(['export', '--organization', 'default'])).stdout;
  const path = controller.write('default.yaml', all);
  const elsewhere = await loom(['apply', path, '--prune', '--organization', 'default'], xaver);
  expect(elsewhere).toMatchObject({ status: 1, stdout: '' });
  expect(elsewhere.stderr).toMatch(/no organization|lacks the permission|not found/);
  const users = await loom(['apply', path], xaver);
  expect(users.stderr).toContain('does not exist in this organization');
  const networks = controller.write('networks.yaml', all.replace(/^users:\n(?: .*\n)*/m, ''));
  const run = await loom(['apply', networks, '--json'], xaver);
  expect(run.status).toBe(0);
  const there = await loom(['export', '--json'], xaver);
  expect(Object.keys(JSON.parse(there.stdout).networks)).toContain('shared');
  expect((await loom(['export', '--organization', 'default'])).stdout).toBe(all);
  await loom(['apply', file('gone', 'networks: {}\n'), '--prune'], xaver);
  expect((await loom(['export', '--organization', 'default'])).stdout).toBe(all);
});

test('killed between two changes, the next apply goes on, and makes nothing twice', async () => {
  const labels = Array.from({ length: 90 }, (_, i) => `killed-${i}`);
  const declared = labels.map((label) => `      ${label}: {}\n`).join('');
  const path = file('kill', `networks:\n  kill-2: {}\n  kill-1:\n    joinTokens:\n${declared}`);
  const options = ['--organization', 'default'];
  for (const last of ['+ network kill-2', '+ join token killed-0 ']) {
    const running = controller.start(['apply', path, ...options]);
    const ended = new Promise((resolve) => running.once('exit', (_, signal) => resolve(signal)));
    await firstLine(running, (line) => line.startsWith(last));
    running.kill('SIGKILL');
    expect(await ended).toBe('SIGKILL');
  }
  expect((await apply(path, ...options)).done).toBeGreaterThan(0);
  const made = await collect(controller.client(), 'tokenList', { query: { network: 'kill-1' } });
  expect(made).toHaveLength(labels.length);
  expect(new Set(made.map(({ label }) => label))).toEqual(new Set(labels));
  expect(await apply(path, ...options)).toMatchObject({ steps: [], done: 0 });
});
