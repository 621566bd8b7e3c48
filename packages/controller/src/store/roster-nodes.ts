/**
 * The tree by which a network's roster commits to its credentials, as rows: one for each inner node
 * with its 16 children. A change reads and writes the bucket of its member and the three nodes
 * above it.
 *
 * The rows follow from `published_members`, and are believed only while their root is the one that
 * the published roster says; else the tree is made anew from all members.
 */
import type { RosterStatement } from '@etherloom/api';
import { ROSTER_BUCKET_MAX } from '@etherloom/api';
import type { RosterBranch, RosterChildren, RosterEntry } from '@etherloom/core';
import {
  EMPTY_ROSTER_BRANCH,
  EMPTY_ROSTER_HASH,
  replaceRosterBucket,
  rosterBucketHash,
  rosterBucketOf,
  rosterNodeHash,
  rosterPathsOf,
  rosterTree,
} from '@etherloom/core';
import { readSigned, readText } from '../authority/signed.ts';
import { IN_LIST_MAX } from '../limits.ts';
import { RequestError } from '../request-error.ts';
import type { Tx } from './store.ts';

/** New hashes of credentials by node id; null: the node has none any more. */
export type RosterChanges = ReadonlyMap<string, string | null>;

/** The roster that members hold; undefined: none is published. */
export async function publishedRoster(
  tx: Tx,
  networkId: string,
): Promise<RosterStatement | undefined> {
  const row = await tx.db
    .selectFrom('published_networks')
    .select('roster')
    .where('network_id', '=', networkId)
    .executeTakeFirst();
  return row && readText<RosterStatement>(readSigned(row.roster).statement);
}

/** The root and the number of members once these changes are published. */
export async function rosterAfter(
  tx: Tx,
  networkId: string,
  changes: RosterChanges,
): Promise<{ readonly root: string; readonly memberCount: number }> {
  const roster = await ensureTree(tx, networkId);
  const buckets = await readBuckets(tx, networkId, bucketsOf(changes.keys()));
  let memberCount = roster?.memberCount ?? 0;
  for (const [bucket, entries] of buckets) {
    memberCount -= entries.size;
    for (const [nodeId, hash] of changes) {
      if (rosterBucketOf(nodeId) !== bucket) continue;
      if (hash === null) entries.delete(nodeId);
      else entries.set(nodeId, { nodeId, hash });
    }
    if (entries.size > ROSTER_BUCKET_MAX)
      throw new RequestError(
        'limit_reached',
        `${ROSTER_BUCKET_MAX} members of the network have node ids of one bucket, the most that may: this node needs another identity`,
      );
    memberCount += entries.size;
  }
  const { root } = await replaceBuckets(tx, networkId, buckets);
  return { root, memberCount };
}

/**
 * To be called before rows of `published_members` change: the tree that is stored is that of the
 * rows then.
 */
export async function ensureTree(tx: Tx, networkId: string): Promise<RosterStatement | undefined> {
  const roster = await publishedRoster(tx, networkId);
  const row = await tx.db
    .selectFrom('roster_nodes')
    .select('children')
    .where('network_id', '=', networkId)
    .where('path', '=', '')
    .executeTakeFirst();
  const root = row === undefined ? EMPTY_ROSTER_HASH : rosterNodeHash(toChildren(row.children));
  if (root !== (roster?.credentials ?? EMPTY_ROSTER_HASH)) await rebuildTree(tx, networkId);
  return roster;
}

/** To be called after these members' rows changed; gives the root. */
export async function updateTree(
  tx: Tx,
  networkId: string,
  nodeIds: Iterable<string>,
): Promise<string> {
  const buckets = await readBuckets(tx, networkId, bucketsOf(nodeIds));
  const { root, nodes } = await replaceBuckets(tx, networkId, buckets);
  for (const [path, children] of nodes) await writeNode(tx, networkId, path, children);
  return root;
}

/** Makes the tree of all members anew; gives its root. */
export async function rebuildTree(tx: Tx, networkId: string): Promise<string> {
  const lost = await tx.db
    .selectFrom('published_members')
    .select('node_id')
    .where('network_id', '=', networkId)
    .where('bucket', 'is', null)
    .execute();
  for (const { node_id } of lost)
    await tx.db
      .updateTable('published_members')
      .set({ bucket: rosterBucketOf(node_id) })
      .where('network_id', '=', networkId)
      .where('node_id', '=', node_id)
      .execute();
  const rows = await tx.db
    .selectFrom('published_members')
    .select(['node_id', 'hash'])
    .where('network_id', '=', networkId)
    .execute();
  const { root, nodes } = rosterTree(rows.map(({ node_id, hash }) => ({ nodeId: node_id, hash })));
  await tx.db.deleteFrom('roster_nodes').where('network_id', '=', networkId).execute();
  for (const [path, children] of nodes) await writeNode(tx, networkId, path, children);
  return root;
}

