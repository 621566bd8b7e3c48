/** AES-256-GCM with the 16-byte tag appended. */
import { createCipheriv, createDecipheriv } from 'node:crypto';

export const TAG_BYTES = 16;

const NO_BYTES = new Uint8Array(0);

/** Thrown when a tag does not fit: the bytes are not from the holder of the key. */
export class SealError extends Error {
  override readonly name = 'SealError';
  readonly code = 'seal_invalid';
}

/** Returns ciphertext and tag. The nonce has 12 bytes and is used once under a key. */
export function seal(
  key: Uint8Array,
  nonce: Uint8Array,
  plaintext: Uint8Array,
  aad: Uint8Array = NO_BYTES,
): Uint8Array {
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(aad);
  const out = new Uint8Array(plaintext.length + TAG_BYTES);
  out.set(cipher.update(plaintext));
  cipher.final();
  out.set(cipher.getAuthTag(), plaintext.length);
  return out;
}

/** Returns the plaintext. Throws SealError. */
export function open(
  key: Uint8Array,
  nonce: Uint8Array,
  sealed: Uint8Array,
  aad: Uint8Array = NO_BYTES,
): Uint8Array {
  const size = sealed.length - TAG_BYTES;
  if (size < 0) throw new SealError(`${sealed.length} bytes are shorter than a tag`);
  const decipher = createDecipheriv('aes-256-gcm', key, nonce);
  decipher.setAAD(aad);
  decipher.setAuthTag(sealed.subarray(size));
  const plaintext = new Uint8Array(decipher.update(sealed.subarray(0, size)));
  try {
    decipher.final();
  } catch (cause) {
    throw new SealError('the tag does not fit', { cause });
  }
  return plaintext;
}
