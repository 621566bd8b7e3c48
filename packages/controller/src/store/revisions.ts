/**
 * Revisions: a number for each network that rises by one with every change that members must know.
 * A member carries the revision of its last change; one that is gone leaves a tombstone with the
 * span of revisions at which it was there. From both a delta from any revision not older than the
 * network's delta floor can be made.
 */
import type { Delta, Member, NetworkConfig, NetworkState } from '@etherloom/api';
import { networkDigest } from '@etherloom/core';
import { RESTORED_REVISIONS, TOMBSTONES_MAX } from '../limits.ts';
import { countInNetwork } from './count.ts';
import type { NetworkRow } from './schema.ts';
import type { Tx } from './store.ts';

/** Raises the revision of a network and notes it as changed; gives the revision reached. */
export async function raiseRevision(tx: Tx, networkId: string): Promise<number> {
  const row = await tx.db
    .updateTable('networks')
    .set((eb) => ({ revision: eb('revision', '+', 1) }))
    .where('id', '=', networkId)
    .returning('revision')
    .executeTakeFirstOrThrow();
  tx.changes.networkIds.add(networkId);
  return row.revision;
}

/**
 * Lifts every network above any revision that agents may hold of it, so that each of them takes the
 * whole state anew. For a database that was restored from an older backup.
 */
export async function supersedeRevisions(tx: Tx): Promise<void> {
  await tx.db
    .updateTable('networks')
    .set((eb) => ({
      revision: eb('revision', '+', RESTORED_REVISIONS),
      config_revision: eb('revision', '+', RESTORED_REVISIONS),
      delta_floor: eb('revision', '+', RESTORED_REVISIONS),
    }))
    .execute();
  await tx.db.deleteFrom('tombstones').execute();
}

/** Something that peers know about a node changed: all its networks learn it. */
export async function raiseRevisionsOfNode(tx: Tx, nodeId: string): Promise<void> {
  const rows = await tx.db
    .selectFrom('memberships')
    .select('network_id')
    .where('node_id', '=', nodeId)
    .execute();
  for (const { network_id } of rows) {
    const revision = await raiseRevision(tx, network_id);
    await tx.db
      .updateTable('memberships')
      .set({ changed_revision: revision })
      .where('network_id', '=', network_id)
      .where('node_id', '=', nodeId)
      .execute();
  }
}

/**
 * Remembers the end of a stay at `removedRevision`, and forgets the oldest ones above the limit.
 */
export async function addTombstone(
  tx: Tx,
  stay: {
    readonly networkId: string;
    readonly nodeId: string;
    readonly joinedRevision: number;
    readonly removedRevision: number;
  },
): Promise<void> {
  await tx.db
    .insertInto('tombstones')
    .values({
      network_id: stay.networkId,
      node_id: stay.nodeId,
      joined_revision: stay.joinedRevision,
      removed_revision: stay.removedRevision,
    })
    .execute();
  const excess = (await countInNetwork(tx, 'tombstones', stay.networkId)) - TOMBSTONES_MAX;
  if (excess <= 0) return;
  const last = await tx.db
    .selectFrom('tombstones')
    .select('removed_revision')
    .where('network_id', '=', stay.networkId)
    .orderBy('removed_revision')
    .offset(excess - 1)
    .limit(1)
    .executeTakeFirstOrThrow();
  await tx.db
    .deleteFrom('tombstones')
    .where('network_id', '=', stay.networkId)
    .where('removed_revision', '<=', last.removed_revision)
    .execute();
  await tx.db
    .updateTable('networks')
    .set({ delta_floor: last.removed_revision })
    .where('id', '=', stay.networkId)
    .execute();
}

/** Networks of a node, at their revisions. */
export async function revisionsOfNode(tx: Tx, nodeId: string): Promise<Map<string, number>> {
  const rows = await tx.db
    .selectFrom('memberships')
    .innerJoin('networks', 'networks.id', 'memberships.network_id')
    .select(['networks.id', 'networks.revision'])
    .where('memberships.node_id', '=', nodeId)
    .execute();
  return new Map(rows.map((row) => [row.id, row.revision]));
}

