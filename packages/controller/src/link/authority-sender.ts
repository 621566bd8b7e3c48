/** Sends one agent the history of its organization's authority, by which it judges all state. */
import type { AuthorityStatement, SignedStatement } from '@etherloom/api';
import { AUTHORITY_CHAIN_MAX } from '@etherloom/api';
import { hashStatement } from '@etherloom/core';
import { authorityChain } from '../authority/authorities.ts';
import { readText } from '../authority/signed.ts';
import { AUTHORITY_HISTORY_MAX } from '../limits.ts';
import type { Store } from '../store/store.ts';

/** Knows what was sent. */
export class AuthoritySender {
  readonly #store: Store;
  readonly #organizationId: string;
  readonly #send: (text: string) => void;
  #version = 0;

  constructor(store: Store, organizationId: string, send: (text: string) => void) {
    this.#store = store;
    this.#organizationId = organizationId;
    this.#send = send;
  }

  get organizationId(): string {
    return this.#organizationId;
  }

  /** Newest version that was sent. */
  get version(): number {
    return this.#version;
  }

  /** From the version that the agent holds on; the whole where that one is not known here. */
  async sendHistory(heldHash: string | null): Promise<void> {
    const chain = await this.#store.transact((tx) =>
      authorityChain(tx, this.#organizationId, AUTHORITY_HISTORY_MAX),
    );
    const at = chain.findIndex(({ statement }) => hashStatement(statement) === heldHash);
    // The version before the newest has keys that count for a while.
    const from = at < 0 ? 0 : Math.min(at, Math.max(0, chain.length - 2));
    for (let i = from; i < chain.length; i += AUTHORITY_CHAIN_MAX)
      this.#sendChain(chain.slice(i, i + AUTHORITY_CHAIN_MAX));
  }

  /** The newest versions, which follow from one that the agent was sent. */
  async sendNewest(): Promise<void> {
    this.#sendChain(await this.#store.transact((tx) => authorityChain(tx, this.#organizationId)));
  }

  #sendChain(chain: readonly SignedStatement[]): void {
    const newest = chain.at(-1);
    if (newest === undefined) return;
    this.#version = readText<AuthorityStatement>(newest.statement).version;
    this.#send(JSON.stringify({ type: 'authority', chain }));
  }
}
