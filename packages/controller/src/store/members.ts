/** Memberships: making, listing and ending them. */
import type { Membership } from '@etherloom/api';
import { NETWORK_MEMBERS_MAX, NETWORK_REVOCATIONS_MAX, NODE_NETWORKS_MAX } from '@etherloom/api';
import { memberMac } from '@etherloom/core';
import type { Actor } from '../access/principal.ts';
import { record } from '../audit/record.ts';
import { RequestError } from '../request-error.ts';
import { assignAddresses, releaseAddresses } from './addresses.ts';
import { keptCount, moveCount } from './count.ts';
import { publishedRoster } from './roster-nodes.ts';
import { findNode } from './find-node.ts';
import { findNetwork } from './networks.ts';
import type { Page, PageGiven } from './page.ts';
import { afterCursor, toPage } from './page.ts';
import type { NetworkRow } from './schema.ts';
import type { Tx } from './store.ts';
import { touchMember } from './store.ts';

/** Makes a node a member: MAC and addresses. The node exists and is no member yet. */
export async function addMember(tx: Tx, network: NetworkRow, nodeId: string): Promise<void> {
  if ((await keptCount(tx, { noun: 'members', scope: network.id })) >= NETWORK_MEMBERS_MAX) {
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
  await moveCount(tx, { noun: 'members', scope: network.id }, 1);
  touchMember(tx, network.id, nodeId);
}

/**
 * Every member may have to be revoked one day: there must be room for that, or a proof could not be
 * sent any more.
 */
async function checkRevocations(tx: Tx, network: NetworkRow): Promise<void> {
  const ended = (await publishedRoster(tx, network.id))?.revocationCount ?? 0;
  if (ended + NETWORK_MEMBERS_MAX < NETWORK_REVOCATIONS_MAX) return;
  throw new RequestError(
    'limit_reached',
    `${ended} nodes ceased to be members of network "${network.name}" whose credentials have not run out: ` +
      'wait, or let them run out sooner with a lower --staleness-days',
  );
}

async function freeMac(tx: Tx, networkId: string, nodeId: string): Promise<string> {
  // Each attempt is taken with a chance of 2^-32 at 16,384 members.
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
  await moveCount(tx, { noun: 'members', scope: networkId }, -1);
  await releaseAddresses(tx, networkId, nodeId);
  touchMember(tx, networkId, nodeId);
  return true;
}

/** Removes a node, by id or name, from a network, by id or name. */
export async function deleteMember(tx: Tx, networkText: string, nodeText: string): Promise<void> {
  const network = await findNetwork(tx, networkText);
  const node = await findNode(tx, nodeText, network.organization_id);
  const before = await memberOf(tx, network.id, node.id);
  if (before !== undefined) recordMember(tx, network, 'member.delete', { before, after: null });
  if (await endMembership(tx, network.id, node.id)) return;
  throw new RequestError(
    'not_found',
    `node "${node.name}" is no member of network "${network.name}"`,
  );
}

/** A node leaves a network, as its agent asks; false when it was no member. */
export async function leaveNetwork(tx: Tx, networkId: string, nodeId: string): Promise<boolean> {
  const network = await tx.db
    .selectFrom('networks')
    .selectAll()
    .where('id', '=', networkId)
    .executeTakeFirst();
  const before = network && (await memberOf(tx, networkId, nodeId));
  if (network === undefined || before === undefined) return false;
  const actor = { kind: 'node', id: nodeId, name: before.nodeName } as const;
  recordMember(tx, network, 'member.leave', { before, after: null, actor });
  return endMembership(tx, networkId, nodeId);
}

/** Tells the ledger of a membership that was made or ended. */
export function recordMember(
  tx: Tx,
  network: Pick<NetworkRow, 'id' | 'organization_id'>,
  action: string,
  change: {
    readonly before: Membership | null;
    readonly after: Membership | null;
    readonly actor?: Actor;
    readonly reason?: string;
  },
): void {
  const { nodeId = '', nodeName = null } = change.after ?? change.before ?? {};
  record(tx, {
    organizationId: network.organization_id,
    action,
    target: { noun: 'member', id: nodeId, name: nodeName },
    networkId: network.id,
    ...change,
  });
}

export async function listMembers(
  tx: Tx,
  networkText: string,
  given: PageGiven & { readonly node?: string | undefined },
): Promise<Page<Membership>> {
  const network = await findNetwork(tx, networkText);
  let query = membershipQuery(tx).where('memberships.network_id', '=', network.id);
  if (given.node !== undefined) {
    const { id } = await findNode(tx, given.node, network.organization_id);
    query = query.where('memberships.node_id', '=', id);
  }
  const rows = await afterCursor(query, ['nodes.name', 'memberships.node_id'], given).execute();
  const page = toPage(
    rows,
    given,
    (row) => [row.node_name, row.node_id],
    (row) => row,
  );
  return { items: await withAddresses(tx, page.items), next: page.next };
}

/** A membership. Rejects with not_found. */
export async function showMember(
  tx: Tx,
  networkText: string,
  nodeText: string,
): Promise<Membership> {
  const network = await findNetwork(tx, networkText);
  const node = await findNode(tx, nodeText, network.organization_id);
  const member = await memberOf(tx, network.id, node.id);
  if (member) return member;
  throw new RequestError(
    'not_found',
    `node "${node.name}" is no member of network "${network.name}"`,
  );
}

/** The membership of a node in a network. */
export async function memberOf(
  tx: Tx,
  networkId: string,
  nodeId: string,
): Promise<Membership | undefined> {
  const rows = await membershipQuery(tx)
    .where('memberships.network_id', '=', networkId)
    .where('memberships.node_id', '=', nodeId)
    .execute();
  const [member] = await withAddresses(tx, rows);
  return member;
}

/** Memberships of these nodes, by network name. */
export async function readMemberships(tx: Tx, nodeIds: readonly string[]): Promise<Membership[]> {
  if (nodeIds.length === 0) return [];
  const rows = await membershipQuery(tx)
    .where('memberships.node_id', 'in', nodeIds)
    .orderBy('networks.name')
    .orderBy('nodes.name')
    .execute();
  return withAddresses(tx, rows);
}

function membershipQuery(tx: Tx) {
  return tx.db
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
    .select(['nodes.name as node_name', 'memberships.mac', 'memberships.created_at']);
}

interface MemberRow {
  readonly network_id: string;
  readonly network_name: string;
  readonly node_id: string;
  readonly node_name: string;
  readonly mac: string;
  readonly expires_at: string | null;
  readonly created_at: string;
}

async function withAddresses(tx: Tx, rows: readonly MemberRow[]): Promise<Membership[]> {
  if (rows.length === 0) return [];
  const given = await tx.db
    .selectFrom('addresses')
    .select(['network_id', 'node_id', 'address'])
    .where('released_at', 'is', null)
    .where('network_id', 'in', [...new Set(rows.map((row) => row.network_id))])
    .where('node_id', 'in', [...new Set(rows.map((row) => row.node_id))])
    .orderBy('family')
    .orderBy('address_key')
    .execute();
  const byMember = Map.groupBy(given, (row) => `${row.network_id} ${row.node_id}`);
  return rows.map((row) => ({
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
