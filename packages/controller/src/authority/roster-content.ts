/**
 * What the roster of a network has to say once all that waits is published: hashes of its network
 * statement, credentials and revocations. A change of a few members costs their buckets of the tree
 * (store/roster-nodes.ts); the lists behind the hashes are read only for people who sign them.
 */
import type { RosterStatement } from '@etherloom/api';
import type { RosterEntry } from '@etherloom/core';
import { rosterHash, rosterTreeRoot } from '@etherloom/core';
import { ROSTER_CHANGES_MAX } from '../limits.ts';
import { publishedRoster, rosterAfter } from '../store/roster-nodes.ts';
import type { PendingStatementRow } from '../store/schema.ts';
import type { Tx } from '../store/store.ts';

/** What follows from the statements of a network. */
export type RosterContent = Pick<
  RosterStatement,
  'network' | 'memberCount' | 'credentials' | 'revocationCount' | 'revocations'
>;

export interface RosterWish {
  /** What is to be published with it. */
  readonly pending: readonly PendingStatementRow[];
  /**
   * A roster forgets the revocations whose credentials had run out when it was issued; null: it
   * forgets none.
   */
  readonly issuedAt: string | null;
  /** Nothing that was said before is relied on. */
  readonly isWhole: boolean;
}

/** What the roster has to say. */
export async function rosterContent(
  tx: Tx,
  networkId: string,
  wish: RosterWish,
): Promise<RosterContent> {
  const changes = await changesOf(tx, networkId, wish.pending);
  if (wish.isWhole || changes.size > ROSTER_CHANGES_MAX)
    return contentOf(await rosterParts(tx, networkId, wish));
  const { root, memberCount } = await rosterAfter(tx, networkId, changes);
  return {
    network: await networkHash(tx, networkId, wish.pending),
    memberCount,
    credentials: root,
    ...(await revocationsOf(tx, networkId, wish)),
  };
}

/** True when a roster's text says this. */
export function saysRoster(said: RosterStatement, content: RosterContent): boolean {
  return (
    said.network === content.network &&
    said.memberCount === content.memberCount &&
    said.credentials === content.credentials &&
    said.revocationCount === content.revocationCount &&
    said.revocations === content.revocations
  );
}

/** The hashes to which a roster commits, by what they are of. */
export interface RosterParts {
  readonly networkHash: string;
  readonly credentials: RosterEntry[];
  readonly revocations: string[];
}

/** Everything that a roster has to commit to once all that is pending is published. */
export async function rosterParts(
  tx: Tx,
  networkId: string,
  { pending, issuedAt }: Pick<RosterWish, 'pending' | 'issuedAt'>,
): Promise<RosterParts> {
  const members = await tx.db
    .selectFrom('published_members')
    .select(['node_id', 'hash'])
    .where('network_id', '=', networkId)
    .execute();
  const credentials = new Map(members.map((row) => [row.node_id, row.hash]));
  for (const [nodeId, hash] of await changesOf(tx, networkId, pending))
    if (hash === null) credentials.delete(nodeId);
    else credentials.set(nodeId, hash);
  return {
    networkHash: await networkHash(tx, networkId, pending),
    credentials: Array.from(credentials, ([nodeId, hash]) => ({ nodeId, hash })),
    revocations: await revocationHashes(tx, networkId, { pending, issuedAt }),
  };
}

function contentOf({ networkHash: network, credentials, revocations }: RosterParts): RosterContent {
  return {
    network,
    memberCount: credentials.length,
    credentials: rosterTreeRoot(credentials),
    revocationCount: revocations.length,
    revocations: rosterHash(revocations),
  };
}

async function networkHash(
  tx: Tx,
  networkId: string,
  pending: readonly PendingStatementRow[],
): Promise<string> {
  const waiting = pending.find(({ kind }) => kind === 'network');
  if (waiting !== undefined) return waiting.hash;
  const row = await tx.db
    .selectFrom('published_networks')
    .select('hash')
    .where('network_id', '=', networkId)
    .executeTakeFirst();
  return row?.hash ?? '';
}

/** By node: the hash of its credential that waits, null where its end waits. */
async function changesOf(
  tx: Tx,
  networkId: string,
  pending: readonly PendingStatementRow[],
): Promise<Map<string, string | null>> {
  const changes = new Map<string, string | null>();
  for (const { kind, node_id: nodeId, hash } of pending) {
    if (nodeId === null) continue;
    if (kind === 'credential') changes.set(nodeId, hash);
    // One that is signed again may be of a node that became a member since.
    if (kind === 'revocation' && !(await isPublished(tx, networkId, nodeId, hash)))
      changes.set(nodeId, null);
  }
  return changes;
}

async function isPublished(
  tx: Tx,
  networkId: string,
  nodeId: string,
  revocation: string,
): Promise<boolean> {
  const row = await tx.db
    .selectFrom('published_revocations')
    .select('hash')
    .where('network_id', '=', networkId)
    .where('node_id', '=', nodeId)
    .executeTakeFirst();
  return row?.hash === revocation;
}

/** As the published roster says, unless one came or went. */
async function revocationsOf(
  tx: Tx,
  networkId: string,
  wish: RosterWish,
): Promise<Pick<RosterContent, 'revocationCount' | 'revocations'>> {
  const said = await publishedRoster(tx, networkId);
  const hasCome = wish.pending.some(({ kind }) => kind === 'revocation');
  if (said !== undefined && !hasCome && !(await hasRunOut(tx, networkId, wish.issuedAt)))
    return { revocationCount: said.revocationCount, revocations: said.revocations };
  const hashes = await revocationHashes(tx, networkId, wish);
  return { revocationCount: hashes.length, revocations: rosterHash(hashes) };
}

async function hasRunOut(tx: Tx, networkId: string, issuedAt: string | null): Promise<boolean> {
  if (issuedAt === null) return false;
  const row = await tx.db
    .selectFrom('published_revocations')
    .select('node_id')
    .where('network_id', '=', networkId)
    .where('keep_until', '<=', issuedAt)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

async function revocationHashes(
  tx: Tx,
  networkId: string,
  { pending, issuedAt }: Pick<RosterWish, 'pending' | 'issuedAt'>,
): Promise<string[]> {
  const ended = await tx.db
    .selectFrom('published_revocations')
    .select(['node_id', 'hash', 'keep_until'])
    .where('network_id', '=', networkId)
    .execute();
  const kept = ended.filter(({ keep_until }) => issuedAt === null || keep_until > issuedAt);
  const revocations = new Map(kept.map((row) => [row.node_id, row.hash]));
  for (const { kind, node_id: nodeId, hash } of pending)
    if (kind === 'revocation' && nodeId !== null) revocations.set(nodeId, hash);
  return [...revocations.values()];
}
