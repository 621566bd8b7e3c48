/**
 * Checks the administrator's bearer token: by hash, in constant time, with a rate on wrong ones.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { RequestError } from '../request-error.ts';
import type { SourceRate } from './token-bucket.ts';

export interface AdminAuth {
  /**
   * Throws RequestError unauthenticated or too_many_requests. A right token is never refused,
   * whatever else its address sent.
   */
  check(authorization: string | undefined, source: string): void;
}

/** Keeps only the hash of the token. */
export function createAdminAuth(token: string, failures: SourceRate): AdminAuth {
  const expected = digest(token);
  return {
    check(authorization, source) {
      const given = /^Bearer +([A-Za-z0-9_-]{1,256})$/i.exec(authorization ?? '')?.[1];
      if (given !== undefined && timingSafeEqual(digest(given), expected)) return;
      // Who shows nothing guesses nothing: a page that asks whether it is logged in, for example.
      if (authorization !== undefined) countFailure(failures, source);
      throw new RequestError(
        'unauthenticated',
        authorization === undefined
          ? 'this needs a session, or the header "Authorization: Bearer TOKEN" with an API token or the token of admin.token'
          : 'the bearer token is not one of this controller',
      );
    },
  };
}

/** Notes wrong credentials. Throws too_many_requests when a source has shown too many. */
export function countFailure(failures: SourceRate, source: string): void {
  const waitSeconds = failures.take(source);
  if (waitSeconds === 0) return;
  throw new RequestError(
    'too_many_requests',
    `too many wrong credentials from ${source}: wait ${waitSeconds} s`,
    { retryAfterSeconds: waitSeconds },
  );
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
