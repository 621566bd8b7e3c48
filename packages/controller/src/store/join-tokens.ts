/** Join tokens: made, listed, revoked. Secrets are stored as SHA-256. */
import type { JoinTokenRow, TokenVoucher } from '@etherloom/api';
import { LIST_ROWS_MAX } from '@etherloom/api';
import { authorityHash } from '../authority/authorities.ts';
import { record } from '../audit/record.ts';
import { hashSecret, makeId, makeSecret } from '../identifiers.ts';
import { EXPIRED_TOKEN_KEPT_MS } from '../limits.ts';
import { RequestError, invalidField } from '../request-error.ts';
import { countJoinTokens } from './count.ts';
import { findNetwork, networkById } from './networks.ts';
import type { Page, PageGiven } from './page.ts';
import { afterCursor, toPage } from './page.ts';
import type { JoinTokenRowStored, NetworkRow } from './schema.ts';
import { isInScope } from './scope.ts';
import type { Tx } from './store.ts';
import { createVoucher, endOldVouchers, endVoucher } from './vouchers.ts';

export interface JoinTokenGiven {
  readonly network: string;
  /** Names it in its network. */
  readonly label?: string | undefined;
  readonly uses: number;
  readonly lifetimeSeconds: number;
  /** It is also good while no controller answers. */
  readonly offlineOk?: boolean | undefined;
}

export interface JoinTokenMade {
  readonly row: JoinTokenRow;
  readonly networkName: string;
  readonly secret: string;
  /** Newest version of the authority, which the token pins. */
  readonly authorityHash: string;
  readonly voucher: TokenVoucher | undefined;
}

export async function createJoinToken(tx: Tx, given: JoinTokenGiven): Promise<JoinTokenMade> {
  const network = await findNetwork(tx, given.network);
  if (given.offlineOk === true && given.uses !== 1)
    throw invalidField('uses', 'a token that is good without a controller has one use');
  await forgetOldTokens(tx);
  if ((await countJoinTokens(tx, network.organization_id)) >= LIST_ROWS_MAX) {
    throw new RequestError(
      'limit_reached',
      `an organization has ${LIST_ROWS_MAX} join tokens at most: revoke some`,
    );
  }
  if (given.label !== undefined) await checkLabel(tx, network, given.label);
  const secret = makeSecret(tx.random);
  const row: JoinTokenRowStored = {
    id: makeId('tok', tx.random),
    network_id: network.id,
    secret_hash: hashSecret(secret),
    uses: given.uses,
    uses_left: given.uses,
    expires_at: new Date(tx.now.getTime() + given.lifetimeSeconds * 1_000).toISOString(),
    created_at: tx.now.toISOString(),
    label: given.label ?? null,
    offline_ok: given.offlineOk === true ? 1 : 0,
  };
  await tx.db.insertInto('join_tokens').values(row).execute();
  recordToken(tx, network, 'join_token.create', { before: null, after: toJoinToken(row) });
  return {
    row: toJoinToken(row),
    networkName: network.name,
    secret,
    authorityHash: await authorityHash(tx, network.organization_id),
    voucher: given.offlineOk === true ? await createVoucher(tx, network, row) : undefined,
  };
}

/** A label stays with its token until that is revoked, so that no file makes it a second time. */
async function checkLabel(tx: Tx, network: NetworkRow, label: string): Promise<void> {
  const held = await tx.db
    .selectFrom('join_tokens')
    .select('id')
    .where('network_id', '=', network.id)
    .where('label', '=', label)
    .executeTakeFirst();
  if (held)
    throw new RequestError(
      'name_taken',
      `network "${network.name}" has a join token with the label "${label}" (${held.id}): it is free again when that one is revoked`,
    );
}

function recordToken(
  tx: Tx,
  network: NetworkRow,
  action: string,
  change: { readonly before: JoinTokenRow | null; readonly after: JoinTokenRow | null },
): void {
  const { id = '', label = null } = change.after ?? change.before ?? {};
  record(tx, {
    organizationId: network.organization_id,
    action,
    target: { noun: 'join_token', id, name: label },
    networkId: network.id,
    ...change,
  });
}

async function forgetOldTokens(tx: Tx): Promise<void> {
  const forgottenBefore = new Date(tx.now.getTime() - EXPIRED_TOKEN_KEPT_MS).toISOString();
  await endOldVouchers(tx);
  await tx.db
    .deleteFrom('join_tokens')
    .where('expires_at', '<', forgottenBefore)
    .where('label', 'is', null)
    .where('id', 'not in', tx.db.selectFrom('vouchers').select('token_id'))
    .execute();
}

export async function listJoinTokens(
  tx: Tx,
  given: PageGiven & { readonly network?: string | undefined },
): Promise<Page<JoinTokenRow>> {
  let query = tx.db.selectFrom('join_tokens').selectAll();
  const scope = tx.origin.organizationId;
  if (scope !== null)
    query = query.where('network_id', 'in', (eb) =>
      eb.selectFrom('networks').select('networks.id').where('organization_id', '=', scope),
    );
  if (given.network !== undefined)
    query = query.where('network_id', '=', (await findNetwork(tx, given.network)).id);
  const rows = await afterCursor(query, ['created_at', 'id'], given).execute();
  return toPage(rows, given, (row) => [row.created_at, row.id], toJoinToken);
}

export async function deleteJoinToken(tx: Tx, id: string): Promise<void> {
  const row = await tx.db
    .selectFrom('join_tokens')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirst();
  const network = row && (await networkById(tx, row.network_id));
  if (row && network && isInScope(tx, network.organization_id)) {
    recordToken(tx, network, 'join_token.delete', { before: toJoinToken(row), after: null });
    await endVoucher(tx, id, row.network_id);
    await tx.db.deleteFrom('join_tokens').where('id', '=', id).execute();
  } else throw new RequestError('not_found', `no join token has the id "${id.slice(0, 80)}"`);
}

function toJoinToken(row: JoinTokenRowStored): JoinTokenRow {
  return {
    id: row.id,
    networkId: row.network_id,
    label: row.label,
    uses: row.uses,
    usesLeft: row.uses_left,
    offlineOk: row.offline_ok !== 0,
    expiresAt: row.expires_at,
    createdAt: row.created_at,
  };
}
