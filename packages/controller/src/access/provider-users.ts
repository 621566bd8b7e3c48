/**
 * Users that log in by an identity provider: known by provider and subject, never by a name or a
 * mail address, which a provider may let people choose.
 */
import type { Role } from '@etherloom/api';
import { USER_NAME_CHARS_MAX } from '@etherloom/api';
import { NAME_SUFFIXES_MAX } from '../limits.ts';
import { RequestError } from '../request-error.ts';
import type { IdentityProviderRow, UserRow } from '../store/access-schema.ts';
import type { Tx } from '../store/store.ts';
import { sortRoles } from './grants.ts';
import type { Actor } from './principal.ts';
import { readGroupRoles } from './identity-providers.ts';
import type { ProviderUser } from './single-sign-on.ts';
import { endLoginTokens, endSessions } from './sessions.ts';
import { addRole, insertUser, recordUser, showUser } from './users.ts';

/**
 * The user of a login, made when it is the first one; its roles by groups are those that it has
 * groups for. null where a group is needed and none is there: the roles and sessions of before are
 * gone then, so that the caller refuses after the commit.
 */
export async function takeProviderUser(
  tx: Tx,
  row: IdentityProviderRow,
  given: ProviderUser,
): Promise<UserRow | null> {
  const mapped = readGroupRoles(row).filter(({ group }) => given.groups.includes(group));
  const roles = sortRoles(mapped.map(({ role }) => role));
  const known = await tx.db
    .selectFrom('users')
    .selectAll()
    .where('provider_id', '=', row.id)
    .where('subject', '=', given.subject)
    .executeTakeFirst();
  const isRefused = roles.length === 0 && row.refuses_unmapped !== 0;
  if (known) await changeGroups(tx, row, known, roles);
  if (known && isRefused) {
    await endSessions(tx, known.id);
    await endLoginTokens(tx, known.id);
  }
  if (isRefused) return null;
  if (known) return known;
  const user = await insertUser(tx, row.organization_id, {
    name: await freeUserName(tx, row.organization_id, given.name),
    passwordHash: null,
    provider: { id: row.id, subject: given.subject },
  });
  await followGroups(tx, row.organization_id, user.id, roles);
  recordUser(tx, 'user.create', { before: null, after: await showUser(tx, user), actor: by(row) });
  return user;
}

/** Who is in which group is the provider's word. */
function by(row: IdentityProviderRow): Actor {
  return { kind: 'controller', id: row.id, name: `identity provider ${row.name}` };
}

async function changeGroups(
  tx: Tx,
  row: IdentityProviderRow,
  user: UserRow,
  roles: readonly Role[],
): Promise<void> {
  const before = await showUser(tx, user);
  await followGroups(tx, row.organization_id, user.id, roles);
  recordUser(tx, 'user.roles', { before, after: await showUser(tx, user), actor: by(row) });
}

/** The refusal of somebody without a group. */
export function groupMissing(row: IdentityProviderRow): RequestError {
  return new RequestError(
    'forbidden',
    `no group that identity provider "${row.name}" names has a role here: ask an administrator of the organization`,
  );
}

async function followGroups(
  tx: Tx,
  organizationId: string,
  userId: string,
  roles: readonly Role[],
): Promise<void> {
  await tx.db
    .deleteFrom('user_roles')
    .where('user_id', '=', userId)
    .where('source', '=', 'groups')
    .execute();
  for (const role of roles) await addRole(tx, userId, organizationId, role, 'groups');
}

/** A name that fits, made of what the provider says. */
async function freeUserName(tx: Tx, organizationId: string, wanted: string): Promise<string> {
  const plain = wanted
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9.@+-]+/g, '-')
    .slice(0, USER_NAME_CHARS_MAX - 6)
    .replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, '');
  const base = plain === '' ? 'user' : plain;
  for (let i = 1; i <= NAME_SUFFIXES_MAX; i += 1) {
    const name = i === 1 ? base : `${base}-${i}`;
    const taken = await tx.db
      .selectFrom('users')
      .select('id')
      .where('organization_id', '=', organizationId)
      .where('name', '=', name)
      .executeTakeFirst();
    if (!taken) return name;
  }
  throw new RequestError('limit_reached', `too many users are named like "${base}"`);
}
