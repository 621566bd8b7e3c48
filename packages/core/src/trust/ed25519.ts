/**
 * Ed25519 over raw keys as the contract writes them (base64url). What is no key or no signature
 * verifies nothing; it never throws, since keys and signatures come from anybody.
 */
import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { fromBase64url, toBase64url } from '@etherloom/api';
import { PARSED_KEYS_MAX } from './limits.ts';

/** Somebody who signs: a key that others know, and a way to use its private half. */
export interface Signer {
  /** Public key, base64url. */
  readonly key: string;
  /** The 64 bytes of an Ed25519 signature. */
  readonly sign: (bytes: Uint8Array) => Uint8Array;
}

/** Makes a signer of the 32 bytes of a private key; any 32 bytes are one. */
export function signerOf(privateBytes: Uint8Array): Signer {
  if (privateBytes.length !== 32)
    throw new TypeError(`an Ed25519 private key has 32 bytes, given ${privateBytes.length}`);
  // node:crypto wants a public part in a private JWK, does not look at it, and derives it anew; the
  // tests would notice otherwise.
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: '', d: toBase64url(privateBytes) };
  const privateKey = createPrivateKey({ key: jwk, format: 'jwk' });
  const { x = '' } = privateKey.export({ format: 'jwk' });
  return { key: x, sign: (bytes) => new Uint8Array(sign(null, bytes, privateKey)) };
}

/**
 * Parsed public keys: the few keys of an authority verify thousands of statements, and parsing one
 * takes half as long as verifying.
 */
const parsedKeys = new Map<string, KeyObject>();

/** True for a signature of that key over these bytes; key and signature in base64url. */
export function verifyEd25519(key: string, bytes: Uint8Array, signature: string): boolean {
  try {
    return verifyEd25519Bytes(key, bytes, fromBase64url(signature));
  } catch {
    return false; // a signature that is no base64url
  }
}

/** The same with a signature as bytes. */
export function verifyEd25519Bytes(key: string, bytes: Uint8Array, signature: Uint8Array): boolean {
  try {
    return verify(null, bytes, parsed(key), signature);
  } catch {
    return false; // 32 bytes that are no point of the curve
  }
}

function parsed(key: string): KeyObject {
  const known = parsedKeys.get(key);
  if (known !== undefined) return known;
  const fresh = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: key }, format: 'jwk' });
  const [oldest] = parsedKeys.keys();
  if (oldest !== undefined && parsedKeys.size >= PARSED_KEYS_MAX) parsedKeys.delete(oldest);
  parsedKeys.set(key, fresh);
  return fresh;
}
