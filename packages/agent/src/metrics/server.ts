/**
 * The metrics endpoint: GET /metrics over HTTP, on a unix socket (mode 0600) or a loopback address.
 * It listens before the agent takes anything over, so that a port in use refuses the start while
 * nothing has changed yet; until the agent is there it answers 503.
 */
import { chmodSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { AgentError, messageOf } from '../errors.ts';
import { LOCAL_REQUEST_MS, METRICS_CONNECTIONS_MAX } from '../limits.ts';
import { makeSocketRoom } from '../local-api/server.ts';
import { EXPOSITION_TYPE } from './exposition.ts';
import { formatMetricsAddress, isOwnHostHeader } from './listen-address.ts';
import type { MetricsAddress } from './listen-address.ts';

/** An endpoint that listens. */
export interface MetricsEndpoint {
  readonly server: Server;
  /** From here on it answers with what `render` gives. */
  readonly open: (render: () => Promise<string>) => void;
}

/** Listens. Rejects with AgentError `socket_in_use` when the place is taken. */
export async function listenForMetrics(
  address: MetricsAddress,
  log: Logger,
): Promise<MetricsEndpoint> {
  if (address.kind === 'unix') await makeSocketRoom(address.path, '--metrics');
  let render: (() => Promise<string>) | undefined;
  const server = createServer({ requestTimeout: LOCAL_REQUEST_MS }, (request, response) => {
    answer(
      request,
      response,
      address.kind === 'unix' ? undefined : request.headers.host,
      render,
    ).catch((error: unknown) => {
      log.warn({ error: messageOf(error) }, 'a scrape failed');
      reply(response, 503, 'the data path does not answer\n');
    });
  });
  server.maxConnections = METRICS_CONNECTIONS_MAX;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      reject(
        new AgentError(
          'socket_in_use',
          `--metrics ${formatMetricsAddress(address)} cannot be served: ${error.message}`,
          { cause: error },
        ),
      );
    });
    if (address.kind === 'unix') server.listen(address.path, resolve);
    else server.listen({ host: address.host, port: address.port }, resolve);
  });
  if (address.kind === 'unix') chmodSync(address.path, 0o600); // made under the umask of 077
  return { server, open: (given) => (render = given) };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  hostHeader: string | undefined,
  render: (() => Promise<string>) | undefined,
): Promise<void> {
  const path = (request.url ?? '').split('?')[0];
  if (!isOwnHostHeader(hostHeader)) reply(response, 403, 'ask by a loopback address\n');
  else if (path !== '/metrics') reply(response, 404, 'the metrics are at /metrics\n');
  else if (request.method !== 'GET') reply(response, 405, 'ask with GET\n');
  else if (render === undefined) reply(response, 503, 'the agent is starting\n');
  else reply(response, 200, await render());
}

function reply(response: ServerResponse, status: number, text: string): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, {
    'content-type': status === 200 ? EXPOSITION_TYPE : 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    ...(status >= 400 ? { connection: 'close' } : {}),
  });
  response.end(text);
}
