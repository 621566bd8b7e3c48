/** Makes identifiers, secrets and MAC addresses out of random bytes, which are passed in. */
import { createHash } from 'node:crypto';
import { toBase64url } from '@etherloom/api';

/** Gives n random bytes fit for secrets. */
export type RandomBytes = (count: number) => Uint8Array;

export type IdPrefix = 'org' | 'net' | 'tok' | 'rsv' | 'req';

const ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyz';
const ID_CHARS = 20;
/**
 * Largest multiple of the alphabet's length that fits a byte: above it a byte would favour the
 * first letters.
 */
const UNBIASED_LIMIT = 252;

/** prefix_ and 20 random letters or digits (103 bits). */
export function makeId(prefix: IdPrefix, random: RandomBytes): string {
  let text = '';
  while (text.length < ID_CHARS) {
    for (const byte of random(ID_CHARS)) {
      if (byte < UNBIASED_LIMIT && text.length < ID_CHARS) text += ALPHABET[byte % ALPHABET.length];
    }
  }
  return `${prefix}_${text}`;
}

/** 32 random bytes in base64url. */
export function makeSecret(random: RandomBytes): string {
  return toBase64url(random(32));
}

/**
 * A locally administered unicast MAC for a node in a network. Drawn from SHA-256 over their random
 * ids, so that a node that leaves and joins again has the same one; `attempt` gives another when it
 * is taken.
 */
export function makeMac(networkId: string, nodeId: string, attempt: number): string {
  const hash = createHash('sha256')
    .update(`etherloom mac 1\n${networkId}\n${nodeId}\n${attempt}`)
    .digest();
  const bytes = Array.from(hash.subarray(0, 6));
  bytes[0] = ((bytes[0] ?? 0) & 0xfc) | 0x02;
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/**
 * How secrets are stored: they are 256 random bits, so a plain hash needs no salt and no
 * stretching.
 */
export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
