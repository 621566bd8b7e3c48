/**
 * The store: transactions over an engine, with what every operation needs beside rows (time,
 * randomness, keys) and with the announcement of changed networks after the commit. Operations are
 * functions in the files beside this one; they take a Tx and nothing else, so that several make one
 * transaction. What they change of networks they note with touchNetwork and touchMember: the
 * statements that follow are made before the commit, in the same transaction.
 */
import type { Transaction } from 'kysely';
import type { Keyring } from '../authority/keyring.ts';
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
  /** Organizations whose authority has a further version. */
  readonly organizationIds: Set<string>;
}

/** What of a network has to be compared with its statements before the commit. */
export interface Touched {
  readonly nodeIds: Set<string> | 'all';
  /** Nothing that was signed before may be used again. */
  readonly isFresh: boolean;
}

export interface Tx {
  readonly db: Transaction<Schema>;
  readonly engine: Engine;
  readonly now: Date;
  readonly random: RandomBytes;
  readonly changes: Changes;
  readonly keyring: Keyring;
  /** Networks by id. */
  readonly touched: Map<string, Touched>;
}

export interface StoreDeps {
  readonly keyring: Keyring;
  /** Makes the statements that follow from what a transaction touched (authority/settle.ts). */
  readonly settle: (tx: Tx) => Promise<void>;
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
      organizationIds: new Set(),
    };
    const result = await this.#engine.db.transaction().execute(async (db) => {
      const tx: Tx = {
        db,
        engine: this.#engine,
        now: new Date(this.#deps.now()),
        random: this.#deps.random,
        changes,
        keyring: this.#deps.keyring,
        touched: new Map(),
      };
      const worked = await work(tx);
      await this.#deps.settle(tx);
      return worked;
    });
    if (changes.networkIds.size + changes.removedNodeIds.size + changes.organizationIds.size > 0)
      this.#onChanged(changes);
    return result;
  }

  close(): Promise<void> {
    return this.#engine.close();
  }
}

/** The statement of a network does not say any more what its row says. */
export function touchNetwork(tx: Tx, networkId: string): void {
  if (!tx.touched.has(networkId)) tx.touched.set(networkId, { nodeIds: new Set(), isFresh: false });
}

/** A membership, or what its credential says, changed. */
export function touchMember(tx: Tx, networkId: string, nodeId: string): void {
  touchNetwork(tx, networkId);
  const touched = tx.touched.get(networkId);
  if (touched !== undefined && touched.nodeIds !== 'all') touched.nodeIds.add(nodeId);
}

/** All statements of a network are compared; with `isFresh` all are made anew. */
export function touchAll(tx: Tx, networkId: string, isFresh = false): void {
  tx.touched.set(networkId, { nodeIds: 'all', isFresh });
}
