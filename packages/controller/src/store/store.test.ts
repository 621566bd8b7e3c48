/** Store operations on a real database with a virtual clock. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import type { JoinRequest } from '@etherloom/api';
import { STALENESS_DAYS_DEFAULT } from '@etherloom/api';
import { applyDelta, applyProofDelta, applySnapshot, networkDigest } from '@etherloom/core';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Keyring } from '../authority/keyring.ts';
import { settle } from '../authority/settle.ts';
import { DAY_MS, RELEASED_ADDRESSES_MAX, TOMBSTONES_MAX } from '../limits.ts';
import { openTestEngine } from '../testing/test-database.ts';
import { createJoinToken } from './join-tokens.ts';
import { join } from './join.ts';
import { endMembership, listMembers } from './members.ts';
import { createNetwork, deleteNetwork } from './networks.ts';
import { ensureDefaultOrganization } from './organizations.ts';
import { createReservation, deleteReservation } from './reservations.ts';
import { readDelta, readState } from '../testing/published-state.ts';
import type { Engine } from './engine.ts';
import { Store } from './store.ts';
import { allocateVni, awaitedReleases, confirmReleased } from './vni.ts';

const SEALING_KEY = randomBytes(32);
let directory: string;
let path: string;
let engine: Engine;
let store: Store;
let nowMs: number;

beforeEach(async () => {
  directory = mkdtempSync(joinPath(tmpdir(), 'etherloom-store-test-'));
  path = joinPath(directory, 'controller.db');
  nowMs = Date.UTC(2030, 0, 1);
  store = await openStore();
});
afterEach(async () => {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

async function openStore(): Promise<Store> {
  engine = await openTestEngine(path);
  const opened = new Store(engine, {
    now: () => nowMs,
    random: randomBytes,
    keyring: new Keyring(SEALING_KEY),
    settle,
  });
  await opened.transact(ensureDefaultOrganization);
  return opened;
}

function makeNetwork(
  name: string,
  ipv4: string | null = '10.1.0.0/29',
  ipv6: string | null = null,
) {
  return store.transact((tx) => createNetwork(tx, { name, ipv4, ipv6, mtuBytes: 1_370 }));
}

function request(nodeId: string): JoinRequest {
  const key = (kind: string) => createHash('sha256').update(`${kind}${nodeId}`).digest('base64url');
  return {
    tokenId: '',
    network: '',
    secret: '',
    nodeId,
    name: `n-${nodeId}`,
    nameIsSuggestion: false,
    signKey: key('s'),
    sessionKey: key('x'),
    signature: '',
  };
}

/** Joins, and gives the member's addresses. */
async function joinAs(network: string, nodeId: string): Promise<readonly string[]> {
  nowMs += 1_000;
  await store.transact(async (tx) => {
    const { row, secret } = await createJoinToken(tx, { network, uses: 1, lifetimeSeconds: 60 });
    await join(tx, { ...request(nodeId), tokenId: row.id, network, secret });
  });
  const { items: members } = await store.transact((tx) =>
    listMembers(tx, network, { limit: 1_000 }),
  );
  return members.find((member) => member.nodeId === nodeId)?.addresses ?? [];
}

async function leave(networkId: string, nodeId: string): Promise<void> {
  nowMs += 1_000;
  await store.transact((tx) => endMembership(tx, networkId, nodeId));
}

