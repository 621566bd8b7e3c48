/**
 * Sealing of private keys at rest: AES-256-GCM with a random nonce. The context (whose key it is
 * and what for) is authenticated, so that a row of the database cannot be put in the place of
 * another.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { fromBase64url, toBase64url } from '@etherloom/api';
import type { RandomBytes } from '../identifiers.ts';

/** Bytes of a sealing key. */
export const SEALING_KEY_BYTES = 32;
const ALGORITHM = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Seals bytes; base64url of nonce, ciphertext and tag. */
export function seal(
  key: Uint8Array,
  context: string,
  plain: Uint8Array,
  random: RandomBytes,
): string {
  const nonce = random(NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, key, nonce);
  cipher.setAAD(Buffer.from(context, 'utf8'));
  const parts = [nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()];
  return toBase64url(Buffer.concat(parts));
}

/** Opens what seal() made; null with another key or context, or when it was damaged. */
export function unseal(key: Uint8Array, context: string, sealed: string): Uint8Array | null {
  try {
    const bytes = fromBase64url(sealed);
    if (bytes.length < NONCE_BYTES + TAG_BYTES) return null;
    const decipher = createDecipheriv(ALGORITHM, key, bytes.subarray(0, NONCE_BYTES));
    decipher.setAAD(Buffer.from(context, 'utf8'));
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    const body = bytes.subarray(NONCE_BYTES, -TAG_BYTES);
    return new Uint8Array(Buffer.concat([decipher.update(body), decipher.final()]));
  } catch {
    return null; // no base64url, or the tag does not fit
  }
}
