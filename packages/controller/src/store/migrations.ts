/**
 * The shape of the database, step by step. A step is never changed after a release; a change is a
 * further step. All steps that a database lacks run in one transaction.
 *
 * Steps expand before they contract: they add tables, and columns that may be null or have a
 * default, so that code of the version before, which runs on or is started again, goes on writing.
 * The database says which code may (OLDEST_WRITER); older code refuses it, and does not guess.
 */
import { NETWORK_SETTINGS_DEFAULT } from '@etherloom/api';
import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import { createLeaseTables } from './lease-tables.ts';
import { createControllerTables } from './migrations/08-controllers.ts';
import { addCompatibility } from './migrations/09-compatibility.ts';
import { addTokenLabels } from './migrations/10-token-labels.ts';
import { createAccessTables } from './migrations/06-access.ts';
import { createRosterTree } from './migrations/05-roster-tree.ts';
import { createLedgerTables } from './migrations/07-ledger.ts';
import type { Schema } from './schema.ts';

const STEPS: readonly ((db: Kysely<Schema>) => Promise<void>)[] = [
  createFirstTables,
  createAuthorityTables,
  createLeaseTables,
  createVoucherTable,
  createRosterTree,
  createAccessTables,
  createLedgerTables,
  createControllerTables,
  addCompatibility,
  addTokenLabels,
];

/** Version that this program reads and writes. */
export const SCHEMA_VERSION = STEPS.length;
/**
 * Oldest version whose code may write to a database of SCHEMA_VERSION. A step that contracts raises
 * it to the first version that does without what is gone.
 */
export const OLDEST_WRITER = 4;
/** From this version on a database says who may write. */
const COMPATIBILITY_STEP = STEPS.indexOf(addCompatibility) + 1;

/** Thrown when the database was written by a later program. */
export class DatabaseNewerError extends Error {
  override readonly name = 'DatabaseNewerError';
  readonly code = 'database_newer';
  readonly version: number;

  constructor(version: number) {
    super(`the database has schema version ${version}; this program knows ${SCHEMA_VERSION}`);
    this.version = version;
  }
}

/**
 * Brings a database to a version, SCHEMA_VERSION unless a test or a backup names another one,
 * within the transaction that is given. A database of a later program is left as it is when it says
 * that this one may write. Rejects with DatabaseNewerError.
 */
export async function migrate(db: Kysely<Schema>, to: number = SCHEMA_VERSION): Promise<void> {
  await db.schema
    .createTable('schema_version')
    .ifNotExists()
    .addColumn('version', 'integer', (c) => c.notNull())
    .execute();
  const row = await db.selectFrom('schema_version').selectAll().executeTakeFirst();
  const version = row?.version ?? 0;
  if (version > SCHEMA_VERSION) {
    if ((row?.oldest_writer ?? version) > SCHEMA_VERSION) throw new DatabaseNewerError(version);
    return;
  }
  for (const step of STEPS.slice(version, to)) await step(db);
  if (row === undefined) await sql`insert into schema_version (version) values (${to})`.execute(db);
  if (version < to) await sql`update schema_version set version = ${to}`.execute(db);
  if (version < to && to >= COMPATIBILITY_STEP)
    await db.updateTable('schema_version').set({ oldest_writer: OLDEST_WRITER }).execute();
}

async function createFirstTables(db: Kysely<Schema>): Promise<void> {
  await db.schema
    .createTable('organizations')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('name', 'text', (c) => c.notNull().unique())
    .addColumn('created_at', 'text', (c) => c.notNull())
    .execute();
  await createNetworkTables(db);
  await createNodeTables(db);
  await createAddressTables(db);
  await db.schema
    .createTable('join_tokens')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('network_id', 'text', (c) =>
      c.notNull().references('networks.id').onDelete('cascade'),
    )
    .addColumn('secret_hash', 'text', (c) => c.notNull())
    .addColumn('uses', 'integer', (c) => c.notNull())
    .addColumn('uses_left', 'integer', (c) => c.notNull().check(sql`uses_left >= 0`))
    .addColumn('expires_at', 'text', (c) => c.notNull())
    .addColumn('created_at', 'text', (c) => c.notNull())
    .execute();
}

