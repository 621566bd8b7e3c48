/**
 * This node's own endpoint record (docs/trust.md 6). It is made anew only when the endpoints
 * differ, since each later one goes to every member of its networks.
 */
import { fromBase64url, toBase64url } from '@etherloom/api';
import { compareOrdinals, encodeOrdinal, parseEndpoint } from '@etherloom/core';
import { signEndpointRecord, verifyEndpointRecord } from '@etherloom/core';
import { START_COUNT_TRUSTED_MAX } from '../limits.ts';

export interface OwnRecordDeps {
  readonly identity: {
    readonly nodeIdBytes: Uint8Array;
    readonly signKey: string;
    readonly signBytes: (bytes: Uint8Array) => Uint8Array;
  };
  readonly startCount: number;
}

export class OwnRecord {
  readonly #deps: OwnRecordDeps;
  #sequence = 0n;
  #endpoints = '';
  #bytes: Uint8Array | undefined;

  constructor(deps: OwnRecordDeps) {
    this.#deps = deps;
  }

  /** The newest record; undefined before the first. */
  get bytes(): Uint8Array | undefined {
    return this.#bytes;
  }

  /**
   * The start of a record that this node signed after all that it can remember, as when its disk
   * was put back; undefined: it remembers all, or never signed this.
   */
  laterStart(record: string | null): number | undefined {
    if (record === null) return undefined;
    const { identity, startCount } = this.#deps;
    const signed = verifyEndpointRecord(fromBase64url(record), identity.signKey);
    const newest = encodeOrdinal(startCount, this.#sequence);
    if (signed === undefined || compareOrdinals(signed.ordinal, newest) <= 0) return undefined;
    if (signed.nodeId.some((byte, at) => byte !== identity.nodeIdBytes[at])) return undefined;
    const start = new DataView(Uint8Array.from(signed.ordinal).buffer).getUint32(0);
    return start <= START_COUNT_TRUSTED_MAX ? start : undefined;
  }

  /** The record of these endpoints, base64url. */
  of(endpoints: readonly string[]): string {
    const text = endpoints.join(' ');
    if (this.#bytes !== undefined && text === this.#endpoints) return toBase64url(this.#bytes);
    this.#sequence += 1n;
    this.#endpoints = text;
    const { identity, startCount } = this.#deps;
    this.#bytes = signEndpointRecord(
      {
        nodeId: identity.nodeIdBytes,
        ordinal: encodeOrdinal(startCount, this.#sequence),
        endpoints: endpoints.map(parseEndpoint),
      },
      identity.signBytes,
    );
    return toBase64url(this.#bytes);
  }
}
