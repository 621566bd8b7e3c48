/** Users with their roles and sessions, API tokens, identity providers. */
import type { Kysely } from 'kysely';
import type { Schema } from '../schema.ts';

/** Tables of who may do what. All go with their organization, or with their user. */
export async function createAccessTables(db: Kysely<Schema>): Promise<void> {
  await createIdentityProviders(db);
  await createUsers(db);
  await createSessions(db);
  await db.schema
    .createTable('api_tokens')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('organization_id', 'text', (c) =>
      c.notNull().references('organizations.id').onDelete('cascade'),
    )
    .addColumn('user_id', 'text', (c) => c.references('users.id').onDelete('cascade'))
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('prefix', 'text', (c) => c.notNull().unique())
    .addColumn('secret_hash', 'text', (c) => c.notNull())
    .addColumn('role', 'text')
    .addColumn('scopes', 'text')
    .addColumn('expires_at', 'text')
    .addColumn('last_used_at', 'text')
    .addColumn('created_at', 'text', (c) => c.notNull())
    .execute();
  for (const column of ['organization_id', 'user_id'] as const)
    await db.schema.createIndex(`api_tokens_${column}`).on('api_tokens').column(column).execute();
}

async function createIdentityProviders(db: Kysely<Schema>): Promise<void> {
  await db.schema
    .createTable('identity_providers')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('organization_id', 'text', (c) =>
      c.notNull().references('organizations.id').onDelete('cascade'),
    )
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('issuer', 'text', (c) => c.notNull())
    .addColumn('client_id', 'text', (c) => c.notNull())
    .addColumn('sealed_secret', 'text')
    .addColumn('groups_claim', 'text', (c) => c.notNull())
    .addColumn('group_roles', 'text', (c) => c.notNull())
    .addColumn('refuses_unmapped', 'integer', (c) => c.notNull())
    .addColumn('reaches_private', 'integer', (c) => c.notNull())
    .addColumn('created_at', 'text', (c) => c.notNull())
    .addUniqueConstraint('identity_providers_name', ['organization_id', 'name'])
    .execute();
}

async function createUsers(db: Kysely<Schema>): Promise<void> {
  await db.schema
    .createTable('users')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('organization_id', 'text', (c) =>
      c.notNull().references('organizations.id').onDelete('cascade'),
    )
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('password_hash', 'text')
    .addColumn('is_system', 'integer', (c) => c.notNull())
    .addColumn('provider_id', 'text', (c) =>
      c.references('identity_providers.id').onDelete('set null'),
    )
    .addColumn('subject', 'text')
    .addColumn('last_login_at', 'text')
    .addColumn('created_at', 'text', (c) => c.notNull())
    .addUniqueConstraint('users_name', ['organization_id', 'name'])
    .addUniqueConstraint('users_subject', ['provider_id', 'subject'])
    .execute();
  await db.schema
    .createTable('user_roles')
    .addColumn('user_id', 'text', (c) => c.notNull().references('users.id').onDelete('cascade'))
    .addColumn('organization_id', 'text', (c) =>
      c.notNull().references('organizations.id').onDelete('cascade'),
    )
    .addColumn('role', 'text', (c) => c.notNull())
    .addColumn('source', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('user_roles_key', ['user_id', 'organization_id', 'role', 'source'])
    .execute();
  await db.schema
    .createIndex('user_roles_organization')
    .on('user_roles')
    .columns(['organization_id', 'role'])
    .execute();
}

async function createSessions(db: Kysely<Schema>): Promise<void> {
  await db.schema
    .createTable('sessions')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('user_id', 'text', (c) => c.notNull().references('users.id').onDelete('cascade'))
    .addColumn('secret_hash', 'text', (c) => c.notNull().unique())
    .addColumn('source', 'text', (c) => c.notNull())
    .addColumn('last_seen_at', 'text', (c) => c.notNull())
    .addColumn('expires_at', 'text', (c) => c.notNull())
    .addColumn('created_at', 'text', (c) => c.notNull())
    .execute();
  for (const column of ['user_id', 'expires_at'] as const)
    await db.schema.createIndex(`sessions_${column}`).on('sessions').column(column).execute();
}
