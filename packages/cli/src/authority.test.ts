/**
 * `loom authority`, `loom network set`, `loom token` as child processes against a real controller:
 * the ways of an organization that keeps its keys elsewhere, and a controller that lies to signers.
 */
import { chmod, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Client, PendingStatement } from '@etherloom/api';
import { collect } from '@etherloom/api';
import { describePending } from './authority/describe.ts';
import { readVersions } from './authority/view.ts';
import type { ControllerProcess, Run } from './testing/controller-process.ts';
import { joinHost, startController } from './testing/controller-process.ts';

/** Each test runs up to ten programs, one after the other. */
vi.setConfig({ testTimeout: 120_000 });

let directory: string;
let controller: ControllerProcess;
let client: Client;

beforeAll(async () => {
  controller = await startController();
  ({ directory } = controller);
  client = controller.client();
});
afterAll(() => controller.stop());

const loom = (...args: string[]): Promise<Run> => controller.loom(args);

/** Runs, and fails the test with what was printed when it fails. */
async function done(...args: string[]): Promise<string> {
  const run = await loom(...args);
  expect(run, `${args.join(' ')}\n${run.stdout}${run.stderr}`).toMatchObject({ status: 0 });
  return run.stdout;
}

async function joinNode(network: string, name: string): Promise<void> {
  const { token } = await client.call('tokenCreate', { body: { network } });
  await joinHost(client, token, name);
}

let counter = 0;
/** An organization with a network "N" of its own and a member. */
async function makeOrganization(): Promise<{ org: string; network: string; out: string }> {
  counter += 1;
  const name = `org-${counter}`;
  const { id } = await client.call('organizationCreate', { body: { name } });
  const network = `net-${counter}`;
  await client.call('networkCreate', { body: { name: network, organizationId: id } });
  await joinNode(network, `web-${counter}`);
  return { org: name, network, out: join(directory, name) };
}

async function keysIn(out: string, purpose: string): Promise<string[]> {
  const names = await readdir(out);
  return names
    .filter((name) => name.includes(`-${purpose}-`))
    .map((name) => join(out, name))
    .toSorted();
}

const pendingOf = async (organization: string): Promise<PendingStatement[]> =>
  collect(client, 'authorityPending', { params: { organization } });

async function untilPending(organization: string): Promise<void> {
  const deadline = AbortSignal.timeout(10_000);
  while ((await pendingOf(organization)).length === 0)
    if (deadline.aborted) throw new Error('nothing waits');
}

test('a fresh organization holds its key in the controller; init makes a recovery key', async () => {
  const { org, out } = await makeOrganization();
  expect(await done('authority', 'show', '--organization', org)).toMatch(/held[\s\S]*none: loom/);
  const made = await done('authority', 'init', '--organization', org, '--out', out);
  expect(made).toMatch(/Version 2 .* is in force; custody: held/);
  const [file] = await keysIn(out, 'recovery');
  expect((await stat(file ?? '')).mode & 0o777).toBe(0o600);
  expect(await keysIn(out, 'authority')).toEqual([]);
  const again = await loom('authority', 'init', '--organization', org, '--out', out);
  expect(again).toMatchObject({ status: 2, stderr: expect.stringContaining('--recovery-keys N') });
  expect(await done('authority', 'rotate', '--organization', org)).toContain('Version 3');
});

