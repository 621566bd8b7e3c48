/**
 * The real `loom` as a child process: against a real controller on loopback, and against a unix
 * socket that answers as an agent does.
 */
import type { Server } from 'node:http';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ControllerProcess, Environment, Run } from './testing/controller-process.ts';
import { runLoom, startController } from './testing/controller-process.ts';

const FINGERPRINT = '00'.repeat(32);

let directory: string;
let controller: ControllerProcess;
let login: Environment;

beforeAll(async () => {
  controller = await startController();
  ({ directory, login } = controller);
});
afterAll(() => controller.stop());

describe('usage errors exit 2 and go to standard error', () => {
  test.each([
    [[], 'Usage: loom'],
    [['netwrk'], 'Did you mean network?'],
    [['network'], 'Usage: loom network'],
    [['network', 'crate', 'demo'], 'Did you mean create?'],
    [['network', 'create'], "missing required argument 'name'"],
    [['network', 'create', 'Demo'], 'lower-case'],
    [['network', 'create', 'demo', '--mtu', '100'], 'from 1280 to 8898'],
    [['token', 'create'], '--network'],
    [['token', 'create', '--network', 'demo', '--expires', '1'], '30m'],
    [['status', '--jsn'], 'Did you mean --json?'],
    [['join', 'not-a-token'], 'loom1.'],
    [['login', 'ftp://x', '--token-file', 'y'], 'https://192.0.2.1:8443'],
    [['network', 'show', ''], 'a name or an id'],
    [['node', 'remove', '..'], 'a name or an id'],
    [['ping', 'a b'], 'a name or an id'],
  ])('%j', async (args, message) => {
    const run = await loom(args);
    expect(run).toMatchObject({ status: 2, stdout: '' });
    expect(run.stderr).toContain(message);
  });
});

test('help and version of the programs: --help exits 0 on standard output', async () => {
  const run = await loom(['token', 'create', '--help']);
  expect(run).toMatchObject({ status: 0, stderr: '' });
  expect(run.stdout).toContain('Example');
});

test('--version prints it alone on standard output', async () => {
  const run = await loom(['--version']);
  expect(run).toMatchObject({ status: 0, stderr: '' });
  expect(run.stdout).toMatch(/^loom \d+\.\d+\.\d+\n$/);
});

test.each([[['network', 'create', 'Demo']], [['network']], [['bogus']]])(
  'with --json a usage error is one JSON object: %j',
  async (args) => {
    const run = await loom([...args, '--json']);
    expect(run).toMatchObject({ status: 2, stdout: '' });
    expect(JSON.parse(run.stderr)).toMatchObject({ error: { code: 'usage' } });
  },
);

test('a token in the environment that is none is a usage error that does not repeat it', async () => {
  const run = await loom(['node', 'list'], { ...login, LOOM_TOKEN: 'two\nlines' });
  expect(run).toMatchObject({ status: 2, stdout: '' });
  expect(run.stderr).toContain('LOOM_TOKEN is wrong');
  expect(run.stderr).not.toContain('lines');
});

test('passes the exit status of the programs on', async () => {
  expect((await loom(['agent', '--no-such-option'])).status).toBe(2);
});

