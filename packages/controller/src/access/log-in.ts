/**
 * Logging in with a name and a password. The name is one of the organization where its user logs
 * in; a name that there is not costs the same time, and is answered the same, as a wrong password.
 */
import type { AccessParts } from './parts.ts';
import { RequestError, invalidField } from '../request-error.ts';
import type { UserRow } from '../store/access-schema.ts';
import { DEFAULT_ORGANIZATION } from '../store/organizations.ts';
import type { Store, Tx } from '../store/store.ts';

export interface PasswordGiven {
  readonly organization?: string | undefined;
  readonly name: string;
  readonly password: string;
}

/**
 * The user whose name and password these are. Rejects with unauthenticated, too_many_requests or
 * unavailable.
 */
export async function logIn(
  { passwords, throttle }: Pick<AccessParts, 'passwords' | 'throttle'>,
  store: Store,
  given: PasswordGiven,
  source: string,
): Promise<UserRow> {
  const organization = given.organization ?? DEFAULT_ORGANIZATION;
  const attempt = throttle.begin(`${organization}/${given.name}`, source);
  const row = await store.read((tx) => findForLogin(tx, organization, given.name));
  const isRight = await passwords.verify(given.password, row?.password_hash ?? null, source);
  if (!row || !isRight) throw wrongPassword();
  attempt.succeed();
  return row;
}

/** The same for a user that asks with its session, and for its own password. */
export async function checkOwnPassword(
  { passwords, throttle }: Pick<AccessParts, 'passwords' | 'throttle'>,
  row: UserRow,
  password: string,
  source: string,
): Promise<void> {
  const attempt = throttle.begin(row.id, source);
  if (!(await passwords.verify(password, row.password_hash, source)))
    throw invalidField('current', 'is not your password');
  attempt.succeed();
}

/** The row of a user as it was, or the refusal of a wrong password where it changed meanwhile. */
export async function confirmUser(tx: Tx, row: UserRow): Promise<UserRow> {
  const found = await tx.db
    .selectFrom('users')
    .selectAll()
    .where('id', '=', row.id)
    .executeTakeFirst();
  if (found?.password_hash === row.password_hash) return found;
  throw wrongPassword();
}

function wrongPassword(): RequestError {
  return new RequestError('unauthenticated', 'the name or the password is wrong');
}

function findForLogin(tx: Tx, organization: string, name: string): Promise<UserRow | undefined> {
  return tx.db
    .selectFrom('users')
    .innerJoin('organizations', 'organizations.id', 'users.organization_id')
    .selectAll('users')
    .where('organizations.name', '=', organization)
    .where('users.name', '=', name)
    .executeTakeFirst();
}
