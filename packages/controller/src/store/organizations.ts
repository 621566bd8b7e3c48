/**
 * Organizations: tenants. A fresh controller has one, "default", which is meant where none is
 * named.
 */
import type { Organization } from '@etherloom/api';
import { LIST_ROWS_MAX } from '@etherloom/api';
import { foundAuthority } from '../authority/authorities.ts';
import { makeId } from '../identifiers.ts';
import { RequestError } from '../request-error.ts';
import { countRows } from './count.ts';
import type { OrganizationRow } from './schema.ts';
import type { Tx } from './store.ts';

const DEFAULT_NAME = 'default';

/** Creates "default" in a database without organizations. */
export async function ensureDefaultOrganization(tx: Tx): Promise<void> {
  const any = await tx.db.selectFrom('organizations').select('id').limit(1).executeTakeFirst();
  if (!any) await createOrganization(tx, { name: DEFAULT_NAME });
}

export async function listOrganizations(tx: Tx): Promise<Organization[]> {
  const rows = await tx.db.selectFrom('organizations').selectAll().orderBy('name').execute();
  return rows.map(toOrganization);
}

export async function createOrganization(
  tx: Tx,
  given: { readonly name: string },
): Promise<Organization> {
  const taken = await tx.db
    .selectFrom('organizations')
    .select('id')
    .where('name', '=', given.name)
    .executeTakeFirst();
  if (taken) throw new RequestError('name_taken', `an organization named "${given.name}" exists`);
  if ((await countRows(tx, 'organizations')) >= LIST_ROWS_MAX) {
    throw new RequestError(
      'limit_reached',
      `a controller holds ${LIST_ROWS_MAX} organizations at most`,
    );
  }
  const row = { id: makeId('org', tx.random), name: given.name, created_at: tx.now.toISOString() };
  await tx.db.insertInto('organizations').values(row).execute();
  await foundAuthority(tx, row.id);
  return toOrganization(row);
}

/** The organization of that id, or the default one. */
export async function organizationIdFor(tx: Tx, id: string | undefined): Promise<string> {
  const query = tx.db.selectFrom('organizations').select('id');
  const row = await (
    id === undefined ? query.where('name', '=', DEFAULT_NAME) : query.where('id', '=', id)
  ).executeTakeFirst();
  if (row) return row.id;
  throw new RequestError(
    'not_found',
    id === undefined
      ? 'there is no organization "default": name one by its id'
      : `no organization has id ${id}`,
  );
}

/** Finds an organization by id or name. Rejects with not_found. */
export async function findOrganization(tx: Tx, idOrName: string): Promise<OrganizationRow> {
  const rows = await tx.db
    .selectFrom('organizations')
    .selectAll()
    .where((eb) => eb.or([eb('id', '=', idOrName), eb('name', '=', idOrName)]))
    .execute();
  const row = rows.find(({ id }) => id === idOrName) ?? rows[0];
  if (row) return row;
  throw new RequestError(
    'not_found',
    `no organization has the id or name "${idOrName.slice(0, 80)}"`,
  );
}

function toOrganization(row: OrganizationRow): Organization {
  return { id: row.id, name: row.name, createdAt: row.created_at };
}
