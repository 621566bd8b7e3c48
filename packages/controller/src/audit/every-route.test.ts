/**
 * Every route that changes something leaves an entry in a ledger, a refused request leaves none,
 * and no secret that a request or a reply carried is in one. A route that is added has to be added
 * here: the table does not compile otherwise.
 */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ROUTES as RoutesType, Route, RouteName, SignedStatement } from '@etherloom/api';
import {
  ApiError,
  ROUTES,
  authorityStatementSchema,
  collect,
  decodeJoinToken,
} from '@etherloom/api';
import { addSignature, signerOf } from '@etherloom/core';
import { createPinnedSender } from '@etherloom/transport';
import { splitSigningText } from '@etherloom/api';
import { Browser, PASSWORD, makeUser, setupCodeOf } from '../testing/access-fixture.ts';
import type { TestController } from '../testing/controller-fixture.ts';
import {
  copyNode,
  connectAgent,
  joinNetwork,
  makeJoinRequest,
  makeNode,
  openLink,
  signText,
  startTestController,
} from '../testing/controller-fixture.ts';

type Routes = typeof RoutesType;
type Changing = {
  [N in RouteName]: Routes[N]['method'] extends 'GET' ? never : N;
}[RouteName];

const MANY = { burst: 100_000, perSecond: 10_000 };
const NEW_PASSWORD = 'staple correct horse';
const CLIENT_SECRET = 'provider-S3cret-text';

let running: TestController;
let admin: Browser;
const secrets = new Set<string>([PASSWORD, NEW_PASSWORD, CLIENT_SECRET]);
let serial = 0;
const fresh = (): string => `thing-${(serial += 1)}`;

/** Prepares a change, gives what makes it. */
type Prepared = () => Promise<unknown>;

async function makeNetwork(): Promise<string> {
  return (await running.client.call('networkCreate', { body: { name: fresh() } })).id;
}

async function makeMember(): Promise<{ readonly network: string; readonly node: string }> {
  const network = await makeNetwork();
  const { networkName } = await joinNetworkOf(network);
  return { network, node: networkName };
}

/** Gives the id of a node that joined, under networkName for want of a better place. */
async function joinNetworkOf(network: string): Promise<{ readonly networkName: string }> {
  const node = makeNode();
  const { token } = await running.client.call('tokenCreate', { body: { network } });
  secrets.add(token).add(decodeJoinToken(token).secret);
  await running.client.call('join', { body: makeJoinRequest(node, token) });
  return { networkName: node.id };
}

async function makeSplit(): Promise<Parameters<typeof running.client.call<'split'>>[1]['body']> {
  const { name } = await running.client.call('networkCreate', {
    body: { name: fresh(), settings: { clones: 'split' } },
  });
  const original = makeNode();
  await joinNetwork(running, name, original);
  const { link } = await connectAgent(running, original);
  const copy = copyNode(original, { machineId: 'another', bootId: 'another' });
  const other = await openLink(running, copy);
  const { ticket } = await other.next('split');
  secrets.add(ticket);
  const clone = makeNode();
  const unsigned = {
    ticket,
    originNodeId: original.id,
    nodeId: clone.id,
    signKey: clone.signKey,
    sessionKey: clone.sessionKey,
  };
  link.close();
  other.close();
  return { ...unsigned, signature: signText(clone, splitSigningText(unsigned)) };
}

const makeToken = async (): Promise<string> =>
  (await running.client.call('tokenCreate', { body: { network: await makeNetwork() } })).id;

async function makePerson(): Promise<{ readonly id: string; readonly name: string }> {
  const body = { name: fresh(), password: PASSWORD, roles: ['operator' as const] };
  return running.client.call('userCreate', { body });
}

async function makeApiToken(): Promise<string> {
  const made = await running.client.call('apiTokenCreate', {
    body: { name: fresh(), role: 'operator' },
  });
  secrets.add(made.token);
  return made.id;
}

const providerBody = () => ({
  name: fresh(),
  issuer: `https://${fresh()}.example`,
  clientId: 'loom',
  clientSecret: CLIENT_SECRET,
});
const makeProvider = async (): Promise<string> =>
  (await running.client.call('identityProviderCreate', { body: providerBody() })).id;

