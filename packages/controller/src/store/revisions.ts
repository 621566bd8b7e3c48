/**
 * Revisions: a number for each network that rises by one with every change that members must know.
 * A member carries the revision of its last change; one that is gone leaves a tombstone with the
 * span of revisions at which it was there. From both a delta from any revision not older than the
 * network's delta floor can be made. All of it is about what is published: signed statements, and
 * where members are reached.
 */
import type { NetworkConfig, NetworkStatement } from '@etherloom/api';
import type { Kysely } from 'kysely';
import { readSigned, readText } from '../authority/signed.ts';
import { FRESH_STATEMENTS, RESTORED_REVISIONS, TOMBSTONES_MAX } from '../limits.ts';
import { countInNetwork } from './count.ts';
import type { PublishedNetworkRow, Schema } from './schema.ts';
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
 * Lifts every network above any revision and any version that agents may hold of it, so that each
 * of them takes the whole state anew. For a database that was restored from an older backup. The
 * statements are made anew by the upkeep that follows.
 */
export async function supersedeRevisions(tx: { readonly db: Kysely<Schema> }): Promise<void> {
  await tx.db
    .updateTable('networks')
    .set((eb) => ({
      revision: eb('revision', '+', RESTORED_REVISIONS),
      config_revision: eb('revision', '+', RESTORED_REVISIONS),
      delta_floor: eb('revision', '+', RESTORED_REVISIONS),
      statement_version: eb('statement_version', '+', RESTORED_REVISIONS),
      roster_version: eb('roster_version', '+', RESTORED_REVISIONS),
      credential_serial: eb('credential_serial', '+', RESTORED_REVISIONS),
      settled_authority: FRESH_STATEMENTS,
    }))
    .execute();
  await tx.db.deleteFrom('tombstones').execute();
}

/** Where a node is reached changed: the members of all its networks learn it. */
export async function raiseRevisionsOfNode(tx: Tx, nodeId: string): Promise<void> {
  const rows = await tx.db
    .selectFrom('published_members')
    .select('network_id')
    .where('node_id', '=', nodeId)
    .execute();
  for (const { network_id } of rows) {
    const revision = await raiseRevision(tx, network_id);
    await tx.db
      .updateTable('published_members')
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
    .selectFrom('published_members')
    .innerJoin('networks', 'networks.id', 'published_members.network_id')
    .select(['networks.id', 'networks.revision'])
    .where('published_members.node_id', '=', nodeId)
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
    .selectFrom('published_members')
    .innerJoin('networks', 'networks.id', 'published_members.network_id')
    .select('networks.revision')
    .where('published_members.network_id', '=', networkId)
    .where('published_members.node_id', '=', nodeId)
    .executeTakeFirst();
  return row?.revision ?? null;
}

/** Endpoints as they are stored. */
export function parseEndpoints(stored: string): string[] {
  return JSON.parse(stored) as string[]; // written by this program from checked texts
}

/** What members act on, as it is signed. */
export function toConfig(row: Pick<PublishedNetworkRow, 'statement'>): NetworkConfig {
  const said = readText<NetworkStatement>(readSigned(row.statement).statement);
  return {
    id: said.networkId,
    name: said.name,
    vni: said.vni,
    mtuBytes: said.mtuBytes,
    ipv4: said.ipv4,
    ipv6: said.ipv6,
  };
}
