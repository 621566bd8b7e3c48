/** Nodes: finding, listing, removing, and what their agents report. */
import type { Node } from '@etherloom/api';
import { NAME_CHARS_MAX, fromBase64url } from '@etherloom/api';
import { compareOrdinals, decodeEndpointRecord } from '@etherloom/core';
import { NAME_SUFFIXES_MAX } from '../limits.ts';
import type { Actor } from '../access/principal.ts';
import { record } from '../audit/record.ts';
import { RequestError } from '../request-error.ts';
import { moveCount } from './count.ts';
import { findNode, nodeById } from './find-node.ts';
import { endMembership, readMemberships } from './members.ts';
import { parseEndpoints, raiseRevisionsOfNode } from './revisions.ts';
import type { NodeRow } from './schema.ts';
import type { Tx } from './store.ts';
import { touchMember } from './store.ts';

/** A node as it is stored; what its agent's link knows is known elsewhere. */
export type StoredNode = Omit<Node, 'connected' | 'problems'>;

export async function showNode(tx: Tx, idOrName: string): Promise<StoredNode> {
  const row = await findNode(tx, idOrName);
  return toNode(row, await readMemberships(tx, [row.id]));
}

/** Tells the ledger of a node that changed. */
export function recordNode(
  tx: Tx,
  action: string,
  change: {
    readonly before: StoredNode | null;
    readonly after: StoredNode | null;
    readonly actor?: Actor;
  },
): void {
  const node = change.after ?? change.before;
  if (node === null) return;
  record(tx, {
    organizationId: node.organizationId,
    action,
    target: { noun: 'node', id: node.id, name: node.name },
    ...change,
  });
}

/** Ends all memberships of a node and refuses it from then on. Its name is free again. */
export async function removeNode(tx: Tx, idOrName: string): Promise<void> {
  const node = await findNode(tx, idOrName);
  recordNode(tx, 'node.delete', { before: await showNode(tx, node.id), after: null });
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
  await moveCount(tx, { noun: 'nodes', scope: node.organization_id }, -1);
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
export async function noteSeen(tx: Tx, nodeId: string, at: Date = tx.now): Promise<void> {
  const seen = at.toISOString();
  await tx.db
    .updateTable('nodes')
    .set({ last_seen_at: seen })
    .where('id', '=', nodeId)
    .where((where) =>
      where.or([where('last_seen_at', 'is', null), where('last_seen_at', '<', seen)]),
    )
    .execute();
}

/** The wanted name, or with "-2", "-3", ... behind it when that may be. Rejects with name_taken. */
export async function freeNodeName(
  tx: Tx,
  organizationId: string,
  wanted: string,
  isSuggestion: boolean,
): Promise<string> {
  const isTaken = (number: number): Promise<boolean> =>
    isNameTaken(tx, organizationId, numberedName(wanted, number));
  if (!(await isTaken(1))) return wanted;
  let taken = 1;
  let free = 2;
  // Doubling, then halving: of ten thousand hosts with one name the last asks 25 times.
  while (isSuggestion && free <= NAME_SUFFIXES_MAX && (await isTaken(free))) {
    taken = free;
    free *= 2;
  }
  if (!isSuggestion || free > NAME_SUFFIXES_MAX)
    throw new RequestError('name_taken', `a node named "${wanted}" exists in this organization`);
  while (free - taken > 1) {
    const middle = Math.floor((taken + free) / 2);
    if (await isTaken(middle)) taken = middle;
    else free = middle;
  }
  return numberedName(wanted, free);
}

function numberedName(wanted: string, number: number): string {
  const suffix = number === 1 ? '' : `-${number}`;
  // A cut may end in a hyphen, which a name may not before its suffix's own.
  return wanted.slice(0, NAME_CHARS_MAX - suffix.length).replace(/-+$/, '') + suffix;
}

async function isNameTaken(tx: Tx, organizationId: string, name: string): Promise<boolean> {
  const row = await tx.db
    .selectFrom('nodes')
    .select('id')
    .where('organization_id', '=', organizationId)
    .where('name', '=', name)
    .where('removed_at', 'is', null)
    .executeTakeFirst();
  return row !== undefined;
}

/** A node as it is shown. */
export function toNode(row: NodeRow, memberships: Node['memberships']): StoredNode {
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