test('recovery keys are replaced by the former ones alone, and else kept', async () => {
  const { org, out } = await makeOrganization();
  const given = ['--organization', org, '--out', out];
  const two = ['--recovery-keys', '2', '--recovery-threshold', '1'];
  await done('authority', 'init', ...given, ...two);
  const [first = '', spare = ''] = await keysIn(out, 'recovery');
  const other = ['--recovery-keys', '1'];
  for (const command of ['init', 'rotate']) {
    const alone = await loom('authority', command, ...given, ...other);
    expect(alone).toMatchObject({ status: 1, stderr: expect.stringContaining('--recovery-key') });
  }
  expect(await keysIn(out, 'recovery'), 'nothing was made').toEqual([first, spare]);
  const proved = ['--recovery-key', first];
  expect(await done('authority', 'init', ...given, ...other, ...proved)).toContain('Version 3');
  const [, , second = ''] = await keysIn(out, 'recovery');
  const spent = await loom('authority', 'rotate', ...given, ...other, ...proved);
  expect(spent.status).toBe(1);
  expect(await done('authority', 'init', '--offline', ...given)).toContain('Version 4');
  expect(await keysIn(out, 'recovery'), 'kept at the hand-over').toEqual([first, spare, second]);
  const recovered = ['authority', 'recover', '--recovery-key', second, '--held'];
  expect(await done(...recovered, '--organization', org)).toContain('Version 5');
});

test('offline: what waits is shown in words, signed, and in force', async () => {
  const { org, network, out } = await makeOrganization();
  const given = ['--organization', org];
  const made = await done('authority', 'init', '--offline', ...given, '--out', out);
  expect(made).toContain('custody: offline');
  const [key = ''] = await keysIn(out, 'authority');
  expect(made).toContain('Signed 3 statements in force.');
  expect(await done('authority', 'pending', ...given)).toContain('Nothing waits.');

  await joinNode(network, `db-${org}`);
  await done('network', 'set', network, '--clones', 'reject', '--staleness-days', '60');
  const waiting = await done('authority', 'pending', ...given);
  expect(waiting).toContain(`node db-${org} becomes a member of ${network}`);
  expect(waiting).toMatch(/clones: split -> reject/);
  expect(waiting).toMatch(/staleness days: 30 -> 60/);
  expect(waiting).toMatch(/roster of .* 2 members, 0 revocations/);
  expect(waiting).not.toContain('warning');
  expect(await done('network', 'show', network)).toContain('waits for a signature');

  expect(await done('network', 'show', network)).toMatch(/Waiting +changes to be signed/);
  const unasked = await loom('authority', 'sign', '--key', key);
  expect(unasked).toMatchObject({ status: 1, stderr: expect.stringContaining('--yes') });
  expect(await done('authority', 'sign', '--key', key, '--yes')).toContain('Signed 3 statements');
  expect(await done('network', 'show', network)).not.toContain('waits for a signature');
  expect(await done('authority', 'sign', '--key', key, '--yes')).toContain('Nothing waits');
});

test('two of three holders sign one after the other; a third is locked out and replaced', async () => {
  const { org, network, out } = await makeOrganization();
  const given = ['--organization', org];
  const many = ['--keys', '3', '--threshold', '2', '--out', out];
  await done('authority', 'init', '--offline', ...given, ...many);
  const [a = '', b = '', c = ''] = await keysIn(out, 'authority');
  await joinNode(network, `db-${org}`);
  expect(await done('authority', 'sign', '--key', a, '--yes')).toContain('2 statements waiting');
  expect(await done('authority', 'sign', '--key', a, '--yes')).toContain('of this key');
  expect(await done('authority', 'sign', '--key', b, '--yes')).toContain('nothing waits');

  const { publicKey } = JSON.parse(await readFile(c, 'utf8')) as { publicKey: string }; // its form
  const replace = ['--drop', publicKey, '--add', '1', '--key', a, '--out', out];
  expect(await done('authority', 'rotate', ...replace)).toContain('waits for further signatures');
  expect(await done('authority', 'pending', ...given)).toContain(`- key ${publicKey}`);
  expect(await done('authority', 'sign', '--key', b, '--yes')).toContain('Signed 1 statement');
  await untilPending(org);
  expect(await done('authority', 'pending', ...given)).toMatch(
    /4 statements in force, to be signed/,
  );
  const early = await loom(
    'authority',
    'rotate',
    '--add',
    '1',
    '--key',
    a,
    '--key',
    b,
    '--out',
    out,
  );
  expect(early).toMatchObject({ status: 1, stderr: expect.stringContaining('not yet signed') });
  const refused = await loom('authority', 'sign', '--key', c, '--yes');
  expect(refused.stdout).toContain('Nothing waits for a signature of this key');
  const fresh = (await keysIn(out, 'authority')).find((path) => path.includes('-v3-')) ?? '';
  expect(await done('authority', 'sign', '--key', a, '--key', fresh, '--yes')).toContain(
    'nothing waits',
  );
});

