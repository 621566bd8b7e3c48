/**
 * A step of migrations.ts: join tokens have labels, by which files name them, and say whether they
 * are good without a controller. A program of the version before makes tokens without a label.
 */
import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import type { Schema } from '../schema.ts';

/** Adds both; of tokens that are there, those with a voucher are good without a controller. */
export async function addTokenLabels(db: Kysely<Schema>): Promise<void> {
  await db.schema.alterTable('join_tokens').addColumn('label', 'text').execute();
  await db.schema
    .alterTable('join_tokens')
    .addColumn('offline_ok', 'integer', (c) => c.notNull().defaultTo(0))
    .execute();
  await sql`update join_tokens set offline_ok = 1
    where id in (select token_id from vouchers)`.execute(db);
  await db.schema
    .createIndex('join_tokens_label')
    .on('join_tokens')
    .columns(['network_id', 'label'])
    .unique()
    .execute();
}
