/** Counts rows, for limits. */
import type { Schema } from './schema.ts';
import type { Tx } from './store.ts';

export async function countRows(tx: Tx, table: keyof Schema): Promise<number> {
  const row = await tx.db
    .selectFrom(table)
    .select((eb) => eb.fn.countAll<number | string | bigint>().as('count'))
    .executeTakeFirstOrThrow();
  return Number(row.count);
}

/** Rows of a network. */
export async function countInNetwork(
  tx: Tx,
  table: 'memberships' | 'reservations' | 'tombstones' | 'published_revocations',
  networkId: string,
): Promise<number> {
  const row = await tx.db
    .selectFrom(table)
    .where('network_id', '=', networkId)
    .select((eb) => eb.fn.countAll<number | string | bigint>().as('count'))
    .executeTakeFirstOrThrow();
  return Number(row.count);
}

/** Nodes that were not removed. */
export async function countNodes(tx: Tx): Promise<number> {
  const row = await tx.db
    .selectFrom('nodes')
    .where('removed_at', 'is', null)
    .select((eb) => eb.fn.countAll<number | string | bigint>().as('count'))
    .executeTakeFirstOrThrow();
  return Number(row.count);
}
