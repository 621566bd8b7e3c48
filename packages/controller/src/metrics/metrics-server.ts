/**
 * The metrics endpoint: GET /metrics over HTTP, on a unix socket (mode 0600) or a loopback address,
 * beside the API and never on its port.
 */
import { chmodSync, lstatSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import type { Logger } from 'pino';
import { METRICS_CONNECTIONS_MAX, METRICS_REQUEST_MS } from '../limits.ts';
import { StartupError, errorText } from '../startup-error.ts';
import type { MetricsAddress } from './metrics-address.ts';
import { isOwnHostHeader } from './metrics-address.ts';

/** What is shown: text, and its content type. */
export interface Exposition {
  readonly contentType: string;
  render(): Promise<string>;
}

export interface MetricsServer {
  /** The port; null on a unix socket. */
  readonly port: number | null;
  stop(): Promise<void>;
}

/** Listens. Rejects with StartupError when the place is taken. */
export async function listenForMetrics(
  address: MetricsAddress,
  exposition: Exposition,
  log: Logger,
): Promise<MetricsServer> {
  if (address.kind === 'unix') await removeDeadSocket(address.path);
  const server = createServer({ requestTimeout: METRICS_REQUEST_MS }, (request, response) => {
    const host = address.kind === 'unix' ? undefined : request.headers.host;
    answer(request, response, host, exposition).catch((error: unknown) => {
      log.warn({ err: error }, 'a scrape failed');
      reply(response, 503, 'the metrics could not be gathered\n');
    });
  });
  server.maxConnections = METRICS_CONNECTIONS_MAX;
  await listen(server, address);
  if (address.kind === 'unix') chmodSync(address.path, 0o600);
  const bound = server.address();
  return {
    port: typeof bound === 'string' || bound === null ? null : bound.port,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, address: MetricsAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      const place = address.kind === 'unix' ? address.path : `${address.host} port ${address.port}`;
      const message = `--metrics-listen: ${place} cannot be served: ${errorText(error)}`;
      reject(new StartupError('listen_failed', message, error));
    });
    const before = process.umask(0o177); // the socket is the owner's from its first moment
    if (address.kind === 'unix') server.listen(address.path, resolve);
    else server.listen({ host: address.host, port: address.port }, resolve);
    process.umask(before);
  });
}

/** A socket that a controller left behind when it died; one that is served is left alone. */
async function removeDeadSocket(path: string): Promise<void> {
  const isDead = await new Promise<boolean>((resolve) => {
    const probe = connect({ path });
    probe.once('connect', () => {
      probe.destroy();
      resolve(false);
    });
    probe.once('error', (error) => resolve('code' in error && error.code === 'ECONNREFUSED'));
  });
  if (isDead && lstatSync(path).isSocket()) rmSync(path, { force: true });
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  hostHeader: string | undefined,
  exposition: Exposition,
): Promise<void> {
  const path = (request.url ?? '').split('?')[0];
  if (!isOwnHostHeader(hostHeader)) reply(response, 403, 'ask by a loopback address\n');
  else if (path !== '/metrics') reply(response, 404, 'the metrics are at /metrics\n');
  else if (request.method !== 'GET') reply(response, 405, 'ask with GET\n');
  else reply(response, 200, await exposition.render(), exposition.contentType);
}

function reply(
  response: ServerResponse,
  status: number,
  text: string,
  type = 'text/plain; charset=utf-8',
): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(text),
    'x-content-type-options': 'nosniff',
  });
  response.end(text);
}
