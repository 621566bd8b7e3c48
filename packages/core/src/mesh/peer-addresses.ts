/**
 * Which addresses are those of peers: where they were last seen, what they say and what is
 * configured. Collected anew when it is asked for and some time has passed, so that neither a flood
 * of questions nor a flood of changes costs more than that.
 */
import { endpointAddress } from '../endpoint.ts';
import type { Endpoint } from '../endpoint.ts';
import { PEER_ADDRESSES_MS } from './limits.ts';
import { candidatesOf } from './peer-record.ts';
import type { PeerRecord } from './peer-record.ts';

export class PeerAddresses {
  readonly #records: () => Iterable<PeerRecord>;
  #addresses: ReadonlySet<string> = new Set();
  #collectedAt = -Infinity;

  constructor(records: () => Iterable<PeerRecord>) {
    this.#records = records;
  }

  has(source: Endpoint, now: number): boolean {
    if (now - this.#collectedAt >= PEER_ADDRESSES_MS) {
      const endpoints = [...this.#records()].flatMap(candidatesOf);
      this.#addresses = new Set(endpoints.map((endpoint) => endpointAddress(endpoint).join()));
      this.#collectedAt = now;
    }
    return this.#addresses.has(endpointAddress(source).join());
  }
}
