/** A database of each former schema is read, and its networks are signed. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openAuthority, verifyNetworkState } from '@etherloom/core';
import {
  authorityChain,
  authorityHash,
  foundMissingAuthorities,
} from '../authority/authorities.ts';
import { Keyring } from '../authority/keyring.ts';
import { settle } from '../authority/settle.ts';
import { settleAll } from '../authority/upkeep.ts';
import { makeNode } from '../testing/controller-fixture.ts';
import { SCHEMA_VERSION } from './migrations.ts';
import { readDelta, readState } from '../testing/published-state.ts';
import { openSqlite } from './sqlite-engine.ts';
import { Store } from './store.ts';
import { allocateVni } from './vni.ts';

/** The first schema, as it was written by the program that had it. */
const FIRST_SCHEMA = `
CREATE TABLE "schema_version" ("version" integer not null);
CREATE TABLE "organizations" ("id" text primary key, "name" text not null unique, "created_at" text not null);
CREATE TABLE "networks" ("id" text primary key, "organization_id" text not null references "organizations" ("id"), "name" text not null, "vni" integer not null unique, "mtu_bytes" integer not null, "ipv4" text, "ipv6" text, "ipv4_cursor" text, "ipv6_cursor" text, "revision" integer not null, "config_revision" integer not null, "delta_floor" integer not null, "created_at" text not null, constraint "networks_name" unique ("organization_id", "name"));
CREATE TABLE "vni_quarantine" ("vni" integer primary key, "until" text not null);
CREATE TABLE "nodes" ("id" text primary key, "organization_id" text not null references "organizations" ("id"), "name" text not null, "sign_key" text not null unique, "session_key" text not null unique, "endpoints" text not null, "last_seen_at" text, "removed_at" text, "created_at" text not null);
CREATE UNIQUE INDEX "nodes_name" on "nodes" ("organization_id", "name") where "removed_at" is null;
CREATE TABLE "memberships" ("network_id" text not null references "networks" ("id") on delete cascade, "node_id" text not null references "nodes" ("id"), "mac" text not null, "joined_revision" integer not null, "changed_revision" integer not null, "created_at" text not null, constraint "memberships_key" primary key ("network_id", "node_id"), constraint "memberships_mac" unique ("network_id", "mac"));
CREATE INDEX "memberships_node" on "memberships" ("node_id");
CREATE TABLE "tombstones" ("network_id" text not null references "networks" ("id") on delete cascade, "node_id" text not null, "joined_revision" integer not null, "removed_revision" integer not null, constraint "tombstones_key" primary key ("network_id", "removed_revision", "node_id"));
CREATE TABLE "addresses" ("network_id" text not null references "networks" ("id") on delete cascade, "address_key" text not null, "address" text not null, "family" integer not null, "node_id" text, "released_at" text, constraint "addresses_key" primary key ("network_id", "address_key"));
CREATE INDEX "addresses_node" on "addresses" ("network_id", "node_id");
CREATE INDEX "addresses_released" on "addresses" ("network_id", "family", "released_at", "address_key");
CREATE TABLE "reservations" ("id" text primary key, "network_id" text not null references "networks" ("id") on delete cascade, "address_key" text not null, "address" text not null, "family" integer not null, "node_id" text, "note" text not null, "created_at" text not null, constraint "reservations_address" unique ("network_id", "address_key"));
CREATE TABLE "join_tokens" ("id" text primary key, "network_id" text not null references "networks" ("id") on delete cascade, "secret_hash" text not null, "uses" integer not null, "uses_left" integer not null check (uses_left >= 0), "expires_at" text not null, "created_at" text not null);
`;

const NETWORK = 'net_00000000000000000001';
const ORGANIZATION = 'org_00000000000000000001';
let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'etherloom-migrations-test-'));
  path = join(directory, 'controller.db');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function writeFirst(nodes: readonly ReturnType<typeof makeNode>[]): void {
  const database = new DatabaseSync(path);
  database.exec('PRAGMA application_id = 1819242349');
  database.exec(FIRST_SCHEMA);
  const at = '2026-01-01T00:00:00.000Z';
  const insert = (table: string, values: readonly (string | number | null)[]) =>
    database
      .prepare(`INSERT INTO ${table} VALUES (${values.map(() => '?').join(', ')})`)
      .run(...values);
  insert('schema_version', [1]);
  insert('organizations', [ORGANIZATION, 'default', at]);
  const pool = ['10.1.0.0/24', null, `${'0'.repeat(24)}0a010003`, null];
  insert('networks', [NETWORK, ORGANIZATION, 'old', 5_000, 1_370, ...pool, 9, 1, 1, at]);
  for (const [i, node] of nodes.entries()) {
    const keys = [node.signKey, node.sessionKey];
    insert('nodes', [node.id, ORGANIZATION, `n${i}`, ...keys, '["192.0.2.1:8002"]', at, null, at]);
    insert('memberships', [NETWORK, node.id, `02:00:00:00:00:0${i}`, 2 + i, 3 + i, at]);
    const key = `${'0'.repeat(24)}0a01000${i + 1}`;
    insert('addresses', [NETWORK, key, `10.1.0.${i + 1}`, 4, node.id, null]);
  }
  insert('vni_quarantine', [4_096, '2026-06-01T00:00:00.000Z']);
  database.close();
}

test('members of a database of the first schema have credentials, and agents get a snapshot', async () => {
  const nodes = [makeNode(), makeNode()];
  writeFirst(nodes);
  const nowMs = Date.UTC(2026, 2, 1);
  const store = new Store(await openSqlite(path), {
    now: () => nowMs,
    random: randomBytes,
    keyring: new Keyring(randomBytes(32)),
    settle,
  });
  await store.transact(foundMissingAuthorities);
  await settleAll(store);
  const { published, authority, delta, vni, version } = await store.transact(async (tx) => {
    const state = await readState(tx, NETWORK);
    if (state === null) throw new Error('nothing is published');
    const chain = await authorityChain(tx, ORGANIZATION);
    const opened = openAuthority(await authorityHash(tx, ORGANIZATION), chain);
    if (!opened.ok) throw new Error(opened.refusal.code);
    return {
      published: state,
      authority: opened.authority,
      delta: await readDelta(tx, state, 9),
      vni: await allocateVni(tx, { min: 4_096, max: 4_098 }),
      version: (await tx.db.selectFrom('schema_version').selectAll().executeTakeFirst())?.version,
    };
  });
  expect(version).toBe(SCHEMA_VERSION);
  expect(published.state.revision).toBeGreaterThan(9);
  expect(delta?.upserts).toHaveLength(2);
  expect(Object.keys(delta?.proof.members ?? {}).toSorted()).toEqual(
    nodes.map(({ id }) => id).toSorted(),
  );
  const verified = verifyNetworkState({ ...published, authority, held: undefined });
  expect(verified).toMatchObject({ ok: true });
  // What rested by the clock rests on.
  expect(vni).toBe(4_097);
  expect(published.state.members.map(({ endpoints }) => endpoints)).toEqual([[], []]);
  await settleAll(store);
  expect((await store.transact((tx) => readState(tx, NETWORK)))?.state.revision).toBe(
    published.state.revision,
  );
  await store.close();
});
