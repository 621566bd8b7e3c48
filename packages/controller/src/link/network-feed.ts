/**
 * What to send an agent about a network, given the revision that it holds. A network is held here
 * as texts (whole-network.ts) and read on by what changed: one join into a network of a thousand
 * connected members costs one reading of that member, one digest, and one message to each link.
 *
 * A network of more members than are pushed whole is not held: here is its head alone, once for all
 * links, and what each agent wants of it is feed-partial.ts.
 */
import type { SignedStatement } from '@etherloom/api';
import { NETWORK_REVOCATIONS_MAX, PUSHED_WHOLE_MAX } from '@etherloom/api';
import { endOf } from '../authority/removal.ts';
import { FEED_MEMBERS_MAX, FEED_NETWORKS_MAX, WHOLE_AGAIN_SHARE } from '../limits.ts';
import type { PublishedHead } from '../store/published-changes.ts';
import { isPublished, readChanges, readHead } from '../store/published-changes.ts';
import type { Store, Tx } from '../store/store.ts';
import { NO_REVISION, WholeNetwork } from './whole-network.ts';

export { NO_REVISION } from './whole-network.ts';

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
      /** UTF-8; shared by all who get it. */
      readonly data: Buffer;
      readonly revision: number;
      /** The agent has to know this version of the authority before. */
      readonly authorityVersion: number;
    }
  /** The node is a member of a network that is told in part. */
  | { readonly kind: 'partial'; readonly head: PublishedHead };

/** A network as it was read last. */
interface Entry {
  readonly networkId: string;
  /** null: there is none, or nothing of it is signed. */
  head: PublishedHead | null;
  /** undefined: it is not pushed whole. */
  whole: WholeNetwork | undefined;
  isInPart: boolean;
  /** Rises with each change that was told of; what is read counts for the one before. */
  wanted: number;
  read: number;
  reading: Promise<void> | undefined;
}

/** Whether a network is pushed whole: its members, and the revocations that go with them. */
function isPushedWhole(
  head: Pick<PublishedHead, 'memberCount' | 'revocationCount'>,
  wholeMembersMax: number,
): boolean {
  return head.memberCount <= wholeMembersMax && head.revocationCount <= NETWORK_REVOCATIONS_MAX;
}

/** Makes and keeps messages. */
export class NetworkFeed {
  readonly #store: Store;
  readonly #wholeMembersMax: number;
  /** By network; the one that was asked for last is the last. */
  readonly #entries = new Map<string, Entry>();

  constructor(store: Store, wholeMembersMax: number = PUSHED_WHOLE_MAX) {
    this.#store = store;
    this.#wholeMembersMax = wholeMembersMax;
  }

  /** To be called after each commit, before links are told. */
  noteChanged(networkIds: Iterable<string>): void {
    for (const id of networkIds) {
      const entry = this.#entries.get(id);
      if (entry !== undefined) entry.wanted += 1;
    }
  }

  /** What was read may be of a history that the database has not any more. */
  forgetAll(): void {
    for (const entry of this.#entries.values()) {
      entry.whole = undefined;
      entry.wanted += 1;
    }
  }

  /** The database was seen at this revision: another controller may tell of it later. */
  noteRevision(networkId: string, revision: number): void {
    const entry = this.#entries.get(networkId);
    if (entry !== undefined && (entry.head?.revision ?? NO_REVISION) < revision) entry.wanted += 1;
  }

  /**
   * What a node's agent at `fromRevision` lacks of a network. `isKnown`: the node was found to be a
   * member of it when it was told in part, and nothing that concerns the node changed since.
   */
  async read(
    networkId: string,
    nodeId: string,
    fromRevision: number,
    isKnown = false,
  ): Promise<FeedResult> {
    const { head, whole } = await this.#fresh(networkId);
    if (head === null) return this.#readGone(networkId, nodeId);
    if (whole === undefined) {
      if (isKnown) return { kind: 'partial', head };
      const isMember = await this.#store.read((tx) => isPublished(tx, networkId, nodeId));
      return isMember ? { kind: 'partial', head } : this.#readGone(networkId, nodeId);
    }
    if (!whole.has(nodeId)) return this.#readGone(networkId, nodeId);
    const { revision, authorityVersion } = whole;
    if (revision === fromRevision) return { kind: 'current' };
    return { kind: 'message', data: whole.messageFrom(fromRevision), revision, authorityVersion };
  }

  /** False for a network that is told in part. */
  async isWhole(networkId: string): Promise<boolean> {
    const { head, whole } = await this.#fresh(networkId);
    return head === null || whole !== undefined;
  }

  async #fresh(networkId: string): Promise<Entry> {
    const entry = this.#entries.get(networkId) ?? newEntry(networkId);
    this.#entries.delete(networkId);
    this.#entries.set(networkId, entry);
    // A reading that began before the last change does not count for it.
    for (const goal = entry.wanted; entry.read < goal;) {
      entry.reading ??= this.#refresh(entry).finally(() => {
        entry.reading = undefined;
      });
      await entry.reading;
    }
    return entry;
  }

  async #refresh(entry: Entry): Promise<void> {
    const { wanted, networkId } = entry;
    const base = entry.whole;
    const since = base?.revision ?? NO_REVISION;
    // A network whose size goes to and fro over the limit is not told anew each time.
    const most = this.#wholeMembersMax * (entry.isInPart ? WHOLE_AGAIN_SHARE : 1);
    const { head, changes } = await this.#store.read(async (tx) => {
      const newest = await readHead(tx, networkId);
      const isWhole = newest !== null && isPushedWhole(newest, most);
      return { head: newest, changes: isWhole ? await readChanges(tx, newest, since) : undefined };
    });
    // What was forgotten meanwhile is no base for what was read: it is read again, from nothing.
    if (entry.whole !== base) return;
    entry.head = head;
    entry.read = wanted;
    entry.isInPart = head !== null && changes === undefined;
    if (changes === undefined) entry.whole = undefined;
    else if (entry.whole === undefined || changes.isWhole) entry.whole = new WholeNetwork(changes);
    else entry.whole.apply(changes);
    this.#forgetOldest();
  }

  #forgetOldest(): void {
    let members = 0;
    for (const { whole } of this.#entries.values()) members += whole?.size ?? 0;
    for (const [id, { whole, reading }] of this.#entries) {
      const isFull = this.#entries.size > FEED_NETWORKS_MAX || members > FEED_MEMBERS_MAX;
      if (!isFull || this.#entries.size === 1) return;
      if (reading !== undefined) continue;
      this.#entries.delete(id);
      members -= whole?.size ?? 0;
    }
  }

  #readGone(networkId: string, nodeId: string): Promise<FeedResult> {
    return this.#store.transact(async (tx) => ({
      kind: 'gone',
      reason: await reasonFor(tx, networkId, nodeId),
      revocation: await endOf(tx, networkId, nodeId),
    }));
  }
}

function newEntry(networkId: string): Entry {
  return {
    networkId,
    head: null,
    whole: undefined,
    isInPart: false,
    wanted: 1,
    read: 0,
    reading: undefined,
  };
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