test('a lost key is recovered with the recovery key, to offline and to held', async () => {
  const { org, network, out } = await makeOrganization();
  const given = ['--organization', org];
  await done('authority', 'init', '--offline', ...given, '--out', out);
  const [lost = ''] = await keysIn(out, 'authority');
  const [recovery = ''] = await keysIn(out, 'recovery');
  await rm(lost);
  const recovered = ['authority', 'recover', '--recovery-key', recovery];
  expect(await done(...recovered, '--keys', '1', '--out', out)).toContain('Version 3');
  const [key = ''] = await keysIn(out, 'authority');
  await untilPending(org);
  await done('authority', 'sign', '--key', key, '--yes');
  const handed = await done(...recovered, '--held', '--recovery-keys', '1', '--out', out);
  expect(handed).toMatch(/Version 4 .* custody: held/);
  const spent = await loom(...recovered, '--held');
  expect(spent).toMatchObject({ status: 1, stderr: expect.stringContaining('is no recovery key') });
  await joinNode(network, `late-${org}`);
  expect(await done('network', 'show', network)).not.toContain('waits');
  const foreign = await loom('authority', 'recover', '--recovery-key', key, '--held');
  expect(foreign).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('is no recovery key'),
  });
});

test('a key file under a passphrase needs it, and nothing private is in it', async () => {
  const { org, network, out } = await makeOrganization();
  const passphrase = join(directory, 'passphrase');
  await writeFile(passphrase, 'a long enough phrase\n', { mode: 0o600 });
  const sealed = ['--passphrase-file', passphrase];
  await done('authority', 'init', '--offline', '--organization', org, '--out', out, ...sealed);
  const [key = ''] = await keysIn(out, 'authority');
  expect(JSON.parse(await readFile(key, 'utf8'))).toMatchObject({ privateKey: null });
  await joinNode(network, `db-${org}`);
  const without = await loom('authority', 'sign', '--key', key, '--yes');
  expect(without).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('--passphrase-file'),
  });
  const wrong = join(directory, 'wrong');
  await writeFile(wrong, 'another long phrase\n', { mode: 0o600 });
  const refused = await loom(
    'authority',
    'sign',
    '--key',
    key,
    '--passphrase-file',
    wrong,
    '--yes',
  );
  expect(refused.stderr).toContain('does not open');
  await done('authority', 'sign', '--key', key, ...sealed, '--yes');
});

test('key files that others may read, that are damaged or of elsewhere are refused', async () => {
  const { org, out } = await makeOrganization();
  await done('authority', 'init', '--offline', '--organization', org, '--out', out);
  const [key = ''] = await keysIn(out, 'authority');
  const signWith = async (path: string, ...more: string[]) =>
    (await loom('authority', 'sign', '--key', path, '--yes', ...more)).stderr;
  expect(await signWith(key, '--organization', 'default')).toContain('is a key of organization');
  await chmod(key, 0o644);
  expect(await signWith(key)).toContain('chmod 600');
  await writeFile(
    key,
    (await readFile(key, 'utf8')).replace('"privateKey": "', '"privateKey": "AA'),
  );
  await chmod(key, 0o600);
  expect(await signWith(key)).toContain('damaged');
  expect(await signWith(join(directory, 'none'))).toContain('cannot be read');
});

