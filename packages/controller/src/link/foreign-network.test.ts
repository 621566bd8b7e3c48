import { afterEach, beforeEach, expect, test } from 'vitest';
import type { TestController } from '../testing/controller-fixture.ts';
import {
  connectAgent,
  joinNetwork,
  makeNode,
  startTestController,
} from '../testing/controller-fixture.ts';

let controller: TestController;
beforeEach(async () => {
  controller = await startTestController();
});
afterEach(() => controller.remove());

test('an agent that names a network of another organization is not told what it is called', async () => {
  const { client } = controller;
  const other = await client.call('organizationCreate', { body: { name: 'other' } });
  const foreign = await client.call('networkCreate', {
    body: { name: 'merger-with-acme', organizationId: other.id },
  });
  const own = await client.call('networkCreate', { body: { name: 'own' } });
  const node = makeNode();
  await joinNetwork(controller, own.name, node, { name: 'web' });
  const { link } = await connectAgent(controller, node, { [foreign.id]: 1 });
  const { reason } = await link.next('removed');
  expect(reason).toBe('there is no such network: it was deleted');
  link.close();
});
