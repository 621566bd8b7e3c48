/**
 * What proves to a node that its membership has ended: agents do not go by a controller's word. The
 * end of a member is a revocation that is published. Where none is, as for a network that was
 * deleted or a membership that a restored database does not know, one is signed for the node that
 * asks, if this controller holds the keys; without it the agent goes on until its credential ends.
 */
import type { NodeRemoval, RevocationStatement, SignedStatement } from '@etherloom/api';
import { NODE_NETWORKS_MAX } from '@etherloom/api';
import { signStatement } from '@etherloom/core';
import type { Tx } from '../store/store.ts';
import { authorityChain } from './authorities.ts';
import { readSignatory } from './settle.ts';
import { readSigned } from './signed.ts';

/** The revocation of a node that is no member of a network; undefined: none is signed. */
export async function endOf(
  tx: Tx,
  networkId: string,
  nodeId: string,
): Promise<SignedStatement | undefined> {
  const published = await tx.db
    .selectFrom('published_revocations')
    .select('statement')
    .where('network_id', '=', networkId)
    .where('node_id', '=', nodeId)
    .executeTakeFirst();
  return published === undefined ? signEnd(tx, networkId, nodeId) : readSigned(published.statement);
}

/** It is for the node alone: a later credential has a later serial, and no roster names it. */
async function signEnd(
  tx: Tx,
  networkId: string,
  nodeId: string,
): Promise<SignedStatement | undefined> {
  const organizationId = await organizationOf(tx, nodeId);
  const { signers, isHeld } = await readSignatory(tx, organizationId);
  if (!isHeld) return undefined;
  const network = await tx.db
    .selectFrom('networks')
    .select('credential_serial')
    .where('id', '=', networkId)
    .executeTakeFirst();
  const statement: RevocationStatement = {
    type: 'revocation',
    organizationId,
    networkId,
    nodeId,
    serial: Math.max(1, network?.credential_serial ?? Number.MAX_SAFE_INTEGER),
    reason: network === undefined ? 'there is no such network' : 'the node is no member',
    issuedAt: tx.now.toISOString(),
  };
  return signStatement(statement, signers);
}

/** Everything that proves the end of a node that was removed. */
export async function removalOf(tx: Tx, nodeId: string): Promise<NodeRemoval> {
  const rows = await tx.db
    .selectFrom('published_revocations')
    .select('statement')
    .where('node_id', '=', nodeId)
    .orderBy('keep_until', 'desc')
    .limit(NODE_NETWORKS_MAX)
    .execute();
  return {
    authority: await authorityChain(tx, await organizationOf(tx, nodeId)),
    revocations: rows.map((row) => readSigned(row.statement)),
  };
}

async function organizationOf(tx: Tx, nodeId: string): Promise<string> {
  const node = await tx.db
    .selectFrom('nodes')
    .select('organization_id')
    .where('id', '=', nodeId)
    .executeTakeFirstOrThrow();
  return node.organization_id;
}
