/**
 * Carries the wanted rows into the data path that is attached, and remembers what is set. To a data
 * path that ran before the agent did, every row is set anew with the next generation and the rest
 * is swept, so that traffic flows all the while.
 */
import { TABLE_KIND } from '@etherloom/core';
import type { DatapathClient, DatapathRefusal, HelloReply } from './client.ts';
import { differenceOf } from './tables.ts';
import type { TableRow } from './tables.ts';

/**
 * In an order in which nothing is swept that a remaining entry refers to. Sessions are the mesh's.
 */
const SWEEP_ORDER = [
  TABLE_KIND.flood,
  TABLE_KIND.neighbour,
  TABLE_KIND.fdb,
  TABLE_KIND.peer,
  TABLE_KIND.port,
] as const;

export class TableProgrammer {
  #client: DatapathClient | undefined;
  #generation = 0;
  #needsSweep = false;
  #held: ReadonlyMap<string, TableRow> = new Map();

  get generation(): number {
    return this.#generation;
  }

  /** Starts with a data path of which nothing is known to be set. */
  attach(client: DatapathClient, hello: HelloReply): void {
    this.#client = client;
    this.#generation = (hello.generation + 1) >>> 0;
    this.#needsSweep = true;
    this.#held = new Map();
  }

  /** Makes the next pass set a row again, after deleting it. */
  forget(keys: readonly string[]): void {
    this.#held = new Map(
      [...this.#held].map(([key, row]) => [
        key,
        keys.includes(key) ? { ...row, signature: 'forgotten' } : row,
      ]),
    );
  }

  /**
   * Sets what differs; `beforeRemovals` runs when the wanted entries are there and the unwanted
   * ones not yet gone. Gives refusals.
   */
  async apply(
    wanted: ReadonlyMap<string, TableRow>,
    beforeRemovals: () => void,
  ): Promise<DatapathRefusal[]> {
    const client = this.#client;
    if (client === undefined) return [];
    const { sets, removals } = differenceOf(this.#held, wanted, this.#generation);
    const refusals = await client.requestAll(sets);
    beforeRemovals();
    refusals.push(...(await client.requestAll(removals)));
    if (this.#needsSweep) {
      const generation = this.#generation;
      refusals.push(
        ...(await client.requestAll(
          SWEEP_ORDER.map((kind) => ({ name: 'sweep', values: { kind, generation } }) as const),
        )),
      );
    }
    if (this.#client !== client) return refusals;
    this.#needsSweep = false;
    // After a refusal it is not known which rows are set: the next pass sets all of them.
    this.#held =
      refusals.length === 0
        ? wanted
        : new Map([...wanted].map(([key, row]) => [key, { ...row, signature: 'refused' }]));
    return refusals;
  }
}
