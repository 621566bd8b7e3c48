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
import type { Principal } from '../access/principal.ts';
import { checkPermission } from '../access/principal.ts';
import { RequestError } from '../request-error.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Store } from '../store/store.ts';
import type { Credentials } from './credentials.ts';
import { registerConsole } from './console-files.ts';
import { registerDocuments } from './documents.ts';
import type { DocumentOptions } from './documents.ts';
import { toErrorBody, toRequestError } from './error-reply.ts';
import { handlerOf, sendReply, sourceOfRequest, toCall } from './handle-route.ts';
import type { RequestRates } from './request-rates.ts';
import type { Handlers, HttpSide } from './call.ts';
import { readCookie } from './cookies.ts';

export interface HttpServerDeps {
  readonly keyPem: string;
  readonly certificatePem: string;
  readonly handlers: Handlers;
  readonly credentials: Credentials;
  readonly store: Store;
  readonly rates: RequestRates;
  readonly documents: DocumentOptions;
  readonly isStopping: () => boolean;
  readonly observe: Metrics['observeRequest'];
  readonly log: Logger;
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
    // That the process lives is true to its end; that it takes requests is not.
    if (deps.isStopping() && request.routeOptions.url !== ROUTES.health.path)
      throw new RequestError('unavailable', 'the controller is stopping', { retryAfterSeconds: 1 });
  });
  app.addHook('onResponse', async (request, reply) => noteAnswered(deps, request, reply));
  app.setErrorHandler((error, request, reply) => sendError(deps.log, error, request, reply));
  app.setNotFoundHandler((request, reply) => {
    const missed = missOf(request, reply);
    // What may be done here is no secret; other origins are allowed nothing, whatever they ask.
    if (request.method === 'OPTIONS' && missed.code === 'method_not_allowed')
      return reply.code(204).send();
    return sendError(deps.log, missed, request, reply);
  });
  for (const [name, route] of Object.entries(ROUTES) as [RouteName, Route][]) {
    // keys of the table itself
    registerRoute(app, deps, name, route);
  }
  registerDocuments(app, deps.documents);
  registerConsole(app);
  app.get('/v1/agent', async () => {
    throw new RequestError('invalid_request', 'this path is a WebSocket: open it with wss://');
  });
  return app;
}

function registerRoute(app: HttpServer, deps: HttpServerDeps, name: RouteName, route: Route): void {
  const handle = handlerOf(deps.handlers, name);
  const principals = new WeakMap<FastifyRequest, Principal>();
  app.route({
    method: route.method,
    url: route.path.replace(/\{(\w+)\}/g, ':$1'),
    exposeHeadRoute: route.method === 'GET' && route.media === undefined,
    // Credentials come before the body is read: a stranger cannot make the server parse.
    onRequest: async (request) => {
      const source = sourceOfRequest(request);
      if (route.permission === null) {
        deps.rates.takeSource(name, source);
        deps.credentials.checkOrigin(request);
        return;
      }
      const principal = await deps.credentials.check(request, source);
      deps.rates.takePrincipal(principal.actor);
      principals.set(request, principal);
    },
    handler: async (request, reply) => {
      const principal = principals.get(request) ?? null;
      const http = httpSideOf(deps, route, request, reply);
      const call = await toCall(deps, route, principal, request, http);
      return sendReply(route, { request, reply }, await handle(call));
    },
  });
}

function httpSideOf(
  { credentials }: HttpServerDeps,
  { permission }: Route,
  request: FastifyRequest,
  reply: FastifyReply,
): HttpSide {
  const lastEventId = request.headers['last-event-id'];
  return {
    lastEventId: typeof lastEventId === 'string' ? lastEventId : undefined,
    checkAgain: async (organizationId) => {
      const principal = await credentials.checkAgain(request, sourceOfRequest(request));
      checkPermission(principal, permission ?? 'self', organizationId);
      return principal;
    },
    cookie: (name) => readCookie(request.headers.cookie, name),
    rawQuery: /\?.*$/s.exec(request.url)?.[0] ?? '',
    setCookie: (text) => void reply.header('set-cookie', text),
    redirect: (location) => void reply.header('location', location),
  };
}

function setHeaders(reply: FastifyReply, requestId: string): void {
  reply.headers({
    'x-request-id': requestId,
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
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
  const allowed = allowedOf(methods);
  reply.header('allow', allowed);
  return new RequestError(
    'method_not_allowed',
    `${request.method} is not for this path: use ${allowed}`,
  );
}

function allowedOf(methods: readonly string[]): string {
  return [...methods, ...(methods.includes('GET') ? ['HEAD'] : []), 'OPTIONS'].join(', ');
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
  if (refused.etag !== null) reply.header('etag', refused.etag);
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

function noteAnswered(
  { log, observe }: HttpServerDeps,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const route = request.routeOptions.url;
  // A method of a path that is not there is what somebody makes up.
  const method = route === undefined ? 'any' : request.method;
  observe({ route: route ?? 'none', method, status: reply.statusCode }, reply.elapsedTime);
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
