/**
 * A step of migrations.ts: what makes a change of one member cost the same in a network of any
 * size. The inner nodes of each roster's tree (docs/trust.md 4), the bucket of each credential,
 * counts that are kept, and indexes by which a reader finds what changed since a revision.
 *
 * Trees and counts are filled when they are first needed: both are found wrong when they are
 * missing, so that a former program may go on writing the tables that they follow from.
 */
import { rosterBucketOf } from '@etherloom/core';
import type { Kysely } from 'kysely';
import type { Schema } from '../schema.ts';

/** Makes the tables, and has all rosters signed again: they commit to credentials by a tree. */
export async function createRosterTree(db: Kysely<Schema>): Promise<void> {
  await db.schema
    .createTable('roster_nodes')
    .addColumn('network_id', 'text', (c) =>
      c.notNull().references('networks.id').onDelete('cascade'),
    )
    .addColumn('path', 'text', (c) => c.notNull())
    .addColumn('children', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('roster_nodes_key', ['network_id', 'path'])
    .execute();
  await db.schema
    .createTable('counts')
    .addColumn('noun', 'text', (c) => c.notNull())
    .addColumn('scope', 'text', (c) => c.notNull())
    .addColumn('count', 'integer', (c) => c.notNull())
    .addPrimaryKeyConstraint('counts_key', ['noun', 'scope'])
    .execute();
  await db.schema.alterTable('published_members').addColumn('bucket', 'text').execute();
  const rows = await db.selectFrom('published_members').select('node_id').distinct().execute();
  for (const { node_id } of rows)
    await db
      .updateTable('published_members')
      .set({ bucket: rosterBucketOf(node_id) })
      .where('node_id', '=', node_id)
      .execute();
  for (const column of ['bucket', 'changed_revision', 'proof_revision'] as const)
    await db.schema
      .createIndex(`published_members_${column}`)
      .on('published_members')
      .columns(['network_id', column])
      .execute();
  await db.schema
    .createIndex('addresses_holder')
    .on('addresses')
    .columns(['network_id', 'node_id', 'released_at', 'family', 'address_key'])
    .execute();
  await db.schema
    .createIndex('vni_holders_node')
    .on('vni_holders')
    .columns(['node_id', 'network_id'])
    .execute();
  await db.schema
    .createIndex('published_revocations_keep')
    .on('published_revocations')
    .columns(['network_id', 'keep_until'])
    .execute();
  await db
    .updateTable('networks')
    .set({ settled_authority: 0 })
    .where('settled_authority', '>', 0)
    .execute();
}
