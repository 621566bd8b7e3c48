/**
 * CipherState and SymmetricState of the Noise framework, revision 34, sections 5.1 and 5.2, for
 * AESGCM and SHA256. The method names are those of the specification, so that the two can be read
 * side by side.
 */
import { createHash, createHmac } from 'node:crypto';
import { open, seal } from './aes-gcm.ts';

export const HASH_BYTES = 32;

const NO_BYTES = new Uint8Array(0);

/** A key and the count of what it has sealed or opened. */
export class CipherState {
  readonly #key: Uint8Array;
  #n: bigint;

  constructor(key: Uint8Array, n = 0n) {
    this.#key = key;
    this.#n = n;
  }

  /** The key itself, for the data path, which counts on its own. */
  get key(): Uint8Array {
    return this.#key;
  }

  encryptWithAd(ad: Uint8Array, plaintext: Uint8Array): Uint8Array {
    return seal(this.#key, nonceOf(this.#n++), plaintext, ad);
  }

  /** Throws SealError; the count does not move then. */
  decryptWithAd(ad: Uint8Array, ciphertext: Uint8Array): Uint8Array {
    const plaintext = open(this.#key, nonceOf(this.#n), ciphertext, ad);
    this.#n++;
    return plaintext;
  }

  copy(): CipherState {
    return new CipherState(this.#key, this.#n);
  }
}

/** The chaining key, the handshake hash, and the cipher that both have led to. */
export class SymmetricState {
  #ck: Uint8Array;
  #h: Uint8Array;
  #cipher: CipherState | undefined;

  private constructor(ck: Uint8Array, h: Uint8Array, cipher: CipherState | undefined) {
    this.#ck = ck;
    this.#h = h;
    this.#cipher = cipher;
  }

  static initialize(protocolName: string): SymmetricState {
    const name = new TextEncoder().encode(protocolName);
    const h = name.length <= HASH_BYTES ? padded(name) : sha256(name);
    return new SymmetricState(h, h, undefined);
  }

  mixKey(input: Uint8Array): void {
    const [ck, key] = hkdf(this.#ck, input, 2);
    this.#ck = ck;
    this.#cipher = new CipherState(key);
  }

  mixHash(data: Uint8Array): void {
    this.#h = sha256(this.#h, data);
  }

  mixKeyAndHash(input: Uint8Array): void {
    const [ck, hash, key] = hkdf(this.#ck, input, 3);
    this.#ck = ck;
    this.mixHash(hash);
    this.#cipher = new CipherState(key);
  }

  encryptAndHash(plaintext: Uint8Array): Uint8Array {
    const ciphertext = this.#cipher?.encryptWithAd(this.#h, plaintext) ?? plaintext;
    this.mixHash(ciphertext);
    return ciphertext;
  }

  /** Throws SealError; the state does not move then. */
  decryptAndHash(ciphertext: Uint8Array): Uint8Array {
    const plaintext = this.#cipher?.decryptWithAd(this.#h, ciphertext) ?? ciphertext;
    this.mixHash(ciphertext);
    return plaintext;
  }

  /** The first cipher seals initiator to responder, the second the other way. */
  split(): readonly [CipherState, CipherState] {
    const [first, second] = hkdf(this.#ck, NO_BYTES, 2);
    return [new CipherState(first), new CipherState(second)];
  }

  get handshakeHash(): Uint8Array {
    return this.#h;
  }

  /** A state that can be thrown away when the message turns out to be a forgery. */
  copy(): SymmetricState {
    return new SymmetricState(this.#ck, this.#h, this.#cipher?.copy());
  }
}

export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}

export function hmacSha256(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  const hmac = createHmac('sha256', key);
  for (const part of parts) hmac.update(part);
  return new Uint8Array(hmac.digest());
}

function hkdf(
  ck: Uint8Array,
  input: Uint8Array,
  outputs: 2 | 3,
): [Uint8Array, Uint8Array, Uint8Array] {
  const temp = hmacSha256(ck, input);
  const first = hmacSha256(temp, Uint8Array.of(1));
  const second = hmacSha256(temp, first, Uint8Array.of(2));
  const third = outputs === 3 ? hmacSha256(temp, second, Uint8Array.of(3)) : NO_BYTES;
  return [first, second, third];
}

/** Noise's AESGCM nonce: 32 zero bits and the count as 64 bits, big-endian. */
function nonceOf(n: bigint): Uint8Array {
  const nonce = new Uint8Array(12);
  new DataView(nonce.buffer).setBigUint64(4, n);
  return nonce;
}

function padded(name: Uint8Array): Uint8Array {
  const out = new Uint8Array(HASH_BYTES);
  out.set(name);
  return out;
}
