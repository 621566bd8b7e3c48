/** Single sign-on against a real provider, and against issuers and browsers that lie. */
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { IdentityProvider } from '@etherloom/api';
import { SINGLE_SIGN_ON_MS } from '../limits.ts';
import { Browser, codeIn, makeUser } from '../testing/access-fixture.ts';
import type { TestController } from '../testing/controller-fixture.ts';
import { startTestController } from '../testing/controller-fixture.ts';
import type { LyingIssuer, TestProvider } from '../testing/identity-provider-fixture.ts';
import {
  CLIENT_ID,
  CLIENT_SECRET,
  followLogin,
  startLyingIssuer,
  startProvider,
} from '../testing/identity-provider-fixture.ts';
import { isPrivateAddress } from './provider-fetch.ts';

let running: TestController;
let provider: TestProvider;
let liar: LyingIssuer;
let real: IdentityProvider;
let lying: IdentityProvider;
let nowMs: number;

beforeAll(async () => {
  nowMs = Date.now();
  running = await startTestController({ now: () => nowMs });
  provider = await startProvider();
  liar = await startLyingIssuer();
  const groupRoles = [
    { group: 'team', role: 'operator' as const },
    { group: 'chiefs', role: 'owner' as const },
  ];
  const given = { clientId: CLIENT_ID, clientSecret: CLIENT_SECRET, groupRoles };
  const add = (name: string, issuer: string): Promise<IdentityProvider> =>
    running.client.call('identityProviderCreate', { body: { ...given, name, issuer } });
  real = await add('Real', provider.issuer);
  lying = await add('Liar', liar.issuer);
  provider.redirectUris.push(real.redirectUri);
});
afterAll(async () => {
  await running.remove();
  await provider.stop();
  await liar.stop();
});

let counter = 0;
function freshName(): string {
  counter += 1;
  return `sso-${counter}`;
}

async function start(browser: Browser, id: string, returnTo?: string): Promise<string> {
  const query = returnTo === undefined ? '' : `?returnTo=${encodeURIComponent(returnTo)}`;
  const reply = await browser.send('GET', `/v1/login/providers/${id}/start${query}`);
  expect(reply.status, reply.body).toBe(303);
  return reply.headers['location'] ?? '';
}

/** Logs in as a subject; gives where the controller sends the browser in the end. */
async function signOn(browser: Browser, subject: string, returnTo?: string): Promise<string> {
  provider.current = subject;
  const back = await followLogin(await start(browser, real.id, returnTo), running.controller.url);
  return (await browser.send('GET', back)).headers['location'] ?? '';
}

