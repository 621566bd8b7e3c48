/**
 * For tests: a real OpenID Connect provider on loopback, whose accounts log in without being asked;
 * and an issuer that lies as it is told.
 */
import type { KeyObject } from 'node:crypto';
import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider from 'oidc-provider';

export interface Account {
  readonly name: string;
  readonly groups: readonly string[];
}

export interface TestProvider {
  readonly issuer: string;
  /** Accounts by subject; a test changes them. */
  readonly accounts: Map<string, Account>;
  /** Who logs in next. */
  current: string;
  /** Where browsers are sent back to; register before they come. */
  readonly redirectUris: string[];
  stop(): Promise<void>;
}

export const CLIENT_ID = 'etherloom';
export const CLIENT_SECRET = 'a secret of the client';

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // a TCP server has one
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

/** Starts a provider. */
export async function startProvider(): Promise<TestProvider> {
  const state = { current: '', redirectUris: [] as string[] };
  const accounts = new Map<string, Account>();
  let handle: (request: IncomingMessage, response: ServerResponse) => void = () => {};
  const server = createServer((request, response) => handle(request, response));
  const issuer = await listen(server);
  // Its clients are read once: made when the first request comes, after redirect URIs are known.
  handle = (request, response) => {
    const provider = makeProvider(issuer, accounts, state.redirectUris);
    const serve = provider.callback();
    handle = (nextRequest, nextResponse) => {
      if (nextRequest.url?.startsWith('/interaction/') === true)
        void interact(provider, state.current, nextRequest, nextResponse);
      else serve(nextRequest, nextResponse);
    };
    handle(request, response);
  };
  return Object.assign(state, { issuer, accounts, stop: () => close(server) });
}

function makeProvider(
  issuer: string,
  accounts: ReadonlyMap<string, Account>,
  redirectUris: readonly string[],
): Provider {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  return new Provider(issuer, {
    clients: [
      {
        client_id: CLIENT_ID,
        client_secret: CLIENT_SECRET,
        redirect_uris: redirectUris,
        token_endpoint_auth_method: 'client_secret_post',
        grant_types: ['authorization_code'],
        response_types: ['code'],
      },
    ],
    jwks: {
      keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'k1', use: 'sig', alg: 'RS256' }],
    },
    cookies: { keys: [randomBytes(16).toString('hex')] },
    scopes: ['openid', 'profile', 'email', 'groups'],
    claims: { openid: ['sub'], profile: ['preferred_username'], groups: ['groups'] },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
    ttl: { Interaction: 600, Session: 600, Grant: 600, AccessToken: 600, IdToken: 600 },
    findAccount: (_: unknown, subject: string) => {
      const account = accounts.get(subject);
      return account === undefined
        ? undefined
        : {
            accountId: subject,
            claims: () => ({
              sub: subject,
              preferred_username: account.name,
              groups: account.groups,
            }),
          };
    },
  });
}

async function interact(
  provider: Provider,
  accountId: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { prompt, params } = await provider.interactionDetails(request, response);
  const options = { mergeWithLastSubmission: false };
  if (prompt.name === 'login') {
    await provider.interactionFinished(request, response, { login: { accountId } }, options);
    return;
  }
  const grant = new provider.Grant({ accountId, clientId: params['client_id'] });
  grant.addOIDCScope(String(params['scope']));
  const consent = { grantId: await grant.save() };
  await provider.interactionFinished(request, response, { consent }, options);
}

/** Follows a login as a browser does, up to the URL at the controller; it is not fetched. */
export async function followLogin(location: string, ownUrl: string): Promise<string> {
  const cookies = new Map<string, string>();
  let url = location;
  for (let i = 0; i < 10 && !url.startsWith(ownUrl); i += 1) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const reply = await fetch(url, { redirect: 'manual', headers: { cookie } });
    for (const text of reply.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(text) ?? [];
      cookies.set(name, value);
    }
    const next = reply.headers.get('location');
    if (next === null) throw new Error(`${url}: ${reply.status} ${await reply.text()}`);
    url = new URL(next, url).href;
  }
  return url;
}

/** What an issuer that lies says in place of the truth. */
export interface Lies {
  readonly issuer?: string;
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly isSignedByOther?: boolean;
  readonly isUnsigned?: boolean;
  readonly bodyBytes?: number;
  readonly redirectTo?: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

export interface LyingIssuer {
  readonly issuer: string;
  lies: Lies;
  /** Paths that were asked for. */
  readonly asked: string[];
  stop(): Promise<void>;
}

/** Starts an issuer whose tokens are right but for its lies. */
export async function startLyingIssuer(): Promise<LyingIssuer> {
  const key = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const other = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const state = { lies: {} as Lies, asked: [] as string[] };
  let issuer = '';
  let nonce = '';
  const bodyOf = (path: string): unknown => {
    switch (path) {
      case '/.well-known/openid-configuration':
        return {
          issuer: state.lies.issuer ?? issuer,
          authorization_endpoint: `${issuer}/authorize`,
          token_endpoint: `${issuer}/token`,
          jwks_uri: `${issuer}/jwks`,
          response_types_supported: ['code'],
          id_token_signing_alg_values_supported: ['RS256'],
          code_challenge_methods_supported: ['S256'],
          ...state.lies.metadata,
        };
      case '/jwks':
        return {
          keys: [
            { ...key.publicKey.export({ format: 'jwk' }), kid: 'k1', use: 'sig', alg: 'RS256' },
          ],
        };
      case '/token':
        return {
          access_token: 'x',
          token_type: 'Bearer',
          id_token: makeIdToken(
            { issuer, nonce, lies: state.lies },
            state.lies.isSignedByOther === true ? other.privateKey : key.privateKey,
          ),
        };
      default:
        return undefined;
    }
  };
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://x');
    state.asked.push(url.pathname);
    request.resume();
    if (url.pathname === '/authorize') {
      nonce = url.searchParams.get('nonce') ?? '';
      const back = new URL(url.searchParams.get('redirect_uri') ?? '');
      back.searchParams.set('code', 'c');
      back.searchParams.set('state', url.searchParams.get('state') ?? '');
      return void response.writeHead(303, { location: back.href }).end();
    }
    if (state.lies.redirectTo !== undefined)
      return void response.writeHead(302, { location: state.lies.redirectTo }).end();
    const body = bodyOf(url.pathname);
    response.writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(`${JSON.stringify(body ?? {})}${' '.repeat(state.lies.bodyBytes ?? 0)}`);
  });
  issuer = await listen(server);
  return Object.assign(state, { issuer, stop: () => close(server) });
}

function makeIdToken(
  { issuer, nonce, lies }: { readonly issuer: string; readonly nonce: string; readonly lies: Lies },
  key: KeyObject,
): string {
  const seconds = Math.floor(Date.now() / 1_000);
  const claims = {
    iss: issuer,
    sub: 'liar',
    aud: CLIENT_ID,
    nonce,
    iat: seconds,
    exp: seconds + 300,
    preferred_username: 'liar',
    groups: ['team'],
    ...lies.claims,
  };
  const encode = (value: unknown): string =>
    Buffer.from(JSON.stringify(value)).toString('base64url');
  const header = lies.isUnsigned === true ? { alg: 'none' } : { alg: 'RS256', kid: 'k1' };
  const text = `${encode(header)}.${encode(claims)}`;
  if (lies.isUnsigned === true) return `${text}.`;
  return `${text}.${sign('sha256', Buffer.from(text), key).toString('base64url')}`;
}

/** What a code challenge is made of, for tests that look at it. */
export function challengeOf(verifier: string): string {
  return createHash('sha256').update(verifier).digest('base64url');
}