/** A member's bucket and the nodes above it, by which it is proved. */
export async function readBranch(
  tx: Tx,
  networkId: string,
  nodeId: string,
): Promise<{ readonly bucket: RosterEntry[]; readonly branch: RosterBranch }> {
  const bucket = rosterBucketOf(nodeId);
  const entries = (await readBuckets(tx, networkId, new Set([bucket]))).get(bucket);
  const nodes = await readNodes(tx, networkId, rosterPathsOf(bucket));
  return { bucket: [...(entries?.values() ?? [])], branch: branchOf(nodes, bucket) };
}

/** The same for several members, with a few readings for all of them. */
export async function readBranches(
  tx: Tx,
  networkId: string,
  nodeIds: readonly string[],
): Promise<Map<string, { readonly bucket: RosterEntry[]; readonly branch: RosterBranch }>> {
  const buckets = await readBuckets(tx, networkId, bucketsOf(nodeIds));
  const paths = new Set([...buckets.keys()].flatMap(rosterPathsOf));
  const nodes = await readNodes(tx, networkId, paths);
  return new Map(
    nodeIds.map((nodeId) => {
      const bucket = rosterBucketOf(nodeId);
      const entries = [...(buckets.get(bucket)?.values() ?? [])];
      return [nodeId, { bucket: entries, branch: branchOf(nodes, bucket) }];
    }),
  );
}

/** True while the rows are those of this roster, a signed statement as JSON. */
export async function isTreeOf(tx: Tx, networkId: string, roster: string): Promise<boolean> {
  const { credentials } = readText<RosterStatement>(readSigned(roster).statement);
  const nodes = await readNodes(tx, networkId, ['']);
  const root = nodes.get('');
  return (root === undefined ? EMPTY_ROSTER_HASH : rosterNodeHash(root)) === credentials;
}

function bucketsOf(nodeIds: Iterable<string>): Set<string> {
  return new Set(Array.from(nodeIds, rosterBucketOf));
}

type Buckets = Map<string, Map<string, RosterEntry>>;

async function readBuckets(
  tx: Tx,
  networkId: string,
  buckets: ReadonlySet<string>,
): Promise<Buckets> {
  const read: Buckets = new Map(Array.from(buckets, (bucket) => [bucket, new Map()]));
  for (const some of chunks([...buckets])) {
    const rows = await tx.db
      .selectFrom('published_members')
      .select(['bucket', 'node_id', 'hash'])
      .where('network_id', '=', networkId)
      .where('bucket', 'in', some)
      .execute();
    for (const { bucket, node_id: nodeId, hash } of rows)
      read.get(bucket ?? '')?.set(nodeId, { nodeId, hash });
  }
  return read;
}

async function replaceBuckets(
  tx: Tx,
  networkId: string,
  buckets: Buckets,
): Promise<{ readonly root: string; readonly nodes: Map<string, RosterChildren> }> {
  const paths = new Set(['', ...[...buckets.keys()].flatMap(rosterPathsOf)]);
  const nodes = await readNodes(tx, networkId, paths);
  for (const [bucket, entries] of buckets) {
    const hash = rosterBucketHash([...entries.values()]);
    const { branch } = replaceRosterBucket(branchOf(nodes, bucket), bucket, hash);
    for (const [depth, path] of rosterPathsOf(bucket).entries())
      nodes.set(path, branch[depth] ?? EMPTY_ROSTER_BRANCH[0]);
  }
  return { root: rosterNodeHash(nodes.get('') ?? EMPTY_ROSTER_BRANCH[0]), nodes };
}

async function readNodes(
  tx: Tx,
  networkId: string,
  paths: Iterable<string>,
): Promise<Map<string, RosterChildren>> {
  const nodes = new Map<string, RosterChildren>();
  for (const some of chunks([...paths])) {
    const rows = await tx.db
      .selectFrom('roster_nodes')
      .select(['path', 'children'])
      .where('network_id', '=', networkId)
      .where('path', 'in', some)
      .execute();
    for (const { path, children } of rows) nodes.set(path, toChildren(children));
  }
  return nodes;
}

function branchOf(nodes: ReadonlyMap<string, RosterChildren>, bucket: string): RosterBranch {
  const [root, middle, low] = rosterPathsOf(bucket).map(
    (path, depth) => nodes.get(path) ?? EMPTY_ROSTER_BRANCH[depth],
  ) as [RosterChildren, RosterChildren, RosterChildren]; // three paths, each with a default
  return [root, middle, low];
}

async function writeNode(
  tx: Tx,
  networkId: string,
  path: string,
  children: RosterChildren,
): Promise<void> {
  const text = children.join(' ');
  await tx.db
    .insertInto('roster_nodes')
    .values({ network_id: networkId, path, children: text })
    .onConflict((conflict) =>
      conflict.columns(['network_id', 'path']).doUpdateSet({ children: text }),
    )
    .execute();
}

function toChildren(stored: string): RosterChildren {
  return stored.split(' ');
}

function* chunks<T>(all: readonly T[]): Generator<T[]> {
  for (let from = 0; from < all.length; from += IN_LIST_MAX)
    yield all.slice(from, from + IN_LIST_MAX);
}
