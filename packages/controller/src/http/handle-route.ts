/**
 * One request of a route of the table, from its credentials to its reply: rates, scope and
 * permission, query and body, the transaction under If-Match and Idempotency-Key, the ETag.
 */
import { Readable } from 'node:stream';
import type { Route, RouteName } from '@etherloom/api';
import { hasEtag, isListRoute } from '@etherloom/api';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Origin, Principal } from '../access/principal.ts';
import { CONTROLLER_ORIGIN, checkPermission } from '../access/principal.ts';
import { REASON_CHARS_MAX } from '../limits.ts';
import { RequestError, invalidField } from '../request-error.ts';
import type { Store, Tx } from '../store/store.ts';
import type { HttpSide } from './call.ts';
import type { Credentials } from './credentials.ts';
import { toInvalidRequest } from './error-reply.ts';
import { etagOf, namesEtag } from './etag.ts';
import type { IdempotencyKey } from './idempotency.ts';
import { once, readIdempotencyKey } from './idempotency.ts';
import { principalKey } from './request-rates.ts';
import { plainAddress } from './token-bucket.ts';

/** A call of whichever route; the route's schema has parsed its query and body. */
export interface AnyCall {
  readonly param: (name: string) => string;
  readonly query: unknown;
  readonly body: unknown;
  readonly source: string;
  readonly principal: Principal | null;
  readonly origin: Origin;
  readonly transact: <T>(work: (tx: Tx) => Promise<T>) => Promise<T>;
  readonly http: HttpSide;
}

export interface RouteDeps {
  readonly credentials: Credentials;
  readonly store: Store;
}

/** Routes without a query schema take none. */
const NO_QUERY = z.strictObject({});

/** Makes the call of a request whose principal is known. */
export async function toCall(
  deps: RouteDeps,
  route: Route,
  principal: Principal | null,
  request: FastifyRequest,
  http: HttpSide,
): Promise<AnyCall> {
  const params = request.params as Record<string, string>; // Fastify fills it from the path
  refuseNul('path', params);
  const given = request.query as Record<string, unknown>; // as Fastify parses it
  refuseNul('query', given);
  const { organization, ...filters } = given;
  const query = parse(route.query ?? NO_QUERY, route.permission === null ? given : filters);
  const origin = await originOf(deps, request, route, principal, organization);
  const body = route.body === undefined ? undefined : parse(route.body, request.body);
  refuseNul('body', body);
  const key =
    principal === null || route.method !== 'POST'
      ? null
      : readIdempotencyKey(request.headers['idempotency-key'], principalKey(principal.actor), {
          route: `${route.method} ${route.path}`,
          params,
          organizationId: origin.organizationId,
          body: request.body,
        });
  return {
    param: (name) => params[name] ?? '',
    query,
    body,
    source: sourceOfRequest(request),
    principal,
    origin,
    transact:
      route.method === 'GET' && route.permission !== null
        ? (work) => deps.store.read(work, origin) // it changes nothing, and waits for no writer
        : makeTransact(deps.store, origin, key),
    http,
  };
}

/** Transactions of one request. */
function makeTransact(
  store: Store,
  origin: Origin,
  key: IdempotencyKey | null,
): AnyCall['transact'] {
  let steps = 0;
  return (work) => {
    const step = steps;
    steps += 1;
    return store.transact(async (tx) => {
      const result = await (key === null ? work(tx) : once(tx, key, step, () => work(tx)));
      // A change that If-Match was not compared with must not pass for one that it was.
      if (origin.ifMatch !== undefined && tx.drafts.length > 0 && !tx.precondition.isChecked)
        throw new RequestError('precondition_failed', 'there is nothing that If-Match could name');
      return result;
    }, origin);
  };
}

/** Sends what a handler gave. */
export function sendReply(
  route: Route,
  { request, reply }: { readonly request: FastifyRequest; readonly reply: FastifyReply },
  result: unknown,
): FastifyReply {
  if (result instanceof Readable)
    return reply
      .code(route.status)
      .type(route.media ?? 'application/octet-stream')
      .send(result);
  if (route.reply === null) return reply.code(route.status).send();
  if (isListRoute(route) && (request.query as { etags?: unknown }).etags === 'true')
    return reply.code(route.status).send(withEtags(result)); // the route's schema allows it
  if (hasEtag(route)) {
    const etag = etagOf(result);
    reply.header('etag', etag);
    const known = request.headers['if-none-match'];
    if (route.method === 'GET' && known !== undefined && namesEtag(known, etag))
      return reply.code(304).send();
  }
  return reply.code(route.status).send(result);
}

/** A list with the ETag of each item: that of the item where it is read by itself. */
function withEtags(result: unknown): object {
  const page = result as { readonly items: readonly unknown[] }; // a list
  return { ...page, etags: page.items.map(etagOf) };
}

/** Resolves the scope and checks the permission in it. */
async function originOf(
  deps: RouteDeps,
  request: FastifyRequest,
  route: Route,
  principal: Principal | null,
  organization: unknown,
): Promise<Origin> {
  const source = sourceOfRequest(request);
  if (principal === null || route.permission === null)
    return { ...CONTROLLER_ORIGIN, source, requestId: request.id };
  if (organization !== undefined && typeof organization !== 'string')
    throw invalidField('organization', 'it must be given once');
  const organizationId = await deps.credentials.scopeOf(
    principal,
    scopeNamed(request, organization),
  );
  checkPermission(principal, route.permission, organizationId);
  const ifMatch = request.headers['if-match'];
  return {
    actor: principal.actor,
    organizationId,
    source,
    requestId: request.id,
    reason: readReason(request.headers['x-loom-reason']),
    ...(ifMatch === undefined || route.method === 'GET' ? {} : { ifMatch }),
  };
}

/** The organization that a path is about is the scope, and no other can be named beside it. */
function scopeNamed(request: FastifyRequest, given: string | undefined): string | undefined {
  const params = request.params as Readonly<Record<string, string>>; // as Fastify fills it
  const inPath = params['organization'];
  if (inPath === undefined || given === undefined || given === inPath) return inPath ?? given;
  throw invalidField('organization', 'the path names another one');
}

/** Percent-encoded UTF-8, since a header is ASCII; what is no such encoding is taken as it is. */
function readReason(header: string | string[] | undefined): string | null {
  if (typeof header !== 'string' || header === '') return null;
  let text = header;
  try {
    text = decodeURIComponent(header);
  } catch {
    // as it is
  }
  return text
    .replace(/\p{Cc}/gu, ' ')
    .slice(0, REASON_CHARS_MAX)
    .toWellFormed();
}

function parse(schema: z.ZodType, value: unknown): unknown {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw toInvalidRequest(parsed.error);
}

/** U+0000 is text in JSON and URLs, and none in a database. */
function refuseNul(where: string, value: unknown): void {
  if (typeof value === 'string' && value.includes('\0'))
    throw invalidField(where, 'text has no character U+0000');
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    refuseNul(where, key);
    refuseNul(where, inner);
  }
}

/** Address that a request came from. */
export function sourceOfRequest(request: FastifyRequest): string {
  return plainAddress(request.socket.remoteAddress);
}

/** Name of a route for the table of handlers. */
export type AnyHandler = (call: AnyCall) => Promise<unknown>;

/** Handlers by name, before a request says which types they have. */
export function handlerOf(handlers: object, name: RouteName): AnyHandler {
  return (handlers as Readonly<Record<RouteName, AnyHandler>>)[name]; // a handler for each route
}
