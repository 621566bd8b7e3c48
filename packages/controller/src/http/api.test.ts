/** The API over real TLS, with the pinned sender and the typed client. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ErrorCode, SendReply } from '@etherloom/api';
import {
  ApiError,
  ERRORS,
  ROUTES,
  createClient,
  decodeJoinToken,
  errorBodySchema,
} from '@etherloom/api';
import { createPinnedSender } from '@etherloom/transport';
import { AUTH_FAILURES } from '../limits.ts';
import type { TestController } from '../testing/controller-fixture.ts';
import {
  joinNetwork,
  makeClient,
  makeJoinRequest,
  makeNode,
  startTestController,
} from '../testing/controller-fixture.ts';

let running: TestController;
beforeAll(async () => {
  running = await startTestController();
});
afterAll(() => running.remove());

let counter = 0;
function freshName(): string {
  counter += 1;
  return `api-${counter}`;
}

function request(
  method: string,
  path: string,
  more: { body?: string; token?: string | null; headers?: Record<string, string> } = {},
): Promise<SendReply> {
  const send = createPinnedSender({
    tlsFingerprint: running.controller.tlsFingerprint,
    timeoutMs: 10_000,
  });
  const token = more.token === undefined ? running.adminToken : more.token;
  return send({
    method,
    url: running.controller.url + path,
    headers: {
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(more.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...more.headers,
    },
    ...(more.body === undefined ? {} : { body: more.body }),
  });
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ApiError);
  return (error as ApiError).code; // asserted above
}

function errorOf(reply: SendReply): {
  code: ErrorCode;
  message: string;
  details: readonly { field: string; reason: string }[];
} {
  const { error } = errorBodySchema.parse(JSON.parse(reply.body));
  expect(reply.status).toBe(ERRORS[error.code].status);
  expect(error.requestId).toBe(reply.headers['x-request-id']);
  return { ...error, details: error.details ?? [] };
}

test('a network goes through its life', async () => {
  const { client } = running;
  const name = freshName();
  const network = await client.call('networkCreate', { body: { name, ipv4: '10.9.0.0/24' } });
  expect(network).toMatchObject({ name, ipv4: '10.9.0.0/24', mtuBytes: 1_370, memberCount: 0 });
  expect(network.ipv6).toMatch(/^fd[0-9a-f:]+::\/64$/);
  const node = makeNode();
  const joined = await joinNetwork(running, name, node, { name: 'web' });
  expect(joined).toMatchObject({
    nodeId: node.id,
    nodeName: 'web',
    networkName: name,
    networkId: network.id,
  });
  const { items } = await client.call('memberList', { params: { network: name } });
  expect(items).toHaveLength(1);
  expect(items[0]?.addresses[0]).toBe('10.9.0.1');
  expect(items[0]?.mac).toMatch(/^[0-9a-f][26ae]:/);
  expect((await client.call('networkShow', { params: { network: network.id } })).memberCount).toBe(
    1,
  );
  expect((await client.call('nodeShow', { params: { node: 'web' } })).memberships).toEqual(items);
  await client.call('memberDelete', { params: { network: name, node: 'web' } });
  expect(
    await codeOf(client.call('memberDelete', { params: { network: name, node: 'web' } })),
  ).toBe('not_found');
  await client.call('networkDelete', { params: { network: name } });
  expect(await codeOf(client.call('networkShow', { params: { network: name } }))).toBe('not_found');
  await client.call('nodeDelete', { params: { node: node.id } });
  expect(await codeOf(client.call('nodeShow', { params: { node: node.id } }))).toBe('not_found');
});

test('the join token names the controller, its fingerprint and the network, and no list shows its secret', async () => {
  const name = freshName();
  await running.client.call('networkCreate', { body: { name } });
  const created = await running.client.call('tokenCreate', { body: { network: name, uses: 2 } });
  const token = decodeJoinToken(created.token);
  expect(token).toMatchObject({
    urls: [running.controller.url],
    tlsFingerprint: running.controller.tlsFingerprint,
    networkName: name,
  });
  const list = await request('GET', '/v1/tokens');
  expect(list.body).toContain(created.id);
  expect(list.body).not.toContain(token.secret);
});

describe('bodies that do not fit', () => {
  const bodies: readonly (readonly [path: string, body: string, field: string, reason: RegExp])[] =
    [
      ['/v1/networks', '{}', 'name', /string/],
      ['/v1/networks', '{"name":"Demo"}', 'name', /lower-case/],
      ['/v1/networks', '{"name":7}', 'name', /string/],
      ['/v1/networks', '{"name":"a","mtuBytes":100}', 'mtuBytes', /1280/],
      ['/v1/networks', '{"name":"a","mtuBytes":1400.5}', 'mtuBytes', /int/],
      ['/v1/networks', '{"name":"a","ipv4":"10.0.0.0"}', 'ipv4', /./],
      [
        '/v1/networks',
        '{"name":"a","ipv4":"10.0.0.1/24"}',
        'ipv4',
        /the prefix is 10\.0\.0\.0\/24/,
      ],
      ['/v1/networks', '{"name":"a","ipv4":"10.0.0.0/31"}', 'ipv4', /\/8 to \/30/],
      ['/v1/networks', '{"name":"a","ipv4":"127.0.0.0/8"}', 'ipv4', /private/],
      ['/v1/networks', '{"name":"a","ipv4":"224.0.0.0/24"}', 'ipv4', /private/],
      ['/v1/networks', '{"name":"a","ipv6":"fd00::1/64"}', 'ipv6', /the prefix is fd00::\/64/],
      ['/v1/networks', '{"name":"a","ipv6":"ff02::/64"}', 'ipv6', /private/],
      ['/v1/networks', '{"name":"a","color":"red"}', 'color', /no such field/],
      ['/v1/networks', '[]', 'body', /object/],
      ['/v1/networks', 'null', 'body', /object/],
      ['/v1/tokens', '{"network":"a","uses":0}', 'uses', />=1/],
      [
        '/v1/tokens',
        '{"network":"a","lifetimeSeconds":99999999999}',
        'lifetimeSeconds',
        /31536000/,
      ],
      ['/v1/organizations', '{"name":"-a"}', 'name', /lower-case/],
      ['/v1/join', '{"tokenId":"x"}', 'tokenId', /net_/],
    ];
  test.each(bodies)('%s %s is refused for %s', async (path, body, field, reason) => {
    const error = errorOf(await request('POST', path, { body }));
    expect(error.code).toBe('invalid_request');
    expect(error.details.find((detail) => detail.field === field)?.reason).toMatch(reason);
  });

  const texts: readonly (readonly [name: string, body: string, headers: Record<string, string>])[] =
    [
      ['no JSON', '{"name":', {}],
      ['nothing', '', {}],
      ['a prototype', '{"__proto__":{"name":"a"}}', {}],
      ['another type', 'name=a', { 'content-type': 'application/x-www-form-urlencoded' }],
    ];
  test.each(texts)('%s is refused with a sentence', async (_, body, headers) => {
    const error = errorOf(await request('POST', '/v1/networks', { body, headers }));
    expect(error.code).toBe('invalid_request');
  });

  test('a body over the limit is refused', async () => {
    const error = errorOf(
      await request('POST', '/v1/networks', { body: JSON.stringify({ name: 'a'.repeat(70_000) }) }),
    );
    expect(error.code).toBe('body_too_large');
  });
});

describe('credentials', () => {
  const guarded = Object.entries(ROUTES).filter(([, route]) => route.permission !== null);
  test.each(guarded)('%s is closed without a token and with a wrong one', async (_, route) => {
    const path = route.path.replace(/\{\w+\}/g, 'x');
    for (const token of [null, 'x'.repeat(43)]) {
      const reply = await request(route.method, path, { token });
      // Past the rate of wrong credentials the answer is 429; it never is the route's own.
      expect(['unauthenticated', 'too_many_requests']).toContain(errorOf(reply).code);
    }
  });

  test('wrong tokens are limited by source, the right one is not', async () => {
    const codes: string[] = [];
    for (let i = 0; i <= AUTH_FAILURES.burst; i += 1)
      codes.push(errorOf(await request('GET', '/v1/nodes', { token: 'wrong' })).code);
    expect(codes).toContain('too_many_requests');
    const limited = await request('GET', '/v1/nodes', { token: 'wrong' });
    expect(Number(limited.headers['retry-after'])).toBeGreaterThan(0);
    expect((await request('GET', '/v1/nodes')).status).toBe(200);
  });

  test('health and documents need none', async () => {
    for (const path of ['/v1/health', '/v1/openapi.json', '/docs']) {
      expect((await request('GET', path, { token: null })).status).toBe(200);
    }
  });
});

test('a path that is not there is 404, a method that is not for it 405', async () => {
  expect(errorOf(await request('GET', '/v1/nothing')).code).toBe('not_found');
  expect(errorOf(await request('GET', '/v1/')).code).toBe('not_found');
  const missed = await request('PUT', '/v1/networks', { body: '{}' });
  expect(errorOf(missed).code).toBe('method_not_allowed');
  expect(missed.headers['allow']).toBe('GET, POST, HEAD, OPTIONS');
  const asked = await request('OPTIONS', '/v1/networks');
  expect([asked.status, asked.headers['allow']]).toEqual([204, missed.headers['allow']]);
  const head = await request('HEAD', '/v1/networks');
  expect([head.status, head.body]).toEqual([200, '']);
});

test('a path that is no path gets the error body too', async () => {
  expect(errorOf(await request('GET', '/v1/networks/%zz')).code).toBe('invalid_request');
  expect(errorOf(await request('GET', `/v1/networks/${'a'.repeat(300)}`)).code).toBe('not_found');
});

test('a name that looks like the id of another node does not hide that node', async () => {
  const name = freshName();
  await running.client.call('networkCreate', { body: { name } });
  const [victim, thief] = [makeNode(), makeNode()];
  await joinNetwork(running, name, victim);
  await joinNetwork(running, name, thief, { name: victim.id });
  expect((await running.client.call('nodeShow', { params: { node: victim.id } })).id).toBe(
    victim.id,
  );
});

test('ids that are not there are 404', async () => {
  for (const [method, path] of [
    ['GET', '/v1/networks/none'],
    ['DELETE', '/v1/networks/none'],
    ['GET', '/v1/networks/none/members'],
    ['GET', '/v1/nodes/none'],
    ['DELETE', '/v1/nodes/none'],
    ['DELETE', '/v1/tokens/none'],
  ] as const) {
    expect(errorOf(await request(method, path)).code).toBe('not_found');
  }
  expect(await codeOf(running.client.call('tokenCreate', { body: { network: 'none' } }))).toBe(
    'not_found',
  );
});

test('names are taken once', async () => {
  const name = freshName();
  await running.client.call('networkCreate', { body: { name } });
  expect(await codeOf(running.client.call('networkCreate', { body: { name } }))).toBe('name_taken');
  expect(
    await codeOf(running.client.call('organizationCreate', { body: { name: 'default' } })),
  ).toBe('name_taken');
});

test('two organizations have networks and nodes of the same name, which ids tell apart', async () => {
  const other = await running.client.call('organizationCreate', { body: { name: freshName() } });
  const name = freshName();
  await running.client.call('networkCreate', { body: { name, ipv4: '10.8.0.0/24' } });
  const theirs = await running.client.call('networkCreate', {
    body: { name, ipv4: '10.8.0.0/24', organizationId: other.id },
  });
  expect(await codeOf(running.client.call('networkShow', { params: { network: name } }))).toBe(
    'invalid_request',
  );
  expect(
    (await running.client.call('networkShow', { params: { network: theirs.id } })).organizationId,
  ).toBe(other.id);
});

test('replies carry the headers of a service that browsers must not embed or keep', async () => {
  const reply = await request('GET', '/v1/health');
  expect(reply.headers).toMatchObject({
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
    'x-frame-options': 'DENY',
  });
  expect(reply.headers['content-security-policy']).toContain("default-src 'none'");
});

test('the documentation page names every route, loads nothing and runs nothing', async () => {
  const reply = await request('GET', '/docs');
  expect(reply.headers['content-type']).toContain('text/html');
  expect(reply.headers['content-security-policy']).toMatch(
    /^default-src 'none'; style-src 'sha256-/,
  );
  for (const [name, route] of Object.entries(ROUTES)) {
    expect(reply.body, name).toContain(route.path);
    expect(reply.body, name).toContain(route.summary);
  }
  expect(reply.body).not.toMatch(/<script|src=|href="http|@import|url\(/);
});

test('a client with another pin sends nothing', async () => {
  const client = makeClient(
    { url: running.controller.url, tlsFingerprint: '0'.repeat(64) },
    running.adminToken,
  );
  await expect(client.call('networkList')).rejects.toMatchObject({
    code: 'tls_fingerprint_mismatch',
  });
});

test('a server that is no controller is named so', async () => {
  const client = createClient({
    baseUrl: 'https://x',
    send: async () => ({ status: 502, headers: {}, body: '<html>' }),
  });
  await expect(client.call('health')).rejects.toMatchObject({ code: 'reply_invalid', status: 502 });
});

describe('joining', () => {
  test('the same node again costs no use and answers the same', async () => {
    const name = freshName();
    await running.client.call('networkCreate', { body: { name } });
    const { token, id } = await running.client.call('tokenCreate', { body: { network: name } });
    const body = makeJoinRequest(makeNode(), token);
    const first = await running.client.call('join', { body });
    expect(await running.client.call('join', { body })).toEqual(first);
    const { items } = await running.client.call('tokenList');
    expect(items.find((row) => row.id === id)?.usesLeft).toBe(0);
    expect(
      await codeOf(running.client.call('join', { body: makeJoinRequest(makeNode(), token) })),
    ).toBe('token_used_up');
  });

  test('a token with N uses makes exactly N members of many at once', async () => {
    const name = freshName();
    await running.client.call('networkCreate', { body: { name } });
    const { token } = await running.client.call('tokenCreate', {
      body: { network: name, uses: 7 },
    });
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, () =>
        running.client.call('join', { body: makeJoinRequest(makeNode(), token) }),
      ),
    );
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(7);
    const { items } = await running.client.call('memberList', { params: { network: name } });
    expect(items).toHaveLength(7);
    expect(new Set(items.flatMap((member) => member.addresses)).size).toBe(14);
    expect(new Set(items.map((member) => member.mac)).size).toBe(7);
  });

  test('other keys under a known node id, or known keys under another, are refused', async () => {
    const name = freshName();
    await running.client.call('networkCreate', { body: { name } });
    const node = makeNode();
    await joinNetwork(running, name, node);
    expect(await codeOf(joinNetwork(running, name, makeNode(node.id)))).toMatch(
      /unauthenticated|too_many_requests/,
    );
    const thief = { ...makeNode(), sessionKey: node.sessionKey };
    expect(await codeOf(joinNetwork(running, name, thief))).toMatch(
      /unauthenticated|too_many_requests/,
    );
  });

  test('a removed node may not join again, and its name is free', async () => {
    const name = freshName();
    await running.client.call('networkCreate', { body: { name } });
    const node = makeNode();
    await joinNetwork(running, name, node, { name: 'gone' });
    await running.client.call('nodeDelete', { params: { node: 'gone' } });
    expect(await codeOf(joinNetwork(running, name, node, { name: 'gone' }))).toBe('node_removed');
    expect((await joinNetwork(running, name, makeNode(), { name: 'gone' })).nodeName).toBe('gone');
  });

  test('a suggested name that is taken gets a number, a wanted one is refused', async () => {
    const name = freshName();
    await running.client.call('networkCreate', { body: { name } });
    const long = 'n'.repeat(63);
    for (const wanted of ['host', long]) {
      await joinNetwork(running, name, makeNode(), { name: wanted });
      expect(await codeOf(joinNetwork(running, name, makeNode(), { name: wanted }))).toBe(
        'name_taken',
      );
    }
    expect(
      (await joinNetwork(running, name, makeNode(), { name: 'host', nameIsSuggestion: true }))
        .nodeName,
    ).toBe('host-2');
    expect(
      (await joinNetwork(running, name, makeNode(), { name: 'host', nameIsSuggestion: true }))
        .nodeName,
    ).toBe('host-3');
    expect(
      (await joinNetwork(running, name, makeNode(), { name: long, nameIsSuggestion: true }))
        .nodeName,
    ).toBe(`${'n'.repeat(61)}-2`);
  });

  test('a token whose text was changed to name another network is refused, and keeps its use', async () => {
    const [name, other] = [freshName(), freshName()];
    for (const network of [name, other])
      await running.client.call('networkCreate', { body: { name: network } });
    const { token } = await running.client.call('tokenCreate', { body: { network: name } });
    const error = await running.client
      .call('join', { body: makeJoinRequest(makeNode(), token, { network: other }) })
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'token_network_mismatch',
      message: expect.stringContaining(`"${name}"`),
    });
    const joined = await running.client.call('join', { body: makeJoinRequest(makeNode(), token) });
    expect(joined.networkName).toBe(name);
  });

  test('a revoked token, a wrong secret and a forged signature are refused', async () => {
    const name = freshName();
    await running.client.call('networkCreate', { body: { name } });
    const { token, id } = await running.client.call('tokenCreate', {
      body: { network: name, uses: 9 },
    });
    const wrongSecret = makeJoinRequest(makeNode(), token, { secret: 'A'.repeat(43) });
    expect(await codeOf(running.client.call('join', { body: wrongSecret }))).toMatch(
      /token_invalid|too_many_requests/,
    );
    const forged = { ...makeJoinRequest(makeNode(), token), nodeId: makeNode().id };
    expect(await codeOf(running.client.call('join', { body: forged }))).toMatch(
      /unauthenticated|too_many_requests/,
    );
    await running.client.call('tokenDelete', { params: { token: id } });
    expect(
      await codeOf(running.client.call('join', { body: makeJoinRequest(makeNode(), token) })),
    ).toMatch(/token_invalid|too_many_requests/);
  });
});

test('a key that is known cannot be registered again in another spelling of its text', async () => {
  const { client } = running;
  const { name } = await client.call('networkCreate', { body: { name: freshName() } });
  const victim = makeNode();
  await joinNetwork(running, name, victim);
  // The last of 43 characters has two bits that a decoder passes over.
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const last = alphabet.indexOf(victim.sessionKey.at(-1) ?? '');
  for (const spare of [1, 2, 3]) {
    const sessionKey = victim.sessionKey.slice(0, -1) + alphabet[last + spare];
    expect(Buffer.from(sessionKey, 'base64url').equals(keyBytes(victim.sessionKey))).toBe(true);
    const thief = { ...makeNode(), sessionKey };
    expect(await codeOf(joinNetwork(running, name, thief))).toBe('invalid_request');
  }
});

function keyBytes(text: string): Buffer {
  return Buffer.from(text, 'base64url');
}
