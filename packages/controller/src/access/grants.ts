/** What a user may do where, as the database says at the moment. */
import type { Permission, Role } from '@etherloom/api';
import { PERMISSIONS, ROLES, permissionsOf } from '@etherloom/api';
import { RequestError } from '../request-error.ts';
import type { UserRow } from '../store/access-schema.ts';
import type { Tx } from '../store/store.ts';
import type { Principal } from './principal.ts';
import { checkHolds } from './principal.ts';

export type RolesByOrganization = ReadonlyMap<string, readonly Role[]>;

/** Roles of a user, the strongest first, by organization id. */
export async function rolesOf(tx: Tx, userId: string): Promise<RolesByOrganization> {
  const rows = await tx.db
    .selectFrom('user_roles')
    .select(['organization_id', 'role'])
    .where('user_id', '=', userId)
    .execute();
  const byOrganization = Map.groupBy(rows, (row) => row.organization_id);
  return new Map(
    [...byOrganization].map(([id, held]) => [id, sortRoles(held.map(({ role }) => role))]),
  );
}

/** Each role once, the strongest first. */
export function sortRoles(roles: readonly Role[]): readonly Role[] {
  return ROLES.filter((role) => roles.includes(role));
}

/** Permissions by organization id. */
export function grantsOf(roles: RolesByOrganization): ReadonlyMap<string, ReadonlySet<Permission>> {
  return new Map([...roles].map(([id, held]) => [id, permissionsOf(held)]));
}

/** Permissions of a user in one organization. */
export async function permissionsIn(
  tx: Tx,
  user: Pick<UserRow, 'id' | 'is_system'>,
  organizationId: string,
): Promise<ReadonlySet<Permission>> {
  if (user.is_system !== 0) return new Set(PERMISSIONS);
  return permissionsOf((await rolesOf(tx, user.id)).get(organizationId) ?? []);
}

/** Throws forbidden unless `principal` holds all that a user holds, everywhere. */
export async function checkMayRule(tx: Tx, principal: Principal, user: UserRow): Promise<void> {
  if (principal.isSystem) return;
  if (user.is_system !== 0)
    throw new RequestError('forbidden', `${user.name} is a system administrator`);
  for (const [organizationId, roles] of await rolesOf(tx, user.id))
    checkHolds(principal, organizationId, permissionsOf(roles));
}

/** Throws last_owner when nobody but these users owns an organization. */
export async function checkOwnerRemains(
  tx: Tx,
  organizationId: string,
  without: readonly string[],
): Promise<void> {
  const owners = await tx.db
    .selectFrom('user_roles')
    .select('user_id')
    .distinct()
    .where('organization_id', '=', organizationId)
    .where('role', '=', 'owner')
    .execute();
  const isOwned = owners.length > 0;
  if (!isOwned || owners.some(({ user_id }) => !without.includes(user_id))) return;
  throw new RequestError('last_owner', 'the organization would be left without an owner');
}
