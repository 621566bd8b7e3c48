/**
 * What to send an agent about a network, given the revision that it holds. Members of a network are
 * mostly at the same revision, so the last messages are kept made: 100 agents that learn one join
 * cost one reading of the database and one digest.
 */
import type { Delta, NetworkState } from '@etherloom/api';
import { networkDigest } from '@etherloom/core';
import { FEED_MESSAGES_MAX, FEED_NETWORKS_MAX } from '../limits.ts';
import { readDelta, readState, revisionForMember } from '../store/revisions.ts';
import type { Store, Tx } from '../store/store.ts';

export type FeedResult =
  | { readonly kind: 'current' }
  /** The node is no member; `reason` is for people. */
  | { readonly kind: 'gone'; readonly reason: string }
  | { readonly kind: 'message'; readonly text: string; readonly revision: number };

/** Revision of an agent that holds nothing of a network. */
export const NO_REVISION = -1;

interface Entry {
  readonly state: NetworkState;
  /** Messages that lead to this state, by the revision that they start from. */
  readonly texts: Map<number, string>;
}

/** Makes and keeps messages. */
export class NetworkFeed {
  readonly #store: Store;
  readonly #entries = new Map<string, Entry>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** What a node's agent at `fromRevision` lacks of a network. */
  read(networkId: string, nodeId: string, fromRevision: number): Promise<FeedResult> {
    return this.#store.transact(async (tx): Promise<FeedResult> => {
      const revision = await revisionForMember(tx, networkId, nodeId);
      if (revision === null) return { kind: 'gone', reason: await reasonFor(tx, networkId) };
      if (revision === fromRevision) return { kind: 'current' };
      const entry = await this.#entry(tx, networkId, revision);
      const kept = entry.texts.get(fromRevision);
      if (kept !== undefined) return { kind: 'message', text: kept, revision };
      const text = await makeText(tx, entry.state, fromRevision);
      if (entry.texts.size >= FEED_MESSAGES_MAX) entry.texts.clear();
      entry.texts.set(fromRevision, text);
      return { kind: 'message', text, revision };
    });
  }

  async #entry(tx: Tx, networkId: string, revision: number): Promise<Entry> {
    const known = this.#entries.get(networkId);
    if (known?.state.revision === revision) return known;
    const state = await readState(tx, networkId);
    if (state === null) throw new Error(`network ${networkId} has members and no row`);
    const entry = { state, texts: new Map<number, string>() };
    this.#entries.delete(networkId);
    this.#entries.set(networkId, entry);
    if (this.#entries.size > FEED_NETWORKS_MAX) {
      for (const oldest of this.#entries.keys()) {
        this.#entries.delete(oldest);
        break;
      }
    }
    return entry;
  }
}

async function makeText(tx: Tx, state: NetworkState, fromRevision: number): Promise<string> {
  const delta: Delta | null =
    fromRevision === NO_REVISION ? null : await readDelta(tx, state, fromRevision);
  // A delta of everybody is longer than a snapshot.
  if (delta !== null && delta.upserts.length + delta.removals.length <= state.members.length)
    return JSON.stringify(delta);
  return JSON.stringify({ type: 'snapshot', state, digest: networkDigest(state) });
}

async function reasonFor(tx: Tx, networkId: string): Promise<string> {
  const network = await tx.db
    .selectFrom('networks')
    .select('name')
    .where('id', '=', networkId)
    .executeTakeFirst();
  return network
    ? `the node is no member of network "${network.name}"`
    : 'there is no such network: it was deleted';
}
