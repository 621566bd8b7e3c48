/**
 * One link's side of the networks that are told in part: asks the agent for its members of
 * interest, tells it of those alone, and answers what it looks for. Reading happens when the link
 * has room, as for everything else.
 */
import type { AgentMessage, ControllerMessage } from '@etherloom/api';
import { SourceRate } from '../http/token-bucket.ts';
import { RESOLVES } from '../limits.ts';
import type { PartialFeed } from './feed-partial.ts';
import type { InterestBook, LinkInterest, NetworkInterest } from './interest.ts';
import type { SharedNews } from './partial-news.ts';

type InterestMessage = Extract<AgentMessage, { type: 'interest' }>;
type ResolveMessage = Extract<AgentMessage, { type: 'resolve' }>;

/** What all links of a controller share. */
export interface PartialRoom {
  readonly feed: PartialFeed;
  readonly book: InterestBook;
  /** A node looked for another one and found it: each is of interest to the other. */
  readonly onFound: (networkId: string, found: string, askerId: string) => void;
}

export interface PartialLinkDeps {
  readonly room: PartialRoom;
  readonly send: (message: ControllerMessage) => void;
  /** A message as UTF-8. */
  readonly sendData: (data: Buffer) => void;
  /** The agent may be behind in a network. */
  readonly wake: (networkId: string) => void;
  /** State never goes before the authority that signed it. */
  readonly sendAuthority: (version: number) => Promise<void>;
  readonly now: () => number;
}

export class PartialLink {
  readonly #deps: PartialLinkDeps;
  readonly #interest: LinkInterest;
  readonly #rate: SourceRate;
  /** Networks whose members of interest were asked for. */
  readonly #asked = new Set<string>();

  constructor(deps: PartialLinkDeps) {
    this.#deps = deps;
    this.#interest = deps.room.book.open(deps.wake);
    this.#rate = new SourceRate(RESOLVES, deps.now);
  }

  take(nodeId: string, message: InterestMessage): void {
    if (this.#interest.take(nodeId, message)) this.#deps.wake(message.networkId);
  }

  async resolve(nodeId: string, { requestId, networkId, by }: ResolveMessage): Promise<void> {
    const answer = { type: 'resolved', requestId, networkId } as const;
    const isAllowed = this.#interest.of(networkId) !== undefined && this.#rate.take('') === 0;
    if (!isAllowed) return this.#deps.send({ ...answer, nodeId: null, isRefused: true });
    const found = await this.#deps.room.feed.resolve(networkId, nodeId, by);
    if (found === null) return this.#deps.send({ ...answer, nodeId: null, isRefused: false });
    if (!this.#interest.follow(networkId, found))
      return this.#deps.send({ ...answer, nodeId: null, isRefused: true });
    this.#interest.of(networkId)?.answers.push({ ...answer, nodeId: found, isRefused: false });
    this.#deps.wake(networkId);
    if (found !== nodeId) this.#deps.room.onFound(networkId, found, nodeId);
  }

  /** Another node looks for this one. */
  follow(networkId: string, nodeId: string): void {
    if (this.#interest.follow(networkId, nodeId)) this.#deps.wake(networkId);
  }

  /** The network is told whole, or not at all. */
  drop(networkId: string): void {
    this.#asked.delete(networkId);
    this.#interest.drop(networkId);
  }

  close(): void {
    this.#interest.close();
  }

  /** Sends what the agent lacks; false when nothing was sent. */
  async bringUpToDate(networkId: string): Promise<boolean> {
    const interest = this.#interest.of(networkId);
    if (interest === undefined) {
      if (!this.#asked.has(networkId)) this.#deps.send({ type: 'interestWanted', networkId });
      this.#asked.add(networkId);
      return false;
    }
    const shared = this.#deps.room.feed.readShared(networkId, interest);
    if (shared !== undefined) return await this.#sendShared(interest, shared);
    const told = { unsent: [...interest.unsent], answers: interest.answers.length };
    const news = await this.#deps.room.feed.read(networkId, { ...interest });
    if (this.#interest.of(networkId) !== interest) {
      this.#deps.wake(networkId); // the agent has named others meanwhile
      return false;
    }
    if (news !== null) await this.#deps.sendAuthority(news.authorityVersion);
    for (const update of news?.updates ?? []) this.#deps.send(update);
    this.#settle(interest, told, news?.revision);
    return news !== null;
  }

  async #sendShared(interest: NetworkInterest, shared: SharedNews | null): Promise<boolean> {
    if (shared !== null) {
      await this.#deps.sendAuthority(shared.authorityVersion);
      this.#deps.sendData(shared.data);
    }
    this.#settle(interest, { unsent: [], answers: interest.answers.length }, shared?.revision);
    return shared !== null;
  }

  #settle(
    interest: NetworkInterest,
    told: { readonly unsent: readonly string[]; readonly answers: number },
    revision: number | undefined,
  ): void {
    for (const nodeId of told.unsent) interest.unsent.delete(nodeId);
    if (revision !== undefined) {
      interest.revision = revision;
      interest.isReplyDue = false;
    }
    for (const answer of interest.answers.splice(0, told.answers)) this.#deps.send(answer);
  }
}
