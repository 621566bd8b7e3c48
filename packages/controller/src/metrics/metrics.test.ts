/** Metrics beside the API: what they say, and who may ask. */
import { lstatSync, rmSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  connectAgent,
  joinNetwork,
  makeDataDirectory,
  makeNode,
  startTestController,
} from '../testing/controller-fixture.ts';
import { parseMetricsAddress } from './metrics-address.ts';

function get(
  where: { readonly port: number | null } | { readonly socketPath: string },
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({ host: '127.0.0.1', ...where, path, headers }, (incoming) => {
      let body = '';
      incoming.setEncoding('utf8');
      incoming.on('data', (chunk: string) => (body += chunk));
      incoming.once('end', () => resolve({ status: incoming.statusCode ?? 0, body }));
    });
    outgoing.once('error', reject);
    outgoing.end();
  });
}

/** Samples of an exposition by name and labels; refuses lines that are none. */
function parse(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const [, name = '', value] = /^([a-z_:][\w:]*(?:\{[^}]*\})?) (\S+)$/i.exec(line) ?? [];
    if (value === undefined) throw new Error(`no sample: ${line}`);
    samples.set(name, Number(value));
  }
  return samples;
}

const PREFIX = 'etherloom_controller_';

test('requests, links, transactions and the ledger are counted', async () => {
  const running = await startTestController({
    metricsListen: { kind: 'tcp', host: '127.0.0.1', port: 0 },
  });
  const port = running.controller.metricsPort;
  const before = parse((await get({ port }, '/metrics')).body);
  await running.client.call('networkCreate', { body: { name: 'counted' } });
  await running.client.call('networkShow', { params: { network: 'nothing' } }).catch(() => null);
  await running.client.call('networkCreate', { body: { name: 'counted' } }).catch(() => null);
  const node = makeNode();
  await joinNetwork(running, 'counted', node);
  const { link } = await connectAgent(running, node);
  const after = parse((await get({ port }, '/metrics')).body);
  const rise = (name: string): number =>
    (after.get(PREFIX + name) ?? 0) - (before.get(PREFIX + name) ?? 0);
  expect(rise('requests_total{route="/v1/networks",method="POST",status="201"}')).toBe(1);
  expect(rise('requests_total{route="/v1/networks/:network",method="GET",status="404"}')).toBe(1);
  expect(rise('request_seconds_count{route="/v1/networks"}')).toBe(2);
  expect(rise('links')).toBe(1);
  expect(rise('ledger_entries')).toBe(3);
  expect(rise('transactions_total')).toBeGreaterThan(3);
  expect(rise('transactions_failed_total')).toBeGreaterThan(0);
  expect(rise('transaction_runs_total')).toBeGreaterThanOrEqual(rise('transactions_total'));
  for (const name of ['watchers', 'password_queue', 'ready', 'nodejs_eventloop_lag_seconds'])
    expect([...after.keys()]).toContain(PREFIX + name);
  link.close();
  await running.remove();
});

test('they are for this host alone, and nothing else is there', async () => {
  const directory = makeDataDirectory();
  const socketPath = join(directory, 'metrics.sock');
  const running = await startTestController({ metricsListen: { kind: 'unix', path: socketPath } });
  expect(lstatSync(socketPath).mode & 0o777).toBe(0o600);
  expect((await get({ socketPath }, '/metrics')).status).toBe(200);
  expect((await get({ socketPath }, '/v1/networks')).status).toBe(404);
  await running.remove();
  rmSync(directory, { recursive: true });
  const tcp = await startTestController({
    metricsListen: { kind: 'tcp', host: '127.0.0.1', port: 0 },
  });
  const port = tcp.controller.metricsPort;
  expect((await get({ port }, '/metrics', { host: 'rebound.example' })).status).toBe(403);
  await tcp.remove();
});

test.each(['0.0.0.0:9102', '192.0.2.1:9102', 'localhost:9102', '[::]:9102', '9102', 'unix:'])(
  '%s is refused',
  (text) => {
    expect(() => parseMetricsAddress(text)).toThrow(/metrics-listen/);
  },
);

test.each(['127.0.0.1:9102', '[::1]:9102', 'unix:/run/x.sock'])('%s is taken', (text) => {
  expect(parseMetricsAddress(text)).toBeDefined();
});
