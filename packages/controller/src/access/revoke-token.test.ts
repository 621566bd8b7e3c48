/** Who may revoke whose API token: nobody takes from another what they do not hold. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Client, Permission, Role } from '@etherloom/api';
import { makeUser } from '../testing/access-fixture.ts';
import type { TestController } from '../testing/controller-fixture.ts';
import { makeClient, startTestController } from '../testing/controller-fixture.ts';

let running: TestController;
let owner: Client;
let admin: Client;
beforeAll(async () => {
  running = await startTestController();
  owner = (await makeUser(running, 'default', 'olga', ['owner'])).client();
  admin = (await makeUser(running, 'default', 'anna', ['admin'])).client();
});
afterAll(() => running.remove());

const make = (by: Client, role: Role, scopes?: Permission[]) =>
  by.call('apiTokenCreate', { body: { name: 'ci', role, ...(scopes && { scopes }) } });
const revoke = (by: Client, apiToken: string) =>
  by.call('apiTokenDelete', { params: { apiToken } });
const isThere = async (id: string): Promise<boolean> => {
  const { items } = await running.client.call('apiTokenList', { query: { limit: 1_000 } });
  return items.some((token) => token.id === id);
};

test('an admin does not revoke the token of an owner, and an owner does', async () => {
  const { id, token } = await make(owner, 'owner');
  await expect(revoke(admin, id)).rejects.toMatchObject({ code: 'forbidden' });
  await makeClient(running.controller, token).call('networkList');
  await revoke(owner, id);
  expect(await isThere(id)).toBe(false);
});

test('an admin revokes tokens that may no more than an admin, whoever made them', async () => {
  for (const { id } of [
    await make(owner, 'admin'),
    await make(owner, 'owner', ['network:read']),
    await make(running.client, 'operator'),
  ]) {
    await revoke(admin, id);
    expect(await isThere(id)).toBe(false);
  }
});

test('what counts is what a token may at that moment', async () => {
  const fallen = await makeUser(running, 'default', 'felix', ['owner']);
  const { id } = await make(fallen.client(), 'owner');
  await expect(revoke(admin, id)).rejects.toMatchObject({ code: 'forbidden' });
  await owner.call('userRoles', { params: { user: 'felix' }, body: { roles: ['member'] } });
  await revoke(admin, id);
  expect(await isThere(id)).toBe(false);
});

test('a token revokes none that may more, not even of its own user, and itself always', async () => {
  const strong = await make(owner, 'owner');
  const { token, id } = await make(owner, 'admin', ['api_token:write', 'network:read']);
  const weak = makeClient(running.controller, token);
  await expect(revoke(weak, strong.id)).rejects.toMatchObject({ code: 'forbidden' });
  await revoke(weak, id);
  expect([await isThere(strong.id), await isThere(id)]).toEqual([true, false]);
});

test('a token that may not revoke tokens still logs itself out', async () => {
  const { token, id } = await make(admin, 'member');
  await makeClient(running.controller, token).call('sessionDelete');
  expect(await isThere(id)).toBe(false);
});
