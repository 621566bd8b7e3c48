/**
 * A step of migrations.ts: what several controllers of one database share beside the state itself.
 * Times of these tables are milliseconds of the database's clock, which is one for all of them.
 */
import type { Kysely } from 'kysely';
import type { Schema } from '../schema.ts';

/** Makes the tables; with SQLite, which has one controller, they stay empty. */
export async function createControllerTables(db: Kysely<Schema>): Promise<void> {
  await db.schema
    .createTable('controllers')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('instance', 'text', (c) => c.notNull())
    .addColumn('urls', 'text', (c) => c.notNull())
    .addColumn('version', 'text', (c) => c.notNull())
    .addColumn('heard_at_ms', 'integer', (c) => c.notNull())
    .addColumn('stopped_at_ms', 'integer')
    .execute();
  await db.schema
    .createTable('links')
    .addColumn('node_id', 'text', (c) => c.primaryKey())
    .addColumn('controller_id', 'text', (c) => c.notNull())
    .addColumn('instance', 'text', (c) => c.notNull())
    .addColumn('epoch', 'integer', (c) => c.notNull())
    .addColumn('since_ms', 'integer', (c) => c.notNull())
    .addColumn('closed_at_ms', 'integer')
    .execute();
  await db.schema
    .createIndex('links_controller')
    .on('links')
    .columns(['controller_id', 'closed_at_ms'])
    .execute();
  await db.schema
    .createTable('bus_messages')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('transaction_number', 'integer', (c) => c.notNull())
    .addColumn('sender', 'text', (c) => c.notNull())
    .addColumn('body', 'text', (c) => c.notNull())
    .addColumn('posted_at_ms', 'integer', (c) => c.notNull())
    .execute();
  await db.schema
    .createIndex('bus_messages_transaction')
    .on('bus_messages')
    .column('transaction_number')
    .execute();
  await db.schema
    .createTable('tls_identity')
    .addColumn('id', 'integer', (c) => c.primaryKey())
    .addColumn('sealed_key', 'text', (c) => c.notNull())
    .addColumn('certificate', 'text', (c) => c.notNull())
    .addColumn('created_at', 'text', (c) => c.notNull())
    .execute();
}
