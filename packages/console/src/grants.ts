/** What a person may give away: nobody gives more than they hold (docs/controller.md 2). */
import { ROLES, ROLE_PERMISSIONS } from '@etherloom/api';
import type { Permission, Role } from '@etherloom/api';

/** Roles of which every permission is held. */
export function grantableRoles(can: (permission: Permission) => boolean): ReadonlySet<Role> {
  return new Set(ROLES.filter((role) => ROLE_PERMISSIONS[role].every(can)));
}
