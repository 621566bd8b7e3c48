/**
 * Sessions: one login of a user in a browser. The secret is in the cookie alone, its hash in the
 * database; the value against forged requests is made of the secret, so that a page that cannot
 * read the cookie's replies cannot know it.
 */
import { createHash } from 'node:crypto';
import type { Session } from '@etherloom/api';
import { toBase64url } from '@etherloom/api';
import { record } from '../audit/record.ts';
import { hashSecret, makeId, makeSecret } from '../identifiers.ts';
import {
  SEEN_STEP_MS,
  SESSIONS_PER_USER_MAX,
  SESSION_IDLE_MS,
  SESSION_LIFETIME_MS,
} from '../limits.ts';
import { RequestError } from '../request-error.ts';
import type { SessionRow, UserRow } from '../store/access-schema.ts';
import type { Page, PageGiven } from '../store/page.ts';
import { afterCursor, toPage } from '../store/page.ts';
import type { Tx } from '../store/store.ts';
import { grantsOf, rolesOf } from './grants.ts';
import type { Principal } from './principal.ts';

/** A session that was made; the secret goes into the cookie. */
export interface SessionMade {
  readonly secret: string;
  readonly principal: Principal;
}

/** Begins a session of a user that has proved itself. */
export async function createSession(tx: Tx, user: UserRow, source: string): Promise<SessionMade> {
  const now = tx.now.toISOString();
  await tx.db.deleteFrom('sessions').where('expires_at', '<=', now).execute();
  await dropOldest(tx, user.id);
  const secret = makeSecret(tx.random);
  const row: SessionRow = {
    id: makeId('ses', tx.random),
    user_id: user.id,
    secret_hash: hashSecret(secret),
    source,
    last_seen_at: now,
    expires_at: new Date(tx.now.getTime() + SESSION_LIFETIME_MS).toISOString(),
    created_at: now,
  };
  await tx.db.insertInto('sessions').values(row).execute();
  await tx.db.updateTable('users').set({ last_login_at: now }).where('id', '=', user.id).execute();
  recordSession(tx, user, 'session.create', row);
  return { secret, principal: await principalOf(tx, user, row, secret) };
}

/** Who logged in is nobody yet where the transaction began: the ledger is told. */
function recordSession(
  tx: Tx,
  user: Pick<UserRow, 'id' | 'name' | 'organization_id'>,
  action: 'session.create' | 'session.delete',
  { id, source, created_at, expires_at }: SessionRow,
): void {
  const shown = { id, source, createdAt: created_at, expiresAt: expires_at };
  record(tx, {
    organizationId: user.organization_id,
    action,
    target: { noun: 'session', id, name: user.name },
    actor: { kind: 'user', id: user.id, name: user.name },
    before: action === 'session.create' ? null : shown,
    after: action === 'session.create' ? shown : null,
  });
}

async function dropOldest(tx: Tx, userId: string): Promise<void> {
  const beyond = await tx.db
    .selectFrom('sessions')
    .select('id')
    .where('user_id', '=', userId)
    .orderBy('created_at', 'desc')
    .orderBy('id')
    .offset(SESSIONS_PER_USER_MAX - 1)
    .limit(SESSIONS_PER_USER_MAX)
    .execute();
  const ids = beyond.map(({ id }) => id);
  if (ids.length > 0) await tx.db.deleteFrom('sessions').where('id', 'in', ids).execute();
}

/** The principal that a cookie proves; null for a session that is unknown or over. */
export async function openSession(tx: Tx, secret: string): Promise<Principal | null> {
  const row = await tx.db
    .selectFrom('sessions')
    .selectAll()
    .where('secret_hash', '=', hashSecret(secret))
    .executeTakeFirst();
  if (!row || row.expires_at <= tx.now.toISOString()) return null;
  const idleMs = tx.now.getTime() - Date.parse(row.last_seen_at);
  if (idleMs >= SESSION_IDLE_MS) return null;
  const user = await tx.db
    .selectFrom('users')
    .selectAll()
    .where('id', '=', row.user_id)
    .executeTakeFirst();
  return user ? principalOf(tx, user, row, secret) : null;
}

