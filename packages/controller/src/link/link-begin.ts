/** What a link begins with, in one reading: after an outage everybody comes at once. */
import type { SignedStatement } from '@etherloom/api';
import { nodeById } from '../store/find-node.ts';
import { revisionsOfNode } from '../store/revisions.ts';
import type { NodeRow } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import { awaitedReleases } from '../store/vni.ts';
import { readHistory } from './authority-sender.ts';

/** What an agent is told of at once. */
export interface LinkBegin {
  /** The node was removed while its place was judged. */
  readonly isRemoved: boolean;
  /** Of the node's networks. */
  readonly revisions: ReadonlyMap<string, number>;
  /** Of its organization's authority. */
  readonly history: readonly SignedStatement[];
  /** Networks whose VNI waits until this node took them down. */
  readonly awaited: readonly string[];
}

/** Reads it. */
export function readBegin(store: Store, { id, organization_id }: NodeRow): Promise<LinkBegin> {
  return store.read(async (tx) => ({
    isRemoved: (await nodeById(tx, id))?.removed_at !== null,
    revisions: await revisionsOfNode(tx, id),
    history: await readHistory(tx, organization_id),
    awaited: await awaitedReleases(tx, id),
  }));
}