describe('a login by a provider', () => {
  test('makes the user at its first login, with the roles of its groups', async () => {
    provider.accounts.set('s-1', { name: 'Änna Schmidt', groups: ['team', 'golf'] });
    const browser = new Browser(running);
    expect(await signOn(browser, 's-1', '/networks/blue')).toBe('/networks/blue');
    expect([...browser.cookies.keys()]).toEqual(['__Host-loom']);
    const whoami = await browser.client().call('sessionShow');
    expect(whoami).toMatchObject({ kind: 'user', name: 'anna-schmidt' });
    expect(whoami.organizations).toMatchObject([{ name: 'default', roles: ['operator'] }]);
  });

  test('sends state, nonce and a challenge, each anew, and keeps them in a sealed cookie', async () => {
    const browser = new Browser(running);
    const first = new URL(await start(browser, real.id)).searchParams;
    const cookie = browser.cookies.get('__Host-loom-login') ?? '';
    const second = new URL(await start(browser, real.id)).searchParams;
    for (const name of ['state', 'nonce', 'code_challenge']) {
      expect((first.get(name) ?? '').length, name).toBeGreaterThanOrEqual(40);
      expect(first.get(name), name).not.toBe(second.get(name));
      expect(Buffer.from(cookie, 'base64url').includes(first.get(name) ?? '?')).toBe(false);
    }
    expect(first.get('code_challenge_method')).toBe('S256');
    expect(first.get('redirect_uri')).toBe(real.redirectUri);
  });

  test('follows the groups at each login: up, down, and out', async () => {
    provider.accounts.set('s-2', { name: 'ben', groups: ['team'] });
    const browser = new Browser(running);
    await signOn(browser, 's-2');
    const rolesOf = async (): Promise<unknown> =>
      (await browser.client().call('sessionShow')).organizations[0]?.roles;
    provider.accounts.set('s-2', { name: 'renamed', groups: ['chiefs'] });
    await signOn(browser, 's-2');
    expect(await rolesOf()).toEqual(['owner']);
    expect((await browser.client().call('sessionShow')).name).toBe('ben');
    const kept = browser.cookies.get('__Host-loom') ?? '';
    provider.accounts.set('s-2', { name: 'ben', groups: ['golf'] });
    expect(await signOn(new Browser(running), 's-2')).toBe('/?login_failed=forbidden');
    browser.cookies.set('__Host-loom', kept);
    expect((await browser.send('GET', '/v1/session')).status).toBe(401);
    const user = await running.client.call('userShow', { params: { user: 'ben' } });
    expect(user).toMatchObject({ roles: [], groupRoles: [], hasPassword: false });
  });

  test('never takes over a user of the same name', async () => {
    const local = await makeUser(running, 'default', 'carla', ['owner']);
    provider.accounts.set('s-3', { name: 'carla', groups: ['team'] });
    const browser = new Browser(running);
    await signOn(browser, 's-3');
    const { id, name } = await browser.client().call('sessionShow');
    expect(name).toBe('carla-2');
    expect(id).not.toBe((await local.client().call('sessionShow')).id);
  });

  test('without a password logs in by the provider alone', async () => {
    const reply = await new Browser(running).send('POST', '/v1/session', {
      body: { name: 'carla-2', password: 'null' },
    });
    expect(codeIn(reply)).toBe('unauthenticated');
  });

  test('counts for the browser that began it, once, and in time', async () => {
    provider.accounts.set('s-4', { name: 'dora', groups: ['team'] });
    provider.current = 's-4';
    const begun = new Browser(running);
    const back = await followLogin(await start(begun, real.id), running.controller.url);
    const stranger = new Browser(running);
    const refused = '/?login_failed=unauthenticated';
    expect((await stranger.send('GET', back)).headers['location']).toBe(refused);
    await start(stranger, real.id);
    expect((await stranger.send('GET', back)).headers['location']).toBe(
      '/?login_failed=provider_failed',
    );
    expect(stranger.cookies.has('__Host-loom')).toBe(false);
    const kept = begun.cookies.get('__Host-loom-login') ?? '';
    expect((await begun.send('GET', back)).headers['location']).toBe('/');
    begun.cookies.set('__Host-loom-login', kept);
    expect((await begun.send('GET', back)).headers['location']).toBe(
      '/?login_failed=provider_failed',
    );
    const late = new Browser(running);
    const lateBack = await followLogin(await start(late, real.id), running.controller.url);
    nowMs += SINGLE_SIGN_ON_MS;
    expect((await late.send('GET', lateBack)).headers['location']).toBe(refused);
  });

  test.each([
    ['another state', (url: URL) => url.searchParams.set('state', 'x'.repeat(43))],
    ['no state', (url: URL) => url.searchParams.delete('state')],
    ['a second state', (url: URL) => url.searchParams.append('state', 'x')],
    ['another issuer', (url: URL) => url.searchParams.set('iss', 'https://other.example')],
    ['an error beside the code', (url: URL) => url.searchParams.set('error', 'access_denied')],
  ])('does not count with %s', async (_, tamper) => {
    provider.accounts.set('s-6', { name: 'fritz', groups: ['team'] });
    provider.current = 's-6';
    const browser = new Browser(running);
    const back = new URL(await followLogin(await start(browser, real.id), running.controller.url));
    tamper(back);
    const reply = await browser.send('GET', back.href);
    expect(reply.headers['location']).toBe('/?login_failed=provider_failed');
    expect(browser.cookies.size).toBe(0);
  });

  test('counts at the provider that it was begun at: answers are not mixed up', async () => {
    provider.accounts.set('s-5', { name: 'emil', groups: ['team'] });
    provider.current = 's-5';
    const browser = new Browser(running);
    const back = await followLogin(await start(browser, real.id), running.controller.url);
    const swapped = back.replace(real.id, lying.id);
    expect((await browser.send('GET', swapped)).headers['location']).toBe(
      '/?login_failed=unauthenticated',
    );
  });

  test.each([
    'https://evil.example',
    '//evil.example',
    '/\\evil.example',
    'javascript:x',
    '/a\r\nset-cookie: x',
    '/a?b',
    '/%2f',
  ])('leads to no other site: %s', async (returnTo) => {
    const path = `/v1/login/providers/${real.id}/start?returnTo=${encodeURIComponent(returnTo)}`;
    expect(codeIn(await new Browser(running).send('GET', path))).toBe('invalid_request');
  });

  test('ends with its provider: sessions, roles and all', async () => {
    const again = await running.client.call('identityProviderCreate', {
      body: {
        name: 'Short',
        issuer: liar.issuer,
        clientId: CLIENT_ID,
        groupRoles: [{ group: 'team', role: 'admin' }],
      },
    });
    liar.lies = {};
    const browser = new Browser(running);
    const back = await followLogin(await start(browser, again.id), running.controller.url);
    expect((await browser.send('GET', back)).headers['location']).toBe('/');
    await running.client.call('identityProviderDelete', { params: { identityProvider: again.id } });
    expect((await browser.send('GET', '/v1/session')).status).toBe(401);
    const { items } = await running.client.call('userList', { query: { name: 'liar' } });
    expect(items).toMatchObject([{ roles: [], identityProviderId: null }]);
  });
});

