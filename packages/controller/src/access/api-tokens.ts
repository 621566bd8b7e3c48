/**
 * API tokens: `loom_`, 8 characters that anybody may see, `_`, 43 of secret. A token acts in one
 * organization, with its role narrowed by its scopes, and never beyond what its user may at that
 * moment.
 */
import { timingSafeEqual } from 'node:crypto';
import type { ApiToken, Permission, Role } from '@etherloom/api';
import { LIST_ROWS_MAX, PERMISSIONS, ROLE_PERMISSIONS, permissionSchema } from '@etherloom/api';
import { z } from 'zod';
import { record } from '../audit/record.ts';
import { hashSecret, makeId, makeSecret } from '../identifiers.ts';
import { SEEN_STEP_MS } from '../limits.ts';
import { RequestError, invalidField } from '../request-error.ts';
import type { ApiTokenRow, UserRow } from '../store/access-schema.ts';
import { organizationIdFor } from '../store/organizations.ts';
import type { Page, PageGiven } from '../store/page.ts';
import { afterCursor, toPage } from '../store/page.ts';
import { notFound } from '../store/scope.ts';
import type { Tx } from '../store/store.ts';
import { permissionsIn } from './grants.ts';
import type { Actor, Principal } from './principal.ts';
import { checkHolds } from './principal.ts';

const PREFIX_CHARS = 8;
const FORM = /^loom_([0-9a-z]{8})_([A-Za-z0-9_-]{43})$/;
const scopesSchema = z.array(permissionSchema);

export interface ApiTokenGiven {
  readonly name: string;
  readonly role: Role;
  readonly scopes?: readonly Permission[] | undefined;
  readonly lifetimeSeconds?: number | undefined;
}

export interface ApiTokenMade {
  readonly row: ApiToken;
  readonly token: string;
}

/** Creates a token for the scope that may at most what its maker may, and ends before it does. */
export async function createApiToken(
  tx: Tx,
  principal: Principal,
  given: ApiTokenGiven,
): Promise<ApiTokenMade> {
  const organizationId = await organizationIdFor(tx, undefined);
  const ofRole = ROLE_PERMISSIONS[given.role];
  const beyond = given.scopes?.find((scope) => !ofRole.includes(scope));
  if (beyond !== undefined)
    throw invalidField('scopes', `the role ${given.role} does not allow ${beyond}`);
  checkHolds(principal, organizationId, given.scopes ?? ofRole);
  return insertApiToken(tx, {
    organizationId,
    userId: principal.userId,
    name: given.name,
    role: given.role,
    scopes: given.scopes ?? null,
    expiresAt: earliest(
      given.lifetimeSeconds === undefined ? null : endAfter(tx, given.lifetimeSeconds),
      principal.proof.kind === 'api_token' ? principal.proof.expiresAt : null,
    ),
  });
}

/** Creates the token of a login of the command line: it may what its user may. */
export async function createLoginToken(
  tx: Tx,
  user: UserRow,
  given: {
    readonly organizationId: string;
    readonly name: string;
    readonly lifetimeSeconds: number;
  },
): Promise<ApiTokenMade> {
  await tx.db
    .updateTable('users')
    .set({ last_login_at: tx.now.toISOString() })
    .where('id', '=', user.id)
    .execute();
  return insertApiToken(tx, {
    organizationId: given.organizationId,
    userId: user.id,
    name: given.name,
    role: null,
    scopes: null,
    expiresAt: endAfter(tx, given.lifetimeSeconds),
    actor: { kind: 'user', id: user.id, name: user.name },
  });
}

function endAfter(tx: Tx, seconds: number): string {
  return new Date(tx.now.getTime() + seconds * 1_000).toISOString();
}

function earliest(a: string | null, b: string | null): string | null {
  if (a === null || b === null) return a ?? b;
  return a < b ? a : b;
}

async function insertApiToken(
  tx: Tx,
  given: {
    readonly organizationId: string;
    readonly userId: string | null;
    readonly name: string;
    readonly role: Role | null;
    readonly scopes: readonly Permission[] | null;
    readonly expiresAt: string | null;
    readonly actor?: Actor;
  },
): Promise<ApiTokenMade> {
  const { organizationId } = given;
  const now = tx.now.toISOString();
  await tx.db.deleteFrom('api_tokens').where('expires_at', '<=', now).execute();
  const { count } = await tx.db
    .selectFrom('api_tokens')
    .where('organization_id', '=', organizationId)
    .select((eb) => eb.fn.countAll<number | string | bigint>().as('count'))
    .executeTakeFirstOrThrow();
  if (Number(count) >= LIST_ROWS_MAX)
    throw new RequestError(
      'limit_reached',
      `an organization has ${LIST_ROWS_MAX} API tokens at most: revoke some`,
    );
  const prefix = makeId('atk', tx.random).slice(-PREFIX_CHARS);
  const secret = makeSecret(tx.random);
  const row: ApiTokenRow = {
    id: makeId('atk', tx.random),
    organization_id: organizationId,
    user_id: given.userId,
    name: given.name,
    prefix,
    secret_hash: hashSecret(secret),
    role: given.role,
    scopes: given.scopes === null ? null : JSON.stringify(given.scopes),
    expires_at: given.expiresAt,
    last_used_at: null,
    created_at: now,
  };
  await tx.db.insertInto('api_tokens').values(row).execute();
  recordToken(tx, row, 'api_token.create', given.actor);
  return { row: toApiToken(row), token: `loom_${prefix}_${secret}` };
}

