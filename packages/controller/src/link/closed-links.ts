/**
 * Writes down which links were closed, and when their nodes were last seen. What the database did
 * not take is tried again: a row that stays open would say for ever that the node is connected.
 */
import type { Logger } from 'pino';
import type { Cluster } from '../cluster/cluster.ts';
import { LINKS_MAX, LINK_RETRY_MS } from '../limits.ts';
import { RequestError } from '../request-error.ts';
import { noteSeen } from '../store/nodes.ts';
import type { Store } from '../store/store.ts';

/** A link that is over. */
export interface ClosedLink {
  readonly nodeId: string;
  readonly epoch: number;
  readonly organizationId: string | null;
}

/** With the time at which it ended. */
interface Ended extends ClosedLink {
  readonly endedAt: Date;
}

export interface ClosedLinksDeps {
  readonly store: Store;
  readonly cluster: Cluster | null;
  readonly log: Logger;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** The node has another link here. */
  readonly isOpen: (nodeId: string) => boolean;
  /** It is written, or was tried: who asks another controller then is told so as far as can be. */
  readonly onTried: (link: ClosedLink) => void;
}

export class ClosedLinks {
  readonly #deps: ClosedLinksDeps;
  readonly #writes = new Set<Promise<void>>();
  /** Those that are to be written again, by node: a node has one link at a time. */
  readonly #unwritten = new Map<string, Ended>();
  #timer: NodeJS.Timeout | null = null;

  constructor(deps: ClosedLinksDeps) {
    this.#deps = deps;
  }

  /** Resolves when it was tried. Never rejects. */
  note(link: ClosedLink): Promise<void> {
    return this.#try({ ...link, endedAt: new Date(this.#deps.now()) });
  }

  async #try(link: Ended): Promise<void> {
    const write = this.#write(link).finally(() => {
      this.#writes.delete(write);
      this.#deps.onTried(link);
    });
    this.#writes.add(write);
    await write;
  }

  async #write(link: Ended): Promise<void> {
    const { store, cluster, log } = this.#deps;
    const { nodeId, epoch, endedAt } = link;
    try {
      await store.transact(async (tx) => {
        await noteSeen(tx, nodeId, endedAt);
        await cluster?.closeLink(tx, nodeId, epoch);
      });
    } catch (error) {
      const isAway = error instanceof RequestError && error.code === 'unavailable';
      if (isAway && this.#unwritten.size < LINKS_MAX) return this.#later(link);
      log.error({ nodeId, err: error }, 'last seen could not be written');
    }
  }

  #later(link: Ended): void {
    this.#unwritten.set(link.nodeId, link);
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      const again = [...this.#unwritten.values()];
      this.#unwritten.clear();
      // The row of a node that has come back here is that of its later link.
      for (const one of again) if (!this.#deps.isOpen(one.nodeId)) void this.#try(one);
    }, LINK_RETRY_MS).unref();
  }

  /** Resolves when what was being written is. */
  async stop(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    await Promise.all(this.#writes);
  }
}
