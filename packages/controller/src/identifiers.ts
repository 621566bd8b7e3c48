/** Makes identifiers, secrets and MAC addresses out of random bytes, which are passed in. */
import { createHash, randomInt } from 'node:crypto';
import { toBase64url } from '@etherloom/api';

/** Gives n random bytes fit for secrets. */
export type RandomBytes = (count: number) => Uint8Array;

export type IdPrefix =
  | 'org'
  | 'net'
  | 'tok'
  | 'rsv'
  | 'req'
  | 'usr'
  | 'ses'
  | 'atk'
  | 'idp'
  | 'ctl';

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
 * How secrets are stored: they are 256 random bits, so a plain hash needs no salt and no
 * stretching.
 */
export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

/** 0 up to, not including, 1: for waits that must not fall into step. */
export function randomUnit(): number {
  return randomInt(0x1_0000_0000) / 0x1_0000_0000;
}