/** Notes that a session is in use, to the minute. */
export async function touchSession(tx: Tx, id: string): Promise<void> {
  const before = new Date(tx.now.getTime() - SEEN_STEP_MS).toISOString();
  await tx.db
    .updateTable('sessions')
    .set({ last_seen_at: tx.now.toISOString() })
    .where('id', '=', id)
    .where('last_seen_at', '<=', before)
    .execute();
}

async function principalOf(
  tx: Tx,
  user: UserRow,
  row: SessionRow,
  secret: string,
): Promise<Principal> {
  const roles = await rolesOf(tx, user.id);
  return {
    actor: { kind: 'user', id: user.id, name: user.name },
    proof: { kind: 'session', id: row.id, csrf: csrfOf(secret), expiresAt: row.expires_at },
    userId: user.id,
    roles,
    isSystem: user.is_system !== 0,
    grants: grantsOf(roles),
  };
}

function csrfOf(secret: string): string {
  return toBase64url(createHash('sha256').update(`etherloom csrf 1\n${secret}`).digest());
}

/** Sessions of a user, without those that are over. */
export async function listSessions(
  tx: Tx,
  userId: string,
  currentId: string | null,
  given: PageGiven,
): Promise<Page<Session>> {
  const idleSince = new Date(tx.now.getTime() - SESSION_IDLE_MS).toISOString();
  const query = tx.db
    .selectFrom('sessions')
    .selectAll()
    .where('user_id', '=', userId)
    .where('expires_at', '>', tx.now.toISOString())
    .where('last_seen_at', '>', idleSince);
  const rows = await afterCursor(query, ['created_at', 'id'], given).execute();
  return toPage(
    rows,
    given,
    (row) => [row.created_at, row.id],
    (row) => ({
      id: row.id,
      isCurrent: row.id === currentId,
      source: row.source,
      createdAt: row.created_at,
      lastSeenAt: row.last_seen_at,
      expiresAt: row.expires_at,
    }),
  );
}

/** Ends a session of a user. */
export async function endSession(tx: Tx, userId: string, id: string): Promise<void> {
  const ended = await tx.db
    .deleteFrom('sessions')
    .where('id', '=', id)
    .where('user_id', '=', userId)
    .returningAll()
    .executeTakeFirst();
  if (!ended) throw new RequestError('not_found', `you have no session "${id.slice(0, 80)}"`);
  const user = await tx.db
    .selectFrom('users')
    .select(['id', 'name', 'organization_id'])
    .where('id', '=', userId)
    .executeTakeFirst();
  if (user) recordSession(tx, user, 'session.delete', ended);
}

/** Ends the session of a cookie, whoever's it is. */
export async function endSessionOf(tx: Tx, secret: string): Promise<void> {
  await tx.db.deleteFrom('sessions').where('secret_hash', '=', hashSecret(secret)).execute();
}

/** Ends all sessions of a user, or all but one. */
export async function endSessions(tx: Tx, userId: string, keptId = ''): Promise<void> {
  await tx.db
    .deleteFrom('sessions')
    .where('user_id', '=', userId)
    .where('id', '!=', keptId)
    .execute();
}

/** Gives a session another secret; what held the former one has nothing any more. */
export async function renewSecret(tx: Tx, id: string): Promise<string> {
  const secret = makeSecret(tx.random);
  await tx.db
    .updateTable('sessions')
    .set({ secret_hash: hashSecret(secret) })
    .where('id', '=', id)
    .execute();
  return secret;
}

/** Revokes what a user's logins of the command line made. */
export async function endLoginTokens(tx: Tx, userId: string): Promise<void> {
  await tx.db
    .deleteFrom('api_tokens')
    .where('user_id', '=', userId)
    .where('role', 'is', null)
    .execute();
}

/** Revokes all API tokens of a user. */
export async function revokeTokensOf(tx: Tx, userId: string): Promise<void> {
  await tx.db.deleteFrom('api_tokens').where('user_id', '=', userId).execute();
}
