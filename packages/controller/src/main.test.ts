/** The program as a process: ready line, refusals to start, signals, kill -9. */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Client } from '@etherloom/api';
import {
  makeClient,
  makeDataDirectory,
  makeJoinRequest,
  makeNode,
} from './testing/controller-fixture.ts';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));
const readySchema = z.strictObject({
  ready: z.literal(true),
  url: z.url(),
  joinUrls: z.array(z.url()),
  tlsFingerprint: z.string(),
  pid: z.int(),
  adminTokenFile: z.string(),
  tlsCertificateFile: z.string(),
});

let data: string;
const running = new Set<ChildProcess>();
beforeEach(() => {
  data = makeDataDirectory();
});
afterEach(async () => {
  for (const child of running) {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
  running.clear();
  rmSync(data, { recursive: true, force: true });
});

interface Program {
  readonly child: ChildProcess;
  readonly out: () => string;
  readonly err: () => string;
  readonly exited: Promise<number | null>;
}

function run(...args: string[]): Program {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const exited = once(child, 'close').then(([code]) => code as number | null); // of `close`
  return { child, out: () => out, err: () => err, exited };
}

interface Served extends Program {
  readonly ready: z.infer<typeof readySchema>;
  readonly client: Client;
}

async function serve(...args: string[]): Promise<Served> {
  const program = run('--data', data, '--listen', '127.0.0.1:0', '--json', ...args);
  while (!program.out().includes('\n')) {
    const ended = await Promise.race([
      once(program.child.stdout as NodeJS.ReadableStream, 'data').then(() => false),
      program.exited.then(() => true),
    ]); // a pipe, by stdio
    if (ended) throw new Error(`it did not start: ${program.err()}`);
  }
  const ready = readySchema.parse(JSON.parse(program.out()));
  return {
    ...program,
    ready,
    client: makeClient({ ...ready }, readFileSync(ready.adminTokenFile, 'utf8').trim()),
  };
}

test('the ready line tells what a script needs, and the files are readable by their owner alone', async () => {
  const { ready, client, child } = await serve();
  expect(ready.pid).toBe(child.pid);
  expect(await client.call('health')).toEqual({ status: 'ok', version: '0.1.0' });
  expect(statSync(data).mode & 0o777).toBe(0o700);
  for (const file of ['admin.token', 'tls.key', 'tls.crt', 'controller.db', 'authority.kek']) {
    expect(statSync(join(data, file)).mode & 0o777, file).toBe(0o600);
  }
});

test.each(['SIGTERM', 'SIGINT'] as const)(
  '%s ends it with status 0, and what it knew is there at the next start',
  async (signal) => {
    const first = await serve();
    await first.client.call('networkCreate', { body: { name: 'kept' } });
    first.child.kill(signal);
    expect(await first.exited).toBe(0);
    const second = await serve();
    expect(second.ready.tlsFingerprint).toBe(first.ready.tlsFingerprint);
    expect((await second.client.call('networkList')).items.map((network) => network.name)).toEqual([
      'kept',
    ]);
  },
);

test('a wrong sealing key is told in one sentence, and the right one starts it again', async () => {
  const first = await serve();
  first.child.kill('SIGTERM');
  await first.exited;
  const wrong = join(data, 'wrong.key');
  writeFileSync(wrong, `${'A'.repeat(43)}\n`, { mode: 0o600 });
  const refused = run('--data', data, '--authority-key-file', wrong);
  expect(await refused.exited).toBe(1);
  expect(refused.err()).toMatch(/^loom controller: .*wrong\.key is not the key file[^\n]*\n$/);
  const both = run('--data', data, '--authority-key-file', 'a', '--authority-passphrase-file', 'b');
  expect(await both.exited).toBe(2);
  const kept = join(data, 'authority.kek');
  const again = await serve('--authority-key-file', kept);
  expect(await again.client.call('health')).toMatchObject({ status: 'ok' });
});

test('kill -9 under load loses no acknowledged write and needs no repair', async () => {
  let acknowledged: string[] = [];
  for (let round = 0; round < 3; round += 1) {
    const { child, client, exited } = await serve();
    if (round === 0)
      await client.call('networkCreate', { body: { name: 'demo', ipv4: '10.0.0.0/16' } });
    const { items } = await client.call('memberList', { params: { network: 'demo' } });
    expect(items.map((member) => member.nodeId)).toEqual(expect.arrayContaining(acknowledged));
    const { token } = await client.call('tokenCreate', { body: { network: 'demo', uses: 500 } });
    const joins = Array.from({ length: 60 }, async () => {
      const node = makeNode();
      await client.call('join', { body: makeJoinRequest(node, token) });
      acknowledged = [...acknowledged, node.id];
      if (acknowledged.length % 20 === 0) child.kill('SIGKILL');
    });
    await Promise.allSettled(joins);
    child.kill('SIGKILL');
    await exited;
  }
  const { client } = await serve();
  const { items } = await client.call('memberList', { params: { network: 'demo' } });
  expect(items.map((member) => member.nodeId)).toEqual(expect.arrayContaining(acknowledged));
  expect(acknowledged.length).toBeGreaterThanOrEqual(20);
  expect(new Set(items.flatMap((member) => member.addresses)).size).toBe(items.length * 2);
}, 60_000);

test('a first start that was cut short is begun again', async () => {
  const other = await serve();
  other.child.kill('SIGKILL');
  await other.exited;
  for (const file of ['controller.db', 'controller.db-wal', 'controller.db-shm', 'tls.crt']) {
    rmSync(join(data, file), { force: true });
  }
  writeFileSync(join(data, 'controller.db.unfinished'), 'half');
  writeFileSync(join(data, 'tls.crt.unfinished'), 'half');
  const { client } = await serve();
  expect((await client.call('organizationList')).items.map((row) => row.name)).toEqual(['default']);
});

test('no secret is in the log', async () => {
  const { client, err, ready, child, exited } = await serve('--log-level', 'debug');
  await client.call('networkCreate', { body: { name: 'demo' } });
  const { token } = await client.call('tokenCreate', { body: { network: 'demo' } });
  const body = makeJoinRequest(makeNode(), token);
  await client.call('join', { body });
  await expect.poll(err, { timeout: 10_000 }).toContain('/v1/join');
  child.kill('SIGTERM');
  await exited;
  for (const secret of [readFileSync(ready.adminTokenFile, 'utf8').trim(), body.secret, token])
    expect(err()).not.toContain(secret);
});

test('the set-up code is printed for people, and in neither the ready line of scripts nor the log', async () => {
  const served = await serve('--log-level', 'debug');
  const code = readFileSync(join(data, 'setup.code'), 'utf8').trim();
  expect(code).toMatch(/^([2-9a-z]{5}-){3}[2-9a-z]{5}$/);
  expect(served.out() + served.err()).not.toContain(code);
  served.child.kill('SIGTERM');
  await served.exited;
  const program = run('--data', data, '--listen', '127.0.0.1:0');
  while (!program.out().includes('log in with'))
    await once(program.child.stdout as NodeJS.ReadableStream, 'data'); // a pipe, by stdio
  expect(program.out()).toContain(code);
  expect(program.err()).not.toContain(code);
});

describe('it does not start', () => {
  async function refusal(
    ...args: string[]
  ): Promise<{ code: string; message: string; exit: number | null }> {
    const program = run(...args, '--json');
    const exit = await program.exited;
    const { error } = z
      .object({ error: z.object({ code: z.string(), message: z.string() }) })
      .parse(JSON.parse(program.err()));
    expect(program.out()).toBe('');
    return { ...error, exit };
  }
  const here = () => ['--data', data, '--listen', '127.0.0.1:0'];

  test('twice on one directory', async () => {
    await serve();
    expect(await refusal(...here())).toMatchObject({
      code: 'data_directory_in_use',
      exit: 1,
      message: expect.stringContaining(data),
    });
  });

  test('on a port that is in use', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo; // a TCP server has one
    expect(await refusal('--data', data, '--listen', `127.0.0.1:${port}`)).toMatchObject({
      code: 'listen_failed',
      exit: 1,
      message: expect.stringContaining(`port ${port}`),
    });
    other.close();
  });

  test('on an address of another host', async () => {
    expect(await refusal('--data', data, '--listen', '192.0.2.1:8443')).toMatchObject({
      code: 'listen_failed',
      exit: 1,
    });
  });

  test.each([
    ['admin.token', 'admin_token_invalid'],
    ['tls.key', 'tls_invalid'],
    ['tls.crt', 'tls_invalid'],
    ['controller.db', 'database_corrupt'],
  ])('with a garbled %s, which stays as it is', async (file, code) => {
    const first = await serve();
    first.child.kill('SIGTERM');
    await first.exited;
    const path = join(data, file);
    writeFileSync(path, 'garbled');
    const refused = await refusal(...here());
    expect(refused).toMatchObject({ code, exit: 1, message: expect.stringContaining(path) });
    expect(refused.message).toMatch(/restore/i);
    expect(readFileSync(path, 'utf8')).toBe('garbled');
  });

  test.each(['tls.key', 'tls.crt'])('without %s, and does not make another', async (file) => {
    const first = await serve();
    first.child.kill('SIGTERM');
    await first.exited;
    rmSync(join(data, file));
    expect(await refusal(...here())).toMatchObject({
      code: 'tls_invalid',
      exit: 1,
      message: expect.stringContaining(file),
    });
    expect(existsSync(join(data, file))).toBe(false);
  });

  test('with a database that another program holds, and does not call it damaged', async () => {
    const first = await serve();
    first.child.kill('SIGTERM');
    await first.exited;
    const holder = new DatabaseSync(join(data, 'controller.db'));
    holder.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
    const refused = await refusal(...here());
    holder.close();
    expect(refused).toMatchObject({ code: 'data_directory_invalid', exit: 1 });
    expect(refused.message).toMatch(/another program holds it/);
  });

  test('with a file that cannot be written, and names it', async () => {
    mkdirSync(join(data, 'admin.token.unfinished', 'x'), { recursive: true });
    const refused = await refusal(...here());
    expect(refused).toMatchObject({ code: 'data_directory_invalid', exit: 1 });
    expect(refused.message).toMatch(/admin\.token cannot be written/);
  });

  test('where nobody can make a directory', async () => {
    const refused = await refusal('--data', '/proc/etherloom/data');
    expect(refused).toMatchObject({ code: 'data_directory_invalid', exit: 1 });
  });

  test('with a key that belongs to another certificate', async () => {
    const first = await serve();
    first.child.kill('SIGTERM');
    await first.exited;
    const other = makeDataDirectory();
    const second = run('--data', other, '--listen', '127.0.0.1:0', '--json');
    await once(second.child.stdout as NodeJS.ReadableStream, 'data'); // a pipe, by stdio
    writeFileSync(join(data, 'tls.key'), readFileSync(join(other, 'tls.key')));
    rmSync(other, { recursive: true });
    expect(await refusal(...here())).toMatchObject({ code: 'tls_invalid', exit: 1 });
  });

  test('where the data directory is a file', async () => {
    const path = join(data, 'file');
    writeFileSync(path, '');
    expect(await refusal('--data', path)).toMatchObject({
      code: 'data_directory_invalid',
      exit: 1,
    });
  });

  test.each([
    [[]],
    [['--data']],
    [['--data', 'x', '--nonsense']],
    [['--data', 'x', 'word']],
    [['--data', 'x', '--listen', 'nowhere']],
    [['--data', 'x', '--listen', '127.0.0.1:99999']],
    [['--data', 'x', '--public-url', 'http://x']],
    [['--data', 'x', '--log-level', 'loud']],
    [['--data', 'x', '--push-whole-max', '0']],
    [['--data', 'x', '--push-whole-max', '1001']],
    [['--data', 'x', '--push-whole-max', 'many']],
  ])('with the arguments %j, and says how they go', async (args) => {
    expect(await refusal(...args)).toMatchObject({ code: 'usage', exit: 2 });
    expect(existsSync('x')).toBe(false);
  });
});
