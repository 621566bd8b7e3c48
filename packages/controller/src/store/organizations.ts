/**
 * Organizations: tenants. A fresh controller has one, "default", which is meant where none is
 * named.
 */
import type { Organization } from '@etherloom/api';
import { LIST_ROWS_MAX } from '@etherloom/api';
import { NO_ORGANIZATION } from '../access/principal.ts';
import { record } from '../audit/record.ts';
import { foundAuthority } from '../authority/authorities.ts';
import { makeId } from '../identifiers.ts';
import { RequestError } from '../request-error.ts';
import { countRows } from './count.ts';
import type { Page, PageGiven } from './page.ts';
import { afterCursor, toPage } from './page.ts';
import type { OrganizationRow } from './schema.ts';
import { isInScope } from './scope.ts';
import type { Tx } from './store.ts';

/** The organization that is meant where none is named. */
export const DEFAULT_ORGANIZATION = 'default';

/** Creates "default" in a database without organizations. */
export async function ensureDefaultOrganization(tx: Tx): Promise<void> {
  const any = await tx.db.selectFrom('organizations').select('id').limit(1).executeTakeFirst();
  if (!any) await createOrganization(tx, { name: DEFAULT_ORGANIZATION });
}

export async function listOrganizations(
  tx: Tx,
  given: PageGiven & {
    readonly name?: string | undefined;
    /** Those in which the principal has a part; undefined: it sees all. */
    readonly ids?: readonly string[] | undefined;
  },
): Promise<Page<Organization>> {
  let query = tx.db.selectFrom('organizations').selectAll();
  const scope = tx.origin.organizationId;
  if (scope !== null && scope !== NO_ORGANIZATION) query = query.where('id', '=', scope);
  if (given.ids !== undefined) query = query.where('id', 'in', [NO_ORGANIZATION, ...given.ids]);
  if (given.name !== undefined) query = query.where('name', '=', given.name);
  const rows = await afterCursor(query, ['name', 'id'], given).execute();
  return toPage(rows, given, (row) => [row.name, row.id], toOrganization);
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
  const made = toOrganization(row);
  record(tx, {
    organizationId: row.id,
    action: 'organization.create',
    target: { noun: 'organization', id: row.id, name: row.name },
    before: null,
    after: made,
  });
  await foundAuthority(tx, row.id);
  return made;
}

/**
 * The organization in which something is created: that of the scope; where there is none, the one
 * of that id, `otherwise`, or the default one.
 */
export async function organizationIdFor(
  tx: Tx,
  id: string | undefined,
  otherwise?: string,
): Promise<string> {
  const scope = tx.origin.organizationId;
  if (scope !== null && (id === undefined || id === scope)) return scope;
  if (scope !== null) throw new RequestError('not_found', `no organization has id ${id}`);
  if (id === undefined && otherwise !== undefined) return otherwise;
  const query = tx.db.selectFrom('organizations').select('id');
  const row = await (
    id === undefined ? query.where('name', '=', DEFAULT_ORGANIZATION) : query.where('id', '=', id)
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
  if (row && isInScope(tx, row.id)) return row;
  throw new RequestError(
    'not_found',
    `no organization has the id or name "${idOrName.slice(0, 80)}"`,
  );
}

export async function showOrganization(tx: Tx, idOrName: string): Promise<Organization> {
  return toOrganization(await findOrganization(tx, idOrName));
}

/** Renames an organization. Rejects with name_taken. */
export async function renameOrganization(
  tx: Tx,
  idOrName: string,
  name: string,
): Promise<Organization> {
  const row = await findOrganization(tx, idOrName);
  checkNotDefault(row, 'renamed');
  const taken = await tx.db
    .selectFrom('organizations')
    .select('id')
    .where('name', '=', name)
    .where('id', '!=', row.id)
    .executeTakeFirst();
  if (taken) throw new RequestError('name_taken', `an organization named "${name}" exists`);
  await tx.db.updateTable('organizations').set({ name }).where('id', '=', row.id).execute();
  const after = toOrganization({ ...row, name });
  record(tx, {
    organizationId: row.id,
    action: 'organization.rename',
    target: { noun: 'organization', id: row.id, name },
    before: toOrganization(row),
    after,
  });
  return after;
}

/** Throws organization_not_empty for the organization that others rely on. */
export function checkNotDefault(row: OrganizationRow, what: string): void {
  if (row.name !== DEFAULT_ORGANIZATION) return;
  throw new RequestError(
    'organization_not_empty',
    `"${row.name}" is meant where no organization is named: it cannot be ${what}`,
  );
}

/** As the API shows it. */
export function toOrganization(row: OrganizationRow): Organization {
  return { id: row.id, name: row.name, createdAt: row.created_at };
}
