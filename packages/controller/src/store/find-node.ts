/** Finds the row of a node. */
import { RequestError } from '../request-error.ts';
import type { NodeRow } from './schema.ts';
import type { Tx } from './store.ts';

/**
 * Finds a node that was not removed by id, else by name. Rejects with not_found, or invalid_request
 * for a name that is ambiguous.
 */
export async function findNode(
  tx: Tx,
  idOrName: string,
  organizationId?: string,
): Promise<NodeRow> {
  let query = tx.db.selectFrom('nodes').selectAll().where('removed_at', 'is', null).limit(2);
  const scope = tx.origin.organizationId;
  if (scope !== null) query = query.where('organization_id', '=', scope);
  if (organizationId !== undefined) query = query.where('organization_id', '=', organizationId);
  const byId = await query.where('id', '=', idOrName).executeTakeFirst();
  if (byId) return byId;
  const [byName, other] = await query.where('name', '=', idOrName).execute();
  if (!byName) {
    throw new RequestError('not_found', `no node has the id or name "${idOrName.slice(0, 80)}"`);
  }
  if (!other) return byName;
  throw new RequestError(
    'invalid_request',
    `several organizations have a node named "${idOrName}": use its id`,
  );
}

/** The row of a node id, removed or not. */
export function nodeById(tx: Tx, id: string): Promise<NodeRow | undefined> {
  return tx.db.selectFrom('nodes').selectAll().where('id', '=', id).executeTakeFirst();
}

/** Which organizations the nodes of these ids are of. */
export function organizationsOf(
  tx: Tx,
  ids: readonly string[],
): Promise<Pick<NodeRow, 'id' | 'organization_id'>[]> {
  return tx.db
    .selectFrom('nodes')
    .select(['id', 'organization_id'])
    .where('id', 'in', ids)
    .execute();
}