function recordToken(tx: Tx, row: ApiTokenRow, action: string, actor?: Actor): void {
  const shown = toApiToken(row);
  const isMade = action === 'api_token.create';
  record(tx, {
    organizationId: row.organization_id,
    action,
    target: { noun: 'api_token', id: row.id, name: row.name },
    before: isMade ? null : shown,
    after: isMade ? shown : null,
    ...(actor === undefined ? {} : { actor }),
  });
}

/** Whether a bearer token is an API token by its form. */
export function isApiToken(token: string): boolean {
  return FORM.test(token);
}

/** The principal that a token proves; null for one that is unknown, wrong or expired. */
export async function openApiToken(tx: Tx, token: string): Promise<Principal | null> {
  const [, prefix = '', secret = ''] = FORM.exec(token) ?? [];
  const row = await tx.db
    .selectFrom('api_tokens')
    .selectAll()
    .where('prefix', '=', prefix)
    .executeTakeFirst();
  const given = Buffer.from(hashSecret(secret), 'hex');
  if (!row || !timingSafeEqual(given, Buffer.from(row.secret_hash, 'hex'))) return null;
  if (row.expires_at !== null && row.expires_at <= tx.now.toISOString()) return null;
  const { user, may } = await grantsOfToken(tx, row);
  return {
    actor: { kind: 'api_token', id: row.id, name: user ? `${user.name}/${row.name}` : row.name },
    proof: { kind: 'api_token', id: row.id, expiresAt: row.expires_at },
    userId: row.user_id,
    roles: new Map(row.role === null ? [] : [[row.organization_id, [row.role]]]),
    isSystem: false,
    grants: new Map([[row.organization_id, may]]),
  };
}

/** Whose a token is, and what it may do at this moment. */
async function grantsOfToken(
  tx: Tx,
  row: ApiTokenRow,
): Promise<{ readonly user: UserRow | undefined; readonly may: ReadonlySet<Permission> }> {
  const { user_id: userId, organization_id: organizationId } = row;
  const user =
    userId === null
      ? undefined
      : await tx.db.selectFrom('users').selectAll().where('id', '=', userId).executeTakeFirst();
  const ofUser = user ? await permissionsIn(tx, user, organizationId) : new Set(PERMISSIONS);
  return { user, may: narrow(row, ofUser) };
}

function narrow(row: ApiTokenRow, ofUser: ReadonlySet<Permission>): ReadonlySet<Permission> {
  const ofRole = row.role === null ? PERMISSIONS : ROLE_PERMISSIONS[row.role];
  const scopes = readScopes(row);
  return new Set(
    ofRole.filter(
      (permission) => ofUser.has(permission) && (scopes === null || scopes.includes(permission)),
    ),
  );
}

/** Scopes that this version does not know allow nothing. */
function readScopes(row: ApiTokenRow): readonly Permission[] | null {
  if (row.scopes === null) return null;
  const parsed = scopesSchema.safeParse(JSON.parse(row.scopes));
  return parsed.success ? parsed.data : [];
}

/** Notes that a token is in use, to the minute. */
export async function touchApiToken(tx: Tx, id: string): Promise<void> {
  const before = new Date(tx.now.getTime() - SEEN_STEP_MS).toISOString();
  await tx.db
    .updateTable('api_tokens')
    .set({ last_used_at: tx.now.toISOString() })
    .where('id', '=', id)
    .where((eb) => eb.or([eb('last_used_at', 'is', null), eb('last_used_at', '<=', before)]))
    .execute();
}

export async function listApiTokens(tx: Tx, given: PageGiven): Promise<Page<ApiToken>> {
  let query = tx.db
    .selectFrom('api_tokens')
    .selectAll()
    .where((eb) =>
      eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', tx.now.toISOString())]),
    );
  const scope = tx.origin.organizationId;
  if (scope !== null) query = query.where('organization_id', '=', scope);
  const rows = await afterCursor(query, ['name', 'id'], given).execute();
  return toPage(rows, given, (row) => [row.name, row.id], toApiToken);
}

/**
 * Revokes a token of the scope. Only who holds all that it may at this moment takes it from
 * another, as with users and their passwords; a token may always be given up by itself.
 */
export async function deleteApiToken(tx: Tx, principal: Principal, id: string): Promise<void> {
  let query = tx.db.selectFrom('api_tokens').selectAll().where('id', '=', id);
  const scope = tx.origin.organizationId;
  if (scope !== null) query = query.where('organization_id', '=', scope);
  const row = await query.executeTakeFirst();
  if (!row) throw notFound('API token', id);
  const { proof } = principal;
  if (proof.kind !== 'api_token' || proof.id !== row.id) {
    const { may } = await grantsOfToken(tx, row);
    checkHolds(principal, row.organization_id, may);
  }
  await tx.db.deleteFrom('api_tokens').where('id', '=', row.id).execute();
  recordToken(tx, row, 'api_token.delete');
}

function toApiToken(row: ApiTokenRow): ApiToken {
  const scopes = readScopes(row);
  return {
    id: row.id,
    name: row.name,
    prefix: `loom_${row.prefix}`,
    userId: row.user_id,
    role: row.role,
    scopes: scopes === null ? null : [...scopes],
    expiresAt: row.expires_at,
    lastUsedAt: row.last_used_at,
    createdAt: row.created_at,
  };
}
