/**
 * The lab itself: worlds come and go whole, also when their owner is killed, and touch nothing
 * else.
 *
 *   a .11 ──┐ bridge                  b .11
 *           └── router ───────────────┘
 *     198.51.100.0/24            203.0.113.0/24
 */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Namespace, World } from '@etherloom/lab';
import {
  CHECKOUT,
  cleanStaleWorlds,
  createWorld,
  identify,
  isRunning,
  listProcesses,
  namespaceExists,
  RUNS_DIRECTORY,
  runCommand,
  startRelay,
  tryCommand,
  waitFor,
} from '@etherloom/lab';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const DOOMED = fileURLToPath(new URL('tools/doomed-world.ts', import.meta.url));

describe('a world', () => {
  let world: World;

  beforeEach(async () => {
    world = await createWorld();
  });
  afterEach(async () => {
    await world.dispose();
  });

  async function buildRouted(): Promise<{ a: Namespace; b: Namespace; router: Namespace }> {
    const [a, b, router] = [
      await world.addNamespace('a'),
      await world.addNamespace('b'),
      await world.addNamespace('router'),
    ];
    await world.addBridge(router, 'east', { addresses: ['198.51.100.1/24', '2001:db8:e::1/64'] });
    await world.link(
      { namespace: a, device: 'eth0', addresses: ['198.51.100.11/24', '2001:db8:e::11/64'] },
      { namespace: router, device: 'a', bridge: 'east' },
    );
    await world.link(
      { namespace: b, device: 'eth0', addresses: ['203.0.113.11/24', '2001:db8:f::11/64'] },
      { namespace: router, device: 'b', addresses: ['203.0.113.1/24', '2001:db8:f::1/64'] },
      { mtuBytes: 1_400 },
    );
    await world.enableForwarding(router);
    for (const gateway of ['198.51.100.1', '2001:db8:e::1']) {
      await world.addRoute(a, 'default', gateway);
    }
    for (const gateway of ['203.0.113.1', '2001:db8:f::1']) {
      await world.addRoute(b, 'default', gateway);
    }
    return { a, b, router };
  }

  test('routes between its subnets, both families, and its MTU holds', async () => {
    const { a, b } = await buildRouted();
    for (const address of ['203.0.113.11', '2001:db8:f::11']) {
      await world.exec(a, ['ping', '-c', '1', '-W', '2', address]);
    }
    const { stdout } = await world.exec(b, ['ip', 'link', 'show', 'eth0']);
    expect(stdout).toContain('mtu 1400');
  });

  test('gives a machine other addresses', async () => {
    const { a } = await buildRouted();
    await world.setAddresses(a, 'eth0', ['198.51.100.77/24']);
    const { stdout } = await world.exec(a, [
      'ip',
      '-o',
      'addr',
      'show',
      'dev',
      'eth0',
      'scope',
      'global',
    ]);
    expect(stdout).toContain('198.51.100.77/24');
    expect(stdout.trim().split('\n')).toHaveLength(1);
  });

  test('shows no device of its own in the namespace of the machine', async () => {
    const devices = async (): Promise<string> => (await runCommand(['ip', '-br', 'link'])).stdout;
    const before = await devices();
    await buildRouted();
    expect(await devices()).toBe(before);
  });

  test('relays a port of the machine into a namespace', async () => {
    const { b } = await buildRouted();
    const program = 'require("http").createServer((q, s) => s.end("inside")).listen(80)';
    const server = await world.spawn({
      label: 'http',
      namespace: b,
      argv: [CHECKOUT.node, '-e', program],
    });
    const port = await startRelay(world, {
      namespace: b,
      host: '203.0.113.11',
      port: 80,
      label: 'relay',
    });
    const text = await waitFor('an answer', async () => {
      const reply = await fetch(`http://127.0.0.1:${port}/`);
      return await reply.text();
    });
    expect(text).toBe('inside');
    await server.stop();
    expect(server.exit()).not.toBeNull();
  });

  test('dispose() ends what runs in its namespaces, whoever started it, and removes all', async () => {
    const { a } = await buildRouted();
    await world.exec(a, ['sh', '-c', 'setsid sleep 600 >/dev/null 2>&1 &']);
    const [left] = await listProcesses(a.name);
    if (left === undefined) throw new Error('nothing runs in the namespace');
    await world.dispose();
    expect(isRunning(left)).toBe(false);
    expect(await namespaceExists(a.name)).toBe(false);
    expect(existsSync(world.directory)).toBe(false);
    expect(existsSync(join(RUNS_DIRECTORY, world.run))).toBe(false);
  });

  test('refuses names that are no labels', async () => {
    await expect(world.addNamespace('../x')).rejects.toMatchObject({ code: 'name_invalid' });
  });
});

