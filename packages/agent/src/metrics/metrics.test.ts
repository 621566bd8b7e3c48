import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AgentStatus, PeerRow } from '@etherloom/api';
import { DROP_REASONS, GOSSIP_REFUSALS, REFUSAL_REASONS } from '@etherloom/core';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { renderExposition } from './exposition.ts';
import { METRICS } from './families.ts';
import { formatMetricsAddress, isOwnHostHeader, parseMetricsAddress } from './listen-address.ts';
import { parseUse } from './process-use.ts';
import { samplesOf } from './samples.ts';
import type { Snapshot } from './samples.ts';
import { listenForMetrics } from './server.ts';
import type { MetricsEndpoint } from './server.ts';
import { parseExposition } from './test-parser.ts';

const SILENT = pino({ level: 'silent' });
const OPERATIONS = new URL('../../../../docs/operations.md', import.meta.url);

describe('--metrics', () => {
  test.each([
    ['127.0.0.1:9101', { kind: 'tcp', host: '127.0.0.1', port: 9_101 }],
    ['127.8.8.8:1', { kind: 'tcp', host: '127.8.8.8', port: 1 }],
    ['[::1]:9101', { kind: 'tcp', host: '::1', port: 9_101 }],
    ['unix:/run/x.sock', { kind: 'unix', path: '/run/x.sock' }],
  ])('takes %s', (text, address) => {
    expect(parseMetricsAddress(text)).toEqual(address);
    expect(formatMetricsAddress(parseMetricsAddress(text))).toBe(text);
  });

  test.each(['0.0.0.0:9101', '192.0.2.1:9101', '[::]:9101', '[2001:db8::1]:9101', '[::2]:1'])(
    'refuses %s, which others could reach',
    (text) => expect(() => parseMetricsAddress(text)).toThrow(/is no loopback address.*unix:PATH/),
  );

  test.each([
    '',
    'unix:',
    '9101',
    ':9101',
    'localhost:9101',
    '127.0.0.1',
    '127.0.0.1:0',
    '127.1:9',
  ])('refuses %j with what would be right', (text) =>
    expect(() => parseMetricsAddress(text)).toThrow(/^--metrics takes .*given "/),
  );

  test.each([
    [undefined, true],
    ['localhost:9101', true],
    ['127.0.0.1', true],
    ['[::1]:9101', true],
    ['rebound.example:9101', false],
    ['192.0.2.1', false],
  ])('answers a request for host %s: %s', (header, isOwn) => {
    expect(isOwnHostHeader(header)).toBe(isOwn);
  });
});

describe('the exposition', () => {
  const text = renderExposition(samplesOf(snapshot({})));
  const parsed = parseExposition(text);

  test('holds every metric of the table with its type and labels, and no other', () => {
    expect([...parsed.keys()]).toEqual(Object.keys(METRICS));
    for (const [name, family] of parsed) {
      const { type, labels } = METRICS[name as keyof typeof METRICS]; // compared above
      expect([name, family.type]).toEqual([name, type]);
      for (const sample of family.samples) expect(Object.keys(sample.labels)).toEqual(labels);
    }
  });

  test('names no series twice', () => {
    const series = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    const names = series.map((line) => line.slice(0, line.lastIndexOf(' ')));
    expect(new Set(names).size).toBe(names.length);
  });

  test('names say _total for counters and for nothing else', () => {
    for (const [name, { type }] of Object.entries(METRICS))
      expect([name, name.endsWith('_total')]).toEqual([name, type === 'counter']);
  });

  test('has a series for every reason from the start, so that a first drop is a rise', () => {
    const reasonsOf = (name: string) =>
      parsed.get(name)?.samples.map(({ labels }) => labels['reason']);
    expect(reasonsOf('etherloom_host_drops_total')).toEqual(DROP_REASONS.map(([reason]) => reason));
    expect(reasonsOf('etherloom_refusals_total')).toEqual([
      ...REFUSAL_REASONS.map(([reason]) => reason),
      'queue_full',
      ...GOSSIP_REFUSALS.map(([reason]) => reason),
    ]);
  });

  test('shows values in base units', () => {
    const valueOf = (name: string) => parsed.get(name)?.samples[0]?.value;
    expect(valueOf('etherloom_peer_round_trip_seconds')).toBe(0.00031);
    expect(valueOf('etherloom_peer_session_age_seconds')).toBe(1.5);
    expect(valueOf('etherloom_controller_last_connected_timestamp_seconds')).toBe(1_700_000_000);
  });

  test('leaves counters out while no data path answers, since zeros would look like a restart', () => {
    const families = parseExposition(
      renderExposition(samplesOf(snapshot({ hasCounters: false, datapathUse: undefined }))),
    );
    const left = [...families.keys()].filter((name) => /_(host|frames|bytes_total)/.test(name));
    expect(left).toEqual([]);
    expect(families.has('etherloom_peer_up')).toBe(true);
    expect(families.has('etherloom_datapath_cpu_seconds_total')).toBe(false);
  });

  test('tells peers of one name apart by their ids', () => {
    const peers = [peer(), { ...peer(), nodeId: 'b'.repeat(32) }];
    const families = parseExposition(renderExposition(samplesOf(snapshot({ peers }))));
    expect(families.get('etherloom_peer_up')?.samples.map(({ labels }) => labels['node'])).toEqual([
      `west1 ${'a'.repeat(32)}`,
      `west1 ${'b'.repeat(32)}`,
    ]);
  });

  test('escapes what labels may hold', () => {
    const name = 'a"b\\c\nd';
    const families = parseExposition(
      renderExposition(samplesOf(snapshot({ peers: [{ ...peer(), name }] }))),
    );
    expect(families.get('etherloom_peer_up')?.samples[0]?.labels).toEqual({ node: name });
  });

  test('is what docs/operations.md lists', () => {
    const rows = readFileSync(OPERATIONS, 'utf8').matchAll(
      /^\| `(etherloom_[a-z_]+)` \| (counter|gauge) \| ([^|]*) \| ([^|]*) \|$/gm,
    );
    const documented = [...rows].map(([, name, type, labels]) => ({
      name,
      type,
      labels: (labels ?? '').trim(),
    }));
    const exported = Object.entries(METRICS).map(([name, { type, labels }]) => ({
      name,
      type,
      labels: labels.map((label) => `\`${label}\``).join(', '),
    }));
    expect(documented).toEqual(exported);
  });
});

test('reads processor time and memory behind any program name', () => {
  const stat = `7 (a) b) R 1 1 1 0 -1 4 0 0 0 0 150 50 0 0 20 0 3 0 9 1 1\n`;
  expect(parseUse(stat, 'Name:\tx\nVmRSS:\t    2048 kB\n')).toEqual({
    cpuSeconds: 2,
    residentBytes: 2_097_152,
  });
});

describe('the endpoint', () => {
  let directory = '';
  let endpoint: MetricsEndpoint | undefined;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'loom-metrics-'));
  });
  afterEach(() => {
    endpoint?.server.close();
    endpoint?.server.closeAllConnections();
    endpoint = undefined;
    rmSync(directory, { recursive: true });
  });

  test('is a socket of its owner alone, and answers 503 until the agent is there', async () => {
    const socketPath = join(directory, 'm.sock');
    endpoint = await listenForMetrics({ kind: 'unix', path: socketPath }, SILENT);
    expect(statSync(socketPath).mode & 0o777).toBe(0o600);
    expect(await ask({ socketPath })).toMatchObject({ status: 503 });
    endpoint.open(async () => 'x 1\n');
    expect(await ask({ socketPath })).toEqual({
      status: 200,
      type: 'text/plain; version=0.0.4; charset=utf-8',
      body: 'x 1\n',
    });
  });

  test.each([
    [{ path: '/' }, 404],
    [{ method: 'POST' }, 405],
    [{ headers: { host: 'rebound.example' } }, 403],
  ])('refuses %j with %i', async (given, status) => {
    const port = await freePort();
    endpoint = await listenForMetrics({ kind: 'tcp', host: '127.0.0.1', port }, SILENT);
    endpoint.open(async () => 'x 1\n');
    expect(await ask({ host: '127.0.0.1', port, ...given })).toMatchObject({ status });
    expect(await ask({ host: '127.0.0.1', port })).toMatchObject({ status: 200 });
  });

  test('answers 503 when the data path does not', async () => {
    const socketPath = join(directory, 'm.sock');
    endpoint = await listenForMetrics({ kind: 'unix', path: socketPath }, SILENT);
    endpoint.open(() => Promise.reject(new Error('no answer')));
    expect(await ask({ socketPath })).toMatchObject({ status: 503 });
  });

  test('refuses a port that another program holds', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen({ host: '127.0.0.1', port: 0 }, resolve));
    const { port } = other.address() as AddressInfo; // it listens on TCP
    const refused = listenForMetrics({ kind: 'tcp', host: '127.0.0.1', port }, SILENT);
    await expect(refused).rejects.toThrow(`--metrics 127.0.0.1:${port} cannot be served: `);
    other.close();
  });
});

