/** Sends one agent the history of its organization's authority, by which it judges all state. */
import type { AuthorityStatement, SignedStatement } from '@etherloom/api';
import { AUTHORITY_CHAIN_MAX } from '@etherloom/api';
import { hashStatement } from '@etherloom/core';
import { authorityChain } from '../authority/authorities.ts';
import { readText } from '../authority/signed.ts';
import { AUTHORITY_HISTORY_MAX } from '../limits.ts';
import type { Store, Tx } from '../store/store.ts';

/** All versions of an organization's authority that are told, oldest first. */
export function readHistory(tx: Tx, organizationId: string): Promise<SignedStatement[]> {
  return authorityChain(tx, organizationId, AUTHORITY_HISTORY_MAX);
}

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

  /** From the version that the agent holds on; the whole where that one is not known here. */
  sendHistory(chain: readonly SignedStatement[], heldHash: string | null): void {
    const at = chain.findIndex(({ statement }) => hashStatement(statement) === heldHash);
    // The version before the newest has keys that count for a while.
    const from = at < 0 ? 0 : Math.min(at, Math.max(0, chain.length - 2));
    for (let i = from; i < chain.length; i += AUTHORITY_CHAIN_MAX)
      this.#sendChain(chain.slice(i, i + AUTHORITY_CHAIN_MAX));
  }

  /** The newest versions, which follow from one that the agent was sent. */
  async sendNewest(): Promise<void> {
    this.#sendChain(await this.#store.read((tx) => authorityChain(tx, this.#organizationId)));
  }

  /** The newest versions, where the agent was not sent this one yet. */
  async sendUpTo(version: number): Promise<void> {
    if (version > this.#version) await this.sendNewest();
  }

  #sendChain(chain: readonly SignedStatement[]): void {
    const newest = chain.at(-1);
    if (newest === undefined) return;
    this.#version = readText<AuthorityStatement>(newest.statement).version;
    this.#send(JSON.stringify({ type: 'authority', chain }));
  }
}
