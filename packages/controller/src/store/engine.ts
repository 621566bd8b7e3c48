/**
 * What differs between databases, as named capabilities. Shared code asks an engine; it never asks
 * which one it is. Another database is another value of this type.
 */
import type { Kysely, SelectQueryBuilder, Transaction } from 'kysely';
import type { Bus } from './bus.ts';
import type { Schema } from './schema.ts';

/** Statements of one transaction. It may be run several times: each run begins from nothing. */
export type TransactionWork<T> = (db: Transaction<Schema>) => Promise<T>;

export interface Engine {
  /** For reading at a start; what changes rows goes through `transact`. */
  readonly db: Kysely<Schema>;
  /**
   * Runs `work` as if nothing else happened meanwhile; resolves when it is on disk. Where another
   * transaction was in its way, `work` runs again: it must have no effect but on rows. Rejects with
   * `unavailable` while the database cannot be reached or written.
   */
  transact<T>(work: TransactionWork<T>): Promise<T>;
  /** Runs `work`, which reads only, on one snapshot. Waits for nobody who writes. */
  read<T>(work: TransactionWork<T>): Promise<T>;
  /**
   * Locks the rows that a query reads until the end of the transaction, where transactions run side
   * by side; where they run one after the other the query is already alone.
   */
  lockRows<DB, TB extends keyof DB, O>(
    query: SelectQueryBuilder<DB, TB, O>,
  ): SelectQueryBuilder<DB, TB, O>;
  /** How controllers that share the database hear of each other; null: nobody shares it. */
  readonly bus: Bus | null;
  /** Closes the database; resolves when everything is on disk. */
  close(): Promise<void>;
}
