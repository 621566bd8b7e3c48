/** A step of migrations.ts: a database says how old code may be that still writes to it. */
import type { Kysely } from 'kysely';
import type { Schema } from '../schema.ts';

/** Adds the version of the oldest code that may write; `migrate` sets it. */
export async function addCompatibility(db: Kysely<Schema>): Promise<void> {
  await db.schema
    .alterTable('schema_version')
    .addColumn('oldest_writer', 'integer', (c) => c.notNull().defaultTo(0))
    .execute();
}