/** Below the ports that clients are given: no connection of another test takes it meanwhile. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000);
    const probe = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      probe.once('error', () => resolve(false));
      probe.listen({ host: '127.0.0.1', port }, () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => probe.close(resolve));
    return port;
  }
}

function ask(
  options: Parameters<typeof httpRequest>[1] & object,
): Promise<{ status: number | undefined; type: string | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const asked = httpRequest({ path: '/metrics', ...options }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (body += chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode, type: response.headers['content-type'], body }),
      );
    });
    asked.on('error', reject);
    asked.end();
  });
}

function peer(): PeerRow {
  return {
    nodeId: 'a'.repeat(32),
    name: 'west1',
    networks: ['demo'],
    state: 'up',
    path: 'direct',
    endpoint: '203.0.113.11:8002',
    latencyMs: 0.31,
    sessionAgeMs: 1_500,
    lastReceivedMs: 2_000,
    handshakes: 1,
    sessions: 2,
    sentFrames: 1,
    sentBytes: 1,
    sentDatagrams: 1,
    receivedFrames: 1,
    receivedBytes: 1,
    receivedDatagrams: 1,
    drops: { seal_invalid: 3 },
  };
}

function snapshot(change: Partial<Snapshot>): Snapshot {
  const traffic = {
    sentFrames: 1,
    sentBytes: 1,
    receivedFrames: 1,
    receivedBytes: 1,
    answeredLocally: 1,
  };
  const status: AgentStatus = {
    version: '0.1.0',
    nodeId: 'c'.repeat(32),
    nodeName: 'east1',
    port: 8_002,
    standing: null,
    clonedFrom: null,
    controller: {
      url: null,
      connected: true,
      lastConnectedAt: '2023-11-14T22:13:20.000Z',
      lastError: null,
      others: [],
    },
    datapath: { running: true, pid: 1, restarts: 0, lanes: 1, features: [] },
    authority: null,
    clock: null,
    problems: [],
    networks: [
      {
        id: 'net_00000000000000000001',
        name: 'demo',
        vni: 5,
        interface: 'loom-demo',
        mac: '02:00:00:00:00:01',
        addresses: [],
        mtuBytes: 1_370,
        revision: 3,
        members: 2,
        problem: null,
        trust: {
          networkVersion: 1,
          rosterVersion: 2,
          stalenessDays: 30,
          membersValid: 2,
          ownSecondsLeft: 86_400,
          firstPeerSecondsLeft: 80_000,
          firstPeer: 'host-2',
        },
        ...traffic,
        drops: {},
      },
    ],
    peers: { total: 1, up: 1, sessions: 2 },
    totals: { ...traffic, sentDatagrams: 1, receivedDatagrams: 1 },
    drops: {},
    refusals: {},
  };
  return {
    status,
    peers: [peer()],
    hasCounters: true,
    punts: { handshake: 1, control: 2 },
    agentUse: { cpuSeconds: 1, residentBytes: 1 },
    datapathUse: { cpuSeconds: 1, residentBytes: 1 },
    ...change,
  };
}
