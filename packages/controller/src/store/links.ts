/** Which controller has the link of a node, where several share the database. */
import { LEASE_GRACE_MS } from '@etherloom/core';
import { sql } from 'kysely';
import type { Bus } from './bus.ts';
import { DATABASE_NOW } from './postgres-bus.ts';
import type { Tx } from './store.ts';

/** A link as it is entered. */
export interface LinkEntry {
  readonly nodeId: string;
  readonly controllerId: string;
  readonly instance: string;
  readonly epoch: number;
}

/** What the database knows of a node's link. */
export interface KnownLink {
  readonly controllerId: string;
  readonly isOpen: boolean;
  /** Since it was closed, or since its controller last said that it runs. */
  readonly quietMs: number;
}

/** Enters a link in place of any other of its node. */
export async function enterLink(tx: Tx, link: LinkEntry): Promise<void> {
  const values = {
    controller_id: link.controllerId,
    instance: link.instance,
    epoch: link.epoch,
    since_ms: sql<number>`${sql.raw(DATABASE_NOW)}`,
    closed_at_ms: null,
  };
  await tx.db
    .insertInto('links')
    .values({ node_id: link.nodeId, ...values })
    .onConflict((conflict) => conflict.column('node_id').doUpdateSet(values))
    .execute();
}

/** Marks a link as closed, unless the node has another one. */
export async function closeLink(
  tx: Tx,
  { nodeId, controllerId, epoch }: Omit<LinkEntry, 'instance'>,
): Promise<void> {
  await tx.db
    .updateTable('links')
    .set({ closed_at_ms: sql<number>`${sql.raw(DATABASE_NOW)}` })
    .where('node_id', '=', nodeId)
    .where('controller_id', '=', controllerId)
    .where('epoch', '=', epoch)
    .execute();
}

/** The link of a node at whichever controller; undefined: none for as long as it matters. */
export async function linkOf(tx: Tx, nodeId: string): Promise<KnownLink | undefined> {
  const row = await tx.db
    .selectFrom('links')
    .leftJoin('controllers', 'controllers.id', 'links.controller_id')
    .select(['controller_id', 'closed_at_ms', 'heard_at_ms', 'stopped_at_ms', 'since_ms'])
    .select(sql<number>`${sql.raw(DATABASE_NOW)}`.as('now_ms'))
    .where('node_id', '=', nodeId)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const isOpen = row.closed_at_ms === null && row.stopped_at_ms === null;
  const heardMs = row.closed_at_ms ?? Math.max(row.heard_at_ms ?? 0, row.since_ms);
  return { controllerId: row.controller_id, isOpen, quietMs: Math.max(0, row.now_ms - heardMs) };
}

/** A link that another controller has. */
export interface RemoteLink {
  readonly node_id: string;
  readonly controller_id: string;
  readonly epoch: number;
}

/** All links that other controllers have; forgets those that have long been closed. */
export async function readRemoteLinks(
  bus: Bus,
  controllerId: string,
): Promise<readonly RemoteLink[]> {
  await bus.query(`delete from links where closed_at_ms < ${DATABASE_NOW} - $1`, [
    2 * LEASE_GRACE_MS,
  ]);
  return await bus.query<RemoteLink>(
    'select node_id, controller_id, epoch from links where closed_at_ms is null and controller_id <> $1',
    [controllerId],
  );
}

/** Enters links again that others have taken for gone, unless their nodes have later ones. */
export async function reenterLinks(bus: Bus, links: readonly LinkEntry[]): Promise<void> {
  await bus.query(
    `insert into links (node_id, controller_id, instance, epoch, since_ms, closed_at_ms)
     select node_id, controller_id, instance, epoch, ${DATABASE_NOW}, null
     from jsonb_to_recordset($1::jsonb)
       as given(node_id text, controller_id text, instance text, epoch bigint)
     on conflict (node_id) do update set controller_id = excluded.controller_id,
       instance = excluded.instance, epoch = excluded.epoch, closed_at_ms = null
     where links.epoch <= excluded.epoch
       and (links.closed_at_ms is not null or links.controller_id = excluded.controller_id)`,
    [
      JSON.stringify(
        links.map(({ nodeId, controllerId, instance, epoch }) => ({
          node_id: nodeId,
          controller_id: controllerId,
          instance,
          epoch,
        })),
      ),
    ],
  );
}
