/** Memberships: making, listing and ending them. */
import type { Membership } from '@etherloom/api';
import { NETWORK_MEMBERS_MAX, NETWORK_REVOCATIONS_MAX, NODE_NETWORKS_MAX } from '@etherloom/api';
import { memberMac } from '@etherloom/core';
import { RequestError } from '../request-error.ts';
import { assignAddresses, releaseAddresses } from './addresses.ts';
import { countInNetwork } from './count.ts';
import { findNode } from './find-node.ts';
import { findNetwork } from './networks.ts';
import type { NetworkRow } from './schema.ts';
import type { Tx } from './store.ts';
import { touchMember } from './store.ts';

/** Makes a node a member: MAC and addresses. The node exists and is no member yet. */
export async function addMember(tx: Tx, network: NetworkRow, nodeId: string): Promise<void> {
  if ((await countInNetwork(tx, 'memberships', network.id)) >= NETWORK_MEMBERS_MAX) {
    throw new RequestError(
      'limit_reached',
      `network "${network.name}" has ${NETWORK_MEMBERS_MAX} members, the most a network may have`,
    );
  }
  await checkRevocations(tx, network);
  const others = await tx.db
    .selectFrom('memberships')
    .select('network_id')
    .where('node_id', '=', nodeId)
    .execute();
  if (others.length >= NODE_NETWORKS_MAX) {
    throw new RequestError(
      'limit_reached',
      `the node is in ${NODE_NETWORKS_MAX} networks, the most a node may be in`,
    );
  }
  await assignAddresses(tx, network, nodeId);
  await tx.db
    .insertInto('memberships')
    .values({
      network_id: network.id,
      node_id: nodeId,
      mac: await freeMac(tx, network.id, nodeId),
      created_at: tx.now.toISOString(),
    })
    .execute();
  touchMember(tx, network.id, nodeId);
}

/**
 * Every member may have to be revoked one day: there must be room for that, or a proof could not be
 * sent any more.
 */
async function checkRevocations(tx: Tx, network: NetworkRow): Promise<void> {
  const ended = await countInNetwork(tx, 'published_revocations', network.id);
  if (ended + NETWORK_MEMBERS_MAX < NETWORK_REVOCATIONS_MAX) return;
  throw new RequestError(
    'limit_reached',
    `${ended} nodes ceased to be members of network "${network.name}" whose credentials have not run out: ` +
      'wait, or let them run out sooner with a lower --staleness-days',
  );
}

async function freeMac(tx: Tx, networkId: string, nodeId: string): Promise<string> {
  // Each attempt is taken with a chance of 2^-36 at 1,000 members.
  for (let attempt = 0; ; attempt += 1) {
    const mac = memberMac(networkId, nodeId, attempt);
    const taken = await tx.db
      .selectFrom('memberships')
      .select('node_id')
      .where('network_id', '=', networkId)
      .where('mac', '=', mac)
      .executeTakeFirst();
    if (!taken) return mac;
  }
}

/** Ends a membership; false when there was none. */
export async function endMembership(tx: Tx, networkId: string, nodeId: string): Promise<boolean> {
  const row = await tx.db
    .deleteFrom('memberships')
    .where('network_id', '=', networkId)
    .where('node_id', '=', nodeId)
    .returning('node_id')
    .executeTakeFirst();
  if (!row) return false;
  await releaseAddresses(tx, networkId, nodeId);
  touchMember(tx, networkId, nodeId);
  return true;
}

/** Removes a node, by id or name, from a network, by id or name. */
export async function deleteMember(tx: Tx, networkText: string, nodeText: string): Promise<void> {
  const network = await findNetwork(tx, networkText);
  const node = await findNode(tx, nodeText, network.organization_id);
  if (await endMembership(tx, network.id, node.id)) return;
  throw new RequestError(
    'not_found',
    `node "${node.name}" is no member of network "${network.name}"`,
  );
}

export async function listMembers(tx: Tx, networkText: string): Promise<Membership[]> {
  const network = await findNetwork(tx, networkText);
  return readMemberships(tx, { networkId: network.id });
}

/** Memberships of a network, of a node, or all, sorted by network and node name. */
export async function readMemberships(
  tx: Tx,
  only: { readonly networkId?: string; readonly nodeId?: string },
): Promise<Membership[]> {
  let members = tx.db
    .selectFrom('memberships')
    .innerJoin('nodes', 'nodes.id', 'memberships.node_id')
    .innerJoin('networks', 'networks.id', 'memberships.network_id')
    .leftJoin('published_members', (join) =>
      join
        .onRef('published_members.network_id', '=', 'memberships.network_id')
        .onRef('published_members.node_id', '=', 'memberships.node_id'),
    )
    .select('published_members.expires_at')
    .select(['memberships.network_id', 'networks.name as network_name', 'memberships.node_id'])
    .select(['nodes.name as node_name', 'memberships.mac', 'memberships.created_at'])
    .orderBy('networks.name')
    .orderBy('nodes.name');
  let addresses = tx.db
    .selectFrom('addresses')
    .select(['network_id', 'node_id', 'address'])
    .where('released_at', 'is', null)
    .orderBy('family')
    .orderBy('address_key');
  if (only.networkId !== undefined) {
    members = members.where('memberships.network_id', '=', only.networkId);
    addresses = addresses.where('network_id', '=', only.networkId);
  }
  if (only.nodeId !== undefined) {
    members = members.where('memberships.node_id', '=', only.nodeId);
    addresses = addresses.where('node_id', '=', only.nodeId);
  }
  const byMember = Map.groupBy(
    await addresses.execute(),
    (row) => `${row.network_id} ${row.node_id}`,
  );
  return (await members.execute()).map((row) => ({
    networkId: row.network_id,
    networkName: row.network_name,
    nodeId: row.node_id,
    nodeName: row.node_name,
    mac: row.mac,
    addresses: (byMember.get(`${row.network_id} ${row.node_id}`) ?? []).map(
      (entry) => entry.address,
    ),
    expiresAt: row.expires_at,
    createdAt: row.created_at,
  }));
}
