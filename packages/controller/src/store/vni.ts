/**
 * VNI allocation: the lowest that no network has and that nobody may still act on. A VNI has
 * holders: nodes that were members. One is let go when its agent has confirmed that it took the
 * network down, or when its last credential has run out.
 */
import { NODE_NETWORKS_MAX } from '@etherloom/api';
import { VNI_MAX, VNI_MIN } from '../limits.ts';
import { RequestError } from '../request-error.ts';
import type { Tx } from './store.ts';

export interface VniRange {
  readonly min: number;
  readonly max: number;
}

/**
 * A free VNI. The caller stores it in the same transaction; the unique constraint of the table
 * guards it.
 */
export async function allocateVni(
  tx: Tx,
  range: VniRange = { min: VNI_MIN, max: VNI_MAX },
): Promise<number> {
  await tx.db.deleteFrom('vni_holders').where('until', '<=', tx.now.toISOString()).execute();
  const used = await tx.db
    .selectFrom('networks')
    .select('vni')
    .union(tx.db.selectFrom('vni_holders').select('vni'))
    .orderBy('vni')
    .execute();
  let candidate = range.min;
  for (const { vni } of used) {
    if (vni === candidate) candidate += 1;
    else if (vni > candidate) break;
  }
  if (candidate <= range.max) return candidate;
  throw new RequestError(
    'vni_exhausted',
    `every VNI from ${range.min} to ${range.max} is in use or in quarantine after a deletion`,
  );
}

/** A node became a member of a network with this VNI. */
export async function noteHolder(
  tx: Tx,
  holder: { readonly vni: number; readonly networkId: string; readonly nodeId: string },
): Promise<void> {
  await tx.db
    .insertInto('vni_holders')
    .values({
      vni: holder.vni,
      network_id: holder.networkId,
      node_id: holder.nodeId,
      until: null,
    })
    .onConflict((conflict) =>
      conflict.columns(['vni', 'network_id', 'node_id']).doUpdateSet({ until: null }),
    )
    .execute();
}

/** A node is no member any more, and holds the VNI until then at most. */
export async function noteHolderEnd(
  tx: Tx,
  holder: { readonly networkId: string; readonly nodeId: string; readonly until: string },
): Promise<void> {
  await tx.db
    .updateTable('vni_holders')
    .set({ until: holder.until })
    .where('network_id', '=', holder.networkId)
    .where('node_id', '=', holder.nodeId)
    .execute();
}

/** The network is about to be deleted: its members hold its VNI until their credentials end. */
export async function quarantineVni(tx: Tx, networkId: string): Promise<void> {
  const members = await tx.db
    .selectFrom('published_members')
    .select(['node_id', 'expires_at'])
    .where('network_id', '=', networkId)
    .execute();
  for (const { node_id, expires_at } of members)
    await noteHolderEnd(tx, { networkId, nodeId: node_id, until: expires_at });
}

/** The agent of a node says that it took a network down; ignored while the node is a member. */
export async function confirmReleased(tx: Tx, networkId: string, nodeId: string): Promise<void> {
  await tx.db
    .deleteFrom('vni_holders')
    .where('network_id', '=', networkId)
    .where('node_id', '=', nodeId)
    .where('until', 'is not', null)
    .execute();
}

/** Networks that a node still has to confirm to have taken down. */
export async function awaitedReleases(tx: Tx, nodeId: string): Promise<string[]> {
  const rows = await tx.db
    .selectFrom('vni_holders')
    .select('network_id')
    .where('node_id', '=', nodeId)
    .where('until', '>', tx.now.toISOString())
    .limit(NODE_NETWORKS_MAX)
    .execute();
  return rows.map((row) => row.network_id);
}
