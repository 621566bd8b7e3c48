/**
 * One reader of the watch stream. What it is given waits in its buffer while it does not read, and
 * no longer than the bound: a reader that does not drain is closed, and comes again from where it
 * was.
 */
import { Readable } from 'node:stream';
import type { LedgerEntry } from '@etherloom/api';
import { WATCH_BUFFER_BYTES } from '../limits.ts';
import type { May } from './event-text.ts';
import { changeEvent } from './event-text.ts';

export interface WatcherOptions {
  /** Whose it is. */
  readonly principal: string;
  readonly may: May;
  /** Number of the newest entry that it knows. */
  readonly number: number;
  /** What it may read by then; rejects when it may not watch any more. */
  readonly check: () => Promise<May>;
}

export class Watcher {
  readonly stream: Readable;
  readonly principal: string;
  readonly #check: () => Promise<May>;
  #may: May;
  #number: number;
  /** It reads what it missed from the database. */
  isCatchingUp = false;

  constructor(options: WatcherOptions) {
    this.principal = options.principal;
    this.#check = options.check;
    this.#may = options.may;
    this.#number = options.number;
    this.stream = new Readable({ read: () => undefined });
  }

  /** Number of the newest entry that it was given. */
  get number(): number {
    return this.#number;
  }

  take(entry: LedgerEntry): void {
    if (entry.number !== this.#number + 1) return;
    this.#number = entry.number;
    this.push(changeEvent(entry, this.#may));
  }

  /** Asks again what its principal may; closes when it may not watch any more. */
  async look(): Promise<void> {
    try {
      this.#may = await this.#check();
    } catch {
      this.close();
    }
  }

  mayHearOfNodes(): boolean {
    return this.#may('node:read');
  }

  push(text: string): void {
    if (this.stream.destroyed) return;
    this.stream.push(text);
    if (this.stream.readableLength > WATCH_BUFFER_BYTES) this.stream.destroy();
  }

  close(): void {
    if (!this.stream.destroyed) this.stream.push(null);
  }
}
