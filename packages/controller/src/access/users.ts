/**
 * Users: the organization where a user logs in knows its name; roles are per organization. A user
 * exists for an organization when it logs in there or has a role there.
 */
import type { Role, User } from '@etherloom/api';
import { LIST_ROWS_MAX, permissionsOf } from '@etherloom/api';
import { record } from '../audit/record.ts';
import { makeId } from '../identifiers.ts';
import { RequestError } from '../request-error.ts';
import type { UserRow } from '../store/access-schema.ts';
import { organizationIdFor } from '../store/organizations.ts';
import type { Page, PageGiven } from '../store/page.ts';
import { afterCursor, toPage } from '../store/page.ts';
import { notFound } from '../store/scope.ts';
import type { Tx } from '../store/store.ts';
import { checkMayRule, checkOwnerRemains, rolesOf, sortRoles } from './grants.ts';
import type { Actor, Principal } from './principal.ts';
import { NO_ORGANIZATION, checkHolds } from './principal.ts';
import { endLoginTokens, endSessions, revokeTokensOf } from './sessions.ts';

function visibleUsers(tx: Tx) {
  const query = tx.db.selectFrom('users').selectAll();
  const scope = tx.origin.organizationId;
  if (scope === null) return query;
  return query.where((eb) =>
    eb.or([
      eb('organization_id', '=', scope),
      eb('id', 'in', (inner) =>
        inner.selectFrom('user_roles').select('user_id').where('organization_id', '=', scope),
      ),
    ]),
  );
}

/**
 * Finds a user by id, else by the name that it has where it logs in. With `anywhere` an id is
 * enough: a system administrator gives a user of another organization its first role in this one.
 */
export async function findUser(tx: Tx, idOrName: string, anywhere = false): Promise<UserRow> {
  if (anywhere) {
    const users = tx.db.selectFrom('users').selectAll();
    const found = await users.where('id', '=', idOrName).executeTakeFirst();
    if (found) return found;
  }
  const byId = await visibleUsers(tx).where('id', '=', idOrName).executeTakeFirst();
  if (byId) return byId;
  const named = await visibleUsers(tx).where('name', '=', idOrName).limit(2).execute();
  const own = named.find((row) => row.organization_id === tx.origin.organizationId);
  const [only, other] = named;
  if (own) return own;
  if (!only) throw notFound('user', idOrName);
  if (!other) return only;
  throw new RequestError('invalid_request', `several users are named "${idOrName}": use its id`);
}

export async function listUsers(
  tx: Tx,
  given: PageGiven & { readonly name?: string | undefined },
): Promise<Page<User>> {
  let query = visibleUsers(tx);
  if (given.name !== undefined) query = query.where('name', '=', given.name);
  const rows = await afterCursor(query, ['name', 'id'], given).execute();
  const roles = await readRoles(tx, rows);
  return toPage(
    rows,
    given,
    (row) => [row.name, row.id],
    (row) => toUser(row, roles.get(row.id) ?? [], scopeFor(tx, row)),
  );
}

type HeldRole = {
  readonly user_id: string;
  readonly organization_id: string;
  readonly role: Role;
  readonly source: string;
};

async function readRoles(
  tx: Tx,
  users: readonly UserRow[],
): Promise<ReadonlyMap<string, readonly HeldRole[]>> {
  if (users.length === 0) return new Map();
  const rows = await tx.db
    .selectFrom('user_roles')
    .selectAll()
    .where(
      'user_id',
      'in',
      users.map(({ id }) => id),
    )
    .execute();
  return Map.groupBy(rows, (row) => row.user_id);
}

/** The organization whose roles a user is shown with. */
function scopeFor(tx: Tx, row: UserRow): string {
  return scopeOr(tx, row.organization_id);
}

/** The organization of the scope; `home` where there is none, or no single one. */
function scopeOr(tx: Tx, home: string): string {
  const scope = tx.origin.organizationId;
  return scope === null || scope === NO_ORGANIZATION ? home : scope;
}

export async function showUser(tx: Tx, row: UserRow): Promise<User> {
  const roles = await readRoles(tx, [row]);
  return toUser(row, roles.get(row.id) ?? [], scopeFor(tx, row));
}

