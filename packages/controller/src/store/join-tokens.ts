/** Join tokens: made, listed, revoked. Secrets are stored as SHA-256. */
import type { JoinTokenRow } from '@etherloom/api';
import { LIST_ROWS_MAX } from '@etherloom/api';
import { hashSecret, makeId, makeSecret } from '../identifiers.ts';
import { EXPIRED_TOKEN_KEPT_MS } from '../limits.ts';
import { RequestError } from '../request-error.ts';
import { countRows } from './count.ts';
import { findNetwork } from './networks.ts';
import type { JoinTokenRowStored } from './schema.ts';
import type { Tx } from './store.ts';

export interface JoinTokenGiven {
  readonly network: string;
  readonly uses: number;
  readonly lifetimeSeconds: number;
}

export interface JoinTokenMade {
  readonly row: JoinTokenRow;
  readonly networkName: string;
  readonly secret: string;
}

export async function createJoinToken(tx: Tx, given: JoinTokenGiven): Promise<JoinTokenMade> {
  const network = await findNetwork(tx, given.network);
  const forgottenBefore = new Date(tx.now.getTime() - EXPIRED_TOKEN_KEPT_MS).toISOString();
  await tx.db.deleteFrom('join_tokens').where('expires_at', '<', forgottenBefore).execute();
  if ((await countRows(tx, 'join_tokens')) >= LIST_ROWS_MAX) {
    throw new RequestError(
      'limit_reached',
      `a controller holds ${LIST_ROWS_MAX} join tokens at most: revoke some`,
    );
  }
  const secret = makeSecret(tx.random);
  const row: JoinTokenRowStored = {
    id: makeId('tok', tx.random),
    network_id: network.id,
    secret_hash: hashSecret(secret),
    uses: given.uses,
    uses_left: given.uses,
    expires_at: new Date(tx.now.getTime() + given.lifetimeSeconds * 1_000).toISOString(),
    created_at: tx.now.toISOString(),
  };
  await tx.db.insertInto('join_tokens').values(row).execute();
  return { row: toJoinToken(row), networkName: network.name, secret };
}

export async function listJoinTokens(tx: Tx): Promise<JoinTokenRow[]> {
  const rows = await tx.db
    .selectFrom('join_tokens')
    .selectAll()
    .orderBy('created_at')
    .orderBy('id')
    .execute();
  return rows.map(toJoinToken);
}

export async function deleteJoinToken(tx: Tx, id: string): Promise<void> {
  const row = await tx.db
    .deleteFrom('join_tokens')
    .where('id', '=', id)
    .returning('id')
    .executeTakeFirst();
  if (!row) throw new RequestError('not_found', `no join token has the id "${id.slice(0, 80)}"`);
}

function toJoinToken(row: JoinTokenRowStored): JoinTokenRow {
  return {
    id: row.id,
    networkId: row.network_id,
    uses: row.uses,
    usesLeft: row.uses_left,
    expiresAt: row.expires_at,
    createdAt: row.created_at,
  };
}
