/**
 * The HTTPS edge: routes from the table of packages/api, credentials, parsing, the one error body,
 * headers, access log. Nothing behind it sees an unchecked value; nothing of a fault inside reaches
 * a caller but its request id.
 */
import type { Server } from 'node:https';
import type { Socket } from 'node:net';
import { randomBytes } from 'node:crypto';
import type { Route, RouteName } from '@etherloom/api';
import { BODY_BYTES_MAX, ROUTES } from '@etherloom/api';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { fastify } from 'fastify';
import type { Logger } from 'pino';
import { makeId } from '../identifiers.ts';
import { CONNECTIONS_MAX, KEEP_ALIVE_TIMEOUT_MS, REQUEST_TIMEOUT_MS } from '../limits.ts';
import { RequestError } from '../request-error.ts';
import type { AdminAuth } from './admin-auth.ts';
import { registerDocuments } from './documents.ts';
import type { DocumentOptions } from './documents.ts';
import { toErrorBody, toInvalidRequest, toRequestError } from './error-reply.ts';
import type { Handlers } from './handlers.ts';
import { plainAddress } from './token-bucket.ts';

export interface HttpServerDeps {
  readonly keyPem: string;
  readonly certificatePem: string;
  readonly handlers: Handlers;
  readonly adminAuth: AdminAuth;
  readonly documents: DocumentOptions;
  readonly isStopping: () => boolean;
  readonly log: Logger;
}

/** A call of whichever route; the route's schema has parsed its body. */
interface AnyCall {
  readonly param: (name: string) => string;
  readonly body: unknown;
  readonly source: string;
}

export type HttpServer = FastifyInstance<Server>;

/** Makes the server; it does not listen yet. */
export function createHttpServer(deps: HttpServerDeps): HttpServer {
  const app: HttpServer = fastify({
    https: {
      key: deps.keyPem,
      cert: deps.certificatePem,
      minVersion: 'TLSv1.3',
      handshakeTimeout: 10_000,
    },
    logger: false,
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    requestIdHeader: false,
    genReqId: () => makeId('req', randomBytes),
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    exposeHeadRoutes: true,
    frameworkErrors: (error, request, reply) => {
      setHeaders(reply, request.id);
      void sendError(deps.log, error, request, reply);
    },
    clientErrorHandler: (_, socket) => refuseMalformed(socket),
    routerOptions: { ignoreTrailingSlash: false, maxParamLength: 128 },
  });
  app.server.maxConnections = CONNECTIONS_MAX;
  app.addHook('onRequest', async (request, reply) => {
    setHeaders(reply, request.id);
    if (deps.isStopping()) throw new RequestError('unavailable', 'the controller is stopping');
  });
  app.addHook('onResponse', async (request, reply) => logAccess(deps.log, request, reply));
  app.setErrorHandler((error, request, reply) => sendError(deps.log, error, request, reply));
  app.setNotFoundHandler((request, reply) =>
    sendError(deps.log, missOf(request, reply), request, reply),
  );
  for (const [name, route] of Object.entries(ROUTES) as [RouteName, Route][]) {
    // keys of the table itself
    registerRoute(app, deps, name, route);
  }
  registerDocuments(app, deps.documents);
  app.get('/v1/agent', async () => {
    throw new RequestError('invalid_request', 'this path is a WebSocket: open it with wss://');
  });
  return app;
}

function registerRoute(app: HttpServer, deps: HttpServerDeps, name: RouteName, route: Route): void {
  const handle = deps.handlers[name] as (call: AnyCall) => Promise<unknown>; // parsed below
  app.route({
    method: route.method,
    url: route.path.replace(/\{(\w+)\}/g, ':$1'),
    // Credentials come before the body is read: a stranger cannot make the server parse.
    onRequest: async (request) => {
      if (route.auth === 'admin')
        deps.adminAuth.check(request.headers.authorization, sourceOfRequest(request));
    },
    handler: async (request, reply) => {
      const params = request.params as Record<string, string>; // Fastify fills it from the path
      const result = await handle({
        param: (key) => params[key] ?? '',
        body: parseBody(route, request.body),
        source: sourceOfRequest(request),
      });
      return reply.code(route.status).send(route.reply === null ? undefined : result);
    },
  });
}

function parseBody(route: Route, body: unknown): unknown {
  if (route.body === undefined) return undefined;
  const parsed = route.body.safeParse(body);
  if (parsed.success) return parsed.data;
  throw toInvalidRequest(parsed.error);
}

function sourceOfRequest(request: FastifyRequest): string {
  return plainAddress(request.socket.remoteAddress);
}

function setHeaders(reply: FastifyReply, requestId: string): void {
  reply.headers({
    'x-request-id': requestId,
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'cross-origin-resource-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
  });
}

/** 405 where the path exists with other methods, else 404. */
function missOf(request: FastifyRequest, reply: FastifyReply): RequestError {
  const path = request.url.replace(/\?.*$/s, '');
  const methods = Object.values(ROUTES)
    .filter((route) => matches(route.path, path))
    .map((route) => route.method);
  if (methods.length === 0)
    return new RequestError(
      'not_found',
      `there is nothing at ${path.slice(0, 200)}; /docs lists what there is`,
    );
  const allowed = methods.join(', ');
  reply.header('allow', allowed);
  return new RequestError(
    'method_not_allowed',
    `${request.method} is not for this path: use ${allowed}`,
  );
}

function matches(template: string, path: string): boolean {
  const wanted = template.split('/');
  const given = path.split('/');
  return (
    wanted.length === given.length &&
    wanted.every((part, i) => part.startsWith('{') || part === given[i])
  );
}

async function sendError(
  log: Logger,
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const refused = toRequestError(error);
  if (refused !== error && (refused.code === 'internal' || refused.code === 'unavailable'))
    log.error({ requestId: request.id, err: error }, 'a request failed');
  if (refused.retryAfterSeconds !== null)
    reply.header('retry-after', String(refused.retryAfterSeconds));
  if (refused.code === 'unauthenticated') reply.header('www-authenticate', 'Bearer');
  const { status, body } = toErrorBody(refused, request.id);
  return reply.code(status).send(body);
}

/** What is no HTTP gets the error body too, and no more time. */
function refuseMalformed(socket: Socket): void {
  if (!socket.writable) return void socket.destroy();
  const refused = new RequestError('invalid_request', 'the request is no HTTP/1.1');
  const { body } = toErrorBody(refused, makeId('req', randomBytes));
  const text = JSON.stringify(body);
  const head = `HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: ${text.length}`;
  socket.end(`${head}\r\nConnection: close\r\n\r\n${text}`);
}

function logAccess(log: Logger, request: FastifyRequest, reply: FastifyReply): void {
  log.info(
    {
      requestId: request.id,
      method: request.method,
      route: request.routeOptions.url ?? null,
      status: reply.statusCode,
      elapsedMs: Math.round(reply.elapsedTime),
      source: sourceOfRequest(request),
    },
    'request',
  );
}
