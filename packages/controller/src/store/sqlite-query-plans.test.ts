/**
 * What an agent's join and link ask the database costs the same in a network of any size: no query
 * of theirs goes through a table that grows with the members. Asked of SQLite itself, for the
 * queries as they were run.
 */
import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { TestController } from '../testing/controller-fixture.ts';
import {
  connectAgent,
  makeEndpoints,
  makeJoinRequest,
  makeNode,
  startTestController,
} from '../testing/controller-fixture.ts';

/** Tables with a row, or more, for each node or member. */
const GROWING =
  /\b(nodes|memberships|published_members|addresses|leases|vni_holders|roster_nodes|audit_entries)\b/;

let controller: TestController;
beforeAll(async () => {
  controller = await startTestController();
});
afterAll(() => controller.remove());

function plansOf(queries: Iterable<string>): string[] {
  const database = new DatabaseSync(join(controller.dataDirectory, 'controller.db'));
  const plans: string[] = [];
  for (const query of queries) {
    if (!/^(select|insert|update|delete|with)\b/i.test(query)) continue;
    const steps = database.prepare(`EXPLAIN QUERY PLAN ${query}`).all();
    for (const step of steps) plans.push(`${String(step['detail'])}  <-  ${query}`);
  }
  database.close();
  return plans;
}

/** Queries from here on. They are compiled once and kept: ask for what was not asked before. */
function spyOnQueries(): { readonly queries: ReadonlySet<string>; readonly stop: () => void } {
  const queries = new Set<string>();
  const prepare = DatabaseSync.prototype.prepare;
  const spy = vi.spyOn(DatabaseSync.prototype, 'prepare').mockImplementation(function (
    this: DatabaseSync,
    ...args
  ) {
    queries.add(args[0]);
    return prepare.apply(this, args);
  });
  return { queries, stop: () => spy.mockRestore() };
}

test('no query of a join or a link goes through all nodes or members', async () => {
  const { client } = controller;
  await client.call('networkCreate', { body: { name: 'demo', ipv4: '10.9.0.0/16' } });
  const { token } = await client.call('tokenCreate', { body: { network: 'demo', uses: 2 } });

  const { queries, stop } = spyOnQueries();
  const [one, other] = [makeNode(), makeNode()];
  await client.call('join', { body: makeJoinRequest(one, token) });
  const { link } = await connectAgent(controller, one);
  await link.next('snapshot');
  await client.call('join', { body: makeJoinRequest(other, token) });
  const { link: another } = await connectAgent(controller, other);
  await another.next('snapshot');
  another.send(makeEndpoints(other, ['192.0.2.7:8002']));
  await link.until(
    () => link.received.some((m) => m.type === 'delta' && m.upserts[0]?.endpoints.length === 1),
    'the endpoints of the other node',
  );
  stop();
  link.close();
  another.close();

  expect(queries.size).toBeGreaterThan(0);
  const wide = plansOf(queries).filter((plan) => {
    const [step = '', query = ''] = plan.split('  <-  ');
    // Once for a network, or for a number that is kept.
    if (/^select count\(|"proof_revision" from .* where "network_id" = \?$/.test(query))
      return false;
    return GROWING.test(step) && /^SCAN\b|\((network_id|organization_id)=\?\)/.test(step);
  });
  expect(wide).toEqual([]);
});

test('pages, searches and counts of nodes stay within their organization, in the order of names', async () => {
  const { client } = controller;
  const organization = 'default';
  const { queries, stop } = spyOnQueries();
  const { next } = await client.call('nodeList', { query: { organization, limit: 1 } });
  const cursor = next ?? undefined;
  for (const query of [{}, { text: '10.9 one' }, { connected: false }, { network: 'demo' }])
    await client.call('nodeList', { query: { organization, cursor, ...query } });
  await client.call('nodeCounts', { query: { organization, text: 'other' } });
  stop();
  const plans = plansOf([...queries].filter((query) => query.includes('from "nodes"')));
  const nodes = plans.filter((plan) => /^(SCAN|SEARCH) nodes\b/.test(plan));
  expect(nodes.length).toBeGreaterThan(4);
  expect(nodes.filter((plan) => /^SCAN|USING INDEX nodes_(?!name)/.test(plan))).toEqual([]);
  expect(plans.filter((plan) => /^SCAN (memberships|addresses)\b/.test(plan))).toEqual([]);
  const pages = plans.filter((plan) => plan.includes(' order by '));
  expect(pages.filter((plan) => plan.startsWith('USE TEMP B-TREE FOR ORDER BY'))).toEqual([]);
});
