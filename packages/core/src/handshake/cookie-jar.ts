/**
 * Cookies: what an overloaded host gives a sender to prove that it receives at its source address.
 * The jar keeps no entry for a sender, only one secret, replaced after COOKIE_LIFETIME_MS; so a
 * million senders cost nothing. The other half, opening a reply, is at the bottom.
 */
import type { Endpoint } from '../endpoint.ts';
import { open, seal, SealError } from '../noise/aes-gcm.ts';
import { hmacSha256, sha256 } from '../noise/symmetric-state.ts';
import { COOKIE_LIFETIME_MS } from './limits.ts';
import { COOKIE_BYTES, COOKIE_NONCE_BYTES, encodeCookieReply } from './messages.ts';
import type { CookieReply } from './messages.ts';

const COOKIE_LABEL = new TextEncoder().encode('etherloom cookie');
const SECRET_BYTES = 32;

/** Key that seals the cookies of the holder of a static key. */
export function cookieKey(replierStatic: Uint8Array): Uint8Array {
  return sha256(COOKIE_LABEL, replierStatic);
}

export class CookieJar {
  readonly #random: (bytes: number) => Uint8Array;
  readonly #key: Uint8Array;
  #secret: { readonly bytes: Uint8Array; readonly madeAt: number } | undefined;

  constructor(ownStatic: Uint8Array, random: (bytes: number) => Uint8Array) {
    this.#key = cookieKey(ownStatic);
    this.#random = random;
  }

  /** The cookie of a source at this time. */
  cookieOf(source: Endpoint, now: number): Uint8Array {
    if (this.#secret === undefined || now - this.#secret.madeAt >= COOKIE_LIFETIME_MS) {
      this.#secret = { bytes: this.#random(SECRET_BYTES), madeAt: now };
    }
    return hmacSha256(this.#secret.bytes, source).slice(0, COOKIE_BYTES);
  }

  /** The reply to a message with that sender id and mac1. */
  reply(source: Endpoint, senderId: number, mac1: Uint8Array, now: number): Uint8Array {
    const nonce = this.#random(COOKIE_NONCE_BYTES);
    return encodeCookieReply(
      senderId,
      nonce,
      seal(this.#key, nonce, this.cookieOf(source, now), mac1),
    );
  }
}

/**
 * The cookie in a reply to the message whose mac1 is given; undefined when the reply is not from
 * the holder of the key.
 */
export function openCookie(
  reply: CookieReply,
  key: Uint8Array,
  mac1: Uint8Array,
): Uint8Array | undefined {
  try {
    return open(key, reply.nonce, reply.sealedCookie, mac1);
  } catch (error) {
    if (error instanceof SealError) return undefined;
    throw error;
  }
}
