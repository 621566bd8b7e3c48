/**
 * Rows of a whole database, of either engine, in an order that both have: for writing a backup, for
 * putting one into a fresh database, and for comparing what is there with what should be.
 */
import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import { BACKUP_PARAMETERS_MAX, BACKUP_ROWS_PER_READ } from '../limits.ts';
import type { BackupRow, BackupTable, TableSummary } from './backup-file.ts';
import { TableTally, rowLine } from './backup-file.ts';
import type { Schema } from './schema.ts';

/** How an engine tells of its tables; a database as it stands may lack some of Schema's. */
export interface Catalog {
  /** Tables with their columns, in the order of their making. */
  tables(db: Kysely<Schema>): Promise<readonly BackupTable[]>;
  /** Rows of a table in the order of their values, some at a time. */
  rows(db: Kysely<Schema>, table: BackupTable): AsyncIterable<readonly StoredRow[]>;
}

/**
 * What has a meaning only while it happens: who is logged in, which controllers run, which agents
 * have a link, what they tell each other. It is made anew, and never restored.
 */
const FLEETING: ReadonlySet<string> = new Set(['bus_messages', 'controllers', 'links', 'sessions']);
/** Says what the database is; made by the steps, not copied. */
const VERSION_TABLE = 'schema_version';

type StoredRow = Readonly<Record<string, unknown>>;

interface NamedTable {
  readonly name: string;
}

export const SQLITE_CATALOG: Catalog = {
  async tables(db) {
    const { rows } = await sql<NamedTable>`
      select name from sqlite_master
      where type = 'table' and name not glob 'sqlite_*' order by rowid`.execute(db);
    const tables = [];
    for (const { name } of rows) {
      const found =
        await sql<NamedTable>`select name from pragma_table_info(${name}) order by cid`.execute(db);
      tables.push({ table: name, columns: found.rows.map((row) => row.name) });
    }
    return tables;
  },
  rows: readSqlite,
};

export const POSTGRES_CATALOG: Catalog = {
  async tables(db) {
    const { rows } = await sql<NamedTable & { column: string }>`
      select c.relname::text as name, a.attname::text as "column"
      from pg_class c join pg_attribute a on a.attrelid = c.oid
      where c.relnamespace = (select oid from pg_namespace where nspname = current_schema())
        and c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped
      order by c.oid, a.attnum`.execute(db);
    const byName = Map.groupBy(rows, (row) => row.name);
    return [...byName].map(([table, found]) => ({
      table,
      columns: found.map((row) => row.column),
    }));
  },
  rows: readPostgres,
};

/** An iterator of node:sqlite, which Kysely gives for what its builder made alone. */
async function* readSqlite(
  db: Kysely<Schema>,
  { table, columns }: BackupTable,
): AsyncGenerator<readonly StoredRow[]> {
  let query = db
    .selectFrom(sql<StoredRow>`${sql.table(table)}`.as('stored'))
    .select(columns.map((column) => sql`${sql.ref(`stored.${column}`)}`.as(column)));
  for (const column of columns) query = query.orderBy(sql`${sql.ref(column)} nulls first`);
  let rows: StoredRow[] = [];
  for await (const row of query.stream()) {
    rows.push(row);
    if (rows.length < BACKUP_ROWS_PER_READ) continue;
    yield rows;
    rows = [];
  }
  yield rows;
}

async function* readPostgres(
  db: Kysely<Schema>,
  { table, columns }: BackupTable,
): AsyncGenerator<readonly StoredRow[]> {
  const list = sql.join(columns.map((column) => sql.ref(column)));
  const order = sql.join(columns.map((column) => sql`${sql.ref(column)} nulls first`));
  await sql`
    declare backup_rows no scroll cursor for
    select ${list} from ${sql.table(table)} order by ${order}`.execute(db);
  for (;;) {
    const { rows } = await sql<StoredRow>`
      fetch ${sql.lit(BACKUP_ROWS_PER_READ)} from backup_rows`.execute(db);
    if (rows.length === 0) break;
    yield rows;
  }
  await sql`close backup_rows`.execute(db);
}

/** The tables of a database that last. */
export async function lastingTables(
  catalog: Catalog,
  db: Kysely<Schema>,
): Promise<readonly BackupTable[]> {
  const tables = await catalog.tables(db);
  return tables.filter(({ table }) => table !== VERSION_TABLE && !FLEETING.has(table));
}

/** The lines of a table's rows, in their order. */
export async function* tableLines(
  catalog: Catalog,
  db: Kysely<Schema>,
  table: BackupTable,
): AsyncGenerator<string> {
  for await (const rows of catalog.rows(db, table))
    for (const row of rows) yield rowLine(table.columns.map((column) => row[column]));
}

/** What a table holds. */
export async function summarize(
  catalog: Catalog,
  db: Kysely<Schema>,
  table: BackupTable,
): Promise<TableSummary> {
  const tally = new TableTally(table.table);
  for await (const line of tableLines(catalog, db, table)) tally.add(line);
  return tally.summary();
}

/** Puts rows into a fresh table, many with one statement. */
export class RowInserter {
  readonly #db: Kysely<Schema>;
  readonly #table: BackupTable;
  readonly #rowsMax: number;
  #waiting: BackupRow[] = [];

  constructor(db: Kysely<Schema>, table: BackupTable) {
    this.#db = db;
    this.#table = table;
    this.#rowsMax = Math.max(1, Math.floor(BACKUP_PARAMETERS_MAX / table.columns.length));
  }

  async add(row: BackupRow): Promise<void> {
    this.#waiting.push(row);
    if (this.#waiting.length >= this.#rowsMax) await this.flush();
  }

  async flush(): Promise<void> {
    if (this.#waiting.length === 0) return;
    const { table, columns } = this.#table;
    const names = sql.join(columns.map((column) => sql.ref(column)));
    const rows = sql.join(this.#waiting.map((row) => sql`(${sql.join(row)})`));
    this.#waiting = [];
    await sql`insert into ${sql.table(table)} (${names}) values ${rows}`.execute(this.#db);
  }
}
