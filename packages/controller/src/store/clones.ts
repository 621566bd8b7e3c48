/**
 * Clones that become nodes of their own: the ticket, the node that it makes, and its way into the
 * networks of the node that it was copied from. The caller has checked the request's signature.
 */
import type { CloneRule, NetworkSettings, SplitReply, SplitRequest } from '@etherloom/api';
import { NETWORK_SETTINGS_DEFAULT, networkSettingsSchema } from '@etherloom/api';
import { strictestRule } from '@etherloom/core';
import { hashSecret, makeSecret } from '../identifiers.ts';
import { CLONES_MAX, NODES_MAX, SPLIT_TICKETS_MAX, SPLIT_TICKET_MS } from '../limits.ts';
import { RequestError } from '../request-error.ts';
import { keptCount, moveCount } from './count.ts';
import { findNode, nodeById } from './find-node.ts';
import { addMember } from './members.ts';
import { freeNodeName, recordNode, showNode } from './nodes.ts';
import type { NetworkRow, NodeRow } from './schema.ts';
import type { Tx } from './store.ts';

/** What the networks of a node do with a clone of it: the strictest counts. */
export async function cloneRuleOf(tx: Tx, nodeId: string): Promise<CloneRule> {
  const networks = await networksOf(tx, nodeId);
  const rules = networks.map((network) => settingsOf(network).clones);
  return strictestRule(rules) ?? NETWORK_SETTINGS_DEFAULT.clones;
}

/** Makes a ticket for a clone of a node. */
export async function makeSplitTicket(tx: Tx, originNodeId: string): Promise<string> {
  await tx.db
    .deleteFrom('split_tickets')
    .where('used_by', 'is', null)
    .where('expires_at', '<=', tx.now.toISOString())
    .execute();
  await dropOldestTickets(tx, originNodeId);
  const ticket = makeSecret(tx.random);
  await tx.db
    .insertInto('split_tickets')
    .values({
      secret_hash: hashSecret(ticket),
      origin_node_id: originNodeId,
      used_by: null,
      expires_at: new Date(tx.now.getTime() + SPLIT_TICKET_MS).toISOString(),
      created_at: tx.now.toISOString(),
    })
    .execute();
  return ticket;
}

async function dropOldestTickets(tx: Tx, originNodeId: string): Promise<void> {
  const beyond = await tx.db
    .selectFrom('split_tickets')
    .select('secret_hash')
    .where('origin_node_id', '=', originNodeId)
    .where('used_by', 'is', null)
    .orderBy('created_at', 'desc')
    .offset(SPLIT_TICKETS_MAX - 1)
    .limit(SPLIT_TICKETS_MAX)
    .execute();
  if (beyond.length === 0) return;
  const hashes = beyond.map((row) => row.secret_hash);
  await tx.db.deleteFrom('split_tickets').where('secret_hash', 'in', hashes).execute();
}

/**
 * Makes the node that waits for approval. The same ticket with the same keys gives the same node
 * again, however late: the answer may have been lost.
 */
export async function splitOff(tx: Tx, request: SplitRequest): Promise<SplitReply> {
  const secretHash = hashSecret(request.ticket);
  const query = tx.db
    .selectFrom('split_tickets')
    .selectAll()
    .where('secret_hash', '=', secretHash)
    .where('origin_node_id', '=', request.originNodeId);
  const ticket = await tx.engine.lockRows(query).executeTakeFirst();
  if (!ticket) throw ticketInvalid('is not known here');
  if (ticket.used_by !== null) return toReply(await madeBefore(tx, ticket.used_by, request));
  if (ticket.expires_at <= tx.now.toISOString())
    throw ticketInvalid(`expired at ${ticket.expires_at}`);
  const origin = await nodeById(tx, ticket.origin_node_id);
  if (!origin || origin.removed_at !== null)
    throw new RequestError('node_removed', 'the node of which this host is a copy was removed');
  const node = await insertClone(tx, origin, request);
  const actor = { kind: 'node', id: origin.id, name: origin.name } as const;
  recordNode(tx, 'node.split', { before: null, after: await showNode(tx, node.id), actor });
  await tx.db
    .updateTable('split_tickets')
    .set({ used_by: node.id })
    .where('secret_hash', '=', secretHash)
    .execute();
  return toReply(node);
}

async function madeBefore(tx: Tx, nodeId: string, request: SplitRequest): Promise<NodeRow> {
  const node = await nodeById(tx, nodeId);
  const isSame =
    node?.id === request.nodeId &&
    node.sign_key === request.signKey &&
    node.session_key === request.sessionKey;
  if (!node || !isSame) throw ticketInvalid('was used by another host');
  if (node.removed_at !== null)
    throw new RequestError('node_removed', `node ${node.id} was removed and may not come back`);
  return node;
}

async function insertClone(tx: Tx, origin: NodeRow, request: SplitRequest): Promise<NodeRow> {
  await assertRoom(tx, origin);
  await assertFresh(tx, request);
  const node: NodeRow = {
    ...origin,
    id: request.nodeId,
    name: await freeNodeName(tx, origin.organization_id, origin.name, true),
    sign_key: request.signKey,
    session_key: request.sessionKey,
    endpoints: '[]',
    endpoint_record: null,
    last_seen_at: null,
    removed_at: null,
    state: 'pending',
    cloned_from: origin.id,
    created_at: tx.now.toISOString(),
  };
  await tx.db.insertInto('nodes').values(node).execute();
  await moveCount(tx, { noun: 'nodes', scope: origin.organization_id }, 1);
  return node;
}

