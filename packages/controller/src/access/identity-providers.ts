/** Identity providers of organizations: rows, and who may change them. */
import type { IdentityProvider, Role } from '@etherloom/api';
import { permissionsOf, roleSchema } from '@etherloom/api';
import { z } from 'zod';
import { record } from '../audit/record.ts';
import { makeId } from '../identifiers.ts';
import { PROVIDERS_MAX } from '../limits.ts';
import { RequestError, invalidField } from '../request-error.ts';
import type { IdentityProviderRow } from '../store/access-schema.ts';
import { organizationIdFor } from '../store/organizations.ts';
import type { Page, PageGiven } from '../store/page.ts';
import { afterCursor, toPage } from '../store/page.ts';
import { isInScope, notFound } from '../store/scope.ts';
import type { Tx } from '../store/store.ts';
import { checkOwnerRemains } from './grants.ts';
import type { Principal } from './principal.ts';
import { checkHolds } from './principal.ts';
import { endSessions } from './sessions.ts';

export interface GroupRole {
  readonly group: string;
  readonly role: Role;
}

const groupRolesSchema = z.array(z.object({ group: z.string(), role: roleSchema }));

export interface ProviderGiven {
  readonly name: string;
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret?: string | undefined;
  readonly groupsClaim: string;
  readonly groupRoles: readonly GroupRole[];
  readonly refusesUnmapped: boolean;
}

type ProviderChange = {
  readonly [K in Exclude<keyof ProviderGiven, 'issuer'>]?: ProviderGiven[K] | undefined;
};

/** Finds a provider of the scope. */
export async function findProvider(tx: Tx, id: string): Promise<IdentityProviderRow> {
  const row = await tx.db
    .selectFrom('identity_providers')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirst();
  if (row && isInScope(tx, row.organization_id)) return row;
  throw notFound('identity provider', id);
}

export async function listProviders(tx: Tx, given: PageGiven): Promise<Page<IdentityProviderRow>> {
  let query = tx.db.selectFrom('identity_providers').selectAll();
  const scope = tx.origin.organizationId;
  if (scope !== null) query = query.where('organization_id', '=', scope);
  const rows = await afterCursor(query, ['name', 'id'], given).execute();
  return toPage(
    rows,
    given,
    (row) => [row.name, row.id],
    (row) => row,
  );
}

/** Providers of the organization of that name; none of one that there is not. */
export async function providersFor(
  tx: Tx,
  organizationName: string,
  given: PageGiven,
): Promise<Page<{ readonly id: string; readonly name: string }>> {
  const query = tx.db
    .selectFrom('identity_providers')
    .innerJoin('organizations', 'organizations.id', 'identity_providers.organization_id')
    .select(['identity_providers.id', 'identity_providers.name'])
    .where('organizations.name', '=', organizationName);
  const columns = ['identity_providers.name', 'identity_providers.id'];
  const rows = await afterCursor(query, columns, given).execute();
  return toPage(
    rows,
    given,
    (row) => [row.name, row.id],
    (row) => row,
  );
}

/** Adds a provider to the scope. */
export async function createProvider(
  tx: Tx,
  principal: Principal,
  given: ProviderGiven,
  ownUrl: string,
): Promise<IdentityProvider> {
  const organizationId = await organizationIdFor(tx, undefined);
  checkIssuer(given.issuer, principal.isSystem);
  checkGives(principal, organizationId, given.groupRoles);
  await checkRoom(tx, organizationId);
  await checkName(tx, organizationId, given.name);
  const id = makeId('idp', tx.random);
  const row: IdentityProviderRow = {
    id,
    organization_id: organizationId,
    name: given.name,
    issuer: given.issuer,
    client_id: given.clientId,
    sealed_secret:
      given.clientSecret === undefined
        ? null
        : tx.keyring.sealSecret(secretOf(id), given.clientSecret, tx.random),
    groups_claim: given.groupsClaim,
    group_roles: JSON.stringify(given.groupRoles),
    refuses_unmapped: given.refusesUnmapped ? 1 : 0,
    reaches_private: principal.isSystem ? 1 : 0,
    created_at: tx.now.toISOString(),
  };
  await tx.db.insertInto('identity_providers').values(row).execute();
  const after = toProvider(row, ownUrl);
  recordProvider(tx, row, 'identity_provider.create', { before: null, after });
  return after;
}

