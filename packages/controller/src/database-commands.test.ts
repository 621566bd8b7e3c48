/** `loom controller backup` and `restore` as an operator runs them, on SQLite. */
import { existsSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { joinNetwork, makeDataDirectory, makeNode } from './testing/controller-fixture.ts';
import type { TestController } from './testing/controller-fixture.ts';
import type { Served } from './testing/program-fixture.ts';
import { runProgram, serveProgram } from './testing/program-fixture.ts';

const LONG_MS = 60_000;
let directory: string;
let data: string;
let served: Served | undefined;
beforeEach(() => {
  directory = makeDataDirectory();
  data = join(directory, 'data');
});
afterEach(async () => {
  await served?.end('SIGKILL');
  served = undefined;
  rmSync(directory, { recursive: true, force: true });
});

async function serve(): Promise<Served> {
  served = await serveProgram('--data', data);
  return served;
}

async function stop(): Promise<void> {
  await served?.end('SIGTERM');
  served = undefined;
}

const networks = async () =>
  (await served?.client.call('networkList'))?.items.map(({ name }) => name);

test(
  'a backup of a controller that runs brings back what was deleted since, and its agents follow',
  async () => {
    const { client } = await serve();
    await client.call('networkCreate', { body: { name: 'kept' } });
    const member = makeNode();
    // Of a fixture, only the client is used.
    await joinNetwork({ client } as TestController, 'kept', member);
    const before = await client.call('networkShow', { params: { network: 'kept' } });
    const file = join(directory, 'backup');
    const made = await runProgram('backup', file, '--data', data);
    expect(made).toMatchObject({ status: 0, err: '' });
    for (const kept of ['authority.kek', 'tls.key', 'tls.crt']) expect(made.out).toContain(kept);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    await client.call('networkDelete', { params: { network: 'kept' } });

    const running = await runProgram('restore', file, '--data', data, '--json');
    expect(running.status).toBe(1);
    expect(JSON.parse(running.err)).toMatchObject({ error: { code: 'data_directory_in_use' } });
    expect(await networks()).toEqual([]);

    await stop();
    const restored = await runProgram('restore', file, '--data', data);
    expect(restored).toMatchObject({ status: 0, err: '' });
    expect(restored.out).toContain('controller.db.before-restore');
    expect(existsSync(join(data, 'controller.db.before-restore'))).toBe(true);
    await serve();
    expect(await networks()).toEqual(['kept']);
    const after = await served?.client.call('networkShow', { params: { network: 'kept' } });
    expect(after?.revision).toBeGreaterThan(before.revision + 1_000_000);
    expect(after?.memberCount).toBe(1);
  },
  LONG_MS,
);

test(
  'a restore in the place of a database that is damaged works, and keeps it',
  async () => {
    const { client } = await serve();
    await client.call('networkCreate', { body: { name: 'kept' } });
    const file = join(directory, 'backup');
    await runProgram('backup', file, '--data', data);
    await served?.end('SIGKILL');
    served = undefined;
    expect(existsSync(join(data, 'controller.db-wal'))).toBe(true);
    writeFileSync(join(data, 'controller.db'), 'damaged');
    expect(await runProgram('restore', file, '--data', data)).toMatchObject({ status: 0 });
    expect(readFileSync(join(data, 'controller.db.before-restore'), 'utf8')).toBe('damaged');
    expect(readdirSync(data)).not.toContain('controller.db-wal');
    await serve();
    expect(await networks()).toEqual(['kept']);
  },
  LONG_MS,
);

const wrong: readonly (readonly string[])[] = [
  ['backup'],
  ['backup', 'one', 'two', '--data', 'x'],
  ['backup', 'one'],
  ['restore', 'one', '--data', 'x', '--listen', 'y'],
  ['migrate-database', '--data', 'x'],
  ['backup', 'one', '--database', 'postgres://u:geheim@h/d'],
];
test.each(wrong.map((args) => [args.join(' '), args] as const))(
  'loom controller %s is refused with the usage',
  async (_, args) => {
    const { status, err } = await runProgram(...args);
    expect(status).toBe(2);
    expect(err).toContain('Usage: loom controller');
    expect(err).not.toContain('geheim');
  },
);
