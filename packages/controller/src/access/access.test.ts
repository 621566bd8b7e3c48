/** Users, sessions, tokens over real TLS, as browsers, programs and attackers use them. */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Client } from '@etherloom/api';
import { ApiError } from '@etherloom/api';
import { SESSION_IDLE_MS, SESSION_LIFETIME_MS } from '../limits.ts';
import { Browser, PASSWORD, codeIn, makeUser, setupCodeOf } from '../testing/access-fixture.ts';
import type { TestController } from '../testing/controller-fixture.ts';
import { makeClient, startTestController } from '../testing/controller-fixture.ts';

async function codeOf(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ApiError);
  return (error as ApiError).code; // asserted above
}

let counter = 0;
function fresh(prefix: string): string {
  counter += 1;
  return `${prefix}-${counter}`;
}

describe('the first user', () => {
  let running: TestController;
  beforeEach(async () => {
    running = await startTestController();
  });
  afterEach(() => running.remove());

  test('is made with the set-up code, once, and the code is gone', async () => {
    const path = join(running.dataDirectory, 'setup.code');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const code = setupCodeOf(running);
    expect(running.controller.setupCode).toBe(code);
    const browser = new Browser(running);
    const body = { name: 'anna', password: PASSWORD };
    const guess = await browser.send('POST', '/v1/setup', {
      body: { ...body, code: 'aaaaa-aaaaa-aaaaa-aaaaa' },
    });
    expect(codeIn(guess)).toBe('unauthenticated');
    expect((await browser.client().call('setupShow')).isNeeded).toBe(true);
    const made = await browser.send('POST', '/v1/setup', {
      body: { ...body, code: code.toUpperCase() },
    });
    expect(made.status).toBe(201);
    expect(browser.take(made)).toMatchObject({ name: 'anna', isSystemAdministrator: true });
    expect(existsSync(path)).toBe(false);
    expect((await browser.client().call('setupShow')).isNeeded).toBe(false);
    const again = await browser.send('POST', '/v1/setup', { body: { ...body, code } });
    expect(codeIn(again)).toBe('setup_done');
    const { organizations } = await browser.client().call('sessionShow');
    expect(organizations).toMatchObject([{ name: 'default', roles: ['owner'] }]);
  });

  test('is one alone when two race with the code', async () => {
    const code = setupCodeOf(running);
    const replies = await Promise.all(
      ['anna', 'ben'].map((name) =>
        new Browser(running).send('POST', '/v1/setup', {
          body: { code, name, password: PASSWORD },
        }),
      ),
    );
    expect(replies.map(({ status }) => String(status)).toSorted()).toEqual(['201', '409']);
    expect((await running.client.call('userList')).items).toHaveLength(1);
  });

  test('makes the code of a former start void', async () => {
    const code = setupCodeOf(running);
    const { dataDirectory } = running;
    await running.stop();
    running = await startTestController({ dataDirectory });
    expect(setupCodeOf(running)).toBe(code);
    await running.client.call('userCreate', {
      body: { name: 'anna', password: PASSWORD, roles: ['owner'] },
    });
    await running.stop();
    running = await startTestController({ dataDirectory });
    expect(running.controller.setupCode).toBeNull();
    expect(existsSync(join(dataDirectory, 'setup.code'))).toBe(false);
  });
});

