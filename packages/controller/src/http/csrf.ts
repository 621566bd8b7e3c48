/**
 * Requests that another site makes a browser send. The cookie does not travel with them (Strict);
 * beside that, whatever changes something under a cookie shows a value that only this origin's
 * pages can read, and no request that names an origin names another one.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { RequestError } from '../request-error.ts';

/** Header with the value that logging in and GET /v1/session gave. */
export const CSRF_HEADER = 'x-loom-csrf';

/** Methods that change nothing. */
export function isSafeMethod(method: string): boolean {
  return method === 'GET' || method === 'HEAD';
}

/** Throws forbidden for a request of a page of another origin. `ownOrigins` beside the Host. */
export function checkOrigin(headers: IncomingHttpHeaders, ownOrigin: string): void {
  const { origin, host } = headers;
  const site = headers['sec-fetch-site'];
  const isOwn =
    origin === undefined ||
    origin === ownOrigin ||
    (host !== undefined && origin === `https://${host}`);
  const isSameSite = site === undefined || site === 'same-origin' || site === 'none';
  if (isOwn && (isSameSite || origin !== undefined)) return;
  throw new RequestError('forbidden', 'this request was made by a page of another site');
}

/** Throws forbidden unless a request shows the value of its session. */
export function checkCsrf(headers: IncomingHttpHeaders, expected: string): void {
  const given = headers[CSRF_HEADER];
  if (typeof given === 'string' && timingSafeEqual(digest(given), digest(expected))) return;
  throw new RequestError(
    'forbidden',
    `under a session a change needs the header ${CSRF_HEADER} with the value that GET /v1/session gives`,
  );
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
