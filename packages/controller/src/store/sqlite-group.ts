/**
 * Commits several transactions of SQLite as one: an acknowledged write waits for the disk, and a
 * thousand agents that open their links after an outage must not each wait for it in turn. Each
 * keeps a savepoint of its own: one that fails takes back its own changes and nothing else. None is
 * acknowledged before the commit of all.
 *
 *   queue -> begin -> savepoint, work, release | savepoint, work, roll back -> commit -> answers
 */
import type { Kysely, Transaction } from 'kysely';
import { CompiledQuery } from 'kysely';
import { GROUP_COMMIT_MAX, GROUP_COMMIT_MS } from '../limits.ts';
import type { TransactionWork } from './engine.ts';
import type { Schema } from './schema.ts';

const SAVEPOINT = CompiledQuery.raw('savepoint own');
const RELEASE = CompiledQuery.raw('release own');
const ROLLBACK = CompiledQuery.raw('rollback to own');

/** A transaction that waits for its turn. */
interface Job {
  /** Gives what to do when all is on disk. */
  readonly run: (db: Transaction<Schema>) => Promise<() => void>;
  readonly fail: (error: unknown) => void;
}

/** Runs transactions one after the other, in the order in which they came. */
export class GroupCommit {
  readonly #db: Kysely<Schema>;
  readonly #queue: Job[] = [];
  #isRunning = false;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  /** Resolves when what `work` wrote is on disk. */
  run<T>(work: TransactionWork<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#queue.push({
      run: async (db) => {
        const result = await work(db);
        return () => resolve(result);
      },
      fail: reject,
    });
    this.#start();
    return promise;
  }

  /** What arrives in one turn of the event loop goes together. */
  #start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    setImmediate(() => {
      this.#runGroup()
        .catch(() => undefined) // each of the group was told
        .finally(() => {
          this.#isRunning = false;
          if (this.#queue.length > 0) this.#start();
        });
    });
  }

  async #runGroup(): Promise<void> {
    const taken: Job[] = [];
    const answers: (() => void)[] = [];
    try {
      await this.#db.transaction().execute(async (tx) => {
        const endMs = performance.now() + GROUP_COMMIT_MS;
        do {
          const job = this.#queue.shift();
          if (job === undefined) return;
          taken.push(job);
          answers.push(await runOne(tx, job));
        } while (taken.length < GROUP_COMMIT_MAX && performance.now() < endMs);
      });
    } catch (error) {
      for (const { fail } of taken) fail(error);
      return;
    }
    for (const answer of answers) answer();
  }
}

/** Gives the answer; throws when the transaction of all is lost. */
async function runOne(tx: Transaction<Schema>, job: Job): Promise<() => void> {
  await tx.executeQuery(SAVEPOINT);
  try {
    const answer = await job.run(tx);
    await tx.executeQuery(RELEASE);
    return answer;
  } catch (error) {
    await rollBack(tx, error);
    return () => job.fail(error);
  }
}

/** A full disk ends the transaction of all: then there is no savepoint any more. */
async function rollBack(tx: Transaction<Schema>, cause: unknown): Promise<void> {
  try {
    await tx.executeQuery(ROLLBACK);
    await tx.executeQuery(RELEASE);
  } catch {
    throw cause;
  }
}