describe('a session', () => {
  let running: TestController;
  let nowMs: number;
  beforeAll(async () => {
    nowMs = Date.now();
    running = await startTestController({ now: () => nowMs });
  });
  afterAll(() => running.remove());

  test('is a cookie of this host alone, and its reply says what the user may do', async () => {
    const name = fresh('user');
    await running.client.call('userCreate', {
      body: { name, password: PASSWORD, roles: ['member'] },
    });
    const browser = new Browser(running);
    const reply = await browser.send('POST', '/v1/session', { body: { name, password: PASSWORD } });
    expect(reply.headers['set-cookie']).toMatch(
      /^__Host-loom=[A-Za-z0-9_-]{43}; Path=\/; Secure; HttpOnly; SameSite=Strict$/,
    );
    const { organizations, csrf } = browser.take(reply);
    expect(organizations[0]?.permissions).toContain('network:read');
    expect(organizations[0]?.permissions).not.toContain('network:write');
    expect(csrf).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect((await browser.client().call('sessionShow')).csrf).toBe(csrf);
    expect(reply.body).not.toContain(browser.cookies.get('__Host-loom'));
  });

  test.each([
    ['no value', {}],
    ['a wrong value', { 'x-loom-csrf': 'A'.repeat(43) }],
    ['a value of another session', null],
  ])('changes nothing with %s against forged requests', async (_, headers) => {
    const browser = await makeUser(running, 'default', fresh('user'), ['admin']);
    const other = await makeUser(running, 'default', fresh('user'), ['admin']);
    browser.csrf = null;
    const forged = headers ?? { 'x-loom-csrf': other.csrf ?? '' };
    const reply = await browser.send('POST', '/v1/networks', {
      body: { name: fresh('net') },
      headers: forged,
    });
    expect(codeIn(reply)).toBe('forbidden');
  });

  test.each([
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
  ])('changes nothing for a page of another origin: %j', async (headers) => {
    const browser = await makeUser(running, 'default', fresh('user'), ['admin']);
    const body = { name: fresh('net') };
    const reply = await browser.send('POST', '/v1/networks', { body, headers });
    expect(codeIn(reply)).toBe('forbidden');
    const logIn = { name: 'x', password: PASSWORD };
    const forged = await new Browser(running).send('POST', '/v1/session', { body: logIn, headers });
    expect(codeIn(forged)).toBe('forbidden');
    const own = { origin: running.controller.url, 'sec-fetch-site': 'same-origin' };
    expect((await browser.send('POST', '/v1/networks', { body, headers: own })).status).toBe(201);
  });

  test.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'])(
    'takes no body that a form can send: %s',
    async (type) => {
      const name = fresh('user');
      await running.client.call('userCreate', { body: { name, password: PASSWORD } });
      const reply = await new Browser(running).send('POST', '/v1/session', {
        body: { name, password: PASSWORD },
        headers: { 'content-type': type },
      });
      expect(codeIn(reply)).toBe('invalid_request');
      expect(reply.headers['set-cookie']).toBeUndefined();
    },
  );

  test('is another one after each login: a cookie that somebody planted is over', async () => {
    const name = fresh('user');
    const attacker = await makeUser(running, 'default', fresh('user'), ['member']);
    const planted = attacker.cookies.get('__Host-loom') ?? '';
    await running.client.call('userCreate', {
      body: { name, password: PASSWORD, roles: ['owner'] },
    });
    const victim = new Browser(running);
    victim.cookies.set('__Host-loom', planted);
    await victim.logIn(name);
    expect(victim.cookies.get('__Host-loom')).not.toBe(planted);
    expect((await attacker.send('GET', '/v1/session')).status).toBe(401);
  });

  test('is over when the user logs out, and only then', async () => {
    const browser = await makeUser(running, 'default', fresh('user'), ['member']);
    const kept = new Map(browser.cookies);
    expect((await browser.send('DELETE', '/v1/session')).status).toBe(204);
    expect(browser.cookies.size).toBe(0);
    for (const [name, value] of kept) browser.cookies.set(name, value);
    expect((await browser.send('GET', '/v1/session')).status).toBe(401);
  });

  test('is over after two hours unused, and after twelve in all', async () => {
    const idle = await makeUser(running, 'default', fresh('user'), ['member']);
    const busy = await makeUser(running, 'default', fresh('user'), ['member']);
    const begunMs = nowMs;
    nowMs += SESSION_IDLE_MS - 1;
    expect((await busy.send('GET', '/v1/session')).status).toBe(200);
    nowMs += 1;
    expect((await idle.send('GET', '/v1/session')).status).toBe(401);
    while (nowMs + SESSION_IDLE_MS / 2 < begunMs + SESSION_LIFETIME_MS) {
      nowMs += SESSION_IDLE_MS / 2;
      expect((await busy.send('GET', '/v1/session')).status).toBe(200);
    }
    nowMs = begunMs + SESSION_LIFETIME_MS;
    expect((await busy.send('GET', '/v1/session')).status).toBe(401);
  });

  test('goes on under another secret after its password was changed; others are over', async () => {
    const name = fresh('user');
    const browser = await makeUser(running, 'default', name, ['member']);
    const other = new Browser(running);
    await other.logIn(name);
    const stolen = new Browser(running);
    stolen.cookies.set('__Host-loom', browser.cookies.get('__Host-loom') ?? '');
    const wrong = await browser.send('PUT', '/v1/session/password', {
      body: { current: 'wrong', password: 'another long password' },
    });
    expect(codeIn(wrong)).toBe('invalid_request');
    const changed = await browser.send('PUT', '/v1/session/password', {
      body: { current: PASSWORD, password: 'another long password' },
    });
    expect(changed.status).toBe(200);
    browser.take(changed);
    expect((await browser.send('GET', '/v1/session')).status).toBe(200);
    expect((await other.send('GET', '/v1/session')).status).toBe(401);
    expect((await stolen.send('GET', '/v1/session')).status).toBe(401);
    await expect(new Browser(running).logIn(name)).rejects.toThrow('401');
    await new Browser(running).logIn(name, undefined, 'another long password');
  });

  test('is listed and ended by its own user alone', async () => {
    const name = fresh('user');
    const browser = await makeUser(running, 'default', name, ['member']);
    const second = new Browser(running);
    await second.logIn(name);
    const other = await makeUser(running, 'default', fresh('user'), ['owner']);
    const { items } = await browser.client().call('sessionList');
    expect(items.filter(({ isCurrent }) => isCurrent)).toHaveLength(1);
    const id = items.find(({ isCurrent }) => !isCurrent)?.id ?? '';
    const end = (from: Browser): Promise<undefined> =>
      from.client().call('sessionEnd', { params: { session: id } });
    expect(await codeOf(end(other))).toBe('not_found');
    await end(browser);
    expect((await second.send('GET', '/v1/session')).status).toBe(401);
  });
});