describe('with a controller', () => {
  test('creates, lists, shows and deletes a network', async () => {
    const pool = ['--ipv4', '10.9.0.0/24', '--ipv6', 'none', '--mtu', '1400'];
    const created = await loom(['network', 'create', 'blue', ...pool, '--json'], login);
    expect(created).toMatchObject({ status: 0, stderr: '' });
    expect(JSON.parse(created.stdout)).toMatchObject({
      name: 'blue',
      ipv4: '10.9.0.0/24',
      ipv6: null,
      mtuBytes: 1_400,
    });
    const list = await loom(['network', 'list'], login);
    expect(list.stdout).toMatch(/^NAME +VNI +IPV4 .*\n(.*\n)*blue +\d+ +10\.9\.0\.0\/24/);
    expect((await loom(['network', 'show', 'blue'], login)).stdout).toContain('No members yet.');
    expect(await loom(['network', 'delete', 'blue', '--json'], login)).toMatchObject({
      status: 0,
      stdout: '{}\n',
    });
    const gone = await loom(['network', 'show', 'blue', '--json'], login);
    expect(gone).toMatchObject({ status: 1, stdout: '' });
    expect(JSON.parse(gone.stderr)).toMatchObject({ error: { code: 'not_found' } });
  });

  test('prints a join token alone on standard output', async () => {
    await loom(['network', 'create', 'green'], login);
    const args = ['token', 'create', '--network', 'green', '--uses', '3', '--expires', '30m'];
    const run = await loom(args, login);
    expect(run).toMatchObject({ status: 0, stderr: '' });
    expect(run.stdout).toMatch(/^loom1\.[A-Za-z0-9_-]+\n$/);
    const row = JSON.parse((await loom([...args, '--json'], login)).stdout) as {
      uses: number;
      expiresAt: string;
      createdAt: string;
    }; // joinTokenCreatedSchema
    expect(row.uses).toBe(3);
    expect(Date.parse(row.expiresAt) - Date.parse(row.createdAt)).toBe(1_800_000);
  });

  test('stores a login that later commands use', async () => {
    const env = { XDG_CONFIG_HOME: join(directory, 'config') };
    const pin = ['--tls-fingerprint', controller.tlsFingerprint];
    const args = ['login', controller.url, '--token-file', controller.adminTokenFile];
    expect(await loom([...args, ...pin], env)).toMatchObject({ status: 0, stderr: '' });
    expect((await loom(['node', 'list'], env)).stdout).toContain('No nodes.');
  });

  test('refuses an unconfirmed certificate and stores nothing', async () => {
    const env = { XDG_CONFIG_HOME: join(directory, 'unconfirmed') };
    const run = await loom(
      ['login', controller.url, '--token-file', controller.adminTokenFile],
      env,
    );
    expect(run).toMatchObject({ status: 1, stdout: '' });
    expect(run.stderr).toContain('openssl x509');
    expect((await loom(['node', 'list'], env)).stderr).toContain('not logged in');
  });

  test('sends nothing to a server with another certificate', async () => {
    const run = await loom(['node', 'list'], { ...login, LOOM_TLS_FINGERPRINT: FINGERPRINT });
    expect(run.status).toBe(1);
    expect(run.stderr).toContain('nothing was sent');
  });

  test('says that a token is wrong, without repeating it', async () => {
    const run = await loom(['node', 'list', '--json'], { ...login, LOOM_TOKEN: 'wrong-secret' });
    expect(run.status).toBe(1);
    expect(JSON.parse(run.stderr)).toMatchObject({ error: { code: 'unauthenticated' } });
    expect(run.stderr).not.toContain('wrong-secret');
  });
});