describe('an issuer that lies', () => {
  async function outcome(lies: LyingIssuer['lies']): Promise<string> {
    liar.lies = lies;
    // Its metadata is kept for a while: time goes on, so that it is asked again.
    nowMs += 3_600_000;
    const browser = new Browser(running);
    const begun = await browser.send('GET', `/v1/login/providers/${lying.id}/start`);
    const location = begun.headers['location'] ?? '';
    if (!location.startsWith('http')) return location;
    const back = await followLogin(location, running.controller.url);
    const reply = await browser.send('GET', back);
    expect(browser.cookies.has('__Host-loom')).toBe(reply.headers['location'] === '/');
    return reply.headers['location'] ?? '';
  }

  const past = Math.floor(Date.now() / 1_000) - 3_600;

  test('is believed when it does not', async () => {
    expect(await outcome({})).toBe('/');
  });

  test.each<[string, LyingIssuer['lies']]>([
    ['a nonce of another login', { claims: { nonce: 'x'.repeat(43) } }],
    ['no nonce', { claims: { nonce: undefined } }],
    ['a token for another client', { claims: { aud: 'somebody-else' } }],
    [
      'a token for several clients, made for another',
      { claims: { aud: [CLIENT_ID, 'b'], azp: 'b' } },
    ],
    ['a token that ran out', { claims: { exp: past } }],
    ['a token of another issuer', { claims: { iss: 'https://other.example' } }],
    ['a token without a subject', { claims: { sub: undefined } }],
    ['a token signed by another key', { isSignedByOther: true }],
    ['a token that is not signed', { isUnsigned: true }],
    ['another issuer in its metadata', { issuer: 'https://other.example' }],
    ['a reply that is too large', { bodyBytes: 300_000 }],
    ['a redirect', { redirectTo: 'http://169.254.169.254/latest/meta-data' }],
    [
      'an endpoint elsewhere in the clear',
      { metadata: { token_endpoint: 'http://192.0.2.1/token' } },
    ],
    [
      'an endpoint that is no URL of the web',
      { metadata: { token_endpoint: 'file:///etc/passwd' } },
    ],
    [
      'a login page that is a script',
      { metadata: { authorization_endpoint: 'javascript:alert(1)' } },
    ],
    ['a login page in the clear', { metadata: { authorization_endpoint: 'http://evil.example' } }],
  ])('is not believed: %s', async (_, lies) => {
    expect(await outcome(lies)).toBe('/?login_failed=provider_failed');
  });

  test('is not believed: an endpoint in the clear by a name, which may lead anywhere', async () => {
    const token_endpoint = `${liar.issuer.replace('127.0.0.1', 'localhost')}/token`;
    expect(await outcome({ metadata: { token_endpoint } })).toBe('/?login_failed=provider_failed');
  });

  test('that does not answer is given up in time, without a fault', async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => void sockets.push(socket));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as AddressInfo; // a TCP server has one
    const made = await running.client.call('identityProviderCreate', {
      body: { name: 'Silent', issuer: `http://127.0.0.1:${port}`, clientId: 'x' },
    });
    const reply = await new Browser(running).send('GET', `/v1/login/providers/${made.id}/start`);
    expect(reply.headers['location']).toBe('/?login_failed=provider_failed');
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => silent.close(resolve));
  });
});

