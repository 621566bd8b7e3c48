/**
 * Roles of users. A file speaks of those that somebody gave: what groups of an identity provider
 * give follows the groups. Users themselves are never made, since nobody writes passwords into
 * files, and never deleted.
 */
import type { Role, User, Tagged } from '@etherloom/api';
import { ROLES } from '@etherloom/api';
import type { Actual } from './actual.ts';
import type { OrganizationFile } from './schema.ts';
import type { Draft, UserStep } from './step.ts';

/** Adds the steps for all users. */
export function planUsers(
  draft: Draft,
  wanted: OrganizationFile,
  actual: Actual,
  isPruning: boolean,
): void {
  if (wanted.users === undefined) return;
  const byName = Map.groupBy(actual.users ?? [], ({ item }) => item.name);
  const steps: UserStep[] = [];
  for (const [name, { roles }] of Object.entries(wanted.users)) {
    const [user, other] = byName.get(name) ?? [];
    if (user === undefined) draft.refusals.push(unknownUser(name));
    else if (other !== undefined)
      draft.refusals.push(
        `several users are named "${name}", of other organizations too: set their roles by id (loom user role), and leave the name out`,
      );
    else if (roles !== undefined) steps.push(...changeOf(user, sorted(roles)));
  }
  if (isPruning)
    for (const [name, [user, other]] of byName)
      if (wanted.users[name] === undefined && user !== undefined && other === undefined)
        steps.push(...changeOf(user, []));
  refuseUnsafe(draft, steps, actual);
  // Whoever is to own it has it before another one lets go.
  const isGift = ({ roles }: UserStep): boolean => roles.includes('owner');
  draft.steps.push(...steps.filter(isGift), ...steps.filter((step) => !isGift(step)));
}

/** Roles of a user that somebody gave, as far as it can be told. */
export function givenRoles({ roles, groupRoles }: User): Role[] {
  return sorted(roles.filter((role) => !groupRoles.includes(role)));
}

function sorted(roles: readonly Role[]): Role[] {
  return ROLES.filter((role) => roles.includes(role));
}

/** A role that groups give too is as wanted: whether somebody gave it as well cannot be told. */
function changeOf({ item: user, etag }: Tagged<User>, roles: readonly Role[]): UserStep[] {
  const from = givenRoles(user);
  const isLacking = roles.some((role) => !user.roles.includes(role));
  const isTooMuch = from.some((role) => !roles.includes(role));
  if (!isLacking && !isTooMuch) return [];
  return [{ kind: 'user.roles', name: user.name, user, etag, roles, from }];
}

function unknownUser(name: string): string {
  return `user "${name}" does not exist in this organization, and a file cannot make its password: loom user create ${name}, or let it log in by its identity provider once`;
}

/** Nobody shuts itself out by a file, and no organization is left without an owner. */
function refuseUnsafe(draft: Draft, steps: readonly UserStep[], actual: Actual): void {
  const own = steps.find(({ user }) => user.id === actual.selfId);
  if (own !== undefined)
    draft.refusals.push(
      `the file changes the roles of user "${own.name}", who applies it (${named(own.from)} -> ${named(own.roles)}): name the roles that it has, or let somebody else apply it`,
    );
  const users = (actual.users ?? []).map(({ item }) => item);
  const after = new Map<string, readonly Role[]>(
    steps.map(({ user, roles }) => [user.id, [...roles, ...user.groupRoles]]),
  );
  const isOwned = users.some(({ roles }) => roles.includes('owner'));
  const staysOwned = users.some(({ id, roles }) => (after.get(id) ?? roles).includes('owner'));
  if (isOwned && !staysOwned)
    draft.refusals.push(
      'the file leaves the organization without an owner: give the role owner to one of its users',
    );
}

/** "admin, operator", or "none". */
export function named(roles: readonly Role[]): string {
  return roles.join(', ') || 'none';
}