describe('a user', () => {
  let running: TestController;
  let root: Client;
  beforeAll(async () => {
    running = await startTestController();
    root = running.client;
    await makeUser(running, 'default', 'the-owner', ['owner']);
  });
  afterAll(() => running.remove());

  test('may log in where its name is known, and a name may be that of others elsewhere', async () => {
    await root.call('organizationCreate', { body: { name: 'acme' } });
    await makeUser(running, 'default', 'ben', ['member']);
    const acme = await makeUser(running, 'acme', 'ben', ['admin']);
    const { organizations } = await acme.client().call('sessionShow');
    expect(organizations.map(({ name }) => name)).toEqual(['acme']);
    await expect(new Browser(running).logIn('ben', 'nowhere')).rejects.toThrow('401');
  });

  test('gives nobody more than it holds, and takes nothing from whoever holds more', async () => {
    const admin = (await makeUser(running, 'default', fresh('admin'), ['admin'])).client();
    const params = { user: 'the-owner' };
    const body = { name: fresh('user'), password: PASSWORD, roles: ['owner' as const] };
    expect(await codeOf(admin.call('userCreate', { body }))).toBe('forbidden');
    const mine = await admin.call('userCreate', { body: { ...body, roles: ['admin'] } });
    const raise = { params: { user: mine.id }, body: { roles: ['owner' as const] } };
    expect(await codeOf(admin.call('userRoles', raise))).toBe('forbidden');
    expect(await codeOf(admin.call('userRoles', { params, body: { roles: [] } }))).toBe(
      'forbidden',
    );
    expect(
      await codeOf(admin.call('userPassword', { params, body: { password: 'taken over now' } })),
    ).toBe('forbidden');
    expect(await codeOf(admin.call('userDelete', { params }))).toBe('forbidden');
    const system = { params, body: { isSystemAdministrator: true } };
    expect(await codeOf(admin.call('userSystem', system))).toBe('forbidden');
    await admin.call('userDelete', { params: { user: mine.id } });
  });

  test('who is the last owner stays one', async () => {
    await root.call('organizationCreate', { body: { name: 'owned' } });
    const owner = (await makeUser(running, 'owned', 'olga', ['owner'])).client();
    const params = { user: 'olga' };
    const lower = { params, body: { roles: ['admin' as const] } };
    expect(await codeOf(owner.call('userRoles', lower))).toBe('last_owner');
    expect(await codeOf(owner.call('userDelete', { params }))).toBe('last_owner');
    await owner.call('userCreate', {
      body: { name: 'otto', password: PASSWORD, roles: ['owner'] },
    });
    expect((await owner.call('userRoles', lower)).roles).toEqual(['admin']);
  });

  test('who is removed is logged out, and its tokens are void', async () => {
    const name = fresh('user');
    const browser = await makeUser(running, 'default', name, ['admin']);
    const body = { name: 'ci', role: 'operator' as const };
    const { token } = await browser.client().call('apiTokenCreate', { body });
    const program = makeClient(running.controller, token);
    await program.call('networkList');
    await root.call('userDelete', { params: { user: name } });
    expect((await browser.send('GET', '/v1/session')).status).toBe(401);
    expect(await codeOf(program.call('networkList'))).toBe('unauthenticated');
  });

  test('without a role logs in and changes its password, and the ledger of its home says so', async () => {
    await root.call('organizationCreate', { body: { name: 'quiet' } });
    const browser = await makeUser(running, 'quiet', 'quinn', []);
    const body = { current: PASSWORD, password: 'another long password' };
    expect((await browser.send('PUT', '/v1/session/password', { body })).status).toBe(200);
    const { items } = await root.call('auditList', { query: { organization: 'quiet' } });
    const actions = items.map(({ action, actor }) => `${action} by ${actor.name}`);
    expect(actions).toContain('user.password by quinn');
    expect(actions).toContain('session.create by quinn');
    expect(JSON.stringify(items)).not.toContain('another long password');
  });

  test('loses at once what a role gave', async () => {
    const name = fresh('user');
    const browser = await makeUser(running, 'default', name, ['admin']);
    await browser.client().call('networkCreate', { body: { name: fresh('net') } });
    await root.call('userRoles', { params: { user: name }, body: { roles: ['member'] } });
    const create = browser.client().call('networkCreate', { body: { name: fresh('net') } });
    expect(await codeOf(create)).toBe('forbidden');
  });

  test.each(['Anna', 'аnna', 'anna ', 'ann\u212A', 'usr_0123456789abcdefghij', 'ANNA', 'a/b'])(
    'has no name that looks like another: %j',
    async (name) => {
      const body = { name, password: PASSWORD };
      expect(await codeOf(root.call('userCreate', { body }))).toBe('invalid_request');
      expect(await codeOf(root.call('sessionCreate', { body }))).toBe('invalid_request');
    },
  );
});

