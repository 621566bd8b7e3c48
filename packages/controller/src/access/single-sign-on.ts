/**
 * Single sign-on by OpenID Connect: authorization code with PKCE, state and nonce (openid-client).
 * What a login in progress has to remember is in a cookie of the browser that began it, sealed: the
 * answer counts for that browser alone, any controller can take it, and a million logins that are
 * begun cost no memory here.
 */
import type { Configuration, IDToken } from 'openid-client';
import * as oidc from 'openid-client';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { Keyring } from '../authority/keyring.ts';
import type { RandomBytes } from '../identifiers.ts';
import {
  PROVIDERS_KEPT_MAX,
  PROVIDER_METADATA_MS,
  PROVIDER_TIMEOUT_MS,
  SINGLE_SIGN_ON_MS,
  USER_GROUPS_MAX,
} from '../limits.ts';
import { RequestError } from '../request-error.ts';
import type { IdentityProviderRow } from '../store/access-schema.ts';
import { isLoopbackName, redirectUri, secretOf } from './identity-providers.ts';
import { createProviderFetch } from './provider-fetch.ts';

export interface SingleSignOnDeps {
  readonly keyring: Keyring;
  readonly random: RandomBytes;
  readonly now: () => number;
  /** URL at which browsers reach this controller. */
  readonly ownUrl: () => string;
  readonly log: Logger;
}

/** Who logged in, as its provider says. */
export interface ProviderUser {
  readonly subject: string;
  /** What it would like to be called. */
  readonly name: string;
  readonly groups: readonly string[];
}

const pendingSchema = z.strictObject({
  providerId: z.string(),
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  returnTo: z.string(),
  untilMs: z.number(),
});
type Pending = z.infer<typeof pendingSchema>;

interface Kept {
  readonly key: string;
  readonly untilMs: number;
  readonly configuration: Promise<Configuration>;
}

const PENDING_CONTEXT = 'single sign-on';

/** Sends browsers to identity providers and judges what they bring back. */
export class SingleSignOn {
  readonly #deps: SingleSignOnDeps;
  readonly #kept = new Map<string, Kept>();

  constructor(deps: SingleSignOnDeps) {
    this.#deps = deps;
  }

  /** Where the browser goes, and what its cookie keeps meanwhile. Rejects with provider_failed. */
  async begin(
    row: IdentityProviderRow,
    returnTo: string,
  ): Promise<{ readonly location: string; readonly cookie: string }> {
    const { keyring, random, now, ownUrl } = this.#deps;
    const configuration = await this.#configure(row);
    const pending: Pending = {
      providerId: row.id,
      state: oidc.randomState(),
      nonce: oidc.randomNonce(),
      verifier: oidc.randomPKCECodeVerifier(),
      returnTo,
      untilMs: now() + SINGLE_SIGN_ON_MS,
    };
    const challenge = await oidc.calculatePKCECodeChallenge(pending.verifier);
    const location = this.#locate(row, configuration, {
      redirect_uri: redirectUri(ownUrl(), row.id),
      scope: scopeOf(configuration),
      state: pending.state,
      nonce: pending.nonce,
      code_challenge: challenge,
      code_challenge_method: 'S256',
    });
    const cookie = keyring.sealSecret(PENDING_CONTEXT, JSON.stringify(pending), random);
    return { location: location.href, cookie };
  }

  #locate(
    row: IdentityProviderRow,
    configuration: Configuration,
    parameters: Readonly<Record<string, string>>,
  ): URL {
    try {
      const location = oidc.buildAuthorizationUrl(configuration, { ...parameters });
      if (isSafe(location, row)) return location;
    } catch (error) {
      throw this.#refuse(row, error);
    }
    throw failed(row);
  }

  /** Whoever the browser brought back. Rejects with unauthenticated or provider_failed. */
  async finish(
    row: IdentityProviderRow,
    cookie: string | undefined,
    query: string,
  ): Promise<{ readonly user: ProviderUser; readonly returnTo: string }> {
    const pending = this.#openPending(row, cookie);
    const configuration = await this.#configure(row);
    const url = new URL(`${redirectUri(this.#deps.ownUrl(), row.id)}${query}`);
    try {
      const tokens = await oidc.authorizationCodeGrant(configuration, url, {
        expectedState: pending.state,
        expectedNonce: pending.nonce,
        pkceCodeVerifier: pending.verifier,
        idTokenExpected: true,
      });
      const claims = tokens.claims();
      if (claims === undefined) throw new Error('no ID token');
      const user = await readUser(configuration, row, tokens.access_token, claims);
      return { user, returnTo: pending.returnTo };
    } catch (error) {
      throw this.#refuse(row, error);
    }
  }

  #openPending(row: IdentityProviderRow, cookie: string | undefined): Pending {
    const text =
      cookie === undefined ? null : this.#deps.keyring.openSecret(PENDING_CONTEXT, cookie);
    const parsed = text === null ? undefined : pendingSchema.safeParse(JSON.parse(text));
    const pending = parsed?.data;
    if (pending?.providerId === row.id && pending.untilMs > this.#deps.now()) return pending;
    throw new RequestError(
      'unauthenticated',
      'this browser has no login at this identity provider in progress: begin again',
    );
  }

  async #configure(row: IdentityProviderRow): Promise<Configuration> {
    const key = [row.issuer, row.client_id, row.sealed_secret ?? '', row.reaches_private].join(
      '\n',
    );
    const nowMs = this.#deps.now();
    const kept = this.#kept.get(row.id);
    if (kept?.key === key && kept.untilMs > nowMs) return kept.configuration;
    const configuration = this.#discover(row);
    this.#kept.delete(row.id);
    this.#kept.set(row.id, { key, untilMs: nowMs + PROVIDER_METADATA_MS, configuration });
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= PROVIDERS_KEPT_MAX) break;
      this.#kept.delete(oldest);
    }
    try {
      return await configuration;
    } catch (error) {
      // What failed once is asked again by the next login.
      if (this.#kept.get(row.id)?.configuration === configuration) this.#kept.delete(row.id);
      throw this.#refuse(row, error);
    }
  }

  async #discover(row: IdentityProviderRow): Promise<Configuration> {
    const issuer = new URL(row.issuer);
    const isPlain = issuer.protocol === 'http:' && isLoopbackName(issuer.hostname);
    const secret =
      row.sealed_secret === null
        ? undefined
        : this.#deps.keyring.openSecret(secretOf(row.id), row.sealed_secret);
    if (secret === null) throw new Error('the client secret does not open: set it again');
    const fetch = createProviderFetch({ reachesPrivate: row.reaches_private !== 0, isPlain });
    return oidc.discovery(
      issuer,
      row.client_id,
      undefined,
      secret === undefined ? oidc.None() : oidc.ClientSecretPost(secret),
      {
        [oidc.customFetch]: fetch,
        timeout: PROVIDER_TIMEOUT_MS / 1_000,
        execute: [
          oidc.enableNonRepudiationChecks,
          // Only what `fetch` lets through travels in the clear: loopback.
          ...(isPlain ? [oidc.allowInsecureRequests] : []),
        ],
      },
    );
  }

  #refuse(row: IdentityProviderRow, error: unknown): RequestError {
    if (error instanceof RequestError) return error;
    this.#deps.log.warn(
      { providerId: row.id, issuer: row.issuer, reason: reasonOf(error) },
      'a login by an identity provider failed',
    );
    return failed(row);
  }
}