function toUser(row: UserRow, held: readonly HeldRole[], organizationId: string): User {
  const here = held.filter((role) => role.organization_id === organizationId);
  const byGroups = here.filter(({ source }) => source === 'groups');
  return {
    id: row.id,
    name: row.name,
    organizationId: row.organization_id,
    roles: [...sortRoles(here.map(({ role }) => role))],
    groupRoles: [...sortRoles(byGroups.map(({ role }) => role))],
    isSystemAdministrator: row.is_system !== 0,
    hasPassword: row.password_hash !== null,
    identityProviderId: row.provider_id,
    lastLoginAt: row.last_login_at,
    createdAt: row.created_at,
  };
}

export interface UserGiven {
  readonly name: string;
  readonly passwordHash: string | null;
  readonly roles: readonly Role[];
}

/** Tells the ledger of a change of a user. */
export function recordUser(
  tx: Tx,
  action: string,
  change: {
    readonly before: User | null;
    readonly after: (User & { readonly passwordSetAt?: string }) | null;
    readonly actor?: Actor;
  },
): void {
  const user = change.after ?? change.before;
  if (user === null) throw new Error('a change has something before or after it');
  record(tx, {
    organizationId: scopeOr(tx, user.organizationId),
    action,
    target: { noun: 'user', id: user.id, name: user.name },
    ...change,
  });
}

/** Creates a user that logs in to the organization of the scope. */
export async function createUser(tx: Tx, principal: Principal, given: UserGiven): Promise<User> {
  const organizationId = await organizationIdFor(tx, undefined);
  checkHolds(principal, organizationId, permissionsOf(given.roles));
  const row = await insertUser(tx, organizationId, given);
  for (const role of given.roles) await addRole(tx, row.id, organizationId, role, 'local');
  const after = await showUser(tx, row);
  recordUser(tx, 'user.create', { before: null, after });
  return after;
}

/** Inserts the row of a user. Rejects with name_taken or limit_reached. */
export async function insertUser(
  tx: Tx,
  organizationId: string,
  given: Pick<UserGiven, 'name' | 'passwordHash'> & {
    readonly isSystem?: boolean;
    readonly provider?: { readonly id: string; readonly subject: string };
  },
): Promise<UserRow> {
  const names = tx.db.selectFrom('users').where('organization_id', '=', organizationId);
  const taken = await names.select('id').where('name', '=', given.name).executeTakeFirst();
  if (taken) throw new RequestError('name_taken', `a user named "${given.name}" exists`);
  const { count } = await names
    .select((eb) => eb.fn.countAll<number | string | bigint>().as('count'))
    .executeTakeFirstOrThrow();
  if (Number(count) >= LIST_ROWS_MAX)
    throw new RequestError('limit_reached', `an organization has ${LIST_ROWS_MAX} users at most`);
  const row: UserRow = {
    id: makeId('usr', tx.random),
    organization_id: organizationId,
    name: given.name,
    password_hash: given.passwordHash,
    is_system: given.isSystem === true ? 1 : 0,
    provider_id: given.provider?.id ?? null,
    subject: given.provider?.subject ?? null,
    last_login_at: null,
    created_at: tx.now.toISOString(),
  };
  await tx.db.insertInto('users').values(row).execute();
  return row;
}

