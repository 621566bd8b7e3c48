/**
 * Who may do what: the one table that server, console and command line share. A permission is
 * `noun:verb`; a route names the one that it needs (routes/), a role holds a set of them.
 */

const READS = [
  'organization:read',
  'network:read',
  'address:read',
  'node:read',
  'group:read',
] as const;

const OPERATES = ['address:write', 'node:write', 'join_token:read', 'join_token:write'] as const;

const AUDITS = [
  'audit:read',
  'user:read',
  'api_token:read',
  'authority:read',
  'identity_provider:read',
] as const;

const ADMINISTERS = [
  'network:write',
  'group:write',
  'user:write',
  'api_token:write',
  'identity_provider:write',
  'audit:write',
] as const;

const OWNS = ['organization:write', 'authority:write', 'owner:write'] as const;

/** Everything that can be allowed within an organization. */
export const PERMISSIONS = [...READS, ...OPERATES, ...AUDITS, ...ADMINISTERS, ...OWNS] as const;
export type Permission = (typeof PERMISSIONS)[number];

/** Roles in an organization, the strongest first. */
export const ROLES = ['owner', 'admin', 'operator', 'auditor', 'member'] as const;
export type Role = (typeof ROLES)[number];

/** What each role may do. */
export const ROLE_PERMISSIONS: Readonly<Record<Role, readonly Permission[]>> = {
  owner: PERMISSIONS,
  admin: [...READS, ...OPERATES, ...AUDITS, ...ADMINISTERS],
  operator: [...READS, ...OPERATES],
  auditor: [...READS, ...AUDITS, 'join_token:read'],
  member: READS,
};

/** What these roles may do together. */
export function permissionsOf(roles: readonly Role[]): ReadonlySet<Permission> {
  return new Set(roles.flatMap((role) => ROLE_PERMISSIONS[role]));
}
