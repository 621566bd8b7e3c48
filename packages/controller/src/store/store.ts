/**
 * The store: transactions over an engine, with what every operation needs beside rows (time,
 * randomness) and with the announcement of changed networks after the commit. Operations are
 * functions in the files beside this one; they take a Tx and nothing else, so that several make one
 * transaction.
 */
import type { Transaction } from 'kysely';
import type { RandomBytes } from '../identifiers.ts';
import type { Engine } from './engine.ts';
import type { Schema } from './schema.ts';

/** What a transaction changed that connected agents must learn. */
export interface Changes {
  /** Networks whose revision rose, or that are gone. */
  readonly networkIds: Set<string>;
  /** Nodes that became or ceased to be members. */
  readonly nodeIds: Set<string>;
  /** Nodes that were removed for good. */
  readonly removedNodeIds: Set<string>;
}

export interface Tx {
  readonly db: Transaction<Schema>;
  readonly engine: Engine;
  readonly now: Date;
  readonly random: RandomBytes;
  readonly changes: Changes;
}

export interface StoreDeps {
  readonly now: () => number;
  readonly random: RandomBytes;
}

/** Runs operations in transactions. */
export class Store {
  readonly #engine: Engine;
  readonly #deps: StoreDeps;
  #onChanged: (changes: Changes) => void = () => {};

  constructor(engine: Engine, deps: StoreDeps) {
    this.#engine = engine;
    this.#deps = deps;
  }

  /** Who is told after each commit that changed something. One listener. */
  onChanged(listener: (changes: Changes) => void): void {
    this.#onChanged = listener;
  }

  /** All of `work` or nothing of it; resolves when it is on disk. */
  async transact<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    const changes: Changes = {
      networkIds: new Set(),
      nodeIds: new Set(),
      removedNodeIds: new Set(),
    };
    const result = await this.#engine.db.transaction().execute((db) =>
      work({
        db,
        engine: this.#engine,
        now: new Date(this.#deps.now()),
        random: this.#deps.random,
        changes,
      }),
    );
    if (changes.networkIds.size + changes.removedNodeIds.size > 0) this.#onChanged(changes);
    return result;
  }

  close(): Promise<void> {
    return this.#engine.close();
  }
}
