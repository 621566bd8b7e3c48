/**
 * Tenants see nothing of each other, and nobody does what its role does not allow: every route of
 * the table is tried with every foreign id and name, by every role, and by who has none.
 */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Role, Route, RouteName, SendReply } from '@etherloom/api';
import { EXAMPLE_BODIES, ROLES, ROLE_PERMISSIONS, ROUTES, pathParameters } from '@etherloom/api';
import { Browser, PASSWORD, codeIn, makeUser } from '../testing/access-fixture.ts';
import type { TestController } from '../testing/controller-fixture.ts';
import { startTestController } from '../testing/controller-fixture.ts';
import type { ParamName, Tenant } from '../testing/tenants-fixture.ts';
import { makeTenant } from '../testing/tenants-fixture.ts';

/** Hundreds of requests, each over a connection of its own. */
vi.setConfig({ testTimeout: 90_000 });

const routes = (Object.entries(ROUTES) as [RouteName, Route][]) // keys of the table itself
  .filter(([, route]) => route.permission !== null);

/** Stands for what nobody has. */
const ABSENT: Readonly<Record<ParamName, string>> = {
  organization: 'org_00000000000000000000',
  network: 'net_00000000000000000000',
  node: '0'.repeat(32),
  token: 'tok_00000000000000000000',
  reservation: 'rsv_00000000000000000000',
  user: 'usr_00000000000000000000',
  session: 'ses_00000000000000000000',
  apiToken: 'atk_00000000000000000000',
  identityProvider: 'idp_00000000000000000000',
};

type Values = Readonly<Partial<Record<ParamName, string>>>;

function fill(route: Route, values: Values): string {
  return route.path.replace(/\{(\w+)\}/g, (_, name: ParamName) => values[name] ?? ABSENT[name]);
}

function paramsOf(route: Route): ParamName[] {
  return pathParameters(route.path) as ParamName[]; // a route with another one fails below
}

/** Every way to put own and foreign things into a path, with a foreign one at least. */
function foreignPaths(route: Route, own: Tenant, foreign: Tenant): Values[] {
  let all: { readonly values: Values; readonly isForeign: boolean }[] = [
    { values: {}, isForeign: false },
  ];
  for (const name of paramsOf(route)) {
    const choices = [
      ...foreign.things[name].map((value) => ({ value, isForeign: true })),
      ...own.things[name].slice(0, 1).map((value) => ({ value, isForeign: false })),
    ];
    all = all.flatMap((made) =>
      choices.map(({ value, isForeign }) => ({
        values: { ...made.values, [name]: value },
        isForeign: made.isForeign || isForeign,
      })),
    );
  }
  return all.filter(({ isForeign }) => isForeign).map(({ values }) => values);
}

let running: TestController;
let own: Tenant;
let foreign: Tenant;
const browsers = new Map<Role | 'none', Browser>();

beforeAll(async () => {
  running = await startTestController();
  own = await makeTenant(running, 'alpha');
  foreign = await makeTenant(running, 'omega');
  for (const role of ROLES)
    browsers.set(role, await makeUser(running, own.name, `${role}-1`, [role]));
  browsers.set('none', await makeUser(running, own.name, 'nobody', []));
}, 60_000);
afterAll(() => running.remove());

function send(browser: Browser, name: RouteName, path: string): Promise<SendReply> {
  const body = EXAMPLE_BODIES[name];
  return browser.send(ROUTES[name].method, path, body === undefined ? {} : { body });
}

/** A reply without what is different in each: the request's id, and what was asked for. */
function essence(reply: SendReply, values: Values): string {
  let text = reply.body.replace(/req_\w+/g, 'REQUEST');
  for (const value of Object.values(values)) text = text.replaceAll(value, 'GIVEN');
  return `${reply.status} ${text}`;
}

async function snapshot(tenant: Tenant): Promise<string> {
  const query = { organization: tenant.name };
  const lists = ['networkList', 'nodeList', 'tokenList', 'userList', 'apiTokenList'] as const;
  const replies = await Promise.all(lists.map((name) => running.client.call(name, { query })));
  const ledger = await running.client.call('auditList', { query });
  return JSON.stringify([replies, ledger]);
}

