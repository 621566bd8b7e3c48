/** A step of migrations.ts: leases of nodes, and what becomes of clones. */
import type { Kysely } from 'kysely';
import type { Schema } from './schema.ts';

/** Makes the tables of leases and clones. */
export async function createLeaseTables(db: Kysely<Schema>): Promise<void> {
  await db.schema
    .alterTable('nodes')
    .addColumn('state', 'text', (c) => c.notNull().defaultTo('active'))
    .execute();
  await db.schema.alterTable('nodes').addColumn('cloned_from', 'text').execute();
  await db.schema.createIndex('nodes_cloned_from').on('nodes').column('cloned_from').execute();
  await db.schema
    .createTable('leases')
    .addColumn('node_id', 'text', (c) => c.primaryKey().references('nodes.id'))
    .addColumn('epoch', 'integer', (c) => c.notNull())
    .addColumn('hash', 'text', (c) => c.notNull())
    .addColumn('previous_epoch', 'integer', (c) => c.notNull())
    .addColumn('previous_hash', 'text', (c) => c.notNull())
    .addColumn('instance', 'text', (c) => c.notNull())
    .addColumn('hints', 'text', (c) => c.notNull())
    .execute();
  await db.schema
    .createTable('retired_leases')
    .addColumn('node_id', 'text', (c) => c.notNull().references('nodes.id'))
    .addColumn('epoch', 'integer', (c) => c.notNull())
    .addColumn('hash', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('retired_leases_key', ['node_id', 'epoch', 'hash'])
    .execute();
  await db.schema
    .createTable('split_tickets')
    .addColumn('secret_hash', 'text', (c) => c.primaryKey())
    .addColumn('origin_node_id', 'text', (c) => c.notNull().references('nodes.id'))
    .addColumn('used_by', 'text', (c) => c.references('nodes.id'))
    .addColumn('expires_at', 'text', (c) => c.notNull())
    .addColumn('created_at', 'text', (c) => c.notNull())
    .execute();
  await db.schema
    .createIndex('split_tickets_origin')
    .on('split_tickets')
    .column('origin_node_id')
    .execute();
}
