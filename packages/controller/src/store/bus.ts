/**
 * How controllers that share a database hear of each other: texts that travel with the commit of a
 * transaction, and are kept until all must have read them; and texts for those who listen at the
 * moment. What they say is the matter of cluster/.
 */
import type { Transaction } from 'kysely';
import type { Schema } from './schema.ts';
import type { Changes } from './store.ts';

export interface BusListener {
  /** A text of another controller. One that was posted may come twice. */
  readonly onMessage: (text: string) => void;
  /**
   * Texts may have been missed, or the database may have gone back: whatever is held from it has to
   * be compared with it.
   */
  readonly onGap: () => void;
  /** The database is reached from here on, or is not. */
  readonly onReach: (isReached: boolean) => void;
}

export interface Bus {
  /** To all others, once and if the transaction is committed. */
  post(db: Transaction<Schema>, text: string): Promise<void>;
  /** The same to those who listen at that moment: one who does not never hears of it. */
  mention(db: Transaction<Schema>, text: string): Promise<void>;
  /** To those who listen at the moment, outside of any transaction. Rejects with `unavailable`. */
  say(text: string): Promise<void>;
  /**
   * Leaves a text of any length for one who is told its key by other means; dropped after a while
   * if nobody collects it. Rejects with `unavailable`.
   */
  leave(key: string, text: string): Promise<void>;
  /** Takes a text that was left; undefined: there is none, or somebody took it. */
  collect(key: string): Promise<string | undefined>;
  /** Runs one statement on the connection of the bus. Rejects with `unavailable`. */
  query<Row>(text: string, parameters?: readonly unknown[]): Promise<readonly Row[]>;
  /** Listens from here on; resolves when the first connection stands. One listener. */
  listen(listener: BusListener): Promise<void>;
  /** Forgets posted texts that all must have read. */
  sweep(): Promise<void>;
  /** Whether the database is reached. */
  readonly isReached: boolean;
  close(): Promise<void>;
}

/** What of a transaction others are to hear; null: nothing. */
export function changesText(changes: Changes): string | null {
  const lists = Object.entries(changes)
    .map(([name, given]: [string, ReadonlySet<unknown> | ReadonlyMap<unknown, unknown>]) => [
      name,
      [...given],
    ])
    .filter(([, list]) => list !== undefined && list.length > 0);
  return lists.length === 0
    ? null
    : JSON.stringify({ type: 'changes', lists: Object.fromEntries(lists) });
}

/** Adds to `empty` what changesText has written. */
export function fillChanges(
  empty: Changes,
  lists: Readonly<Record<string, readonly unknown[]>>,
): Changes {
  const parts: readonly [string, Set<unknown> | Map<unknown, unknown>][] = Object.entries(empty);
  for (const [name, part] of parts) {
    for (const value of lists[name] ?? [])
      if (part instanceof Set) part.add(value);
      else if (Array.isArray(value)) part.set(value[0], value[1]);
  }
  return empty;
}