describe.each([...ROLES, 'none'] as const)('as %s of another organization', (role) => {
  const browser = (): Browser => browsers.get(role) ?? new Browser(running);

  test('every foreign id and name is answered as one that there is not', async () => {
    const before = await snapshot(foreign);
    for (const [name, route] of routes) {
      for (const values of foreignPaths(route, own, foreign)) {
        const reply = await send(browser(), name, fill(route, values));
        const label = `${name} ${JSON.stringify(values)} ${reply.body}`;
        const isInPath = values.organization !== undefined;
        const mayDo =
          role !== 'none' &&
          route.permission !== 'system' &&
          route.permission !== null &&
          (route.permission === 'self' || ROLE_PERMISSIONS[role].includes(route.permission));
        expect(codeIn(reply), label).toBe(isInPath || mayDo ? 'not_found' : 'forbidden');
        // The roles that come furthest, and not at all, tell how an answer is made.
        if (role !== 'owner' && role !== 'none') continue;
        const absent = Object.fromEntries(
          Object.entries(values).map(([key, value]) => [
            key,
            foreign.things[key as ParamName].includes(value) ? ABSENT[key as ParamName] : value,
          ]),
        );
        const other = await send(browser(), name, fill(route, absent));
        expect(essence(reply, values), label).toBe(essence(other, absent));
      }
    }
    expect(await snapshot(foreign)).toBe(before);
  });

  test('the foreign organization itself is answered as one that there is not', async () => {
    const before = await snapshot(foreign);
    for (const [name, route] of routes) {
      if (route.path.includes('{organization}')) continue;
      const path = fill(
        route,
        Object.fromEntries(paramsOf(route).map((p) => [p, own.things[p][0]])),
      );
      for (const value of foreign.things.organization) {
        const reply = await send(browser(), name, `${path}?organization=${value}`);
        const absent = await send(browser(), name, `${path}?organization=${ABSENT.organization}`);
        expect(codeIn(reply), name).toBe('not_found');
        expect(essence(reply, { organization: value })).toBe(
          essence(absent, { organization: ABSENT.organization }),
        );
      }
    }
    expect(await snapshot(foreign)).toBe(before);
  });

  test('no list shows anything of it', async () => {
    for (const [name, route] of routes) {
      if (route.method !== 'GET' || route.media === 'text/event-stream') continue;
      const values = Object.fromEntries(paramsOf(route).map((p) => [p, own.things[p][0]]));
      const reply = await send(browser(), name, fill(route, values));
      for (const mark of foreign.marks) expect(reply.body, name).not.toContain(mark);
    }
  });
});

test('bodies that name what is foreign are answered as if it were not there', async () => {
  const client = (browsers.get('owner') ?? new Browser(running)).client();
  const refused = async (call: Promise<unknown>): Promise<void> => {
    await expect(call).rejects.toMatchObject({ code: 'not_found' });
  };
  for (const network of foreign.things.network)
    await refused(client.call('tokenCreate', { body: { network } }));
  await refused(
    client.call('networkCreate', { body: { name: 'theirs', organizationId: foreign.id } }),
  );
  for (const network of foreign.things.network) {
    await refused(client.call('nodeList', { query: { network } }));
    await refused(client.call('nodeCounts', { query: { network } }));
    await refused(client.call('tokenList', { query: { network } }));
  }
});

test('names of one organization are free in another', async () => {
  const query = { organization: own.name };
  const named = { body: { name: `${foreign.name}-net` } };
  const made = await running.client.call('networkCreate', { query, ...named });
  const owner = (browsers.get('owner') ?? new Browser(running)).client();
  const shown = await owner.call('networkShow', { params: { network: named.body.name } });
  expect(shown.id).toBe(made.id);
  await running.client.call('userCreate', {
    query,
    body: { name: `${foreign.name}-user`, password: PASSWORD },
  });
  await owner.call('networkDelete', { params: { network: made.id } });
  await owner.call('userDelete', { params: { user: `${foreign.name}-user` } });
});

describe.each(ROLES)('the table for %s', (role) => {
  const selfTests = new Set<RouteName>(['sessionDelete']); // ends the session that asks
  const allowed = routes.filter(([name]) => !selfTests.has(name));

  test('allows what it says and forbids everything else, route by route', async () => {
    // A copy of its own: creates and deletes are real.
    const tenant = await makeTenant(running, `matrix-${role}`);
    const browser = await makeUser(running, tenant.name, `matrix-${role}-me`, [role]);
    for (const [name, route] of allowed) {
      const values = route.path.includes('{organization}') ? { organization: tenant.id } : {};
      const isAllowed =
        route.permission === 'self' ||
        (route.permission !== 'system' &&
          route.permission !== null &&
          ROLE_PERMISSIONS[role].includes(route.permission));
      if (isAllowed && route.media === 'text/event-stream') continue; // answers without an end
      const reply = await send(browser, name, fill(route, values));
      const isForbidden = reply.status === 403;
      expect(isForbidden, `${name} ${reply.status} ${reply.body.slice(0, 200)}`).toBe(!isAllowed);
      expect(reply.status, name).toBeLessThan(500);
    }
  });
});

test('without credentials no route with a permission does anything', async () => {
  for (const [name, route] of routes) {
    const values = Object.fromEntries(paramsOf(route).map((p) => [p, own.things[p][0]]));
    const reply = await send(new Browser(running), name, fill(route, values));
    expect(['unauthenticated', 'too_many_requests'], name).toContain(codeIn(reply));
  }
});

test('who has a part in several organizations says which one it means, and sees no third', async () => {
  const browser = await makeUser(running, own.name, 'traveller', ['member']);
  const { id } = await browser.client().call('sessionShow');
  const params = { user: id ?? '' };
  await running.client.call('userRoles', {
    query: { organization: foreign.name },
    params,
    body: { roles: ['auditor'] },
  });
  const third = await makeTenant(running, 'third');
  expect(codeIn(await browser.send('GET', '/v1/networks'))).toBe('invalid_request');
  for (const { name, things } of [own, foreign]) {
    const reply = await browser.send('GET', `/v1/networks?organization=${name}`);
    expect(reply.body).toContain(things.network[0]);
    const users = await browser.send('GET', `/v1/users?organization=${name}`);
    expect(users.status).toBe(name === foreign.name ? 200 : 403);
  }
  const beyond = await browser.send('GET', `/v1/networks?organization=${third.name}`);
  expect(codeIn(beyond)).toBe('not_found');
  const organizations = await browser.send('GET', '/v1/organizations');
  expect(organizations.body).toContain(foreign.id);
  expect(organizations.body).not.toContain(third.id);
});
