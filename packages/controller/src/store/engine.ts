/**
 * What differs between databases, as named capabilities. Shared code asks an engine; it never asks
 * which one it is. Another database is another value of this type.
 */
import type { Kysely, SelectQueryBuilder } from 'kysely';
import type { Schema } from './schema.ts';

export interface Engine {
  readonly db: Kysely<Schema>;
  /**
   * Locks the rows that a query reads until the end of the transaction, where transactions run side
   * by side; where they run one after the other the query is already alone.
   */
  lockRows<DB, TB extends keyof DB, O>(
    query: SelectQueryBuilder<DB, TB, O>,
  ): SelectQueryBuilder<DB, TB, O>;
  /** Closes the database; resolves when everything is on disk. */
  close(): Promise<void>;
}