function recordProvider(
  tx: Tx,
  row: IdentityProviderRow,
  action: string,
  change: { readonly before: IdentityProvider | null; readonly after: object | null },
): void {
  record(tx, {
    organizationId: row.organization_id,
    action,
    target: { noun: 'identity_provider', id: row.id, name: row.name },
    ...change,
  });
}

/** An issuer is compared as text and asked over the network: plain, and by a safe way. */
function checkIssuer(issuer: string, isSystem: boolean): void {
  const url = new URL(issuer);
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    throw invalidField('issuer', 'must have no user, query or fragment');
  if (url.protocol === 'https:') return;
  if (url.protocol === 'http:' && isSystem && isLoopbackName(url.hostname)) return;
  throw invalidField(
    'issuer',
    'must be https; a system administrator may name an http one at 127.0.0.1 or [::1]',
  );
}

/** Addresses of loopback as URLs write them; names could lead anywhere. */
export function isLoopbackName(hostname: string): boolean {
  return hostname === '127.0.0.1' || hostname === '[::1]';
}

/** Whoever cuts people off from their login takes from them what they hold. */
async function checkRulesUsers(
  tx: Tx,
  principal: Principal,
  { id, organization_id: organizationId }: IdentityProviderRow,
): Promise<void> {
  const held = await tx.db
    .selectFrom('users')
    .innerJoin('user_roles', 'user_roles.user_id', 'users.id')
    .select('user_roles.role')
    .distinct()
    .where('users.provider_id', '=', id)
    .where('user_roles.organization_id', '=', organizationId)
    .execute();
  checkHolds(principal, organizationId, permissionsOf(held.map(({ role }) => role)));
}

function checkGives(
  principal: Principal,
  organizationId: string,
  groupRoles: readonly GroupRole[],
): void {
  checkHolds(principal, organizationId, permissionsOf(groupRoles.map(({ role }) => role)));
}

async function checkRoom(tx: Tx, organizationId: string): Promise<void> {
  const rows = await tx.db
    .selectFrom('identity_providers')
    .select('id')
    .where('organization_id', '=', organizationId)
    .limit(PROVIDERS_MAX)
    .execute();
  if (rows.length >= PROVIDERS_MAX)
    throw new RequestError(
      'limit_reached',
      `an organization has ${PROVIDERS_MAX} identity providers at most`,
    );
}

async function checkName(tx: Tx, organizationId: string, name: string): Promise<void> {
  const taken = await tx.db
    .selectFrom('identity_providers')
    .select('id')
    .where('organization_id', '=', organizationId)
    .where('name', '=', name)
    .executeTakeFirst();
  if (taken) throw new RequestError('name_taken', `an identity provider named "${name}" exists`);
}

/**
 * Changes a provider. Whoever decides who is in a group, or which client is believed, gives the
 * roles of the groups: they must hold those of before and after.
 */