describe('addresses', () => {
  test('are given lowest first, without network and broadcast address, until the pool is full', async () => {
    const network = await makeNetwork('a', '10.1.0.0/29');
    for (let i = 1; i <= 6; i += 1) expect(await joinAs('a', `node${i}`)).toEqual([`10.1.0.${i}`]);
    await expect(joinAs('a', 'node7')).rejects.toMatchObject({
      code: 'pool_exhausted',
      message: expect.stringContaining('10.1.0.0/29'),
    });
    await leave(network.id, 'node3');
    expect(await joinAs('a', 'node7')).toEqual(['10.1.0.3']);
  });

  test('of IPv6 begin after the subnet-router anycast address', async () => {
    await makeNetwork('six', null, 'fd00:1::/126');
    expect(await joinAs('six', 'node1')).toEqual(['fd00:1::1']);
    expect(await joinAs('six', 'node2')).toEqual(['fd00:1::2']);
    expect(await joinAs('six', 'node3')).toEqual(['fd00:1::3']);
    await expect(joinAs('six', 'node4')).rejects.toMatchObject({ code: 'pool_exhausted' });
  });

  test('come back to a node that left while nobody else needed them, and its MAC too', async () => {
    const network = await makeNetwork('a', '10.1.0.0/24', 'fd00:1::/64');
    await joinAs('a', 'node1');
    const before = await joinAs('a', 'node2');
    const macBefore = (await store.transact((tx) => listMembers(tx, 'a', { limit: 100 }))).items[1]
      ?.mac;
    await leave(network.id, 'node2');
    expect(await joinAs('a', 'node3')).toEqual(['10.1.0.3', 'fd00:1::3']);
    expect(await joinAs('a', 'node2')).toEqual(before);
    expect((await store.transact((tx) => listMembers(tx, 'a', { limit: 100 }))).items[1]?.mac).toBe(
      macBefore,
    );
  });

  test('that were released are given oldest first when no other is left', async () => {
    const network = await makeNetwork('a', '10.1.0.0/29');
    for (let i = 1; i <= 6; i += 1) await joinAs('a', `node${i}`);
    for (const node of ['node4', 'node2', 'node5']) await leave(network.id, node);
    expect(await joinAs('a', 'other1')).toEqual(['10.1.0.4']);
    expect(await joinAs('a', 'other2')).toEqual(['10.1.0.2']);
    expect(await joinAs('a', 'node4')).toEqual(['10.1.0.5']);
  });

  test('that were released are remembered up to a limit', async () => {
    const network = await makeNetwork('a', '10.0.0.0/8');
    const rows = Array.from({ length: RELEASED_ADDRESSES_MAX }, (_, i) => ({
      network_id: network.id,
      address_key: `${i}`.padStart(32, 'f'),
      address: '10.255.0.1',
      family: 4,
      node_id: null,
      released_at: new Date(nowMs).toISOString(),
    }));
    await store.transact(async (tx) => {
      for (let i = 0; i < rows.length; i += 512)
        await tx.db
          .insertInto('addresses')
          .values(rows.slice(i, i + 512))
          .execute();
    });
    await joinAs('a', 'node1');
    const left = await store.transact((tx) =>
      tx.db
        .selectFrom('addresses')
        .select('address')
        .where('released_at', 'is not', null)
        .execute(),
    );
    expect(left).toHaveLength(RELEASED_ADDRESSES_MAX - 1);
  });

  test('that are reserved go to their node or to nobody', async () => {
    const network = await makeNetwork('a', '10.1.0.0/29');
    const reserve = (address: string, nodeId?: string) =>
      store.transact((tx) => createReservation(tx, 'a', { address, nodeId, note: '' }));
    const kept = await reserve('10.1.0.1');
    await reserve('10.1.0.4', 'node9');
    expect(await joinAs('a', 'node1')).toEqual(['10.1.0.2']);
    expect(await joinAs('a', 'node9')).toEqual(['10.1.0.4']);
    await expect(reserve('10.1.0.1')).rejects.toMatchObject({ code: 'reservation_overlaps' });
    await expect(reserve('10.1.0.2')).rejects.toMatchObject({ code: 'reservation_overlaps' });
    await expect(reserve('10.1.0.2', 'node9')).rejects.toMatchObject({
      code: 'reservation_overlaps',
    });
    for (const [address, reason] of [
      ['10.1.0.0', /network address/],
      ['10.1.0.7', /broadcast/],
      ['10.2.0.1', /not in pool/],
      ['fd00::1', /no IPv6 pool/],
    ] as const) {
      await expect(reserve(address)).rejects.toMatchObject({
        code: 'invalid_request',
        message: expect.stringMatching(reason),
      });
    }
    for (const node of ['node2', 'node3', 'node4']) await joinAs('a', node); // .3 .5 .6
    await expect(joinAs('a', 'node5')).rejects.toMatchObject({ code: 'pool_exhausted' });
    await leave(network.id, 'node9');
    const waits = joinAs('a', 'node5');
    await expect(waits, 'it is kept for its node').rejects.toMatchObject({
      code: 'pool_exhausted',
    });
    expect(await joinAs('a', 'node9')).toEqual(['10.1.0.4']);
    await store.transact((tx) => deleteReservation(tx, network.id, kept.id));
    expect(await joinAs('a', 'node5')).toEqual(['10.1.0.1']);
  });

  test('a join that fails leaves nothing behind', async () => {
    await makeNetwork('a', '10.1.0.0/30', 'fd00:1::/64');
    await joinAs('a', 'node1');
    await joinAs('a', 'node2');
    await expect(joinAs('a', 'node3')).rejects.toMatchObject({ code: 'pool_exhausted' });
    const counts = await store.transact(async (tx) => ({
      nodes: (await tx.db.selectFrom('nodes').select('id').execute()).length,
      tokens: (await tx.db.selectFrom('join_tokens').select('id').execute()).length,
      addresses: (await tx.db.selectFrom('addresses').select('address').execute()).length,
    }));
    expect(counts).toEqual({ nodes: 2, tokens: 2, addresses: 4 });
  });
});

