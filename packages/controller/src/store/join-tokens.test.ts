/** Labels of join tokens: what files name them by. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { collect } from '@etherloom/api';
import { EXPIRED_TOKEN_KEPT_MS } from '../limits.ts';
import type { TestController } from '../testing/controller-fixture.ts';
import { makeJoinRequest, makeNode, startTestController } from '../testing/controller-fixture.ts';

let running: TestController;
let nowMs = Date.UTC(2026, 0, 1);
beforeAll(async () => {
  running = await startTestController({ now: () => nowMs });
  for (const name of ['one', 'two']) await running.client.call('networkCreate', { body: { name } });
});
afterAll(() => running.remove());

const make = (network: string, label?: string) =>
  running.client.call('tokenCreate', { body: { network, ...(label ? { label } : {}) } });
const idsOf = async () => (await collect(running.client, 'tokenList')).map(({ id }) => id);

test('a label names one token of its network, until that is revoked', async () => {
  const first = await make('one', 'hosts');
  expect(first).toMatchObject({ label: 'hosts', offlineOk: false });
  const again = make('one', 'hosts');
  await expect(again).rejects.toMatchObject({ code: 'name_taken', status: 409 });
  await expect(again).rejects.toThrow(first.id);
  expect((await make('two', 'hosts')).label).toBe('hosts');
  expect((await make('one')).label).toBeNull();
  expect((await make('one')).label, 'any number without one').toBeNull();
  await running.client.call('tokenDelete', { params: { token: first.id } });
  expect((await make('one', 'hosts')).id).not.toBe(first.id);
});

test('a token with a label is kept when it is over, so that no file makes it again', async () => {
  const used = await make('one', 'used');
  await running.client.call('join', { body: makeJoinRequest(makeNode(), used.token) });
  const bare = await make('one');
  nowMs += EXPIRED_TOKEN_KEPT_MS + 2 * 3_600_000;
  await make('two');
  const ids = await idsOf();
  expect(ids).toContain(used.id);
  expect(ids).not.toContain(bare.id);
  await expect(make('one', 'used')).rejects.toMatchObject({ code: 'name_taken' });
});

test('a label is a name, and nothing else', async () => {
  for (const label of ['Hosts', 'two words', 'x'.repeat(64), '-a'])
    await expect(make('one', label)).rejects.toMatchObject({ code: 'invalid_request' });
});

test('the ledger names a token by its label', async () => {
  const { id } = await make('two', 'in-the-ledger');
  const { items } = await running.client.call('auditList', { query: { target: id } });
  expect(items).toMatchObject([
    { action: 'join_token.create', target: { noun: 'join_token', id, name: 'in-the-ledger' } },
  ]);
});
