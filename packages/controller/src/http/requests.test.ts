/** Rules that all routes share: lists, ETags, idempotency keys, rates, queries, health. */
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SendReply } from '@etherloom/api';
import { collect, collectTagged, errorBodySchema } from '@etherloom/api';
import { createPinnedSender } from '@etherloom/transport';
import { DAY_MS } from '../limits.ts';
import type { TestController } from '../testing/controller-fixture.ts';
import { joinNetwork, makeNode, startTestController } from '../testing/controller-fixture.ts';

const MANY = { burst: 100_000, perSecond: 10_000 };
let running: TestController;
let nowMs = Date.UTC(2026, 0, 1);
beforeAll(async () => {
  running = await startTestController({
    now: () => nowMs,
    requestRates: { principal: MANY, source: MANY },
  });
});
afterAll(() => running.remove());

function request(
  controller: TestController,
  method: string,
  path: string,
  more: { readonly body?: unknown; readonly headers?: Record<string, string> } = {},
): Promise<SendReply> {
  const { url, tlsFingerprint } = controller.controller;
  return createPinnedSender({ tlsFingerprint, timeoutMs: 10_000 })({
    method,
    url: url + path,
    headers: {
      authorization: `Bearer ${controller.adminToken}`,
      ...(more.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...more.headers,
    },
    ...(more.body === undefined ? {} : { body: JSON.stringify(more.body) }),
  });
}

const codeOf = (reply: SendReply): string =>
  errorBodySchema.parse(JSON.parse(reply.body)).error.code;
const failureOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => null,
    (error: unknown) => error,
  );

describe('lists', () => {
  test('pages of any size give every item once, in order', async () => {
    const names = ['a', 'a-1', 'b', 'c0', 'zz', 'm', 'k', 'y'];
    for (const name of names)
      await running.client.call('networkCreate', { body: { name, ipv4: null } });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 12 }), async (limit) => {
        const seen: string[] = [];
        let cursor: string | undefined;
        do {
          const query = { limit, ...(cursor === undefined ? {} : { cursor }) };
          const page = await running.client.call('networkList', { query });
          expect(page.items.length).toBeLessThanOrEqual(limit);
          seen.push(...page.items.map(({ name }) => name));
          cursor = page.next ?? undefined;
        } while (cursor !== undefined);
        expect(seen).toEqual(names.toSorted());
      }),
      { numRuns: 12 },
    );
  });

  test('what comes and goes while paging neither repeats nor hides another', async () => {
    const first = await running.client.call('networkList', { query: { limit: 3 } });
    await running.client.call('networkDelete', { params: { network: first.items[0]?.id ?? '' } });
    await running.client.call('networkCreate', { body: { name: 'a-0', ipv4: null } });
    const rest = await collect(running.client, 'networkList');
    const second = await running.client.call('networkList', {
      query: { limit: 100, cursor: first.next ?? '' },
    });
    const names = [...first.items, ...second.items].map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const { name } of rest) if (name !== 'a-0') expect(names).toContain(name);
  });

  test('members and nodes are filtered by network, name and state', async () => {
    await running.client.call('networkCreate', { body: { name: 'left' } });
    await running.client.call('networkCreate', { body: { name: 'right' } });
    const both = makeNode();
    await joinNetwork(running, 'left', both, { name: 'both' });
    await joinNetwork(running, 'right', both, { name: 'both' });
    await joinNetwork(running, 'right', makeNode(), { name: 'alone' });
    const nodesOf = async (query: object) =>
      (await collect(running.client, 'nodeList', { query })).map(({ name }) => name);
    expect(await nodesOf({ network: 'left' })).toEqual(['both']);
    expect(await nodesOf({ network: 'right' })).toEqual(['alone', 'both']);
    expect(await nodesOf({ name: 'alone' })).toEqual(['alone']);
    expect(await nodesOf({ state: 'pending' })).toEqual([]);
    const members = await collect(running.client, 'memberList', {
      params: { network: 'right' },
      query: { node: 'both' },
    });
    expect(members.map(({ nodeId }) => nodeId)).toEqual([both.id]);
    expect(members[0]?.addresses).toHaveLength(2);
    const tokens = await collect(running.client, 'tokenList', { query: { network: 'left' } });
    expect(tokens).toHaveLength(1);
  });

  test.each([
    'limit=0',
    'limit=1001',
    'limit=',
    'limit=1e2',
    'limit=5&limit=6',
    'cursor=',
    'cursor=%00',
    `cursor=${Buffer.from('["a"]').toString('base64url')}`,
    `cursor=${Buffer.from('[1,2]').toString('base64url')}`,
    `cursor=${Buffer.from('{}').toString('base64url')}`,
    `cursor=${'A'.repeat(600)}`,
    'nmae=x',
    'name=Ä',
    'organization=a&organization=b',
    'organization=%00',
  ])('the query %s is refused', async (query) => {
    const reply = await request(running, 'GET', `/v1/networks?${query}`);
    expect([reply.status, codeOf(reply)]).toEqual([400, 'invalid_request']);
  });
});

