/**
 * The ledger of each organization (docs/controller.md 5): its head, its entries, checkpoints, the
 * keys that sign them, and the replies that are kept under idempotency keys.
 *
 * Nothing here refers to organizations by a foreign key: what was done in an organization is known
 * after it is gone.
 */
import type { Kysely } from 'kysely';
import type { Schema } from '../schema.ts';

export async function createLedgerTables(db: Kysely<Schema>): Promise<void> {
  await db.schema
    .createTable('ledger_heads')
    .addColumn('organization_id', 'text', (c) => c.primaryKey())
    .addColumn('number', 'integer', (c) => c.notNull())
    .addColumn('hash', 'text', (c) => c.notNull())
    .addColumn('first_number', 'integer', (c) => c.notNull())
    .addColumn('checkpoint_number', 'integer', (c) => c.notNull())
    .addColumn('checkpoint_at', 'text', (c) => c.notNull())
    .addColumn('audit_days', 'integer', (c) => c.notNull())
    .execute();
  await createEntries(db);
  await db.schema
    .createTable('ledger_checkpoints')
    .addColumn('organization_id', 'text', (c) => c.notNull())
    .addColumn('number', 'integer', (c) => c.notNull())
    .addColumn('hash', 'text', (c) => c.notNull())
    .addColumn('at', 'text', (c) => c.notNull())
    .addColumn('key', 'text', (c) => c.notNull())
    .addColumn('signature', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('ledger_checkpoints_key', ['organization_id', 'number'])
    .execute();
  await db.schema
    .createTable('ledger_keys')
    .addColumn('public_key', 'text', (c) => c.primaryKey())
    .addColumn('organization_id', 'text', (c) => c.notNull())
    .addColumn('sealed', 'text', (c) => c.notNull())
    .addColumn('created_at', 'text', (c) => c.notNull())
    .execute();
  await db.schema
    .createIndex('ledger_keys_organization')
    .on('ledger_keys')
    .column('organization_id')
    .execute();
  await createIdempotencyKeys(db);
}

async function createEntries(db: Kysely<Schema>): Promise<void> {
  await db.schema
    .createTable('ledger_entries')
    .addColumn('organization_id', 'text', (c) => c.notNull())
    .addColumn('number', 'integer', (c) => c.notNull())
    .addColumn('at', 'text', (c) => c.notNull())
    .addColumn('actor', 'text', (c) => c.notNull())
    .addColumn('action', 'text', (c) => c.notNull())
    .addColumn('target_id', 'text', (c) => c.notNull())
    .addColumn('network_id', 'text')
    .addColumn('entry', 'text', (c) => c.notNull())
    .addColumn('hash', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('ledger_entries_key', ['organization_id', 'number'])
    .execute();
  for (const column of ['actor', 'action', 'target_id', 'network_id'] as const)
    await db.schema
      .createIndex(`ledger_entries_${column}`)
      .on('ledger_entries')
      .columns(['organization_id', column, 'number'])
      .execute();
}

async function createIdempotencyKeys(db: Kysely<Schema>): Promise<void> {
  await db.schema
    .createTable('idempotency_keys')
    .addColumn('principal', 'text', (c) => c.notNull())
    .addColumn('key', 'text', (c) => c.notNull())
    .addColumn('step', 'integer', (c) => c.notNull())
    .addColumn('organization_id', 'text', (c) => c.notNull())
    .addColumn('request_hash', 'text', (c) => c.notNull())
    .addColumn('result', 'text', (c) => c.notNull())
    .addColumn('created_at', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('idempotency_keys_key', ['principal', 'key', 'step'])
    .execute();
  await db.schema
    .createIndex('idempotency_keys_age')
    .on('idempotency_keys')
    .columns(['organization_id', 'created_at'])
    .execute();
}
