/**
 * Who watches which organization, and what they are told: changes from the ledger in its order,
 * without gap and without repetition, and what becomes known by links, gathered for a moment.
 *
 * An entry is read once for all watchers of an organization and kept for a while; who comes back
 * from before that reads what it missed from the database by itself. With several controllers each
 * has its hub: `onLedger` is called for what the others wrote, too.
 */
import type { LedgerEntry } from '@etherloom/api';
import type { Logger } from 'pino';
import type { Readable } from 'node:stream';
import { entriesAfter, showLedger, toEntry } from '../audit/read-ledger.ts';
import {
  IN_LIST_MAX,
  WATCHERS_MAX,
  WATCHERS_PER_PRINCIPAL_MAX,
  WATCH_ENTRIES_KEPT,
  WATCH_LIVE_MS,
  WATCH_LIVE_NODES_MAX,
  WATCH_OPEN_MS,
  WATCH_STEP,
} from '../limits.ts';
import { RequestError } from '../request-error.ts';
import { nodeById, organizationsOf } from '../store/find-node.ts';
import type { LinkEvents } from '../cluster/cluster.ts';
import type { Store } from '../store/store.ts';
import type { LiveKind, May } from './event-text.ts';
import { KEEP_OPEN, liveEvent, standEvent } from './event-text.ts';
import { Watcher } from './watcher.ts';

export interface WatchRequest {
  readonly organizationId: string;
  /** Whose the watcher is. */
  readonly principal: string;
  readonly may: May;
  /** Number of the last entry that the reader knows. */
  readonly lastNumber: number | undefined;
  /** What it may by then, asked while the stream is open; rejects when it may not watch. */
  readonly check: () => Promise<May>;
}

interface Watched {
  readonly watchers: Set<Watcher>;
  /** The newest entries that were read, in order. */
  readonly entries: LedgerEntry[];
  /** Number of the newest entry that was read. */
  top: number;
  /** Number of the newest entry that there is, as far as is known. */
  latest: number;
  isReading: boolean;
  readonly live: Map<string, LiveKind>;
}

export class WatchHub {
  readonly #store: Store;
  readonly #log: Logger;
  readonly #isConnected: (nodeId: string) => boolean;
  readonly #organizations = new Map<string, Watched>();
  readonly #keepOpen: NodeJS.Timeout;
  readonly #tellLive: NodeJS.Timeout;
  #count = 0;

  /** `isConnected`: whether a node has a link, at whichever controller. */
  constructor(store: Store, log: Logger, isConnected: (nodeId: string) => boolean) {
    this.#store = store;
    this.#log = log;
    this.#isConnected = isConnected;
    this.#keepOpen = setInterval(() => this.#visitAll(), WATCH_OPEN_MS);
    this.#keepOpen.unref();
    this.#tellLive = setInterval(() => this.#flushLive(), WATCH_LIVE_MS);
    this.#tellLive.unref();
  }

  /** Streams that are open. */
  get count(): number {
    return this.#count;
  }

  /** A stream of events. Rejects with limit_reached. */
  async open(request: WatchRequest): Promise<Readable> {
    this.#checkRoom(request.principal);
    const { organizationId, lastNumber, principal, may, check } = request;
    const { head } = await this.#store.read((tx) => showLedger(tx, organizationId));
    this.#checkRoom(principal);
    const isKnown =
      lastNumber !== undefined && lastNumber >= head.firstNumber - 1 && lastNumber <= head.number;
    const number = isKnown ? lastNumber : head.number;
    const watcher = new Watcher({ principal, may, number, check });
    watcher.push(standEvent(lastNumber === undefined || isKnown ? 'ready' : 'reset', number));
    this.#add(organizationId, head.number, watcher);
    return watcher.stream;
  }

  /** To be called after each commit, here or at another controller, that wrote to ledgers. */
  onLedger(newest: ReadonlyMap<string, number>): void {
    for (const [organizationId, number] of newest) {
      const watched = this.#organizations.get(organizationId);
      if (watched === undefined) continue;
      watched.latest = Math.max(watched.latest, number);
      this.#read(organizationId, watched);
    }
  }

  /** What other controllers tell, with what of it people who watch here see. */
  follow(events: LinkEvents): LinkEvents {
    return {
      ...events,
      onGap: () => {
        events.onGap();
        this.onGap();
      },
      onFound: (links) => {
        events.onFound(links);
        this.#noteFound('connected', links.opened);
        this.#noteFound('disconnected', links.closed);
      },
    };
  }