/** Gives a role; a user that has it from the same source keeps it. */
export async function addRole(
  tx: Tx,
  userId: string,
  organizationId: string,
  role: Role,
  source: 'local' | 'groups',
): Promise<void> {
  await tx.db
    .insertInto('user_roles')
    .values({ user_id: userId, organization_id: organizationId, role, source })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** Sets the roles that a user has in the scope beside those of its groups. */
export async function setRoles(
  tx: Tx,
  principal: Principal,
  idOrName: string,
  roles: readonly Role[],
): Promise<User> {
  const row = await findUser(tx, idOrName, principal.isSystem);
  const organizationId = await organizationIdFor(tx, undefined, row.organization_id);
  const held = (await rolesOf(tx, row.id)).get(organizationId) ?? [];
  checkHolds(principal, organizationId, permissionsOf([...held, ...roles]));
  const before = await showUser(tx, row);
  await tx.db
    .deleteFrom('user_roles')
    .where('user_id', '=', row.id)
    .where('organization_id', '=', organizationId)
    .where('source', '=', 'local')
    .execute();
  for (const role of roles) await addRole(tx, row.id, organizationId, role, 'local');
  const left = (await rolesOf(tx, row.id)).get(organizationId) ?? [];
  if (held.includes('owner') && !left.includes('owner')) await checkOwnerLeft(tx, organizationId);
  const after = await showUser(tx, row);
  recordUser(tx, 'user.roles', { before, after });
  return after;
}

async function checkOwnerLeft(tx: Tx, organizationId: string): Promise<void> {
  const owner = await tx.db
    .selectFrom('user_roles')
    .select('user_id')
    .where('organization_id', '=', organizationId)
    .where('role', '=', 'owner')
    .limit(1)
    .executeTakeFirst();
  if (!owner)
    throw new RequestError('last_owner', 'the organization would be left without an owner');
}

/** Sets the password of another user: whoever had the former one has nothing any more. */
export async function setPassword(
  tx: Tx,
  principal: Principal,
  idOrName: string,
  passwordHash: string,
): Promise<void> {
  const row = await findUser(tx, idOrName);
  await checkMayRule(tx, principal, row);
  await tx.db
    .updateTable('users')
    .set({ password_hash: passwordHash })
    .where('id', '=', row.id)
    .execute();
  await endSessions(tx, row.id);
  await revokeTokensOf(tx, row.id);
  await recordPassword(tx, row);
}

/** Of a password the ledger learns when it was set. */
async function recordPassword(tx: Tx, row: UserRow): Promise<void> {
  const before = await showUser(tx, row);
  const after = { ...before, hasPassword: true, passwordSetAt: tx.now.toISOString() };
  recordUser(tx, 'user.password', { before, after });
}

/** Sets one's own password. Rejects with unauthenticated when it was changed meanwhile. */
export async function replacePassword(
  tx: Tx,
  row: UserRow,
  passwordHash: string,
  sessionId: string,
): Promise<void> {
  const changed = await tx.db
    .updateTable('users')
    .set({ password_hash: passwordHash })
    .where('id', '=', row.id)
    .where('password_hash', '=', row.password_hash)
    .returning('id')
    .executeTakeFirst();
  if (!changed)
    throw new RequestError('unauthenticated', 'the password was changed meanwhile: log in again');
  await endSessions(tx, row.id, sessionId);
  await endLoginTokens(tx, row.id);
  await recordPassword(tx, row);
}

/** Makes a user a system administrator, or no more. */
export async function setSystem(tx: Tx, idOrName: string, isSystem: boolean): Promise<User> {
  const row = await findUser(tx, idOrName);
  const before = await showUser(tx, row);
  const is_system = isSystem ? 1 : 0;
  await tx.db.updateTable('users').set({ is_system }).where('id', '=', row.id).execute();
  const after = await showUser(tx, { ...row, is_system });
  recordUser(tx, 'user.system', { before, after });
  return after;
}

/** Deletes a user; one that logs in elsewhere loses its roles in the scope alone. */
export async function deleteUser(tx: Tx, principal: Principal, idOrName: string): Promise<void> {
  const row = await findUser(tx, idOrName);
  const scope = tx.origin.organizationId ?? row.organization_id;
  const roles = await rolesOf(tx, row.id);
  const before = await showUser(tx, row);
  if (row.organization_id !== scope) {
    checkHolds(principal, scope, permissionsOf(roles.get(scope) ?? []));
    if (roles.get(scope)?.includes('owner') === true) await checkOwnerRemains(tx, scope, [row.id]);
    await tx.db
      .deleteFrom('user_roles')
      .where('user_id', '=', row.id)
      .where('organization_id', '=', scope)
      .execute();
    recordUser(tx, 'user.delete', { before, after: null });
    return;
  }
  await checkMayRule(tx, principal, row);
  for (const [organizationId, held] of roles)
    if (held.includes('owner')) await checkOwnerRemains(tx, organizationId, [row.id]);
  await tx.db.deleteFrom('users').where('id', '=', row.id).execute();
  recordUser(tx, 'user.delete', { before, after: null });
}