describe('a controller that lies to who signs', () => {
  async function waiting() {
    const { org, network, out } = await makeOrganization();
    await done('authority', 'init', '--offline', '--organization', org, '--out', out);
    await joinNode(network, `new-${org}`);
    const view = await client.call('authorityShow', { params: { organization: org } });
    return { items: await pendingOf(org), authority: readVersions(view), network };
  }

  const otherName = (items: readonly PendingStatement[]): string =>
    (items.find(({ kind }) => kind === 'credential')?.network?.statement ?? '').replace(
      /"name":"[^"]+"/,
      '"name":"another"',
    );

  test('is caught where texts, hashes and kinds do not fit together', async () => {
    const { items, authority } = await waiting();
    expect(describePending(items, authority).flatMap(({ warnings }) => warnings)).toEqual([]);
    const change = (kind: string, changes: Partial<PendingStatement>): PendingStatement[] =>
      items.map((item) => (item.kind === kind ? { ...item, ...changes } : item));
    const roster = items.find(({ kind }) => kind === 'roster');
    if (!roster?.roster || !roster.held) throw new Error('no roster waits');
    const lies: [lie: PendingStatement[], reason: RegExp][] = [
      [change('credential', { statement: roster.statement }), /hash is that of another text/],
      [change('credential', { kind: 'network' }), /it is a credential, shown as a network/],
      [change('roster', { roster: null }), /not those that it commits to/],
      [
        change('roster', { roster: { ...roster.roster, credentials: [] } }),
        /not those that it commits to/,
      ],
      [
        change('roster', { roster: { ...roster.roster, heldCredentials: [] } }),
        /not those of the roster in force/,
      ],
      [
        change('roster', { held: { ...roster.held, statement: roster.statement } }),
        /in force in its place is not signed/,
      ],
      [
        change('credential', { network: { statement: otherName(items), signatures: [] } }),
        /the network in force is not signed/,
      ],
      [change('roster', { network: roster.held }), /the network in force is something else/],
    ];
    for (const [lie, reason] of lies) expect(() => describePending(lie, authority)).toThrow(reason);
  });

  test('gives no network another name than the one that was signed', async () => {
    const { items, authority, network } = await waiting();
    const titles = (lie: Partial<PendingStatement>): string =>
      describePending(
        items.map((item) => ({ ...item, ...lie })),
        authority,
      )
        .map(({ title }) => title)
        .join('\n');
    const renamed = titles({ networkName: 'another' });
    expect(renamed).not.toContain('another');
    expect(renamed).toMatch(new RegExp(`becomes a member of ${network}$`, 'm'));
    expect(renamed).toContain(`roster of ${network}, version`);
    const unproved = titles({ networkName: 'another', network: null });
    expect(unproved).toMatch(/member of net_\w+ \(called "another" by the controller alone\)/);
  });

  test('is shown to add what it does not show', async () => {
    const { items, authority } = await waiting();
    const hidden = items.filter(({ kind }) => kind === 'roster');
    expect(describePending(hidden, authority).flatMap(({ warnings }) => warnings)).toEqual([
      'it adds 1 credentials that are not shown here',
    ]);
  });
});

test('tokens are listed and revoked', async () => {
  const { network } = await makeOrganization();
  const { id } = await client.call('tokenCreate', { body: { network, uses: 3 } });
  expect(await done('token', 'list')).toMatch(new RegExp(`${id} +${network} +3 of 3`));
  expect(await done('token', 'revoke', id)).toContain('Revoked');
  expect((await loom('token', 'revoke', id)).stderr).toContain('no join token has the id');
});

test.each([
  [['network', 'set', 'x'], 'name a setting'],
  [['network', 'set', 'x', '--clones', 'none'], 'Allowed choices are reject, replace, split'],
  [['network', 'set', 'x', '--staleness-days', '0'], 'from 1 to 3650'],
  [['authority', 'sign'], '--key'],
  [['authority', 'init', '--keys', '2'], '--offline'],
  [['authority', 'rotate', '--held', '--keys', '1'], 'exclude each other'],
  [['authority', 'rotate', '--drop', 'x'], 'must be 32 bytes'],
])('%j is a usage error', async (args, message) => {
  const run = await loom(...args);
  expect(run).toMatchObject({ status: 2, stdout: '' });
  expect(run.stderr).toContain(message);
});