/** Revision of a network for one of its members; null when it is not one. */
export async function revisionForMember(
  tx: Tx,
  networkId: string,
  nodeId: string,
): Promise<number | null> {
  const row = await tx.db
    .selectFrom('memberships')
    .innerJoin('networks', 'networks.id', 'memberships.network_id')
    .select('networks.revision')
    .where('memberships.network_id', '=', networkId)
    .where('memberships.node_id', '=', nodeId)
    .executeTakeFirst();
  return row?.revision ?? null;
}

/** The whole state of a network, members sorted by node id; null when there is no such network. */
export async function readState(tx: Tx, networkId: string): Promise<NetworkState | null> {
  const network = await tx.db
    .selectFrom('networks')
    .selectAll()
    .where('id', '=', networkId)
    .executeTakeFirst();
  if (!network) return null;
  return {
    config: toConfig(network),
    revision: network.revision,
    members: await readMembers(tx, networkId),
  };
}

/** What an agent at `fromRevision` lacks of `state`; null when only a snapshot can say it. */
export async function readDelta(
  tx: Tx,
  state: NetworkState,
  fromRevision: number,
): Promise<Delta | null> {
  const networkId = state.config.id;
  const network = await tx.db
    .selectFrom('networks')
    .select(['config_revision', 'delta_floor'])
    .where('id', '=', networkId)
    .executeTakeFirstOrThrow();
  if (fromRevision < network.delta_floor || fromRevision > state.revision) return null;
  const changed = await tx.db
    .selectFrom('memberships')
    .select('node_id')
    .where('network_id', '=', networkId)
    .where('changed_revision', '>', fromRevision)
    .execute();
  const gone = await tx.db
    .selectFrom('tombstones')
    .select('node_id')
    .distinct()
    .where('network_id', '=', networkId)
    .where('joined_revision', '<=', fromRevision)
    .where('removed_revision', '>', fromRevision)
    .execute();
  const upserts = new Set(changed.map((row) => row.node_id));
  const present = new Set(state.members.map((member) => member.nodeId));
  return {
    networkId,
    type: 'delta',
    fromRevision,
    toRevision: state.revision,
    ...(network.config_revision > fromRevision ? { config: state.config } : {}),
    upserts: state.members.filter((member) => upserts.has(member.nodeId)),
    removals: gone.map((row) => row.node_id).filter((nodeId) => !present.has(nodeId)),
    digest: networkDigest(state),
  };
}

async function readMembers(tx: Tx, networkId: string): Promise<Member[]> {
  const rows = await tx.db
    .selectFrom('memberships')
    .innerJoin('nodes', 'nodes.id', 'memberships.node_id')
    .select([
      'nodes.id',
      'nodes.name',
      'nodes.session_key',
      'nodes.sign_key',
      'nodes.endpoints',
      'memberships.mac',
    ])
    .where('memberships.network_id', '=', networkId)
    .orderBy('nodes.id')
    .execute();
  const addresses = await readAddresses(tx, networkId);
  return rows.map((row) => ({
    nodeId: row.id,
    name: row.name,
    sessionKey: row.session_key,
    signKey: row.sign_key,
    mac: row.mac,
    addresses: addresses.get(row.id) ?? [],
    endpoints: parseEndpoints(row.endpoints),
  }));
}

/** Addresses of the members by node id; IPv4 before IPv6. */
async function readAddresses(tx: Tx, networkId: string): Promise<Map<string, string[]>> {
  const rows = await tx.db
    .selectFrom('addresses')
    .select(['node_id', 'address'])
    .where('network_id', '=', networkId)
    .where('released_at', 'is', null)
    .orderBy('family')
    .orderBy('address_key')
    .execute();
  const byNode = new Map<string, string[]>();
  for (const row of rows) {
    if (row.node_id === null) continue;
    const list = byNode.get(row.node_id);
    if (list) list.push(row.address);
    else byNode.set(row.node_id, [row.address]);
  }
  return byNode;
}

/** Endpoints as they are stored. */
export function parseEndpoints(stored: string): string[] {
  return JSON.parse(stored) as string[]; // written by this program from checked texts
}

function toConfig(row: NetworkRow): NetworkConfig {
  return {
    id: row.id,
    name: row.name,
    vni: row.vni,
    mtuBytes: row.mtu_bytes,
    ipv4: row.ipv4,
    ipv6: row.ipv6,
  };
}