async function logIn(): Promise<Browser> {
  const { name } = await makePerson();
  const browser = new Browser(running);
  await browser.logIn(name);
  for (const value of browser.cookies.values()) secrets.add(value);
  if (browser.csrf !== null) secrets.add(browser.csrf);
  return browser;
}

/** A version of the authority of a fresh organization that lacks a signature. */
async function proposal(): Promise<{
  readonly organization: string;
  readonly given: SignedStatement;
  readonly missing: { readonly key: string; readonly signature: string };
}> {
  const { id } = await running.client.call('organizationCreate', { body: { name: fresh() } });
  const params = { organization: id };
  const view = await running.client.call('authorityShow', { params });
  const held = authorityStatementSchema.parse(JSON.parse(view.chain.at(-1)?.statement ?? ''));
  const [first, second] = [signerOf(randomBytes(32)), signerOf(randomBytes(32))];
  const statement = JSON.stringify({
    ...held,
    keys: [first.key, second.key],
    threshold: 2,
    version: view.version + 1,
    previous: view.hash,
    issuedAt: new Date().toISOString(),
  });
  const given = addSignature({ statement, signatures: [] }, first);
  const both = addSignature(given, second).signatures;
  const missing = both.find(({ key }) => key === second.key);
  if (missing === undefined) throw new Error('it signed');
  return { organization: id, given, missing };
}

const CHANGES: { readonly [N in Changing]: () => Promise<Prepared> } = {
  organizationCreate: async () => () =>
    running.client.call('organizationCreate', { body: { name: fresh() } }),
  organizationRename: async () => {
    const { id } = await running.client.call('organizationCreate', { body: { name: fresh() } });
    return () =>
      running.client.call('organizationRename', {
        params: { organization: id },
        body: { name: fresh() },
      });
  },
  organizationDelete: async () => {
    const { id } = await running.client.call('organizationCreate', { body: { name: fresh() } });
    return () => running.client.call('organizationDelete', { params: { organization: id } });
  },
  authorityKeys: async () => () =>
    running.client.call('authorityKeys', { params: { organization: 'default' } }),
  authorityPropose: async () => {
    const { organization, given } = await proposal();
    const body = { statement: given.statement, signatures: [...given.signatures] };
    return () => running.client.call('authorityPropose', { params: { organization }, body });
  },
  authoritySign: async () => {
    const { organization, given, missing } = await proposal();
    const params = { organization };
    const body = { statement: given.statement, signatures: [...given.signatures] };
    await running.client.call('authorityPropose', { params, body });
    const [pending] = await collect(running.client, 'authorityPending', { params });
    const signatures = [{ hash: pending?.hash ?? '', ...missing }];
    return () => running.client.call('authoritySign', { params, body: { signatures } });
  },
  networkCreate: async () => () =>
    running.client.call('networkCreate', { body: { name: fresh() } }),
  networkSettings: async () => {
    const params = { network: await makeNetwork() };
    return () => running.client.call('networkSettings', { params, body: { stalenessDays: 3 } });
  },
  networkDelete: async () => {
    const params = { network: await makeNetwork() };
    return () => running.client.call('networkDelete', { params });
  },
  memberDelete: async () => {
    const params = await makeMember();
    return () => running.client.call('memberDelete', { params });
  },
  reservationCreate: async () => {
    const { id, ipv4 } = await running.client.call('networkCreate', { body: { name: fresh() } });
    const address = ipv4?.replace(/0\/24$/, '77') ?? '';
    return () =>
      running.client.call('reservationCreate', { params: { network: id }, body: { address } });
  },
  reservationDelete: async () => {
    const { id, ipv4 } = await running.client.call('networkCreate', { body: { name: fresh() } });
    const address = ipv4?.replace(/0\/24$/, '77') ?? '';
    const params = { network: id };
    const made = await running.client.call('reservationCreate', { params, body: { address } });
    return () =>
      running.client.call('reservationDelete', { params: { ...params, reservation: made.id } });
  },
  nodeDelete: async () => {
    const { node } = await makeMember();
    return () => running.client.call('nodeDelete', { params: { node } });
  },
  nodeApprove: async () => {
    const { nodeId } = await running.client.call('split', { body: await makeSplit() });
    return () => running.client.call('nodeApprove', { params: { node: nodeId } });
  },
  tokenCreate: async () => {
    const network = await makeNetwork();
    return () => running.client.call('tokenCreate', { body: { network } });
  },
  tokenDelete: async () => {
    const params = { token: await makeToken() };
    return () => running.client.call('tokenDelete', { params });
  },
  join: async () => {
    const network = await makeNetwork();
    const { token } = await running.client.call('tokenCreate', { body: { network } });
    secrets.add(token);
    return () => running.client.call('join', { body: makeJoinRequest(makeNode(), token) });
  },
  split: async () => {
    const body = await makeSplit();
    return () => running.client.call('split', { body });
  },
  ledgerChange: async () => () =>
    running.client.call('ledgerChange', { body: { auditDays: 30 + (serial += 1) } }),
  setupCreate: async () => () => Promise.resolve('made in beforeAll'),
  sessionCreate: async () => {
    const { name } = await makePerson();
    return () => new Browser(running).logIn(name);
  },
  sessionDelete: async () => {
    const browser = await logIn();
    return () => browser.send('DELETE', '/v1/session');
  },
  sessionEnd: async () => {
    const browser = await logIn();
    const [session] = (await browser.client().call('sessionList')).items;
    return () => browser.client().call('sessionEnd', { params: { session: session?.id ?? '' } });
  },
  passwordChange: async () => {
    const browser = await logIn();
    return () =>
      browser.client().call('passwordChange', {
        body: { current: PASSWORD, password: NEW_PASSWORD },
      });
  },
  loginToken: async () => {
    const { name } = await makePerson();
    return async () => {
      const made = await running.client.call('loginToken', {
        body: { name, password: PASSWORD, tokenName: 'laptop' },
      });
      secrets.add(made.token);
    };
  },
  userCreate: async () => () => makePerson(),
  userRoles: async () => {
    const { id } = await makePerson();
    return () =>
      running.client.call('userRoles', { params: { user: id }, body: { roles: ['auditor'] } });
  },
  userPassword: async () => {
    const { id } = await makePerson();
    return () =>
      running.client.call('userPassword', {
        params: { user: id },
        body: { password: NEW_PASSWORD },
      });
  },
  userSystem: async () => {
    const { id } = await makePerson();
    return () =>
      running.client.call('userSystem', {
        params: { user: id },
        body: { isSystemAdministrator: true },
      });
  },
  userDelete: async () => {
    const { id } = await makePerson();
    return () => running.client.call('userDelete', { params: { user: id } });
  },
  apiTokenCreate: async () => () => makeApiToken(),
  apiTokenDelete: async () => {
    const params = { apiToken: await makeApiToken() };
    return () => running.client.call('apiTokenDelete', { params });
  },
  identityProviderCreate: async () => () => makeProvider(),
  identityProviderChange: async () => {
    const params = { identityProvider: await makeProvider() };
    return () => running.client.call('identityProviderChange', { params, body: { name: fresh() } });
  },
  identityProviderDelete: async () => {
    const params = { identityProvider: await makeProvider() };
    return () => running.client.call('identityProviderDelete', { params });
  },
};

