/** The nodes of a network as a picture of it needs them. */
import type { Topology } from '@etherloom/api';
import { findNetwork } from './networks.ts';
import { parseEndpoints } from './revisions.ts';
import type { Tx } from './store.ts';

export interface TopologyRows {
  readonly rows: readonly Pick<Topology['nodes'][number], 'id' | 'name' | 'endpoints'>[];
  /** Of all members, shown or not. */
  readonly memberCount: number;
}

/** The first `limit` members by name. Rejects with not_found. */
export async function readTopologyNodes(
  tx: Tx,
  networkText: string,
  limit: number,
): Promise<TopologyRows> {
  const network = await findNetwork(tx, networkText);
  const rows = await tx.db
    .selectFrom('memberships')
    .innerJoin('nodes', 'nodes.id', 'memberships.node_id')
    .select(['nodes.id', 'nodes.name', 'nodes.endpoints'])
    .where('memberships.network_id', '=', network.id)
    .orderBy('nodes.name')
    .orderBy('nodes.id')
    .limit(limit)
    .execute();
  const { count } = await tx.db
    .selectFrom('memberships')
    .select((eb) => eb.fn.countAll<number | string | bigint>().as('count'))
    .where('network_id', '=', network.id)
    .executeTakeFirstOrThrow();
  return {
    rows: rows.map(({ id, name, endpoints }) => ({
      id,
      name,
      endpoints: parseEndpoints(endpoints),
    })),
    memberCount: Number(count),
  };
}