  /** Something that other controllers wrote may not have been told: every head is looked at. */
  onGap(): void {
    for (const [organizationId, watched] of this.#organizations)
      this.#store
        .read((tx) => showLedger(tx, organizationId))
        .then(
          ({ head }) => {
            watched.latest = Math.max(watched.latest, head.number);
            this.#read(organizationId, watched);
          },
          () => undefined, // the next change tells
        );
  }

  /** A node's link came, went, or told something. */
  onLive(kind: LiveKind, nodeId: string, organizationId: string | null): void {
    if (this.#count === 0) return;
    if (organizationId !== null) return this.#noteLive(organizationId, nodeId, kind);
    this.#store
      .read((tx) => nodeById(tx, nodeId))
      .then(
        (node) => node && this.#noteLive(node.organization_id, nodeId, kind),
        () => undefined, // a picture that is a moment older
      );
  }

  /** Links that came or went without having been told: a controller that died took them along. */
  #noteFound(kind: LiveKind, nodeIds: readonly string[]): void {
    if (this.#count === 0) return;
    for (let at = 0; at < nodeIds.length; at += IN_LIST_MAX)
      this.#store
        .read((tx) => organizationsOf(tx, nodeIds.slice(at, at + IN_LIST_MAX)))
        .then(
          (rows) => rows.forEach((row) => this.#noteLive(row.organization_id, row.id, kind)),
          () => undefined, // a picture that is a moment older
        );
  }

  /** Ends all streams: their readers come again, here or elsewhere. */
  stop(): void {
    clearInterval(this.#keepOpen);
    clearInterval(this.#tellLive);
    for (const { watchers } of this.#organizations.values())
      for (const watcher of watchers) watcher.close();
  }

  #checkRoom(principal: string): void {
    if (this.#count >= WATCHERS_MAX)
      throw new RequestError('limit_reached', `${WATCHERS_MAX} watch streams are open here`);
    let own = 0;
    for (const { watchers } of this.#organizations.values())
      for (const watcher of watchers) if (watcher.principal === principal) own += 1;
    if (own >= WATCHERS_PER_PRINCIPAL_MAX)
      throw new RequestError(
        'limit_reached',
        `you have ${WATCHERS_PER_PRINCIPAL_MAX} watch streams open: close one`,
      );
  }

  #add(organizationId: string, number: number, watcher: Watcher): void {
    const watched: Watched = this.#organizations.get(organizationId) ?? {
      watchers: new Set(),
      entries: [],
      top: number,
      latest: number,
      isReading: false,
      live: new Map(),
    };
    this.#organizations.set(organizationId, watched);
    watched.watchers.add(watcher);
    this.#count += 1;
    watcher.stream.once('close', () => {
      watched.watchers.delete(watcher);
      this.#count -= 1;
      if (watched.watchers.size === 0) this.#organizations.delete(organizationId);
    });
    watched.latest = Math.max(watched.latest, number);
    this.#read(organizationId, watched);
    this.#feed(organizationId, watched, watcher);
  }

  #read(organizationId: string, watched: Watched): void {
    if (watched.isReading || watched.latest <= watched.top) return;
    watched.isReading = true;
    this.#readOn(organizationId, watched)
      .catch((error: unknown) =>
        this.#log.warn({ organizationId, err: error }, 'the ledger could not be read for watchers'),
      )
      .finally(() => {
        watched.isReading = false;
      });
  }

  async #readOn(organizationId: string, watched: Watched): Promise<void> {
    while (watched.latest > watched.top && watched.watchers.size > 0) {
      const entries = await this.#entries(organizationId, watched.top, watched.latest);
      const last = entries.at(-1);
      if (last === undefined) return;
      watched.entries.push(...entries);
      watched.entries.splice(0, Math.max(0, watched.entries.length - WATCH_ENTRIES_KEPT));
      watched.top = last.number;
      for (const watcher of watched.watchers) this.#feed(organizationId, watched, watcher);
    }
  }

  async #entries(organizationId: string, after: number, until: number): Promise<LedgerEntry[]> {
    const range = { after, until, limit: WATCH_STEP };
    const rows = await this.#store.read((tx) => entriesAfter(tx, organizationId, range));
    return rows.map(toEntry);
  }

  /** Gives a watcher what was read; what is not kept any more it reads by itself. */
  #feed(organizationId: string, watched: Watched, watcher: Watcher): void {
    // One whose reader is gone catches up with nothing, and would be fed for ever.
    if (watcher.stream.destroyed) return;
    if (watcher.isCatchingUp || watcher.number >= watched.top) return;
    const first = watched.entries[0]?.number ?? watched.top + 1;
    if (watcher.number + 1 >= first) {
      for (const entry of watched.entries) watcher.take(entry);
      return;
    }
    watcher.isCatchingUp = true;
    this.#catchUp(organizationId, watched, watcher).then(
      () => {
        watcher.isCatchingUp = false;
        this.#feed(organizationId, watched, watcher);
      },
      () => watcher.close(), // it comes again from where it was
    );
  }

  async #catchUp(organizationId: string, watched: Watched, watcher: Watcher): Promise<void> {
    const until = watched.top;
    while (watcher.number < until && !watcher.stream.destroyed) {
      const from = watcher.number;
      for (const entry of await this.#entries(organizationId, from, until)) watcher.take(entry);
      if (watcher.number === from) throw new Error(`entry ${from + 1} is not there`);
    }
  }

  #noteLive(organizationId: string, nodeId: string, kind: LiveKind): void {
    const live = this.#organizations.get(organizationId)?.live;
    if (live === undefined) return;
    const isLinkChange = live.get(nodeId) === 'connected' || live.get(nodeId) === 'disconnected';
    if (kind === 'reported' && isLinkChange) return;
    if (live.has(nodeId) || live.size < WATCH_LIVE_NODES_MAX) live.set(nodeId, kind);
  }

  #flushLive(): void {
    for (const { live, watchers } of this.#organizations.values()) {
      if (live.size === 0) continue;
      const text = liveEvent([...live].map(([id, kind]) => ({ id, kind: this.#kindOf(id, kind) })));
      live.clear();
      for (const watcher of watchers) if (watcher.mayHearOfNodes()) watcher.push(text);
    }
  }

  /** What several controllers tell of one node may come in any order: what counts is what is. */
  #kindOf(nodeId: string, kind: LiveKind): LiveKind {
    if (kind === 'reported') return kind;
    return this.#isConnected(nodeId) ? 'connected' : 'disconnected';
  }

  /** Keeps streams open, and ends those whose principals may not watch any more. */
  #visitAll(): void {
    for (const [organizationId, watched] of this.#organizations) {
      this.#read(organizationId, watched); // what could not be read before
      for (const watcher of watched.watchers) {
        watcher.push(KEEP_OPEN);
        void watcher.look();
      }
    }
  }
}