function failed(row: IdentityProviderRow): RequestError {
  return new RequestError(
    'provider_failed',
    `the identity provider "${row.name}" did not answer as OpenID Connect says`,
  );
}

/** What went wrong, of the error and of what caused it; a token is in none of them. */
function reasonOf(error: unknown): string {
  const texts: string[] = [];
  for (let at: unknown = error; at instanceof Error && texts.length < 4; at = at.cause) {
    const code = 'code' in at && typeof at.code === 'string' ? `${at.code}: ` : '';
    texts.push(`${code}${at.message}`.slice(0, 200));
  }
  return texts.join('; ');
}

/** A browser is sent to a web page and nowhere else. */
function isSafe(location: URL, row: IdentityProviderRow): boolean {
  if (location.protocol === 'https:') return true;
  const isPlain = new URL(row.issuer).protocol === 'http:';
  return location.protocol === 'http:' && isPlain && isLoopbackName(location.hostname);
}

function scopeOf(configuration: Configuration): string {
  const known = configuration.serverMetadata().scopes_supported;
  const wanted = ['openid', 'profile', 'email'];
  return [...wanted, ...(known?.includes('groups') === true ? ['groups'] : [])].join(' ');
}

async function readUser(
  configuration: Configuration,
  row: IdentityProviderRow,
  accessToken: string,
  claims: IDToken,
): Promise<ProviderUser> {
  let told: Readonly<Record<string, unknown>> = claims;
  const hasGroups = claims[row.groups_claim] !== undefined;
  if (!hasGroups && configuration.serverMetadata().userinfo_endpoint !== undefined)
    told = { ...claims, ...(await oidc.fetchUserInfo(configuration, accessToken, claims.sub)) };
  return {
    subject: claims.sub,
    name: nameOf(told) ?? claims.sub,
    groups: groupsOf(told[row.groups_claim]),
  };
}

function nameOf(claims: Readonly<Record<string, unknown>>): string | undefined {
  return [claims['preferred_username'], claims['email'], claims['name']].find(
    (value): value is string => typeof value === 'string' && value !== '',
  );
}

/** A list of texts, or one text; anything else says nothing. */
function groupsOf(claim: unknown): readonly string[] {
  const given: readonly unknown[] = Array.isArray(claim) ? claim : [claim];
  return given
    .slice(0, USER_GROUPS_MAX)
    .filter((group): group is string => typeof group === 'string');
}