export async function changeProvider(
  tx: Tx,
  principal: Principal,
  id: string,
  given: ProviderChange,
  ownUrl: string,
): Promise<IdentityProvider> {
  const row = await findProvider(tx, id);
  checkGives(principal, row.organization_id, [...readGroupRoles(row), ...(given.groupRoles ?? [])]);
  await checkRulesUsers(tx, principal, row);
  if (given.name !== undefined && given.name !== row.name)
    await checkName(tx, row.organization_id, given.name);
  const changed: IdentityProviderRow = {
    ...row,
    name: given.name ?? row.name,
    client_id: given.clientId ?? row.client_id,
    sealed_secret:
      given.clientSecret === undefined
        ? row.sealed_secret
        : tx.keyring.sealSecret(secretOf(id), given.clientSecret, tx.random),
    groups_claim: given.groupsClaim ?? row.groups_claim,
    group_roles:
      given.groupRoles === undefined ? row.group_roles : JSON.stringify(given.groupRoles),
    refuses_unmapped:
      given.refusesUnmapped === undefined ? row.refuses_unmapped : given.refusesUnmapped ? 1 : 0,
  };
  await tx.db.updateTable('identity_providers').set(changed).where('id', '=', id).execute();
  const before = toProvider(row, ownUrl);
  const after = toProvider(changed, ownUrl);
  const isSecretSet = given.clientSecret !== undefined;
  recordProvider(tx, row, 'identity_provider.change', {
    before,
    after: isSecretSet ? { ...after, secretSetAt: tx.now.toISOString() } : after,
  });
  return after;
}

/** Removes a provider: who logged in by it loses its sessions and the roles of its groups. */
export async function deleteProvider(
  tx: Tx,
  principal: Principal,
  id: string,
  ownUrl: string,
): Promise<void> {
  const row = await findProvider(tx, id);
  checkGives(principal, row.organization_id, readGroupRoles(row));
  await checkRulesUsers(tx, principal, row);
  const users = await tx.db
    .selectFrom('users')
    .select('id')
    .where('provider_id', '=', id)
    .execute();
  const ids = users.map((user) => user.id);
  const owners = await ownersByGroupsAlone(tx, row.organization_id, ids);
  if (owners.length > 0) await checkOwnerRemains(tx, row.organization_id, owners);
  for (const userId of ids) {
    await endSessions(tx, userId);
    await tx.db
      .deleteFrom('user_roles')
      .where('user_id', '=', userId)
      .where('source', '=', 'groups')
      .execute();
  }
  await tx.db
    .updateTable('users')
    .set({ provider_id: null, subject: null })
    .where('provider_id', '=', id)
    .execute();
  await tx.db.deleteFrom('identity_providers').where('id', '=', id).execute();
  const before = toProvider(row, ownUrl);
  recordProvider(tx, row, 'identity_provider.delete', { before, after: null });
}

async function ownersByGroupsAlone(
  tx: Tx,
  organizationId: string,
  userIds: readonly string[],
): Promise<string[]> {
  const owners = await tx.db
    .selectFrom('user_roles')
    .select(['user_id', 'source'])
    .where('organization_id', '=', organizationId)
    .where('role', '=', 'owner')
    .execute();
  const local = new Set(
    owners.filter(({ source }) => source === 'local').map(({ user_id }) => user_id),
  );
  const byGroups = owners.map(({ user_id }) => user_id).filter((id) => !local.has(id));
  return byGroups.filter((id) => userIds.includes(id));
}

/** Roles of groups, as the row says. */
export function readGroupRoles(row: IdentityProviderRow): readonly GroupRole[] {
  return groupRolesSchema.parse(JSON.parse(row.group_roles));
}

/** What a provider's secret is sealed to. */
export function secretOf(providerId: string): string {
  return `identity provider\n${providerId}`;
}

export function toProvider(row: IdentityProviderRow, ownUrl: string): IdentityProvider {
  return {
    id: row.id,
    name: row.name,
    issuer: row.issuer,
    clientId: row.client_id,
    hasSecret: row.sealed_secret !== null,
    groupsClaim: row.groups_claim,
    groupRoles: readGroupRoles(row).map((entry) => ({ ...entry })),
    refusesUnmapped: row.refuses_unmapped !== 0,
    redirectUri: redirectUri(ownUrl, row.id),
    createdAt: row.created_at,
  };
}

/** Where a provider sends browsers back: of its own, so that no other provider's answer fits. */
export function redirectUri(ownUrl: string, providerId: string): string {
  return `${ownUrl}/v1/login/providers/${providerId}/callback`;
}