async function assertRoom(tx: Tx, origin: NodeRow): Promise<void> {
  if ((await keptCount(tx, { noun: 'nodes', scope: origin.organization_id })) >= NODES_MAX)
    throw new RequestError('limit_reached', `an organization has ${NODES_MAX} nodes at most`);
  const isAsked = (await admittingNetworks(tx, origin)).length === 0;
  const clones = tx.db
    .selectFrom('nodes')
    .select('id')
    .where('cloned_from', '=', origin.id)
    .where('removed_at', 'is', null)
    .limit(CLONES_MAX);
  const counted = await (isAsked ? clones.where('state', '=', 'pending') : clones).execute();
  if (counted.length < CLONES_MAX) return;
  throw new RequestError(
    'limit_reached',
    isAsked
      ? `${CLONES_MAX} clones of node "${origin.name}" wait for approval: approve or remove some`
      : `node "${origin.name}" has ${CLONES_MAX} clones, and a network of it lets them in without asking: remove some, or set its clone admission to approve`,
  );
}

/**
 * The networks that take a clone of a node without asking. A clone of a clone is always asked
 * about: one disk would else make members without end, each with clones of its own.
 */
async function admittingNetworks(tx: Tx, origin: NodeRow): Promise<NetworkRow[]> {
  if (origin.cloned_from !== null) return [];
  const networks = await networksOf(tx, origin.id);
  return networks.filter((row) => settingsOf(row).cloneAdmission === 'admit');
}

async function assertFresh(tx: Tx, request: SplitRequest): Promise<void> {
  const holder = await tx.db
    .selectFrom('nodes')
    .select('id')
    .where((eb) =>
      eb.or([
        eb('id', '=', request.nodeId),
        eb('sign_key', '=', request.signKey),
        eb('session_key', '=', request.sessionKey),
      ]),
    )
    .executeTakeFirst();
  if (!holder) return;
  throw new RequestError(
    'unauthenticated',
    'a clone makes a node id and keys of its own: these are known here',
  );
}

/**
 * Lets a clone that waits into the networks of its origin whose rule is to admit clones. When none
 * is left that wants approval, its wait is over.
 */
export async function admitByRule(tx: Tx, nodeId: string): Promise<NodeRow['state']> {
  const node = await nodeById(tx, nodeId);
  if (node?.state !== 'pending' || node.cloned_from === null) return node?.state ?? 'active';
  const origin = await nodeById(tx, node.cloned_from);
  if (origin === undefined) return 'pending';
  const networks = await networksOf(tx, origin.id);
  const admitting = await admittingNetworks(tx, origin);
  const before = await showNode(tx, node.id);
  await addToNetworks(tx, node, admitting);
  const isActive = networks.length > 0 && admitting.length === networks.length;
  if (isActive) await setActive(tx, node.id);
  recordNode(tx, 'node.admit', { before, after: await showNode(tx, node.id) });
  return isActive ? 'active' : 'pending';
}

/** Lets a clone that waits into all networks of its origin; one that is active stays as it is. */
export async function approveNode(tx: Tx, idOrName: string): Promise<string> {
  const node = await findNode(tx, idOrName);
  if (node.state !== 'pending') return node.id;
  const before = await showNode(tx, node.id);
  if (node.cloned_from !== null)
    await addToNetworks(tx, node, await networksOf(tx, node.cloned_from));
  await setActive(tx, node.id);
  recordNode(tx, 'node.approve', { before, after: await showNode(tx, node.id) });
  return node.id;
}

async function addToNetworks(
  tx: Tx,
  node: NodeRow,
  networks: readonly NetworkRow[],
): Promise<void> {
  const held = new Set((await networksOf(tx, node.id)).map(({ id }) => id));
  for (const network of networks) if (!held.has(network.id)) await addMember(tx, network, node.id);
}

async function setActive(tx: Tx, nodeId: string): Promise<void> {
  await tx.db.updateTable('nodes').set({ state: 'active' }).where('id', '=', nodeId).execute();
}

async function networksOf(tx: Tx, nodeId: string): Promise<NetworkRow[]> {
  return await tx.db
    .selectFrom('networks')
    .selectAll()
    .where('id', 'in', (eb) =>
      eb.selectFrom('memberships').select('network_id').where('node_id', '=', nodeId),
    )
    .orderBy('id')
    .execute();
}

function settingsOf(network: NetworkRow): NetworkSettings {
  return networkSettingsSchema.parse(JSON.parse(network.settings));
}

function toReply(node: NodeRow): SplitReply {
  return {
    nodeId: node.id,
    nodeName: node.name,
    organizationId: node.organization_id,
    state: node.state,
  };
}

function ticketInvalid(why: string): RequestError {
  return new RequestError('ticket_invalid', `the ticket of this clone ${why}`);
}
