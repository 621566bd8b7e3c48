/**
 * Who makes a request: reads credentials from its headers, gives the principal that they prove and
 * the organization in which it acts. A bearer token goes before a cookie: no page of another site
 * can make a browser send one.
 */
import type { FastifyRequest } from 'fastify';
import { isApiToken, openApiToken, touchApiToken } from '../access/api-tokens.ts';
import type { Principal } from '../access/principal.ts';
import { NO_ORGANIZATION } from '../access/principal.ts';
import { openSession, touchSession } from '../access/sessions.ts';
import { SEEN_STEP_MS, RATE_SOURCES_MAX } from '../limits.ts';
import { RequestError } from '../request-error.ts';
import { findOrganization } from '../store/organizations.ts';
import { notFound } from '../store/scope.ts';
import type { Store } from '../store/store.ts';
import type { AdminAuth } from './admin-auth.ts';
import { countFailure } from './admin-auth.ts';
import { SESSION_COOKIE, readCookie } from './cookies.ts';
import { checkCsrf, checkOrigin, isSafeMethod } from './csrf.ts';
import type { SourceRate } from './token-bucket.ts';

export interface Credentials {
  /** Rejects with unauthenticated, forbidden (a forged request) or too_many_requests. */
  check(request: FastifyRequest, source: string): Promise<Principal>;
  /** The same for a request that goes on: that it does is no use of the credentials. */
  checkAgain(request: FastifyRequest, source: string): Promise<Principal>;
  /** Rejects a request that a page of another site makes a browser send. */
  checkOrigin(request: FastifyRequest): void;
  /**
   * Id of the organization that is named, or meant where none is; null: all of them. Rejects with
   * not_found, also for one in which the principal has no part.
   */
  scopeOf(principal: Principal, organization: string | undefined): Promise<string | null>;
}

export interface CredentialsDeps {
  readonly adminAuth: AdminAuth;
  readonly store: Store;
  readonly authFailures: SourceRate;
  /** Origin of the URL at which browsers reach this controller. */
  readonly ownOrigin: () => string;
  readonly now: () => number;
}

const BOOTSTRAP: Principal = {
  actor: { kind: 'bootstrap', id: null, name: 'admin.token' },
  proof: { kind: 'bootstrap' },
  userId: null,
  roles: new Map(),
  isSystem: true,
  grants: new Map(),
};

/** Credentials of a controller. */
export function createCredentials(deps: CredentialsDeps): Credentials {
  const seen = new Seen(deps);
  const prove = async (request: FastifyRequest, source: string): Promise<Principal> => {
    const { authorization, cookie } = request.headers;
    const bearer = /^Bearer +([A-Za-z0-9_-]{1,256})$/i.exec(authorization ?? '')?.[1];
    if (bearer !== undefined && isApiToken(bearer)) {
      const principal = await deps.store.read((tx) => openApiToken(tx, bearer));
      if (principal === null) throw refuse(deps, source, 'the API token is unknown or expired');
      return principal;
    }
    const secret = readCookie(cookie, SESSION_COOKIE);
    if (authorization !== undefined || secret === undefined) {
      deps.adminAuth.check(authorization, source);
      return BOOTSTRAP;
    }
    const principal = await deps.store.read((tx) => openSession(tx, secret));
    if (principal?.proof.kind !== 'session')
      throw refuse(deps, source, 'the session is over: log in again');
    if (!isSafeMethod(request.method)) {
      checkOrigin(request.headers, deps.ownOrigin());
      checkCsrf(request.headers, principal.proof.csrf);
    }
    return principal;
  };
  return {
    check: async (request, source) => {
      const principal = await prove(request, source);
      await seen.note(principal);
      return principal;
    },
    checkAgain: prove,
    checkOrigin: ({ method, headers }) => {
      if (!isSafeMethod(method)) checkOrigin(headers, deps.ownOrigin());
    },
    scopeOf: (principal, organization) => findScope(deps.store, principal, organization),
  };
}

function refuse(deps: CredentialsDeps, source: string, message: string): RequestError {
  countFailure(deps.authFailures, source);
  return new RequestError('unauthenticated', message);
}

async function findScope(
  store: Store,
  principal: Principal,
  organization: string | undefined,
): Promise<string | null> {
  if (organization === undefined) {
    if (principal.isSystem) return null;
    const [only, other] = principal.grants.keys();
    return only === undefined || other !== undefined ? NO_ORGANIZATION : only;
  }
  const found = await store.read((tx) => findOrganization(tx, organization));
  if (principal.isSystem || principal.grants.has(found.id)) return found.id;
  throw notFound('organization', organization);
}

/** Writes the use of sessions and tokens down, each to the minute. */
class Seen {
  readonly #deps: CredentialsDeps;
  readonly #notedMs = new Map<string, number>();

  constructor(deps: CredentialsDeps) {
    this.#deps = deps;
  }

  async note({ proof }: Principal): Promise<void> {
    if (proof.kind === 'bootstrap') return;
    const nowMs = this.#deps.now();
    if (nowMs - (this.#notedMs.get(proof.id) ?? -Infinity) < SEEN_STEP_MS) return;
    this.#notedMs.delete(proof.id);
    this.#notedMs.set(proof.id, nowMs);
    for (const oldest of this.#notedMs.keys()) {
      if (this.#notedMs.size <= RATE_SOURCES_MAX) break;
      this.#notedMs.delete(oldest);
    }
    await this.#deps.store.transact((tx) =>
      proof.kind === 'session' ? touchSession(tx, proof.id) : touchApiToken(tx, proof.id),
    );
  }
}
