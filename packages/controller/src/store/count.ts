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

/** Networks of an organization. */
export async function countNetworks(tx: Tx, organizationId: string): Promise<number> {
  const row = await tx.db
    .selectFrom('networks')
    .where('organization_id', '=', organizationId)
    .select((eb) => eb.fn.countAll<number | string | bigint>().as('count'))
    .executeTakeFirstOrThrow();
  return Number(row.count);
}

/** Join tokens of an organization. */
export async function countJoinTokens(tx: Tx, organizationId: string): Promise<number> {
  const row = await tx.db
    .selectFrom('join_tokens')
    .innerJoin('networks', 'networks.id', 'join_tokens.network_id')
    .where('networks.organization_id', '=', organizationId)
    .select((eb) => eb.fn.countAll<number | string | bigint>().as('count'))
    .executeTakeFirstOrThrow();
  return Number(row.count);
}

/** Nodes of an organization that were not removed. */
export async function countNodes(tx: Tx, organizationId: string): Promise<number> {
  const row = await tx.db
    .selectFrom('nodes')
    .where('organization_id', '=', organizationId)
    .where('removed_at', 'is', null)
    .select((eb) => eb.fn.countAll<number | string | bigint>().as('count'))
    .executeTakeFirstOrThrow();
  return Number(row.count);
}

/** What is counted by a row that is kept, not by reading all. */
export interface KeptCount {
  readonly noun: 'members' | 'nodes';
  /** Of members: a network's id; of nodes: an organization's. */
  readonly scope: string;
}

/**
 * How many there are; counted once when nobody has. For limits, which a count that is a little off
 * serves as well: a former program that writes the same database does not keep it.
 */
export async function keptCount(tx: Tx, of: KeptCount): Promise<number> {
  const row = await tx.db
    .selectFrom('counts')
    .select('count')
    .where('noun', '=', of.noun)
    .where('scope', '=', of.scope)
    .executeTakeFirst();
  if (row) return row.count;
  const count =
    of.noun === 'members'
      ? await countInNetwork(tx, 'memberships', of.scope)
      : await countNodes(tx, of.scope);
  await tx.db
    .insertInto('counts')
    .values({ ...of, count })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  return count;
}

/** To be called with each row that is made (1) or ended (-1). */
export async function moveCount(tx: Tx, of: KeptCount, by: 1 | -1): Promise<void> {
  await tx.db
    .updateTable('counts')
    .set((eb) => ({ count: eb('count', '+', by) }))
    .where('noun', '=', of.noun)
    .where('scope', '=', of.scope)
    .execute();
}

/** Has everything counted anew: at each start, so that no count is off for long. */
export async function forgetCounts(tx: Tx): Promise<void> {
  await tx.db.deleteFrom('counts').execute();
}