describe('ETags', () => {
  test('a reading has one that counters and time leave as it is', async () => {
    await running.client.call('networkCreate', { body: { name: 'tagged' } });
    const params = { network: 'tagged' };
    const before = await running.client.exchange('networkShow', { params });
    await joinNetwork(running, 'tagged', makeNode());
    const after = await running.client.exchange('networkShow', { params });
    expect(after.reply.memberCount).toBe(before.reply.memberCount + 1);
    expect(after.etag).toBe(before.etag);
    expect(before.etag).toMatch(/^"[A-Za-z0-9_-]{27}"$/);
    const headers = { 'if-none-match': String(before.etag) };
    const same = await request(running, 'GET', '/v1/networks/tagged', { headers });
    expect([same.status, same.body, same.headers['etag']]).toEqual([304, '', before.etag]);
  });

  test('a change under If-Match is made of what was read, or not at all', async () => {
    const params = { network: 'tagged' };
    const read = await running.client.exchange('networkShow', { params });
    const ifMatch = read.etag ?? '';
    const changed = await running.client.exchange('networkSettings', {
      params,
      body: { stalenessDays: 9 },
      ifMatch,
    });
    expect(changed.etag).not.toBe(ifMatch);
    const stale = { status: 412, code: 'precondition_failed' };
    expect(
      await failureOf(
        running.client.call('networkSettings', { params, body: { stalenessDays: 3 }, ifMatch }),
      ),
    ).toMatchObject(stale);
    expect(
      await failureOf(running.client.call('networkDelete', { params, ifMatch })),
    ).toMatchObject(stale);
    const now = await running.client.exchange('networkShow', { params });
    expect(now.reply.settings.stalenessDays).toBe(9);
    expect(now.etag).toBe(changed.etag);
    await running.client.call('networkDelete', { params, ifMatch: now.etag ?? '' });
  });

  test('a list has them where they are asked for: those of its items by themselves', async () => {
    await running.client.call('networkCreate', { body: { name: 'listed' } });
    await joinNetwork(running, 'listed', makeNode(), { name: 'listed-node' });
    const plain = await running.client.call('networkList');
    expect(plain.etags).toBeUndefined();
    const many = await collectTagged(running.client, 'networkList');
    expect(many.map(({ item }) => item)).toEqual(await collect(running.client, 'networkList'));
    for (const { item, etag } of many) {
      const params = { network: item.id };
      expect(etag).toBe((await running.client.exchange('networkShow', { params })).etag);
    }
    const two = await running.client.call('networkList', { query: { limit: 2, etags: true } });
    expect(two.etags).toEqual(many.slice(0, 2).map(({ etag }) => etag));
    for (const { item, etag } of await collectTagged(running.client, 'nodeList')) {
      const params = { node: item.id };
      expect(etag).toBe((await running.client.exchange('nodeShow', { params })).etag);
    }
    const reply = await request(running, 'GET', '/v1/networks?etags=1');
    expect([reply.status, codeOf(reply)]).toEqual([400, 'invalid_request']);
  });

  test('what cannot be read by itself is changed under the ETag of its list', async () => {
    const params = { network: 'listed' };
    const { client } = running;
    const address = (await client.call('networkShow', { params })).ipv4 ?? '';
    const body = { address: address.replace(/0\/24$/, '99'), note: '' };
    await client.call('reservationCreate', { params, body });
    const [reservation] = await collectTagged(client, 'reservationList', { params });
    const [member] = await collectTagged(client, 'memberList', { params });
    const query = { network: 'listed' };
    const [token] = await collectTagged(client, 'tokenList', { query });
    const refuse = async (
      call: (ifMatch: string) => Promise<unknown>,
      etag = '',
    ): Promise<void> => {
      expect(await failureOf(call('"another"'))).toMatchObject({ code: 'precondition_failed' });
      expect(await failureOf(call(etag))).toBeNull();
    };
    const id = { reservation: reservation?.item.id ?? '', token: token?.item.id ?? '' };
    await refuse(
      (ifMatch) => client.call('reservationDelete', { params: { ...params, ...id }, ifMatch }),
      reservation?.etag,
    );
    await refuse((ifMatch) => client.call('tokenDelete', { params: id, ifMatch }), token?.etag);
    const node = member?.item.nodeId ?? '';
    await refuse(
      (ifMatch) => client.call('memberDelete', { params: { ...params, node }, ifMatch }),
      member?.etag,
    );
  });

  test('of two who change the same reading at once, one wins', async () => {
    await running.client.call('networkCreate', { body: { name: 'raced' } });
    const params = { network: 'raced' };
    const { etag } = await running.client.exchange('networkShow', { params });
    const results = await Promise.allSettled(
      [5, 6, 7, 8].map((stalenessDays) =>
        running.client.call('networkSettings', {
          params,
          body: { stalenessDays },
          ifMatch: etag ?? '',
        }),
      ),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });
});

describe('idempotency keys', () => {
  const key = () => randomBytes(12).toString('hex');

  test('the same request under the same key is one change and has one reply', async () => {
    await running.client.call('networkCreate', { body: { name: 'keyed' } });
    const idempotencyKey = key();
    const body = { network: 'keyed', uses: 2 };
    const replies = await Promise.all(
      [1, 2, 3].map(() => running.client.call('tokenCreate', { body, idempotencyKey })),
    );
    expect(new Set(replies.map(({ token }) => token)).size).toBe(1);
    const query = { network: 'keyed' };
    expect(await collect(running.client, 'tokenList', { query })).toHaveLength(1);
  });

  test('another request under it is refused, a refused one is not kept', async () => {
    const idempotencyKey = key();
    const refused = await failureOf(
      running.client.call('networkCreate', { body: { name: 'keyed' }, idempotencyKey }),
    );
    expect(refused).toMatchObject({ code: 'name_taken' });
    await running.client.call('networkCreate', { body: { name: 'keyed-2' }, idempotencyKey });
    expect(
      await failureOf(
        running.client.call('networkCreate', { body: { name: 'keyed-3' }, idempotencyKey }),
      ),
    ).toMatchObject({ code: 'idempotency_mismatch', status: 409 });
  });

  test('after a day it is free again', async () => {
    const idempotencyKey = key();
    const body = { network: 'keyed' };
    const first = await running.client.call('tokenCreate', { body, idempotencyKey });
    nowMs += DAY_MS + 1;
    const second = await running.client.call('tokenCreate', { body, idempotencyKey });
    expect(second.id).not.toBe(first.id);
  });

  test('a key that is none is refused', async () => {
    for (const given of ['', 'a b', 'x'.repeat(65)]) {
      const headers = { 'idempotency-key': given };
      const body = { name: 'never' };
      const reply = await request(running, 'POST', '/v1/networks', { body, headers });
      expect([given, reply.status]).toEqual([given, 400]);
    }
  });
});

test('text with U+0000 is refused, wherever it stands', async () => {
  for (const [path, body] of [
    ['/v1/networks/%00', undefined],
    ['/v1/networks?name=%00', undefined],
    ['/v1/networks/keyed/reservations', { address: '10.0.0.9', note: 'a\0b' }],
  ] as const) {
    const reply = await request(running, body === undefined ? 'GET' : 'POST', path, { body });
    expect([path, codeOf(reply)]).toEqual([path, 'invalid_request']);
  }
});

test('rates are of each principal, and of each address that shows no credentials', async () => {
  const slow = { burst: 5, perSecond: 0.5 };
  let ms = 0;
  const limited = await startTestController({
    now: () => Date.UTC(2026, 0, 1) + ms,
    requestRates: { principal: slow, source: slow },
  });
  for (const [path, headers] of [
    ['/v1/networks', {}],
    ['/v1/health', { authorization: '' }],
  ] as const) {
    for (let i = 0; i < 5; i += 1)
      expect((await request(limited, 'GET', path, { headers })).status).toBe(200);
    const refused = await request(limited, 'GET', path, { headers });
    expect([refused.status, refused.headers['retry-after']]).toEqual([429, '2']);
  }
  ms = 2_000;
  expect((await request(limited, 'GET', '/v1/networks')).status).toBe(200);
  await limited.remove();
});

test('a controller says that it is there, and whether it is ready', async () => {
  expect(await running.client.call('health')).toMatchObject({ status: 'ok' });
  expect(await running.client.call('ready')).toEqual({ status: 'ready', database: 'ok' });
});
