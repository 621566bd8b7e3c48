/**
 * mac1 and mac2 (docs/protocol.md 2.3). mac1 shows that the sender knows whom it speaks to, at the
 * price of one hash; mac2 shows that it receives what is sent to its source address.
 */
import { timingSafeEqual } from 'node:crypto';
import { hmacSha256, sha256 } from '../noise/symmetric-state.ts';
import { MAC_BYTES } from './messages.ts';

const MAC1_LABEL = new TextEncoder().encode('etherloom mac1');

/** Key of the mac1 of messages to the holder of a static key. */
export function mac1Key(receiverStatic: Uint8Array): Uint8Array {
  return sha256(MAC1_LABEL, receiverStatic);
}

/** Appends mac1, and mac2 where there is a cookie, zeros else. */
export function appendMacs(
  body: Uint8Array,
  key: Uint8Array,
  cookie: Uint8Array | undefined,
): Uint8Array {
  const out = new Uint8Array(body.length + 2 * MAC_BYTES);
  out.set(body);
  out.set(mac(key, body), body.length);
  const beforeMac2 = out.subarray(0, body.length + MAC_BYTES);
  if (cookie !== undefined) out.set(mac(cookie, beforeMac2), beforeMac2.length);
  return out;
}

export function mac1Of(message: Uint8Array): Uint8Array {
  return message.slice(message.length - 2 * MAC_BYTES, message.length - MAC_BYTES);
}

export function hasValidMac1(message: Uint8Array, key: Uint8Array): boolean {
  const end = message.length - 2 * MAC_BYTES;
  return timingSafeEqual(mac(key, message.subarray(0, end)), mac1Of(message));
}

export function hasValidMac2(message: Uint8Array, cookie: Uint8Array): boolean {
  const end = message.length - MAC_BYTES;
  return timingSafeEqual(mac(cookie, message.subarray(0, end)), message.slice(end));
}

function mac(key: Uint8Array, bytes: Uint8Array): Uint8Array {
  return hmacSha256(key, bytes).slice(0, MAC_BYTES);
}