describe('an API token', () => {
  let running: TestController;
  let nowMs: number;
  beforeAll(async () => {
    nowMs = Date.now();
    running = await startTestController({ now: () => nowMs });
  });
  afterAll(() => running.remove());

  test('may what its role and scopes say, in its organization, until it expires', async () => {
    await running.client.call('organizationCreate', { body: { name: 'other' } });
    const { token, prefix } = await running.client.call('apiTokenCreate', {
      body: { name: 'ci', role: 'operator', scopes: ['network:read'], lifetimeSeconds: 3_600 },
    });
    expect(token).toMatch(/^loom_[0-9a-z]{8}_[A-Za-z0-9_-]{43}$/);
    expect(token.startsWith(prefix)).toBe(true);
    const program = makeClient(running.controller, token);
    await program.call('networkList');
    expect(await codeOf(program.call('nodeList'))).toBe('forbidden');
    const there = { query: { organization: 'other' } };
    expect(await codeOf(program.call('networkList', there))).toBe('not_found');
    expect(await codeOf(program.call('organizationCreate', { body: { name: 'x' } }))).toBe(
      'forbidden',
    );
    nowMs += 3_600_000;
    expect(await codeOf(program.call('networkList'))).toBe('unauthenticated');
  });

  test('is in no list, and wrong with any other secret', async () => {
    const { token, id } = await running.client.call('apiTokenCreate', {
      body: { name: 'ci', role: 'member' },
    });
    const list = JSON.stringify(await running.client.call('apiTokenList'));
    expect(list).toContain(id);
    expect(list).not.toContain(token.slice(-43));
    const wrong = makeClient(running.controller, `${token.slice(0, -43)}${'A'.repeat(43)}`);
    expect(await codeOf(wrong.call('networkList'))).toBe('unauthenticated');
  });

  test('makes no token that may more, or lives longer, than itself', async () => {
    const { token } = await running.client.call('apiTokenCreate', {
      body: {
        name: 'maker',
        role: 'admin',
        scopes: ['api_token:write', 'network:read'],
        lifetimeSeconds: 3_600,
      },
    });
    const maker = makeClient(running.controller, token);
    const create = (body: Parameters<typeof make>[0]): Promise<string> => codeOf(make(body));
    const make = (body: { role: 'owner' | 'admin' | 'member'; scopes?: 'network:read'[] }) =>
      maker.call('apiTokenCreate', { body: { name: 'child', ...body } });
    expect(await create({ role: 'owner' })).toBe('forbidden');
    expect(await create({ role: 'admin' })).toBe('forbidden');
    expect(await create({ role: 'member' })).toBe('forbidden');
    const child = await make({ role: 'member', scopes: ['network:read'] });
    expect(Date.parse(child.expiresAt ?? '')).toBe(nowMs + 3_600_000);
  });

  test('may never more than its user at that moment', async () => {
    const name = fresh('user');
    const browser = await makeUser(running, 'default', name, ['admin']);
    const { token } = await browser.client().call('apiTokenCreate', {
      body: { name: 'ci', role: 'admin' },
    });
    const program = makeClient(running.controller, token);
    await program.call('networkCreate', { body: { name: fresh('net') } });
    await running.client.call('userRoles', { params: { user: name }, body: { roles: ['member'] } });
    expect(await codeOf(program.call('networkCreate', { body: { name: fresh('net') } }))).toBe(
      'forbidden',
    );
    await program.call('networkList');
  });

  test('of a login may what its user may, and is revoked by logging out', async () => {
    const name = fresh('user');
    await running.client.call('userCreate', {
      body: { name, password: PASSWORD, roles: ['auditor'] },
    });
    const made = await makeClient(running.controller).call('loginToken', {
      body: { name, password: PASSWORD },
    });
    const program = makeClient(running.controller, made.token);
    expect(await program.call('sessionShow')).toMatchObject({
      kind: 'api_token',
      isSystemAdministrator: false,
      csrf: null,
    });
    await program.call('userList');
    expect(await codeOf(program.call('networkCreate', { body: { name: fresh('net') } }))).toBe(
      'forbidden',
    );
    expect(await codeOf(program.call('sessionList'))).toBe('forbidden');
    await program.call('sessionDelete');
    expect(await codeOf(program.call('userList'))).toBe('unauthenticated');
  });

  test('goes before a cookie, and needs no value against forged requests', async () => {
    const browser = await makeUser(running, 'default', fresh('user'), ['owner']);
    const { token } = await browser.client().call('apiTokenCreate', {
      body: { name: 'ci', role: 'member' },
    });
    const headers = { authorization: `Bearer ${token}` };
    const reply = await browser.send('POST', '/v1/networks', {
      body: { name: fresh('net') },
      headers,
    });
    expect(codeIn(reply)).toBe('forbidden');
    expect(JSON.parse((await browser.send('GET', '/v1/session', { headers })).body)).toMatchObject({
      kind: 'api_token',
    });
  });
});

