/**
 * HTTP over a unix socket for `loom` on this host. Who may open the socket (mode 0600: root) may do
 * everything; still every body is bounded and parsed, because a mistake must not take the agent
 * down.
 */
import { chmodSync, lstatSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { randomBytes } from 'node:crypto';
import { dirname } from 'node:path';
import { ERRORS } from '@etherloom/api';
import type { ErrorCode } from '@etherloom/api';
import type { Logger } from 'pino';
import type { z } from 'zod';
import { assertSocketPath } from '../datapath/client.ts';
import { makeWithParents } from '../disk/own-directory.ts';
import { AgentError, errnoOf, messageOf } from '../errors.ts';
import { LOCAL_BODY_BYTES_MAX, LOCAL_CONNECTIONS_MAX, LOCAL_REQUEST_MS } from '../limits.ts';

/** One operation. The reply is JSON. */
export interface LocalRoute {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly handle: (body: unknown, signal: AbortSignal) => Promise<unknown>;
}

/**
 * Serves the routes; resolves when the socket listens. Rejects with AgentError `socket_in_use` when
 * another agent serves there.
 */
export async function serveLocalApi(
  path: string,
  routes: readonly LocalRoute[],
  log: Logger,
): Promise<Server> {
  await makeSocketRoom(path);
  const server = createServer({ requestTimeout: LOCAL_REQUEST_MS }, (request, response) => {
    answer(routes, request, response).catch((error: unknown) => refuse(response, error, log));
  });
  server.maxConnections = LOCAL_CONNECTIONS_MAX;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      reject(
        new AgentError(
          'socket_in_use',
          `the agent's socket ${path} cannot be made: ${error.message}`,
          { cause: error },
        ),
      );
    });
    server.listen(path, resolve);
  });
  chmodSync(path, 0o600); // made under the process's umask of 077
  return server;
}

/** Parses a body; throws AgentError `invalid_request` with the fields. */
export function parseBody<S extends z.ZodType>(schema: S, body: unknown): z.output<S> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const details = parsed.error.issues.map((issue) => ({
    field: issue.path.join('.') || 'body',
    reason: issue.message,
  })); // '' is the whole
  const [first] = details;
  throw new AgentError('invalid_request', `${first?.field}: ${first?.reason}`, { details });
}

/**
 * Removes the socket of an agent that is gone. Rejects with AgentError when one answers there, or
 * the path cannot be a socket.
 */
export async function makeSocketRoom(path: string, option = '--socket'): Promise<void> {
  assertSocketPath(path);
  makeSocketDirectory(dirname(path));
  const problem = await new Promise<string | undefined>((resolve) => {
    const probe = connect({ path });
    probe.once('connect', () => {
      probe.destroy();
      resolve('live');
    });
    probe.once('error', (error) => resolve(errnoOf(error)));
  });
  if (problem === 'live') {
    throw new AgentError(
      'socket_in_use',
      `another agent serves ${path}; stop it, or give this one its own ${option}`,
    );
  }
  // A plain file refuses connections too, and is not ours to delete.
  if (problem === 'ECONNREFUSED' && lstatSync(path).isSocket()) rmSync(path, { force: true });
  else if (problem !== 'ENOENT')
    throw new AgentError(
      'socket_in_use',
      `${path} is no socket of an agent (${problem}); choose another ${option}`,
    );
}

function makeSocketDirectory(path: string): void {
  try {
    makeWithParents(path, 0o755);
  } catch (error) {
    throw new AgentError(
      'socket_in_use',
      `the directory ${path} of the socket cannot be made: ${messageOf(error)}; choose another --socket`,
      { cause: error },
    );
  }
}

async function answer(
  routes: readonly LocalRoute[],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = (request.url ?? '').split('?')[0];
  const route = routes.find(
    (candidate) => candidate.path === path && candidate.method === request.method,
  );
  if (route === undefined)
    throw new AgentError('not_found', `the agent has no ${request.method} ${path}`);
  const body = route.method === 'POST' ? await readBody(request) : undefined;
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  send(response, 200, await route.handle(body, gone.signal));
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    const bytes = chunk as Buffer; // no encoding is set
    size += bytes.length;
    if (size > LOCAL_BODY_BYTES_MAX)
      throw new AgentError('invalid_request', `the body is over ${LOCAL_BODY_BYTES_MAX} bytes`);
    chunks.push(bytes);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw new AgentError('invalid_request', 'the body is no JSON');
  }
}

function refuse(response: ServerResponse, error: unknown, log: Logger): void {
  const code = codeOf(error);
  const requestId = randomBytes(8).toString('hex');
  if (code === 'internal')
    log.error(
      { requestId, error: messageOf(error), stack: error instanceof Error ? error.stack : '' },
      'request failed',
    );
  const message =
    code === 'internal'
      ? `the agent failed; its log has more under ${requestId}: ${messageOf(error)}`
      : messageOf(error);
  const details =
    error instanceof AgentError && error.details !== undefined ? { details: error.details } : {};
  send(response, ERRORS[code].status, { error: { code, message, requestId, ...details } });
}

function codeOf(error: unknown): ErrorCode {
  if (!(error instanceof AgentError)) return 'internal';
  if (Object.hasOwn(ERRORS, error.code)) return error.code as ErrorCode; // a key of the table
  if (error.code === 'state_directory_unusable') return 'host_unfit';
  return error.code === 'datapath_closed' || error.code === 'datapath_failed'
    ? 'unavailable'
    : 'internal';
}

function send(response: ServerResponse, status: number, body: unknown): void {
  if (response.headersSent || response.destroyed) return;
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    ...(status >= 400 ? { connection: 'close' } : {}),
  });
  response.end(text);
}