describe('after a kill', () => {
  let doomed: ChildProcess | null = null;

  afterEach(async () => {
    doomed?.kill('SIGKILL');
    doomed = null;
    await cleanStaleWorlds();
  });

  interface Doomed {
    readonly run: string;
    readonly namespace: string;
    readonly directory: string;
    readonly pid: number;
  }

  async function startDoomed(): Promise<Doomed> {
    doomed = spawn(CHECKOUT.node, [DOOMED], { stdio: ['ignore', 'pipe', 'inherit'] });
    if (doomed.stdout === null) throw new TypeError('the child has no pipe');
    for await (const line of createInterface({ input: doomed.stdout })) {
      return JSON.parse(line) as Doomed; // doomed-world.ts prints it
    }
    throw new Error('the world was not built');
  }

  async function killDoomed(): Promise<void> {
    const ended = new Promise((resolve) => doomed?.once('exit', resolve));
    doomed?.kill('SIGKILL');
    await ended;
  }

  test('the next start removes namespaces, processes and files', async () => {
    const world = await startDoomed();
    const left = identify(world.pid);
    await killDoomed();
    expect(left !== null && isRunning(left)).toBe(true);
    expect(await namespaceExists(world.namespace)).toBe(true);
    expect((await cleanStaleWorlds()).cleaned).toContain(world.run);
    expect(left !== null && isRunning(left)).toBe(false);
    expect(await namespaceExists(world.namespace)).toBe(false);
    expect(existsSync(world.directory)).toBe(false);
    expect(existsSync(join(RUNS_DIRECTORY, world.run))).toBe(false);
  });

  test('a world whose owner lives is left alone', async () => {
    const world = await startDoomed();
    expect((await cleanStaleWorlds()).cleaned).not.toContain(world.run);
    expect(await namespaceExists(world.namespace)).toBe(true);
    expect(identify(world.pid)).not.toBeNull();
  });
});

describe('a manifest that lies', () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'loom-lies-'));
  });
  afterEach(async () => {
    await rm(directory, { recursive: true });
  });

  async function writeManifest(things: readonly unknown[]): Promise<void> {
    const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
    const owner = { pid: 2_147_483_000, startTime: '1' };
    await mkdir(join(directory, 'loom-lie'));
    const text = JSON.stringify({ version: 1, run: 'loom-lie', bootId, owner, things });
    await writeFile(join(directory, 'loom-lie', 'manifest.json'), text);
  }

  test('ends no process with another start time', async () => {
    const other = spawn('sleep', ['600']);
    const ended = new Promise((resolve) => other.once('exit', resolve));
    await writeManifest([{ kind: 'process', label: 'x', pid: other.pid, startTime: '1' }]);
    expect((await cleanStaleWorlds(directory)).cleaned).toEqual(['loom-lie']);
    expect(other.exitCode ?? other.signalCode).toBeNull();
    other.kill('SIGKILL');
    await ended;
  });

  test('deletes no namespace and no directory of another name', async () => {
    const world = await createWorld();
    try {
      const { name } = await world.addNamespace('bystander');
      await writeManifest([
        { kind: 'namespace', name },
        { kind: 'directory', path: world.directory },
      ]);
      await cleanStaleWorlds(directory);
      expect(await namespaceExists(name)).toBe(true);
      expect(existsSync(world.directory)).toBe(true);
    } finally {
      await world.dispose();
    }
  });

  test('that cannot be read is reported and left alone', async () => {
    await mkdir(join(directory, 'loom-torn'));
    await writeFile(join(directory, 'loom-torn', 'manifest.json'), '{"version":1');
    const report = await cleanStaleWorlds(directory);
    expect(report.cleaned).toEqual([]);
    expect(report.problems.join()).toContain('loom-torn');
    expect(existsSync(join(directory, 'loom-torn', 'manifest.json'))).toBe(true);
  });
});

test('says that it needs root', async () => {
  const program = `
    import { createWorld } from '@etherloom/lab';
    process.setuid(65534);
    await createWorld().catch((error) => process.stdout.write(error.message));`;
  const argv = [CHECKOUT.node, '--input-type=module', '-e', program];
  const { stdout } = await tryCommand(argv, { cwd: join(CHECKOUT.root, 'packages/cli') });
  expect(stdout).toContain('run this as root');
});