describe('an organization', () => {
  let running: TestController;
  beforeAll(async () => {
    running = await startTestController();
  });
  afterAll(() => running.remove());

  test('is deleted when it is empty, with its users, tokens and keys; "default" never', async () => {
    const { client } = running;
    await client.call('organizationCreate', { body: { name: 'gone' } });
    const params = { organization: 'gone' };
    const query = { organization: 'gone' };
    const owner = await makeUser(running, 'gone', 'olga', ['owner']);
    const { token } = await owner.client().call('apiTokenCreate', {
      body: { name: 'ci', role: 'owner' },
    });
    await client.call('networkCreate', { query, body: { name: 'net' } });
    expect(await codeOf(client.call('organizationDelete', { params }))).toBe(
      'organization_not_empty',
    );
    await client.call('networkDelete', { query, params: { network: 'net' } });
    await owner.client().call('organizationDelete', { params });
    expect((await owner.send('GET', '/v1/session')).status).toBe(401);
    expect(await codeOf(makeClient(running.controller, token).call('networkList'))).toBe(
      'unauthenticated',
    );
    expect(await codeOf(client.call('organizationShow', { params }))).toBe('not_found');
    const ofDefault = { params: { organization: 'default' } };
    expect(await codeOf(client.call('organizationDelete', ofDefault))).toBe(
      'organization_not_empty',
    );
  });

  test('is not deleted with a system administrator, or with the only owner of another', async () => {
    const { client } = running;
    for (const name of ['home', 'away'])
      await client.call('organizationCreate', { body: { name } });
    const owner = (await makeUser(running, 'home', 'olga', ['owner'])).client();
    const { id } = await owner.call('sessionShow');
    const user = { user: id ?? '' };
    const away = { query: { organization: 'away' }, params: user };
    await client.call('userRoles', { ...away, body: { roles: ['owner'] } });
    const remove = (): Promise<unknown> =>
      owner.call('organizationDelete', { params: { organization: 'home' } });
    expect(await codeOf(remove())).toBe('last_owner');
    await makeUser(running, 'away', 'otto', ['owner']);
    await makeUser(running, 'home', 'root', []);
    const system = { params: { user: 'root' }, query: { organization: 'home' } };
    await client.call('userSystem', { ...system, body: { isSystemAdministrator: true } });
    expect(await codeOf(remove())).toBe('forbidden');
    await client.call('userSystem', { ...system, body: { isSystemAdministrator: false } });
    await remove();
  });

  test('is renamed by system administrators, and only to a free name', async () => {
    const { client } = running;
    await client.call('organizationCreate', { body: { name: 'old-name' } });
    const owner = await makeUser(running, 'old-name', 'olga', ['owner']);
    const rename = (by: Client, name: string) =>
      by.call('organizationRename', { params: { organization: 'old-name' }, body: { name } });
    expect(await codeOf(rename(owner.client(), 'x'))).toBe('forbidden');
    expect(await codeOf(rename(client, 'default'))).toBe('name_taken');
    expect(await rename(client, 'new-name')).toMatchObject({ name: 'new-name' });
    await new Browser(running).logIn('olga', 'new-name');
  });
});