/** Entries in the ledgers of all organizations. */
async function entryCount(): Promise<number> {
  const organizations = await collect(running.client, 'organizationList');
  let count = 0;
  for (const { id } of organizations)
    count += (await running.client.call('ledgerShow', { query: { organization: id } })).head.number;
  return count;
}

beforeAll(async () => {
  running = await startTestController({
    requestRates: { principal: MANY, source: MANY },
  });
  secrets.add(running.adminToken).add(setupCodeOf(running));
  await new Browser(running).client().call('setupCreate', {
    body: { code: setupCodeOf(running), name: 'anna', password: PASSWORD },
  });
  admin = new Browser(running);
  await admin.logIn('anna');
}, 60_000);
afterAll(() => running.remove());

test('setting a controller up is an entry', async () => {
  const entries = await collect(running.client, 'auditList', { query: { action: 'user.create' } });
  expect(entries.map(({ target }) => target.name)).toContain('anna');
});

test.each(Object.keys(CHANGES).filter((name) => name !== 'setupCreate') as Changing[])(
  '%s leaves an entry',
  async (name) => {
    const change = await CHANGES[name]();
    const before = await entryCount();
    await change();
    const after = await entryCount();
    // What goes with its organization stands in the ledger of the first one.
    if (name !== 'organizationDelete') return expect(after).toBeGreaterThan(before);
    const [newest] = (await running.client.call('auditList', { query: { limit: 1 } })).items;
    expect(newest?.action).toBe('organization.delete');
  },
);

