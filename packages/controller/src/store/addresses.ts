/**
 * Addresses of members. A node gets, in this order: the address reserved for it; the one it had
 * before, while nobody else needed it; the lowest that was never given; the one that was released
 * longest ago. Runs inside the transaction that makes the membership.
 */
import type { Family, Prefix } from '../addressing/prefix.ts';
import {
  addressKey,
  addressText,
  memberRange,
  numberOfKey,
  parsePrefix,
} from '../addressing/prefix.ts';
import { RELEASED_ADDRESSES_MAX } from '../limits.ts';
import { RequestError } from '../request-error.ts';
import type { NetworkRow } from './schema.ts';
import type { Tx } from './store.ts';

/** Gives a node one address of each pool of the network. */
export async function assignAddresses(tx: Tx, network: NetworkRow, nodeId: string): Promise<void> {
  for (const text of [network.ipv4, network.ipv6]) {
    if (text !== null) await assignOne(tx, network, parsePrefix(text), nodeId);
  }
}

/** An address of a pool that nobody has and none is reserved for. */
export async function takeFreeAddress(tx: Tx, network: NetworkRow, pool: Prefix): Promise<string> {
  const key = await freeKey(tx, network, pool);
  if (key === null) throw exhausted(network, pool);
  return addressText(numberOfKey(key));
}

/** Releases the addresses of a node; it has the first claim on them while nobody needs them. */
export async function releaseAddresses(tx: Tx, networkId: string, nodeId: string): Promise<void> {
  await tx.db
    .updateTable('addresses')
    .set({ released_at: tx.now.toISOString() })
    .where('network_id', '=', networkId)
    .where('node_id', '=', nodeId)
    .where('released_at', 'is', null)
    .execute();
}

async function assignOne(tx: Tx, network: NetworkRow, pool: Prefix, nodeId: string): Promise<void> {
  const key =
    (await reservedFor(tx, network.id, pool.family, nodeId)) ??
    (await formerOf(tx, network.id, pool.family, nodeId)) ??
    (await freeKey(tx, network, pool));
  if (key === null) throw exhausted(network, pool);
  await tx.db
    .deleteFrom('addresses')
    .where('network_id', '=', network.id)
    .where('address_key', '=', key)
    .where('released_at', 'is not', null) // of a member it is never taken
    .execute();
  const address = addressText(numberOfKey(key));
  await tx.db
    .insertInto('addresses')
    .values({
      network_id: network.id,
      address_key: key,
      address,
      family: pool.family,
      node_id: nodeId,
      released_at: null,
    })
    .execute();
}

async function freeKey(tx: Tx, network: NetworkRow, pool: Prefix): Promise<string | null> {
  return (
    ((await releasedCount(tx, network.id, pool.family)) < RELEASED_ADDRESSES_MAX
      ? await neverGiven(tx, network, pool)
      : null) ??
    (await longestReleased(tx, network.id, pool.family)) ??
    (await neverGiven(tx, network, pool))
  );
}

function exhausted(network: NetworkRow, pool: Prefix): RequestError {
  return new RequestError(
    'pool_exhausted',
    `pool ${pool.text} of network "${network.name}" has no free address`,
  );
}

async function reservedFor(
  tx: Tx,
  networkId: string,
  family: Family,
  nodeId: string,
): Promise<string | null> {
  const row = await tx.db
    .selectFrom('reservations')
    .select('address_key')
    .where('network_id', '=', networkId)
    .where('family', '=', family)
    .where('node_id', '=', nodeId)
    .orderBy('address_key')
    .executeTakeFirst();
  return row?.address_key ?? null;
}

async function formerOf(
  tx: Tx,
  networkId: string,
  family: Family,
  nodeId: string,
): Promise<string | null> {
  const row = await tx.db
    .selectFrom('addresses')
    .select('address_key')
    .where('network_id', '=', networkId)
    .where('family', '=', family)
    .where('node_id', '=', nodeId)
    .where('released_at', 'is not', null)
    .orderBy('released_at', 'desc')
    .executeTakeFirst();
  return row?.address_key ?? null;
}

/**
 * Walks up from the network's cursor, past what is reserved, and leaves the cursor behind what it
 * found.
 */
async function neverGiven(tx: Tx, network: NetworkRow, pool: Prefix): Promise<string | null> {
  const column = pool.family === 4 ? 'ipv4_cursor' : 'ipv6_cursor';
  const row = await tx.db
    .selectFrom('networks')
    .select(column)
    .where('id', '=', network.id)
    .executeTakeFirst();
  const cursor = row?.[column];
  if (cursor === null || cursor === undefined) return null;
  const { last } = memberRange(pool);
  let number = numberOfKey(cursor);
  while (number <= last && (await isKnown(tx, network.id, addressKey(number)))) number += 1n;
  const next = number <= last ? number + 1n : number;
  await tx.db
    .updateTable('networks')
    .set({ [column]: addressKey(next) })
    .where('id', '=', network.id)
    .execute();
  return number <= last ? addressKey(number) : null;
}

async function isKnown(tx: Tx, networkId: string, key: string): Promise<boolean> {
  for (const table of ['reservations', 'addresses'] as const) {
    const row = await tx.db
      .selectFrom(table)
      .select('address_key')
      .where('network_id', '=', networkId)
      .where('address_key', '=', key)
      .executeTakeFirst();
    if (row) return true;
  }
  return false;
}

async function releasedCount(tx: Tx, networkId: string, family: Family): Promise<number> {
  const row = await tx.db
    .selectFrom('addresses')
    .where('network_id', '=', networkId)
    .where('family', '=', family)
    .where('released_at', 'is not', null)
    .select((eb) => eb.fn.countAll<number | string | bigint>().as('count'))
    .executeTakeFirstOrThrow();
  return Number(row.count);
}

/** What is reserved for a node that has left waits for that node. */
async function longestReleased(tx: Tx, networkId: string, family: Family): Promise<string | null> {
  const reserved = tx.db
    .selectFrom('reservations')
    .select('address_key')
    .where('network_id', '=', networkId);
  const row = await tx.db
    .selectFrom('addresses')
    .select('address_key')
    .where('network_id', '=', networkId)
    .where('family', '=', family)
    .where('released_at', 'is not', null)
    .where('address_key', 'not in', reserved)
    .orderBy('released_at')
    .orderBy('address_key')
    .executeTakeFirst();
  return row?.address_key ?? null;
}