describe('VNIs', () => {
  test('are the lowest free ones; one that nobody ever held is free at once', async () => {
    const first = await makeNetwork('a');
    expect((await makeNetwork('b')).vni).toBe(first.vni + 1);
    await store.transact((tx) => deleteNetwork(tx, 'a'));
    expect((await makeNetwork('c')).vni).toBe(first.vni);
  });

  test('rest until the credential of each holder has run out', async () => {
    const first = await makeNetwork('a');
    await joinAs('a', 'node1');
    const endMs = nowMs + STALENESS_DAYS_DEFAULT * DAY_MS;
    await store.transact((tx) => deleteNetwork(tx, 'a'));
    nowMs = endMs - 1;
    expect((await makeNetwork('b')).vni).toBe(first.vni + 1);
    nowMs = endMs;
    expect((await makeNetwork('c')).vni).toBe(first.vni);
  });

  test('rest until each holder has confirmed, a former member too, and a member cannot', async () => {
    const first = await makeNetwork('a');
    await joinAs('a', 'node1');
    await joinAs('a', 'node2');
    await leave(first.id, 'node2');
    const confirm = (nodeId: string) =>
      store.transact((tx) => confirmReleased(tx, first.id, nodeId));
    await confirm('node1');
    await store.transact((tx) => deleteNetwork(tx, 'a'));
    expect(await store.transact((tx) => awaitedReleases(tx, 'node2'))).toEqual([first.id]);
    await confirm('node2');
    expect((await makeNetwork('b')).vni).toBe(first.vni + 1);
    await confirm('node1');
    expect((await makeNetwork('c')).vni).toBe(first.vni);
  });

  test('that are all in use or held are refused', async () => {
    const { vni } = await makeNetwork('a');
    await makeNetwork('b');
    await joinAs('b', 'node1');
    await store.transact((tx) => deleteNetwork(tx, 'b'));
    const range = { min: vni, max: vni + 1 };
    await expect(store.transact((tx) => allocateVni(tx, range))).rejects.toMatchObject({
      code: 'vni_exhausted',
    });
    nowMs += STALENESS_DAYS_DEFAULT * DAY_MS;
    expect(await store.transact((tx) => allocateVni(tx, range))).toBe(vni + 1);
  });
});