test('a request that is refused leaves no entry', async () => {
  const member = await makeUser(running, 'default', 'only-a-member', ['member']);
  const { url, tlsFingerprint } = running.controller;
  const send = createPinnedSender({ tlsFingerprint, timeoutMs: 10_000 });
  const before = await entryCount();
  for (const [name, route] of Object.entries(ROUTES) as [RouteName, Route][]) {
    // keys of the table itself
    if (route.method === 'GET' || name === 'sessionDelete') continue;
    const path = route.path.replace(/\{\w+\}/g, 'x');
    if (route.permission !== 'self') {
      const refused = await member.send(route.method, path, { body: {} });
      expect(refused.status, `${name} ${refused.body}`).toBeGreaterThanOrEqual(400);
    }
    const headers = {
      authorization: `Bearer ${running.adminToken}`,
      'content-type': 'application/json',
    };
    const broken = await send({ method: route.method, url: url + path, headers, body: '{"no":1}' });
    if (path !== route.path || route.body !== undefined)
      expect(broken.status, `${name} ${broken.body}`).toBeGreaterThanOrEqual(400);
  }
  expect(await entryCount()).toBe(before);
});

/** Changes by the route that reads what they change. */
const READ_BY: Readonly<Partial<Record<Changing, RouteName>>> = {
  organizationRename: 'organizationShow',
  organizationDelete: 'organizationShow',
  networkSettings: 'networkShow',
  networkDelete: 'networkShow',
  nodeDelete: 'nodeShow',
  nodeApprove: 'nodeShow',
  userRoles: 'userShow',
  userSystem: 'userShow',
  userDelete: 'userShow',
  identityProviderChange: 'identityProviderShow',
  identityProviderDelete: 'identityProviderShow',
  ledgerChange: 'ledgerShow',
};

test.each(Object.entries(READ_BY) as [Changing, RouteName][])(
  '%s takes the ETag that %s gave, and no other',
  async (name, readName) => {
    const things: Readonly<Record<string, () => Promise<string>>> = {
      organization: async () =>
        (await running.client.call('organizationCreate', { body: { name: fresh() } })).id,
      network: makeNetwork,
      node: async () =>
        name === 'nodeApprove'
          ? (await running.client.call('split', { body: await makeSplit() })).nodeId
          : (await makeMember()).node,
      user: async () => (await makePerson()).id,
      identityProvider: makeProvider,
    };
    const bodies: Readonly<Partial<Record<Changing, object>>> = {
      organizationRename: { name: fresh() },
      networkSettings: { stalenessDays: 4 },
      userRoles: { roles: ['member'] },
      userSystem: { isSystemAdministrator: true },
      identityProviderChange: { name: fresh() },
      ledgerChange: { auditDays: 100 + serial },
    };
    const [thing] = [...ROUTES[readName].path.matchAll(/\{(\w+)\}/g)].map(
      (match) => match[1] ?? '',
    );
    const params = thing === undefined ? {} : { [thing]: (await things[thing]?.()) ?? '' };
    const call = (route: RouteName, more: object) =>
      running.client.exchange(route, { params, ...more } as never); // of whichever route
    const { etag } = await call(readName, {});
    const body = bodies[name] === undefined ? {} : { body: bodies[name] };
    const wrong = await call(name, { ...body, ifMatch: '"another"' }).catch(
      (error: unknown) => error,
    );
    expect(wrong).toBeInstanceOf(ApiError);
    expect(wrong).toMatchObject({ code: 'precondition_failed' });
    await call(name, { ...body, ifMatch: etag ?? '' });
  },
);

test('no ledger has a secret that a request or a reply carried', async () => {
  for (const value of admin.cookies.values()) secrets.add(value);
  expect(secrets.size).toBeGreaterThan(15);
  const { url, tlsFingerprint } = running.controller;
  const send = createPinnedSender({ tlsFingerprint, timeoutMs: 10_000 });
  for (const { id } of await collect(running.client, 'organizationList')) {
    const { status, body } = await send({
      method: 'GET',
      url: `${url}/v1/audit/export?organization=${id}`,
      headers: { authorization: `Bearer ${running.adminToken}` },
    });
    expect(status).toBe(200);
    for (const secret of secrets) expect(body.includes(secret), `${id} ${secret}`).toBe(false);
  }
});
