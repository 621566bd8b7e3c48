/**
 * What to send an agent about a network, given the revision that it holds. Members of a network are
 * mostly at the same revision, so the last messages are kept made: 100 agents that learn one join
 * cost one reading of the database and one digest.
 */
import type { Delta, SignedStatement } from '@etherloom/api';
import { networkDigest } from '@etherloom/core';
import { endOf } from '../authority/removal.ts';
import { FEED_MESSAGES_MAX, FEED_NETWORKS_MAX } from '../limits.ts';
import type { PublishedState } from '../store/revisions.ts';
import { readDelta, readState, revisionForMember } from '../store/revisions.ts';
import type { Store, Tx } from '../store/store.ts';

export type FeedResult =
  | { readonly kind: 'current' }
  /** The node is no member; `reason` is for people, the revocation for its agent. */
  | {
      readonly kind: 'gone';
      readonly reason: string;
      readonly revocation: SignedStatement | undefined;
    }
  | {
      readonly kind: 'message';
      readonly text: string;
      readonly revision: number;
      /** The agent has to know this version of the authority before. */
      readonly authorityVersion: number;
    };

/** Revision of an agent that holds nothing of a network. */
export const NO_REVISION = -1;

interface Entry {
  readonly published: PublishedState;
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
      if (revision === null) {
        const reason = await reasonFor(tx, networkId, nodeId);
        return { kind: 'gone', reason, revocation: await endOf(tx, networkId, nodeId) };
      }
      if (revision === fromRevision) return { kind: 'current' };
      const entry = await this.#entry(tx, networkId, revision);
      const { authorityVersion } = entry.published;
      const kept = entry.texts.get(fromRevision);
      if (kept !== undefined) return { kind: 'message', text: kept, revision, authorityVersion };
      const text = await makeText(tx, entry.published, fromRevision);
      if (entry.texts.size >= FEED_MESSAGES_MAX) entry.texts.clear();
      entry.texts.set(fromRevision, text);
      return { kind: 'message', text, revision, authorityVersion };
    });
  }

  async #entry(tx: Tx, networkId: string, revision: number): Promise<Entry> {
    const known = this.#entries.get(networkId);
    if (known?.published.state.revision === revision) return known;
    const published = await readState(tx, networkId);
    if (published === null) throw new Error(`network ${networkId} has members and no row`);
    const entry = { published, texts: new Map<number, string>() };
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

async function makeText(tx: Tx, published: PublishedState, fromRevision: number): Promise<string> {
  const { state, proof } = published;
  const delta: Delta | null =
    fromRevision === NO_REVISION ? null : await readDelta(tx, published, fromRevision);
  // A delta of everybody is longer than a snapshot.
  if (delta !== null && sizeOf(delta) <= state.members.length) return JSON.stringify(delta);
  return JSON.stringify({ type: 'snapshot', state, proof, digest: networkDigest(state) });
}

function sizeOf({ upserts, removals, proof }: Delta): number {
  return Math.max(upserts.length + removals.length, Object.keys(proof.members).length);
}

/** To a node of another organization a network is as none. */
async function reasonFor(tx: Tx, networkId: string, nodeId: string): Promise<string> {
  const network = await tx.db
    .selectFrom('networks')
    .innerJoin('nodes', 'nodes.organization_id', 'networks.organization_id')
    .select('networks.name')
    .where('networks.id', '=', networkId)
    .where('nodes.id', '=', nodeId)
    .executeTakeFirst();
  return network
    ? `the node is no member of network "${network.name}"`
    : 'there is no such network: it was deleted';
}