describe('whoever adds a provider', () => {
  test.each([
    'http://127.0.0.1:9/x',
    'http://id.example.com',
    'https://user:password@id.example.com',
    'https://id.example.com/?a=b',
    'ftp://id.example.com',
  ])('of a tenant may not point the controller at its own network: %s', async (issuer) => {
    const owner = await makeUser(running, 'default', freshName(), ['owner']);
    const reply = await owner.send('POST', '/v1/identity-providers', {
      body: { name: 'x', issuer, clientId: 'x' },
    });
    expect(codeIn(reply)).toBe('invalid_request');
  });

  test.each([
    'https://127.0.0.1:9',
    'https://localhost:9',
    'https://[::ffff:10.0.0.1]',
    'https://169.254.169.254',
  ])('of a tenant reaches no private address: %s', async (issuer) => {
    const owner = await makeUser(running, 'default', freshName(), ['owner']);
    const made = await owner.client().call('identityProviderCreate', {
      body: { name: freshName(), issuer, clientId: 'x' },
    });
    const reply = await owner.send('GET', `/v1/login/providers/${made.id}/start`);
    expect(reply.headers['location']).toBe('/?login_failed=provider_failed');
  });

  test('gives by its groups no more than it holds, and changes none that gives more', async () => {
    const admin = (await makeUser(running, 'default', 'an-admin', ['admin'])).client();
    const groupRoles = [{ group: 'x', role: 'owner' as const }];
    const body = { name: 'mine', issuer: 'https://id.example.com', clientId: 'x' };
    const refused = { code: 'forbidden' };
    await expect(
      admin.call('identityProviderCreate', { body: { ...body, groupRoles } }),
    ).rejects.toMatchObject(refused);
    const params = { identityProvider: real.id };
    await expect(
      admin.call('identityProviderChange', { params, body: { clientSecret: 'mine' } }),
    ).rejects.toMatchObject(refused);
    await expect(admin.call('identityProviderDelete', { params })).rejects.toMatchObject(refused);
  });

  test('cuts nobody off from a login who holds more', async () => {
    const made = await running.client.call('identityProviderCreate', {
      body: { name: freshName(), issuer: liar.issuer, clientId: CLIENT_ID, refusesUnmapped: false },
    });
    liar.lies = { claims: { sub: 'boss', preferred_username: 'boss' } };
    const browser = new Browser(running);
    const back = await followLogin(await start(browser, made.id), running.controller.url);
    await browser.send('GET', back);
    const params = { user: 'boss' };
    await running.client.call('userRoles', { params, body: { roles: ['owner'] } });
    const admin = (await makeUser(running, 'default', freshName(), ['admin'])).client();
    const given = { params: { identityProvider: made.id } };
    const refused = { code: 'forbidden' };
    await expect(admin.call('identityProviderDelete', given)).rejects.toMatchObject(refused);
    await expect(
      admin.call('identityProviderChange', { ...given, body: { clientId: 'none' } }),
    ).rejects.toMatchObject(refused);
  });

  test('reads its secret nowhere', async () => {
    const shown = await running.client.call('identityProviderList');
    const ledger = await running.client.call('auditList', {});
    for (const text of [JSON.stringify(shown), JSON.stringify(ledger)])
      expect(text).not.toContain(CLIENT_SECRET);
    expect(shown.items.find(({ id }) => id === real.id)?.hasSecret).toBe(true);
  });
});

test('the login page of an organization learns names of its providers and nothing else', async () => {
  const browser = new Browser(running);
  const reply = await browser
    .client()
    .call('loginProviders', { query: { organization: 'default' } });
  expect(reply.items).toContainEqual({ id: real.id, name: 'Real' });
  expect(JSON.stringify(reply)).not.toContain(provider.issuer);
  const none = await browser
    .client()
    .call('loginProviders', { query: { organization: 'nowhere' } });
  expect(none.items).toEqual([]);
});

test.each([
  ['127.0.0.1', true],
  ['10.1.2.3', true],
  ['100.64.0.1', true],
  ['172.31.255.255', true],
  ['172.32.0.1', false],
  ['192.168.1.1', true],
  ['169.254.169.254', true],
  ['0.0.0.0', true],
  ['255.255.255.255', true],
  ['8.8.8.8', false],
  ['::1', true],
  ['::', true],
  ['::ffff:127.0.0.1', true],
  ['::ffff:8.8.8.8', false],
  ['::ffff:a00:1', true],
  ['fe80::1', true],
  ['fd00::1', true],
  ['2002:7f00:1::', true],
  ['64:ff9b::7f00:1', true],
  ['2606:4700::1111', false],
  ['no address', true],
])('%s is private: %s', (address, expected) => {
  expect(isPrivateAddress(address)).toBe(expected);
});
