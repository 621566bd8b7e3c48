/**
 * The store: transactions over an engine, with what every operation needs beside rows (time,
 * randomness, keys) and with the announcement of changed networks after the commit. Operations are
 * functions in the files beside this one; they take a Tx and nothing else, so that several make one
 * transaction. What they change of networks they note with touchNetwork and touchMember: the
 * statements that follow are made before the commit, in the same transaction.
 */
import type { Transaction } from 'kysely';
import type { Origin } from '../access/principal.ts';
import { CONTROLLER_ORIGIN } from '../access/principal.ts';
import { writeLedger } from '../audit/ledger.ts';
import type { LedgerDraft } from '../audit/record.ts';
import type { Keyring } from '../authority/keyring.ts';
import type { RandomBytes } from '../identifiers.ts';
import { changesText, fillChanges } from './bus.ts';
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
  /** Number of the newest entry in the ledger of each organization that has further ones. */
  readonly ledger: Map<string, number>;
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
  /** Who does it, in which organization. */
  readonly origin: Origin;
  /** Networks by id. */
  readonly touched: Map<string, Touched>;
  /** Entries for the ledger; record() of audit/record.ts adds them. */
  readonly drafts: LedgerDraft[];
  /** Whether the If-Match of the request was compared with what is changed. */
  readonly precondition: { isChecked: boolean };
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
  #onChanged: (changes: Changes, isRemote: boolean) => void = () => {};
  /** Transactions that were committed and rolled back, and runs of them; for metrics. */
  readonly counts = { done: 0, failed: 0, runs: 0 };

  constructor(engine: Engine, deps: StoreDeps) {
    this.#engine = engine;
    this.#deps = deps;
  }

  /**
   * Who is told after each commit that changed something, here or (`isRemote`) at another
   * controller of the database. One listener.
   */
  onChanged(listener: (changes: Changes, isRemote: boolean) => void): void {
    this.#onChanged = listener;
  }

  /**
   * All of `work` or nothing of it; resolves when it is on disk. It runs again where another
   * transaction was in its way, with a Tx of its own each time: it must have no effect but by that.
   */
  async transact<T>(work: (tx: Tx) => Promise<T>, origin: Origin = CONTROLLER_ORIGIN): Promise<T> {
    const { result, changes } = await this.#counted(async (db) => {
      const tx = this.#begin(db, origin);
      const worked = await work(tx);
      await this.#deps.settle(tx);
      await writeLedger(tx);
      const told = this.#engine.bus === null ? null : changesText(tx.changes);
      if (told !== null) await this.#engine.bus?.post(db, told);
      return { result: worked, changes: tx.changes };
    });
    if (Object.values(changes).some(({ size }) => size > 0)) this.#onChanged(changes, false);
    return result;
  }

  async #counted<T>(work: (db: Transaction<Schema>) => Promise<T>): Promise<T> {
    try {
      const given = await this.#engine.transact((db) => {
        this.counts.runs += 1;
        return work(db);
      });
      this.counts.done += 1;
      return given;
    } catch (error) {
      this.counts.failed += 1;
      throw error;
    }
  }

  /** Runs `work`, which changes nothing, on one snapshot. */
  read<T>(work: (tx: Tx) => Promise<T>, origin: Origin = CONTROLLER_ORIGIN): Promise<T> {
    return this.#engine.read((db) => work(this.#begin(db, origin)));
  }

  #begin(db: Transaction<Schema>, origin: Origin): Tx {
    return {
      db,
      engine: this.#engine,
      now: new Date(this.#deps.now()),
      random: this.#deps.random,
      changes: noChanges(),
      keyring: this.#deps.keyring,
      origin,
      touched: new Map(),
      drafts: [],
      precondition: { isChecked: false },
    };
  }

  /** To be called with what another controller told of a transaction of its own. */
  takeRemote(lists: Readonly<Record<string, readonly unknown[]>>): void {
    this.#onChanged(fillChanges(noChanges(), lists), true);
  }

  close(): Promise<void> {
    return this.#engine.close();
  }
}

function noChanges(): Changes {
  return {
    networkIds: new Set(),
    nodeIds: new Set(),
    removedNodeIds: new Set(),
    organizationIds: new Set(),
    ledger: new Map(),
  };
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
