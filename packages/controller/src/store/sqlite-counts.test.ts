/** Numbers of names and of rows that are kept, by joins as hosts make them. */
import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { TestController } from '../testing/controller-fixture.ts';
import { makeJoinRequest, makeNode, startTestController } from '../testing/controller-fixture.ts';

let controller: TestController;
let token: string;
beforeEach(async () => {
  controller = await startTestController();
  await controller.client.call('networkCreate', { body: { name: 'demo' } });
  token = (await controller.client.call('tokenCreate', { body: { network: 'demo', uses: 50 } }))
    .token;
});
afterEach(() => controller.remove());

async function joinAs(name: string): Promise<string> {
  const request = makeJoinRequest(makeNode(), token, { name, nameIsSuggestion: true });
  return (await controller.client.call('join', { body: request })).nodeName;
}

function counts(): Record<string, number> {
  const database = new DatabaseSync(join(controller.dataDirectory, 'controller.db'));
  const rows = database.prepare('select noun, count from counts').all();
  database.close();
  return Object.fromEntries(rows.map((row) => [String(row['noun']), Number(row['count'])]));
}

test('hosts of one name are numbered without a gap, however many there are', async () => {
  const names: string[] = [];
  for (let n = 0; n < 12; n++) names.push(await joinAs('web'));
  expect(names).toEqual(['web', ...Array.from({ length: 11 }, (_, n) => `web-${n + 2}`)]);
});

test('a number that is free again is given once', async () => {
  for (let n = 0; n < 6; n++) await joinAs('web');
  await controller.client.call('nodeDelete', { params: { node: 'web-4' } });
  const names = [await joinAs('web'), await joinAs('web')];
  expect(new Set(names).size).toBe(2);
  expect(names).toContain('web-4');
});

test('members and nodes are counted as they come and go', async () => {
  for (let n = 0; n < 4; n++) await joinAs('web');
  expect(counts()).toEqual({ members: 4, nodes: 4 });
  await controller.client.call('memberDelete', { params: { network: 'demo', node: 'web-2' } });
  await controller.client.call('nodeDelete', { params: { node: 'web-3' } });
  expect(counts()).toEqual({ members: 2, nodes: 3 });
});