describe('with an agent', () => {
  const peer = {
    nodeId: 'a'.repeat(32),
    name: 'west1',
    networks: ['demo'],
    state: 'up',
    path: 'direct',
    endpoint: '203.0.113.11:8002',
    latencyMs: 0.31,
    sessionAgeMs: 1_000,
    lastReceivedMs: 2_000,
    handshakes: 1,
    sessions: 1,
    sentFrames: 3,
    sentBytes: 1_500,
    sentDatagrams: 1,
    receivedFrames: 0,
    receivedBytes: 0,
    receivedDatagrams: 0,
    drops: {},
  };
  const answered = { latencyMs: 0.25, path: 'direct', endpoint: '203.0.113.11:8002' };
  const silent = { latencyMs: null, path: 'none', endpoint: null };
  const notFound = { error: { code: 'not_found', message: 'no peer "x"', requestId: 'req_1' } };
  let agent: Server;
  let socket: string;
  let pingResults: unknown[] = [];
  let standing: unknown = null;
  const status = (): unknown => ({
    version: '0.1.0',
    nodeId: 'b'.repeat(32),
    nodeName: 'west1',
    port: 8_002,
    standing,
    clonedFrom: 'a'.repeat(32),
    controller: {
      url: 'https://203.0.113.10:8443',
      connected: true,
      lastConnectedAt: null,
      lastError: null,
    },
    datapath: { running: true, pid: 7, restarts: 0, lanes: 1, features: [] },
    networks: [],
    peers: { total: 0, up: 0 },
    drops: {},
  });

  beforeAll(async () => {
    socket = join(directory, 'agent.sock');
    const replies: Readonly<Record<string, () => readonly [number, unknown]>> = {
      'GET /v1/peers': () => [200, { peers: [peer] }],
      'GET /v1/fdb': () => [404, notFound],
      'GET /v1/status': () => [200, status()],
      'POST /v1/ping': () => [200, { node: 'west1', results: pingResults }],
    };
    agent = createServer((request, response) => {
      request.resume();
      const [status, body] = replies[`${request.method} ${request.url}`]?.() ?? [500, {}];
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    });
    await new Promise<void>((resolve) => agent.listen(socket, resolve));
  });

  afterAll(async () => {
    await new Promise((resolve) => agent.close(resolve));
  });

  test('lists peers with units, and as the agent said with --json', async () => {
    const table = await loom(['peers'], { LOOM_SOCKET: socket });
    expect(table.stdout).toMatch(/west1 +up +direct +203\.0\.113\.11:8002 +0\.310 ms +1\.5 KB/);
    const run = await loom(['peers', '--json', '--socket', socket]);
    expect(JSON.parse(run.stdout)).toEqual({ peers: [peer] });
  });

  test.each([
    ['rejected', /^Standing +rejected as a copy: its networks are down \(why\)/],
    ['replaced', /^Standing +replaced by a copy: .* until `loom join TOKEN` \(why\)/],
    ['split', /^Standing +a copy that becomes a node of its own: .* \(why\)/],
    ['waits', /^Standing +waits for approval \(why\)/],
  ])('status says before anything else that a host is %s', async (state, expected) => {
    standing = { state, message: 'why' };
    const run = await loom(['status', '--socket', socket]);
    expect(run).toMatchObject({ status: 0, stderr: '' });
    expect(run.stdout).toMatch(expected);
  });

  test('status names the node of which this one is a copy, and no standing without one', async () => {
    standing = null;
    const run = await loom(['status', '--socket', socket]);
    expect(run.stdout).toMatch(/^Cloned from +a{32}\nNode /);
  });

  test('ping says direct, and each latency', async () => {
    pingResults = [answered];
    const run = await loom(['ping', 'west1', '--count', '2', '--socket', socket]);
    expect(run).toMatchObject({ status: 0, stderr: '' });
    expect(run.stdout).toContain('2  west1 answered in 0.250 ms (direct, 203.0.113.11:8002)');
    expect(run.stdout).toContain('2 of 2 answered');
  });

  test('ping exits 1 when nothing answered, and 0 when something did', async () => {
    pingResults = [silent, silent];
    const none = await loom(['ping', 'west1', '--json', '--socket', socket]);
    expect(none.status).toBe(1);
    expect(JSON.parse(none.stdout)).toEqual({ node: 'west1', results: [silent, silent] });
    pingResults = [silent, answered];
    expect((await loom(['ping', 'west1', '--json', '--socket', socket])).status).toBe(0);
  });

  test('shows the error of the agent', async () => {
    const run = await loom(['fdb', '--socket', socket]);
    expect(run).toMatchObject({ status: 1, stdout: '' });
    expect(run.stderr).toContain('no peer "x"');
  });

  test('says how to start an agent when none is there', async () => {
    const run = await loom(['status', '--socket', join(directory, 'none.sock')]);
    expect(run.status).toBe(1);
    expect(run.stderr).toContain('loom agent --state DIR');
  });
});

function loom(args: readonly string[], env: Environment = {}): Promise<Run> {
  return runLoom(args, { ...controller.bare, ...env });
}
