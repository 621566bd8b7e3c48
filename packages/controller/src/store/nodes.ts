/** Nodes: finding, listing, removing, and what their agents report. */
import type { Node } from '@etherloom/api';
import { NAME_CHARS_MAX, fromBase64url } from '@etherloom/api';
import { compareOrdinals, decodeEndpointRecord } from '@etherloom/core';
import { NAME_SUFFIXES_MAX } from '../limits.ts';
import { RequestError } from '../request-error.ts';
import { findNode, nodeById } from './find-node.ts';
import { endMembership, readMemberships } from './members.ts';
import { parseEndpoints, raiseRevisionsOfNode } from './revisions.ts';
import type { NodeRow } from './schema.ts';
import type { Tx } from './store.ts';
import { touchMember } from './store.ts';

/** A node as it is stored; what its agent's link knows is known elsewhere. */
export type StoredNode = Omit<Node, 'connected' | 'problems'>;

export async function listNodes(tx: Tx): Promise<StoredNode[]> {
  const rows = await tx.db
    .selectFrom('nodes')
    .selectAll()
    .where('removed_at', 'is', null)
    .orderBy('name')
    .orderBy('id')
    .execute();
  const memberships = Map.groupBy(await readMemberships(tx, {}), (membership) => membership.nodeId);
  return rows.map((row) => toNode(row, memberships.get(row.id) ?? []));
}

export async function showNode(tx: Tx, idOrName: string): Promise<StoredNode> {
  const row = await findNode(tx, idOrName);
  return toNode(row, await readMemberships(tx, { nodeId: row.id }));
}

/** Ends all memberships of a node and refuses it from then on. Its name is free again. */
export async function removeNode(tx: Tx, idOrName: string): Promise<void> {
  const node = await findNode(tx, idOrName);
  const rows = await tx.db
    .selectFrom('memberships')
    .select('network_id')
    .where('node_id', '=', node.id)
    .execute();
  for (const { network_id } of rows) await endMembership(tx, network_id, node.id);
  await tx.db
    .updateTable('nodes')
    .set({ removed_at: tx.now.toISOString() })
    .where('id', '=', node.id)
    .execute();
  tx.changes.removedNodeIds.add(node.id);
}

/**
 * Replaces the endpoints of a node by those of a record that was verified; false when nothing
 * changed by that, or the record is older than the one that is stored.
 */
export async function setEndpoints(
  tx: Tx,
  nodeId: string,
  report: { readonly endpoints: readonly string[]; readonly record: string },
): Promise<boolean> {
  const row = await nodeById(tx, nodeId);
  if (!row || row.removed_at !== null || row.endpoint_record === report.record) return false;
  if (row.endpoint_record !== null && isOlder(report.record, row.endpoint_record)) return false;
  await tx.db
    .updateTable('nodes')
    .set({ endpoints: JSON.stringify(report.endpoints), endpoint_record: report.record })
    .where('id', '=', nodeId)
    .execute();
  await raiseRevisionsOfNode(tx, nodeId);
  return true;
}

function isOlder(given: string, stored: string): boolean {
  const [a, b] = [given, stored].map((text) => decodeEndpointRecord(fromBase64url(text))?.ordinal);
  return a !== undefined && b !== undefined && compareOrdinals(a, b) <= 0;
}

/** What the credentials of a node say changed. */
export async function touchNode(tx: Tx, nodeId: string): Promise<void> {
  const rows = await tx.db
    .selectFrom('memberships')
    .select('network_id')
    .where('node_id', '=', nodeId)
    .execute();
  for (const { network_id } of rows) touchMember(tx, network_id, nodeId);
}

/** Notes that the agent of a node was connected at this time. */
export async function noteSeen(tx: Tx, nodeId: string): Promise<void> {
  await tx.db
    .updateTable('nodes')
    .set({ last_seen_at: tx.now.toISOString() })
    .where('id', '=', nodeId)
    .execute();
}

/** The wanted name, or with "-2", "-3", ... behind it when that may be. Rejects with name_taken. */
export async function freeNodeName(
  tx: Tx,
  organizationId: string,
  wanted: string,
  isSuggestion: boolean,
): Promise<string> {
  for (let number = 1; number <= NAME_SUFFIXES_MAX; number += 1) {
    const suffix = number === 1 ? '' : `-${number}`;
    // A cut may end in a hyphen, which a name may not before its suffix's own.
    const name = wanted.slice(0, NAME_CHARS_MAX - suffix.length).replace(/-+$/, '') + suffix;
    const taken = await tx.db
      .selectFrom('nodes')
      .select('id')
      .where('organization_id', '=', organizationId)
      .where('name', '=', name)
      .where('removed_at', 'is', null)
      .executeTakeFirst();
    if (!taken) return name;
    if (!isSuggestion) break;
  }
  throw new RequestError('name_taken', `a node named "${wanted}" exists in this organization`);
}

function toNode(row: NodeRow, memberships: Node['memberships']): StoredNode {
  return {
    id: row.id,
    organizationId: row.organization_id,
    name: row.name,
    signKey: row.sign_key,
    sessionKey: row.session_key,
    state: row.state,
    clonedFrom: row.cloned_from,
    endpoints: parseEndpoints(row.endpoints),
    lastSeenAt: row.last_seen_at,
    memberships,
    createdAt: row.created_at,
  };
}
