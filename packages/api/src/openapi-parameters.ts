/** Parameters and headers of operations, for the OpenAPI document. */
import { z } from 'zod';
import { hasEtag, isGuardedWrite } from './route-facts.ts';
import type { Route } from './routes.ts';

/** JSON of a document or of a part of one. */
interface JsonObject {
  readonly [key: string]: unknown;
}

const TEXT = { type: 'string' } as const;
const SCOPE = {
  name: 'organization',
  in: 'query',
  required: false,
  description:
    'id or name of the organization to act in; default: the only one of the principal; for system administrators: all, and "default" where something is created',
  schema: TEXT,
} as const;

const HEADERS = {
  'If-Match': 'ETag that the resource must have, or the change is refused',
  'If-None-Match': 'ETag that the reader knows; the reply is 304 when it is that one',
  'Idempotency-Key':
    'repeating the request under the same key gives the first reply again and changes nothing; kept for 24 hours',
  'Last-Event-ID': 'id of the last event that was read: goes on after it',
  'x-loom-reason': 'why, for the ledger: at most 200 characters, percent-encoded UTF-8',
  'x-loom-csrf': 'with a cookie: the value that login and GET /v1/session gave',
} as const;

/** Parameters of a route: path, query, headers. */
export function parametersOf(route: Route): JsonObject[] {
  return [
    ...pathParameters(route.path).map((name) => ({
      name,
      in: 'path',
      required: true,
      description: describeParameter(name),
      schema: TEXT,
    })),
    ...queryParameters(route),
    ...headersOf(route).map((name) => ({
      name,
      in: 'header',
      required: false,
      description: HEADERS[name],
      schema: name === 'Idempotency-Key' ? { ...TEXT, pattern: '^[A-Za-z0-9_-]{1,64}$' } : TEXT,
    })),
  ];
}

function queryParameters(route: Route): JsonObject[] {
  const own = Object.entries(route.query?.shape ?? {}).map(([name, schema]) => {
    const { description, ...json } = toJson(schema);
    return {
      name,
      in: 'query',
      required: !schema.safeParse(undefined).success,
      ...(typeof description === 'string' ? { description } : {}),
      schema: json,
    };
  });
  return route.permission === null ? own : [...own, SCOPE];
}

function toJson(schema: z.ZodType): JsonObject {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io: 'output' });
  return json;
}

function headersOf(route: Route): (keyof typeof HEADERS)[] {
  const names: (keyof typeof HEADERS)[] = [];
  if (route.method === 'GET' && hasEtag(route)) names.push('If-None-Match');
  if (route.media === 'text/event-stream') names.push('Last-Event-ID');
  if (!isGuardedWrite(route)) return names;
  if (route.method === 'POST') names.push('Idempotency-Key');
  return [...names, 'If-Match', 'x-loom-reason', 'x-loom-csrf'];
}

/** Headers of a reply. */
export function replyHeaders(route: Route, status: number): JsonObject {
  const header = (description: string, type = 'string') => ({ description, schema: { type } });
  const isGood = status === route.status;
  return {
    'x-request-id': header('names the request in the log of the controller'),
    ...((isGood && hasEtag(route)) || status === 304 || status === 412
      ? { ETag: header('of the resource as it is') }
      : {}),
    ...(status === 429 ? { 'Retry-After': header('seconds to wait', 'integer') } : {}),
    ...(status === 303 ? { Location: header('where to go on') } : {}),
  };
}

/** Names in braces of a path. */
export function pathParameters(path: string): string[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '');
}

function describeParameter(name: string): string {
  return ['network', 'node', 'organization', 'user'].includes(name)
    ? `id or name of the ${name}`
    : `id of the ${name}`;
}
