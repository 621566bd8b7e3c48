/**
 * Cookies: what an overloaded host gives a sender to prove that it receives at its source address.
 * The jar keeps no entry for a sender, only a secret, replaced after COOKIE_LIFETIME_MS, and the
 * one before, so that a cookie holds for that long at least; a million senders cost nothing. The
 * data path gives and takes the same cookies, so it is told of every new secret. The other half,
 * opening a reply, is at the bottom.
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

/** The secrets behind the cookies that are given away, and that are still taken. */
export interface CookieSecrets {
  readonly current: Uint8Array;
  readonly previous: Uint8Array;
}

export class CookieJar {
  readonly #random: (bytes: number) => Uint8Array;
  readonly #onChange: (secrets: CookieSecrets) => void;
  readonly #key: Uint8Array;
  #secrets: CookieSecrets | undefined;
  #madeAt = Number.NEGATIVE_INFINITY;

  /** `onChange` is told of secrets that replace others. */
  constructor(
    ownStatic: Uint8Array,
    random: (bytes: number) => Uint8Array,
    onChange: (secrets: CookieSecrets) => void = () => undefined,
  ) {
    this.#key = cookieKey(ownStatic);
    this.#random = random;
    this.#onChange = onChange;
  }

  /** The secrets at this time. */
  secrets(now: number): CookieSecrets {
    const held = this.#secrets;
    if (held !== undefined && now - this.#madeAt < COOKIE_LIFETIME_MS) return held;
    const current = this.#random(SECRET_BYTES);
    this.#secrets = { current, previous: held?.current ?? this.#random(SECRET_BYTES) };
    this.#madeAt = now;
    if (held !== undefined) this.#onChange(this.#secrets);
    return this.#secrets;
  }

  /** The cookie that a source is given at this time. */
  cookieOf(source: Endpoint, now: number): Uint8Array {
    return cookieUnder(this.secrets(now).current, source);
  }

  /** The cookies that are taken from a source at this time. */
  cookiesOf(source: Endpoint, now: number): readonly Uint8Array[] {
    const { current, previous } = this.secrets(now);
    return [cookieUnder(current, source), cookieUnder(previous, source)];
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

function cookieUnder(secret: Uint8Array, source: Endpoint): Uint8Array {
  return hmacSha256(secret, source).slice(0, COOKIE_BYTES);
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
