/**
 * Pages of a list by keyset: a page begins after the key of the last row of the one before, so that
 * rows that come and go meanwhile neither repeat nor hide another. The cursor is that key as text;
 * it proves nothing and grants nothing, it only says where to go on.
 */
import { fromBase64url, toBase64url } from '@etherloom/api';
import type { RawBuilder, SelectQueryBuilder } from 'kysely';
import { sql } from 'kysely';
import { z } from 'zod';
import { invalidField } from '../request-error.ts';

/** What the query of a list says. */
export interface PageGiven {
  readonly limit: number;
  readonly cursor?: string | undefined;
}

export interface Page<T> {
  readonly items: T[];
  readonly next: string | null;
}

/** Value of a column that a list is sorted by. */
export type KeyValue = string | number;

/** A column that a list is sorted by: the name of one of text, or an expression and its kind. */
export type KeyColumn =
  | string
  | { readonly expression: RawBuilder<KeyValue>; readonly kind: 'text' | 'number' };

const VALUE = { text: z.string(), number: z.int() } as const;

/**
 * Adds order, beginning and limit to a query. `columns` together are unique and never null: names
 * of columns, or expressions. One row more than the limit is read: it tells that there is a next
 * page.
 */
export function afterCursor<DB, TB extends keyof DB, O>(
  query: SelectQueryBuilder<DB, TB, O>,
  columns: readonly KeyColumn[],
  { limit, cursor }: PageGiven,
  direction: 'asc' | 'desc' = 'asc',
): SelectQueryBuilder<DB, TB, O> {
  const expressions = columns.map((column) =>
    typeof column === 'string' ? sql.ref<KeyValue>(column) : column.expression,
  );
  let paged = query.limit(limit + 1);
  for (const expression of expressions) paged = paged.orderBy(expression, direction);
  if (cursor === undefined) return paged;
  const key = readCursor(cursor, columns.map(kindOf));
  const beyond = sql.raw(direction === 'asc' ? '>' : '<');
  return paged.where(sql<boolean>`(${sql.join(expressions)}) ${beyond} (${sql.join(key)})`);
}

/** The page of the rows that the query of afterCursor gave. */
export function toPage<R, T>(
  rows: readonly R[],
  { limit }: PageGiven,
  keyOf: (row: R) => readonly KeyValue[],
  toItem: (row: R) => T,
): Page<T> {
  const kept = rows.slice(0, limit);
  const last = kept.at(-1);
  return {
    items: kept.map(toItem),
    next: rows.length > limit && last !== undefined ? makeCursor(keyOf(last)) : null,
  };
}

/** A page of rows that are at hand as a whole. */
export function pageOf<T>(
  items: readonly T[],
  given: PageGiven,
  keyOf: (item: T) => string,
): Page<T> {
  const after = given.cursor === undefined ? undefined : readCursor(given.cursor, ['text'])[0];
  const begin =
    after === undefined
      ? 0
      : items.findIndex((item) => compareKeys(keyOf(item), String(after)) > 0);
  const rest = begin < 0 ? [] : items.slice(begin, begin + given.limit + 1);
  return toPage(
    rest,
    given,
    (item) => [keyOf(item)],
    (item) => item,
  );
}

function compareKeys(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function makeCursor(key: readonly KeyValue[]): string {
  return toBase64url(new TextEncoder().encode(JSON.stringify(key)));
}

function kindOf(column: KeyColumn): keyof typeof VALUE {
  return typeof column === 'string' ? 'text' : column.kind;
}

function readCursor(cursor: string, kinds: readonly (keyof typeof VALUE)[]): readonly KeyValue[] {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(fromBase64url(cursor));
    const key = z.array(z.unknown()).length(kinds.length).parse(JSON.parse(text));
    if (!text.includes('\\u0000')) return kinds.map((kind, i) => VALUE[kind].parse(key[i]));
  } catch {
    // told below
  }
  throw invalidField('cursor', 'it is not one that this list gave');
}
