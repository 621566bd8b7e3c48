/**
 * Who wants to hear of whom, in networks that are told in part: for each link the members that its
 * agent deals with, and by member the links to be told of a change. It lives as long as the links:
 * an agent names its members anew with each of them.
 */
import type { ControllerMessage } from '@etherloom/api';
import { INTEREST_MAX, NODE_NETWORKS_MAX } from '@etherloom/api';
import { INTEREST_OF_LINK_MAX } from '../limits.ts';

/** The answer to a `resolve`: it goes after the member. */
export type Resolved = Extract<ControllerMessage, { type: 'resolved' }>;

/** What one agent wants of one network. */
export interface NetworkInterest {
  /** The node itself among them. */
  readonly nodeIds: Set<string>;
  /** Those that are told whatever revision the agent holds. */
  readonly unsent: Set<string>;
  /** Revision at which the agent holds the others; null: at none. */
  revision: number | null;
  /** The agent waits for the answer to its `interest`. */
  isReplyDue: boolean;
  readonly answers: Resolved[];
}

/** Links by the members that their agents deal with. */
export class InterestBook {
  /** By network, then by member. */
  readonly #followers = new Map<string, Map<string, Set<LinkInterest>>>();

  /** For one link; `wake` is called when it has something to be told of a network. */
  open(wake: (networkId: string) => void): LinkInterest {
    return new LinkInterest(this.#followers, wake);
  }

  /** True for a network that some agent is told in part. */
  has(networkId: string): boolean {
    return this.#followers.has(networkId);
  }

  /** Wakes the links that follow one of these members; 'all': every link of the network. */
  wake(networkId: string, nodeIds: Iterable<string> | 'all'): void {
    const members = this.#followers.get(networkId);
    if (members === undefined) return;
    const woken = new Set<LinkInterest>();
    for (const nodeId of nodeIds === 'all' ? members.keys() : nodeIds)
      for (const link of members.get(nodeId) ?? []) woken.add(link);
    for (const link of woken) link.wake(networkId);
  }
}

type Followers = Map<string, Map<string, Set<LinkInterest>>>;

/** What one link's agent deals with. */
export class LinkInterest {
  readonly wake: (networkId: string) => void;
  readonly #followers: Followers;
  readonly #networks = new Map<string, NetworkInterest>();
  /** Pieces of a list that is not whole yet. */
  readonly #pieces = new Map<string, string[]>();
  #size = 0;

  constructor(followers: Followers, wake: (networkId: string) => void) {
    this.#followers = followers;
    this.wake = wake;
  }

  /** undefined: the agent has not said yet. */
  of(networkId: string): NetworkInterest | undefined {
    return this.#networks.get(networkId);
  }

  /**
   * Takes a piece of the list of a network; true when the list is whole and in force. What is over
   * a limit is left out: the agent asks for it when it needs it.
   */
  take(
    ownId: string,
    {
      networkId,
      nodeIds,
      revision,
      hasMore,
    }: {
      readonly networkId: string;
      readonly nodeIds: readonly string[];
      readonly revision: number | null;
      readonly hasMore: boolean;
    },
  ): boolean {
    if (!this.#networks.has(networkId) && !this.#hasRoom()) return false;
    const before = this.#pieces.get(networkId) ?? [];
    const all = [...before, ...nodeIds].slice(0, INTEREST_MAX);
    if (hasMore) {
      this.#pieces.set(networkId, all);
      return false;
    }
    const answers = this.#networks.get(networkId)?.answers ?? [];
    this.drop(networkId);
    const entry: NetworkInterest = {
      nodeIds: new Set(),
      unsent: new Set(),
      revision,
      isReplyDue: true,
      answers,
    };
    this.#networks.set(networkId, entry);
    for (const nodeId of [ownId, ...all]) this.#add(networkId, entry, nodeId);
    return true;
  }

  /** The member is told with the next message; false: there is no room for another one. */
  follow(networkId: string, nodeId: string): boolean {
    const entry = this.#networks.get(networkId);
    if (entry === undefined || !this.#add(networkId, entry, nodeId)) return false;
    entry.unsent.add(nodeId);
    return true;
  }

  /** The network is not told in part any more, or the node is no member of it. */
  drop(networkId: string): void {
    this.#pieces.delete(networkId);
    const entry = this.#networks.get(networkId);
    if (entry === undefined) return;
    this.#networks.delete(networkId);
    this.#size -= entry.nodeIds.size;
    const members = this.#followers.get(networkId);
    for (const nodeId of entry.nodeIds) {
      const links = members?.get(nodeId);
      links?.delete(this);
      if (links?.size === 0) members?.delete(nodeId);
    }
    if (members?.size === 0) this.#followers.delete(networkId);
  }

  close(): void {
    for (const networkId of this.#networks.keys()) this.drop(networkId);
  }

  #hasRoom(): boolean {
    return new Set([...this.#networks.keys(), ...this.#pieces.keys()]).size < NODE_NETWORKS_MAX;
  }

  #add(networkId: string, entry: NetworkInterest, nodeId: string): boolean {
    if (entry.nodeIds.has(nodeId)) return true;
    // One place beside the members of interest is the node's own.
    if (entry.nodeIds.size > INTEREST_MAX || this.#size >= INTEREST_OF_LINK_MAX) return false;
    entry.nodeIds.add(nodeId);
    this.#size += 1;
    const members = this.#followers.get(networkId) ?? new Map<string, Set<LinkInterest>>();
    this.#followers.set(networkId, members);
    const links = members.get(nodeId) ?? new Set<LinkInterest>();
    members.set(nodeId, links.add(this));
    return true;
  }
}
