/**
 * What follows for a route from what it is: the errors that any request of its kind can meet,
 * whether its reply has an ETag, and which headers it reads. The server and the OpenAPI document
 * both ask here.
 */
import type { z } from 'zod';
import type { ErrorCode } from './errors.ts';
import type { Route } from './routes.ts';
import { ROUTES } from './routes.ts';
import { isListRoute } from './routes/route.ts';

/** Replies that can be read by themselves. */
const RESOURCES: ReadonlySet<z.ZodType | null> = new Set(
  (Object.values(ROUTES) as Route[]) // rows of the table
    .filter((route) => route.method === 'GET' && route.permission !== null && !isListRoute(route))
    .map((route) => route.reply),
);

/** True when replies of the route have an ETag. */
export function hasEtag(route: Route): boolean {
  return route.reply !== null && RESOURCES.has(route.reply);
}

/** True when the route changes something in the name of a principal. */
export function isGuardedWrite(route: Route): boolean {
  return route.permission !== null && route.method !== 'GET';
}

/** Every code that the route can answer with. */
export function errorsOf(route: Route): ReadonlySet<ErrorCode> {
  return new Set([...(route.errors ?? []), ...impliedErrors(route)]);
}

/** Codes that any request to a route of this kind can meet. */
export function impliedErrors(route: Route): ReadonlySet<ErrorCode> {
  const codes = new Set<ErrorCode>([
    'invalid_request',
    'forbidden',
    'too_many_requests',
    'internal',
    'unavailable',
  ]);
  if (route.permission !== null) codes.add('unauthenticated').add('not_found');
  if (route.method !== 'GET') codes.add('body_too_large');
  if (isGuardedWrite(route)) codes.add('precondition_failed');
  if (isGuardedWrite(route) && route.method === 'POST') codes.add('idempotency_mismatch');
  if (route.path.includes('{')) codes.add('not_found');
  return codes;
}