async function createNetworkTables(db: Kysely<Schema>): Promise<void> {
  await db.schema
    .createTable('networks')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('organization_id', 'text', (c) => c.notNull().references('organizations.id'))
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('vni', 'integer', (c) => c.notNull().unique())
    .addColumn('mtu_bytes', 'integer', (c) => c.notNull())
    .addColumn('ipv4', 'text')
    .addColumn('ipv6', 'text')
    .addColumn('ipv4_cursor', 'text')
    .addColumn('ipv6_cursor', 'text')
    .addColumn('revision', 'integer', (c) => c.notNull())
    .addColumn('config_revision', 'integer', (c) => c.notNull())
    .addColumn('delta_floor', 'integer', (c) => c.notNull())
    .addColumn('created_at', 'text', (c) => c.notNull())
    .addUniqueConstraint('networks_name', ['organization_id', 'name'])
    .execute();
  await db.schema
    .createTable('vni_quarantine')
    .addColumn('vni', 'integer', (c) => c.primaryKey())
    .addColumn('until', 'text', (c) => c.notNull())
    .execute();
}

async function createNodeTables(db: Kysely<Schema>): Promise<void> {
  await db.schema
    .createTable('nodes')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('organization_id', 'text', (c) => c.notNull().references('organizations.id'))
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('sign_key', 'text', (c) => c.notNull().unique())
    .addColumn('session_key', 'text', (c) => c.notNull().unique())
    .addColumn('endpoints', 'text', (c) => c.notNull())
    .addColumn('last_seen_at', 'text')
    .addColumn('removed_at', 'text')
    .addColumn('created_at', 'text', (c) => c.notNull())
    .execute();
  await db.schema
    .createIndex('nodes_name')
    .on('nodes')
    .columns(['organization_id', 'name'])
    .unique()
    .where(sql.ref('removed_at'), 'is', null)
    .execute();
  await db.schema
    .createTable('memberships')
    .addColumn('network_id', 'text', (c) =>
      c.notNull().references('networks.id').onDelete('cascade'),
    )
    .addColumn('node_id', 'text', (c) => c.notNull().references('nodes.id'))
    .addColumn('mac', 'text', (c) => c.notNull())
    .addColumn('joined_revision', 'integer', (c) => c.notNull())
    .addColumn('changed_revision', 'integer', (c) => c.notNull())
    .addColumn('created_at', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('memberships_key', ['network_id', 'node_id'])
    .addUniqueConstraint('memberships_mac', ['network_id', 'mac'])
    .execute();
  await db.schema.createIndex('memberships_node').on('memberships').column('node_id').execute();
  await db.schema
    .createTable('tombstones')
    .addColumn('network_id', 'text', (c) =>
      c.notNull().references('networks.id').onDelete('cascade'),
    )
    .addColumn('node_id', 'text', (c) => c.notNull())
    .addColumn('joined_revision', 'integer', (c) => c.notNull())
    .addColumn('removed_revision', 'integer', (c) => c.notNull())
    .addPrimaryKeyConstraint('tombstones_key', ['network_id', 'removed_revision', 'node_id'])
    .execute();
}

async function createAddressTables(db: Kysely<Schema>): Promise<void> {
  await db.schema
    .createTable('addresses')
    .addColumn('network_id', 'text', (c) =>
      c.notNull().references('networks.id').onDelete('cascade'),
    )
    .addColumn('address_key', 'text', (c) => c.notNull())
    .addColumn('address', 'text', (c) => c.notNull())
    .addColumn('family', 'integer', (c) => c.notNull())
    .addColumn('node_id', 'text')
    .addColumn('released_at', 'text')
    .addPrimaryKeyConstraint('addresses_key', ['network_id', 'address_key'])
    .execute();
  await db.schema
    .createIndex('addresses_node')
    .on('addresses')
    .columns(['network_id', 'node_id'])
    .execute();
  await db.schema
    .createIndex('addresses_released')
    .on('addresses')
    .columns(['network_id', 'family', 'released_at', 'address_key'])
    .execute();
  await db.schema
    .createTable('reservations')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('network_id', 'text', (c) =>
      c.notNull().references('networks.id').onDelete('cascade'),
    )
    .addColumn('address_key', 'text', (c) => c.notNull())
    .addColumn('address', 'text', (c) => c.notNull())
    .addColumn('family', 'integer', (c) => c.notNull())
    .addColumn('node_id', 'text')
    .addColumn('note', 'text', (c) => c.notNull())
    .addColumn('created_at', 'text', (c) => c.notNull())
    .addUniqueConstraint('reservations_address', ['network_id', 'address_key'])
    .execute();
}

/**
 * Statements and the keys that sign them. Keys and statements of what a database of the former step
 * holds are made at the start that follows (authority/found.ts): this step has no key.
 */
async function createAuthorityTables(db: Kysely<Schema>): Promise<void> {
  const counters = ['statement_version', 'roster_version', 'credential_serial'] as const;
  for (const column of [...counters, 'settled_authority'] as const)
    await db.schema
      .alterTable('networks')
      .addColumn(column, 'integer', (c) => c.notNull().defaultTo(0))
      .execute();
  await db.schema
    .alterTable('networks')
    .addColumn('settings', 'text', (c) =>
      c.notNull().defaultTo(JSON.stringify(NETWORK_SETTINGS_DEFAULT)),
    )
    .execute();
  await db.schema.alterTable('nodes').addColumn('endpoint_record', 'text').execute();
  for (const column of ['joined_revision', 'changed_revision'] as const)
    await db.schema.alterTable('memberships').dropColumn(column).execute();
  await createKeyTables(db);
  await createPublishedTables(db);
  await db.schema
    .createTable('vni_holders')
    .addColumn('vni', 'integer', (c) => c.notNull())
    .addColumn('network_id', 'text', (c) => c.notNull())
    .addColumn('node_id', 'text', (c) => c.notNull())
    .addColumn('until', 'text')
    .addPrimaryKeyConstraint('vni_holders_key', ['vni', 'network_id', 'node_id'])
    .execute();
  // Whoever holds a VNI that rests by the clock is not known: the clock decides on.
  await sql`insert into vni_holders select vni, '', '', until from vni_quarantine`.execute(db);
  await db.schema.dropTable('vni_quarantine').execute();
}

async function createKeyTables(db: Kysely<Schema>): Promise<void> {
  await db.schema
    .createTable('custody')
    .addColumn('id', 'integer', (c) => c.primaryKey().check(sql`id = 1`))
    .addColumn('kind', 'text', (c) => c.notNull())
    .addColumn('derivation', 'text')
    .addColumn('proof', 'text', (c) => c.notNull())
    .execute();
  await db.schema
    .createTable('sealed_keys')
    .addColumn('public_key', 'text', (c) => c.primaryKey())
    .addColumn('organization_id', 'text', (c) => c.notNull().references('organizations.id'))
    .addColumn('purpose', 'text', (c) => c.notNull())
    .addColumn('sealed', 'text', (c) => c.notNull())
    .addColumn('lost_at', 'text')
    .addColumn('created_at', 'text', (c) => c.notNull())
    .execute();
  await db.schema
    .createTable('authorities')
    .addColumn('organization_id', 'text', (c) => c.notNull().references('organizations.id'))
    .addColumn('version', 'integer', (c) => c.notNull())
    .addColumn('statement', 'text', (c) => c.notNull())
    .addColumn('hash', 'text', (c) => c.notNull())
    .addColumn('created_at', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('authorities_key', ['organization_id', 'version'])
    .execute();
  await db.schema
    .createTable('pending_statements')
    .addColumn('subject', 'text', (c) => c.primaryKey())
    .addColumn('organization_id', 'text', (c) => c.notNull().references('organizations.id'))
    .addColumn('network_id', 'text', (c) => c.references('networks.id').onDelete('cascade'))
    .addColumn('node_id', 'text')
    .addColumn('kind', 'text', (c) => c.notNull())
    .addColumn('statement', 'text', (c) => c.notNull())
    .addColumn('hash', 'text', (c) => c.notNull())
    .addColumn('good_until', 'text')
    .addColumn('signatures', 'text', (c) => c.notNull())
    .addColumn('created_at', 'text', (c) => c.notNull())
    .execute();
  for (const column of ['network_id', 'organization_id', 'hash', 'good_until'] as const)
    await db.schema
      .createIndex(`pending_statements_${column}`)
      .on('pending_statements')
      .column(column)
      .execute();
}

async function createPublishedTables(db: Kysely<Schema>): Promise<void> {
  await db.schema
    .createTable('published_networks')
    .addColumn('network_id', 'text', (c) =>
      c.primaryKey().references('networks.id').onDelete('cascade'),
    )
    .addColumn('statement', 'text', (c) => c.notNull())
    .addColumn('hash', 'text', (c) => c.notNull())
    .addColumn('authority_version', 'integer', (c) => c.notNull())
    .addColumn('roster', 'text', (c) => c.notNull())
    .addColumn('roster_authority_version', 'integer', (c) => c.notNull())
    .addColumn('roster_revision', 'integer', (c) => c.notNull())
    .addColumn('revocations_revision', 'integer', (c) => c.notNull())
    .execute();
  await db.schema
    .createTable('published_members')
    .addColumn('network_id', 'text', (c) =>
      c.notNull().references('networks.id').onDelete('cascade'),
    )
    .addColumn('node_id', 'text', (c) => c.notNull().references('nodes.id'))
    .addColumn('statement', 'text', (c) => c.notNull())
    .addColumn('hash', 'text', (c) => c.notNull())
    .addColumn('serial', 'integer', (c) => c.notNull())
    .addColumn('authority_version', 'integer', (c) => c.notNull())
    .addColumn('renewal', 'text')
    .addColumn('expires_at', 'text', (c) => c.notNull())
    .addColumn('renew_at', 'text', (c) => c.notNull())
    .addColumn('renewable_until', 'text', (c) => c.notNull())
    .addColumn('joined_revision', 'integer', (c) => c.notNull())
    .addColumn('changed_revision', 'integer', (c) => c.notNull())
    .addColumn('proof_revision', 'integer', (c) => c.notNull())
    .addPrimaryKeyConstraint('published_members_key', ['network_id', 'node_id'])
    .execute();
  for (const column of ['node_id', 'renew_at'] as const)
    await db.schema
      .createIndex(`published_members_${column}`)
      .on('published_members')
      .column(column)
      .execute();
  await db.schema
    .createTable('published_revocations')
    .addColumn('network_id', 'text', (c) =>
      c.notNull().references('networks.id').onDelete('cascade'),
    )
    .addColumn('node_id', 'text', (c) => c.notNull())
    .addColumn('statement', 'text', (c) => c.notNull())
    .addColumn('hash', 'text', (c) => c.notNull())
    .addColumn('serial', 'integer', (c) => c.notNull())
    .addColumn('authority_version', 'integer', (c) => c.notNull())
    .addColumn('keep_until', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('published_revocations_key', ['network_id', 'node_id'])
    .execute();
}

async function createVoucherTable(db: Kysely<Schema>): Promise<void> {
  await db.schema
    .createTable('vouchers')
    .addColumn('token_id', 'text', (c) =>
      c.primaryKey().references('join_tokens.id').onDelete('cascade'),
    )
    .addColumn('reservation_ids', 'text', (c) => c.notNull())
    .addColumn('keep_until', 'text', (c) => c.notNull())
    .execute();
}