test('a pool that is not named overlaps no other of the organization', async () => {
  const blockers = await makeNetwork('a', '10.0.0.0/9');
  expect(blockers.ipv4).toBe('10.0.0.0/9');
  const made = await store.transact(async (tx) => {
    const networks = [];
    for (let i = 0; i < 20; i += 1)
      networks.push(await createNetwork(tx, { name: `n${i}`, mtuBytes: 1_370 }));
    return networks;
  });
  expect(new Set(made.map((network) => network.ipv4)).size).toBe(20);
  for (const network of made)
    expect(Number(network.ipv4?.split('.')[1])).toBeGreaterThanOrEqual(128);
});

test('an expired token is refused', async () => {
  await makeNetwork('a');
  const { row, secret } = await store.transact((tx) =>
    createJoinToken(tx, { network: 'a', uses: 1, lifetimeSeconds: 60 }),
  );
  nowMs += 60_000;
  await expect(
    store.transact((tx) => join(tx, { ...request('late'), tokenId: row.id, network: 'a', secret })),
  ).rejects.toMatchObject({ code: 'token_expired' });
});

test('secrets are not in the database', async () => {
  await makeNetwork('a');
  const { secret } = await store.transact((tx) =>
    createJoinToken(tx, { network: 'a', uses: 1, lifetimeSeconds: 60 }),
  );
  const tables = await engine.db.introspection.getTables();
  const texts = [];
  for (const { name } of tables)
    texts.push(
      JSON.stringify((await sql`select * from ${sql.table(name)}`.execute(engine.db)).rows),
    );
  expect(texts.join().includes('secret_hash')).toBe(true);
  expect(texts.join().includes(secret)).toBe(false);
});

test('a delta from any revision above the floor leads to the digest of the state; below the floor there is none', async () => {
  const network = await makeNetwork('a', '10.0.0.0/8');
  const states = [];
  for (let i = 0; i < 30; i += 1) {
    if (i % 3 === 2) await leave(network.id, `node${i - 1}`);
    else await joinAs('a', `node${i % 7}`).catch(() => {});
    states.push(await store.transact((tx) => readState(tx, network.id)));
  }
  const last = states.at(-1);
  if (!last) throw new Error('no state');
  for (const held of states) {
    if (!held || held.state.revision === last.state.revision) continue;
    const { state } = held;
    const delta = await store.transact((tx) => readDelta(tx, last, state.revision));
    if (!delta) throw new Error(`no delta from ${state.revision}`);
    expect(applyDelta(state, delta)).toMatchObject({ ok: true });
    expect(applyProofDelta(held.proof, delta)).toEqual(last.proof);
  }
  const digest = networkDigest(last.state);
  expect(applySnapshot(undefined, { state: last.state, digest }).ok).toBe(true);
  expect(await store.transact((tx) => readDelta(tx, last, 0))).toBeNull();
});

test('removals above the limit are forgotten, and the floor rises with them', async () => {
  const network = await makeNetwork('a', '10.0.0.0/8');
  await store.transact(async (tx) => {
    const rows = Array.from({ length: TOMBSTONES_MAX }, (_, i) => ({
      network_id: network.id,
      node_id: `gone${i}`,
      joined_revision: 1,
      removed_revision: i + 2,
    }));
    for (let i = 0; i < rows.length; i += 512)
      await tx.db
        .insertInto('tombstones')
        .values(rows.slice(i, i + 512))
        .execute();
    await tx.db
      .updateTable('networks')
      .set({ revision: TOMBSTONES_MAX + 1 })
      .execute();
  });
  for (let i = 0; i < 5; i += 1) {
    await joinAs('a', 'node1');
    await leave(network.id, 'node1');
  }
  const { floor, count } = await store.transact(async (tx) => ({
    floor: (await tx.db.selectFrom('networks').select('delta_floor').executeTakeFirstOrThrow())
      .delta_floor,
    count: (await tx.db.selectFrom('tombstones').select('node_id').execute()).length,
  }));
  expect(count).toBe(TOMBSTONES_MAX);
  expect(floor).toBe(6); // that of the fifth removal, the last one that was forgotten
});
