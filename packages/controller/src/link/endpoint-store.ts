/**
 * Stores what one agent last said of its endpoints, as soon as its node may change them again: each
 * change is a message to every peer. It is stored also when the link is gone by then: by the newest
 * record a host that was put back to an older disk learns how often it was started.
 */
import type { Logger } from 'pino';
import { setEndpoints } from '../store/nodes.ts';
import type { Store } from '../store/store.ts';
import type { EndpointPace } from './endpoint-pace.ts';
import type { EndpointReport } from './endpoint-report.ts';

export interface EndpointStoreDeps {
  readonly store: Store;
  readonly endpointPace: EndpointPace;
  readonly log: Logger;
}

export class EndpointStore {
  readonly #nodeId: string;
  readonly #deps: EndpointStoreDeps;
  readonly #onFailed: (error: unknown) => void;
  /** The last report, until it is stored. */
  #report: EndpointReport | null = null;
  #timer: NodeJS.Timeout | null = null;
  #isClosed = false;

  constructor(nodeId: string, deps: EndpointStoreDeps, onFailed: (error: unknown) => void) {
    this.#nodeId = nodeId;
    this.#deps = deps;
    this.#onFailed = onFailed;
  }

  /** null: a report that leads nowhere from another host. */
  take(report: EndpointReport | null): Promise<void> {
    this.#report = report;
    if (report === null)
      this.#deps.log.warn(
        { nodeId: this.#nodeId },
        'endpoints that lead nowhere from another host are not passed on',
      );
    return this.store();
  }

  /** Rejects when it could not be stored; it is kept then. */
  async store(): Promise<void> {
    const report = this.#report;
    if (report === null || this.#timer !== null) return;
    const { store, endpointPace } = this.#deps;
    const waitMs = endpointPace.waitMs(this.#nodeId);
    if (waitMs > 0) {
      this.#timer = setTimeout(() => {
        this.#timer = null;
        // Of a link that is gone nobody waits for it, and a later link brings a later record.
        this.store().catch((error: unknown) => this.#isClosed || this.#onFailed(error));
      }, waitMs);
      if (this.#isClosed) this.#timer.unref();
      return;
    }
    this.#report = null;
    try {
      const isChanged = await store.transact((tx) => setEndpoints(tx, this.#nodeId, report));
      if (isChanged) endpointPace.noteChange(this.#nodeId);
    } catch (error) {
      this.#report ??= report;
      throw error;
    }
  }

  /** The link is gone; what waits is stored when its time comes. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.unref();
  }
}
