/**
 * Removal of an organization. It has to be empty of networks and nodes: what carries traffic is
 * taken down on purpose and one by one. Its users, tokens, providers and keys go with it.
 */
import { checkOwnerRemains } from '../access/grants.ts';
import type { Principal } from '../access/principal.ts';
import { record, systemOrganizationId } from '../audit/record.ts';
import { RequestError } from '../request-error.ts';
import { checkNotDefault, findOrganization, toOrganization } from './organizations.ts';
import type { Tx } from './store.ts';

/** Tables with rows of an organization that do not go by themselves, in the order of removal. */
const TABLES = ['pending_statements', 'authorities', 'sealed_keys'] as const;

/** Deletes an organization. Rejects with organization_not_empty. */
export async function deleteOrganization(
  tx: Tx,
  principal: Principal,
  idOrName: string,
): Promise<void> {
  const row = await findOrganization(tx, idOrName);
  checkNotDefault(row, 'deleted');
  await checkEmpty(tx, row.id);
  await checkUsers(tx, principal, row.id);
  const keys = await tx.db
    .selectFrom('sealed_keys')
    .select('public_key')
    .where('organization_id', '=', row.id)
    .execute();
  for (const table of TABLES)
    await tx.db.deleteFrom(table).where('organization_id', '=', row.id).execute();
  await dropRemovedNodes(tx, row.id);
  const chain = await systemOrganizationId(tx);
  await tx.db.deleteFrom('organizations').where('id', '=', row.id).execute();
  for (const { public_key } of keys) tx.keyring.forget(public_key);
  record(tx, {
    organizationId: chain,
    action: 'organization.delete',
    target: { noun: 'organization', id: row.id, name: row.name },
    before: toOrganization(row),
    after: null,
  });
}

/** Its users go with it: none whom others rely on, or who holds more than whoever asks. */
async function checkUsers(tx: Tx, principal: Principal, organizationId: string): Promise<void> {
  const system = await tx.db
    .selectFrom('users')
    .select('name')
    .where('organization_id', '=', organizationId)
    .where('is_system', '!=', 0)
    .limit(1)
    .executeTakeFirst();
  if (system && !principal.isSystem)
    throw new RequestError('forbidden', `${system.name} is a system administrator`);
  const users = await tx.db
    .selectFrom('user_roles')
    .innerJoin('users', 'users.id', 'user_roles.user_id')
    .select(['user_roles.organization_id', 'users.id'])
    .where('users.organization_id', '=', organizationId)
    .where('user_roles.organization_id', '!=', organizationId)
    .where('user_roles.role', '=', 'owner')
    .execute();
  for (const [id, owners] of Map.groupBy(users, (user) => user.organization_id))
    await checkOwnerRemains(
      tx,
      id,
      owners.map((user) => user.id),
    );
}

async function checkEmpty(tx: Tx, organizationId: string): Promise<void> {
  const network = await tx.db
    .selectFrom('networks')
    .select('name')
    .where('organization_id', '=', organizationId)
    .limit(1)
    .executeTakeFirst();
  if (network) throw new RequestError('organization_not_empty', `it has network "${network.name}"`);
  const node = await tx.db
    .selectFrom('nodes')
    .select('name')
    .where('organization_id', '=', organizationId)
    .where('removed_at', 'is', null)
    .limit(1)
    .executeTakeFirst();
  if (node) throw new RequestError('organization_not_empty', `it has node "${node.name}"`);
}

/** Nodes that were removed are remembered by their organization, and not beyond it. */
async function dropRemovedNodes(tx: Tx, organizationId: string): Promise<void> {
  const ids = tx.db.selectFrom('nodes').select('id').where('organization_id', '=', organizationId);
  for (const table of ['leases', 'retired_leases'] as const)
    await tx.db.deleteFrom(table).where('node_id', 'in', ids).execute();
  await tx.db.deleteFrom('split_tickets').where('origin_node_id', 'in', ids).execute();
  await tx.db.deleteFrom('nodes').where('organization_id', '=', organizationId).execute();
}
