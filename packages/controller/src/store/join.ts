/**
 * Joining: token, node, membership and addresses in one transaction, so that a token with N uses
 * makes exactly N members and a crash costs no use without a membership. The caller has checked the
 * request's signature.
 */
import { timingSafeEqual } from 'node:crypto';
import type { JoinReply, JoinRequest } from '@etherloom/api';
import { authorityChain } from '../authority/authorities.ts';
import { settle } from '../authority/settle.ts';
import { hashSecret } from '../identifiers.ts';
import { NODES_MAX } from '../limits.ts';
import { RequestError } from '../request-error.ts';
import type { KeptCount } from './count.ts';
import { keptCount, moveCount } from './count.ts';
import { nodeById } from './find-node.ts';
import { addMember, memberOf, recordMember } from './members.ts';
import { freeNodeName, touchNode } from './nodes.ts';
import { revisionForMember } from './revisions.ts';
import type { JoinTokenRowStored, NetworkRow, NodeRow } from './schema.ts';
import type { Tx } from './store.ts';
import { bindVoucher, endVoucher, voucherEnd } from './vouchers.ts';

/**
 * Registers a node and makes it a member of the token's network. Repeating it changes nothing and
 * costs no use.
 */
export async function join(tx: Tx, request: JoinRequest): Promise<JoinReply> {
  const token = await findToken(tx, request);
  const network = await tx.db
    .selectFrom('networks')
    .selectAll()
    .where('id', '=', token.network_id)
    .executeTakeFirstOrThrow();
  if (network.name !== request.network) {
    throw new RequestError(
      'token_network_mismatch',
      `the join token is for network "${network.name}", not for "${request.network}"`,
    );
  }
  const known = await findKnownNode(tx, request, network);
  if (known && (await isMember(tx, network.id, known.id)))
    return toReply(tx, network, known.id, known.name);
  await spendUse(tx, token);
  const name = known
    ? await renameNode(tx, known, request)
    : await insertNode(tx, network, request);
  await bindVoucher(tx, token.id, request.nodeId);
  await addMember(tx, network, request.nodeId);
  await endVoucher(tx, token.id, network.id);
  recordMember(tx, network, 'member.join', {
    before: null,
    after: (await memberOf(tx, network.id, request.nodeId)) ?? null,
    actor: { kind: 'node', id: request.nodeId, name },
    reason: `with join token ${token.id}`,
  });
  return toReply(tx, network, request.nodeId, name);
}

async function findToken(tx: Tx, request: JoinRequest): Promise<JoinTokenRowStored> {
  const query = tx.db.selectFrom('join_tokens').selectAll().where('id', '=', request.tokenId);
  const token = await tx.engine.lockRows(query).executeTakeFirst();
  const given = Buffer.from(hashSecret(request.secret), 'hex');
  if (token && timingSafeEqual(given, Buffer.from(token.secret_hash, 'hex'))) return token;
  throw new RequestError(
    'token_invalid',
    'the join token is not known to this controller: it was revoked, or its network was deleted',
  );
}

async function findKnownNode(
  tx: Tx,
  request: JoinRequest,
  network: NetworkRow,
): Promise<NodeRow | undefined> {
  const node = await nodeById(tx, request.nodeId);
  if (node?.removed_at)
    throw new RequestError('node_removed', `node ${node.id} was removed and may not join again`);
  if (!node) {
    const owner = await tx.db
      .selectFrom('nodes')
      .select('id')
      .where((eb) =>
        eb.or([eb('sign_key', '=', request.signKey), eb('session_key', '=', request.sessionKey)]),
      )
      .executeTakeFirst();
    if (owner)
      throw new RequestError(
        'unauthenticated',
        'a key of this node belongs to another node id: every node makes its own keys',
      );
    return undefined;
  }
  if (node.sign_key !== request.signKey || node.session_key !== request.sessionKey) {
    throw new RequestError('unauthenticated', `node ${node.id} is known with other keys`);
  }
  if (node.organization_id !== network.organization_id) {
    throw new RequestError(
      'forbidden',
      `node ${node.id} belongs to another organization than network "${network.name}"`,
    );
  }
  return node;
}

async function isMember(tx: Tx, networkId: string, nodeId: string): Promise<boolean> {
  const row = await tx.db
    .selectFrom('memberships')
    .select('node_id')
    .where('network_id', '=', networkId)
    .where('node_id', '=', nodeId)
    .executeTakeFirst();
  return row !== undefined;
}

async function spendUse(tx: Tx, token: JoinTokenRowStored): Promise<void> {
  // Who has used a voucher in time may come later than the token ends.
  const end = (await voucherEnd(tx, token.id)) ?? token.expires_at;
  if (end <= tx.now.toISOString())
    throw new RequestError('token_expired', `the join token expired at ${end}`);
  const spent = await tx.db
    .updateTable('join_tokens')
    .set((eb) => ({ uses_left: eb('uses_left', '-', 1) }))
    .where('id', '=', token.id)
    .where('uses_left', '>', 0)
    .returning('uses_left')
    .executeTakeFirst();
  if (!spent)
    throw new RequestError(
      'token_used_up',
      `the join token was used ${token.uses} times, as often as it allows`,
    );
}

function countOf(network: NetworkRow): KeptCount {
  return { noun: 'nodes', scope: network.organization_id };
}

async function insertNode(tx: Tx, network: NetworkRow, request: JoinRequest): Promise<string> {
  if ((await keptCount(tx, countOf(network))) >= NODES_MAX) {
    throw new RequestError('limit_reached', `an organization has ${NODES_MAX} nodes at most`);
  }
  const name = await freeNodeName(
    tx,
    network.organization_id,
    request.name,
    request.nameIsSuggestion,
  );
  await tx.db
    .insertInto('nodes')
    .values({
      id: request.nodeId,
      organization_id: network.organization_id,
      name,
      sign_key: request.signKey,
      session_key: request.sessionKey,
      endpoints: '[]',
      endpoint_record: null,
      last_seen_at: null,
      removed_at: null,
      state: 'active',
      cloned_from: null,
      created_at: tx.now.toISOString(),
    })
    .execute();
  await moveCount(tx, countOf(network), 1);
  return name;
}

/** A name that was asked for, not suggested, is a wish to be called so in all networks. */
async function renameNode(tx: Tx, node: NodeRow, request: JoinRequest): Promise<string> {
  if (request.nameIsSuggestion || request.name === node.name) return node.name;
  const name = await freeNodeName(tx, node.organization_id, request.name, false);
  await tx.db.updateTable('nodes').set({ name }).where('id', '=', node.id).execute();
  await touchNode(tx, node.id);
  return name;
}

async function toReply(
  tx: Tx,
  network: NetworkRow,
  nodeId: string,
  nodeName: string,
): Promise<JoinReply> {
  await settle(tx);
  return {
    nodeId,
    nodeName,
    organizationId: network.organization_id,
    networkId: network.id,
    networkName: network.name,
    authority: await authorityChain(tx, network.organization_id),
    isPending: (await revisionForMember(tx, network.id, nodeId)) === null,
  };
}
