/**
 * Noise_IKpsk2_25519_AESGCM_SHA256 as straight functions, one a step of the pattern:
 *
 *     <- s
 *     ...
 *     -> e, es, s, ss
 *     <- e, ee, se, psk
 *
 * Each function names the token that it does, as section 7.5 and 9 of the specification list them
 * (in a psk handshake `e` is mixed into the key too). The responder reads the first message in two
 * steps, so that it can look the sender up before the second Diffie-Hellman. Ephemeral keys are a
 * parameter; nothing here draws randomness.
 *
 * The psk is given with the second message, which may carry what leads to it: bytes between `e` and
 * the payload that are mixed into the hash before the psk is mixed in. Without such bytes it is the
 * pattern as it is published.
 */
import { TAG_BYTES } from './aes-gcm.ts';
import { SymmetricState } from './symmetric-state.ts';
import type { CipherState } from './symmetric-state.ts';
import { dh, KEY_BYTES } from './x25519.ts';
import type { KeyPair } from './x25519.ts';

export const PROTOCOL_NAME = 'Noise_IKpsk2_25519_AESGCM_SHA256';

/** Bytes of the sealed static key in the first message. */
export const SEALED_KEY_BYTES = KEY_BYTES + TAG_BYTES;

/** The initiator between its message and the answer. */
export interface InitiatorState {
  readonly symmetric: SymmetricState;
  readonly local: KeyPair;
  readonly ephemeral: KeyPair;
}

/** The responder after it has learnt who speaks. */
export interface ResponderState {
  readonly symmetric: SymmetricState;
  readonly local: KeyPair;
  readonly remoteStatic: Uint8Array;
  readonly remoteEphemeral: Uint8Array;
}

/** Keys of both directions and the hash that names this handshake. */
export interface TransportKeys {
  readonly initiatorToResponder: CipherState;
  readonly responderToInitiator: CipherState;
  readonly handshakeHash: Uint8Array;
}

export interface InitiatorInput {
  readonly prologue: Uint8Array;
  readonly local: KeyPair;
  readonly remoteStatic: Uint8Array;
  readonly ephemeral: KeyPair;
}

/** -> e, es, s, ss. Throws KeyError for a remote key of low order. */
export function writeFirst(
  input: InitiatorInput,
  payload: Uint8Array,
): { state: InitiatorState; message: Uint8Array } {
  const { local, ephemeral, remoteStatic } = input;
  const symmetric = start(input.prologue, remoteStatic);
  symmetric.mixHash(ephemeral.publicKey); // e
  symmetric.mixKey(ephemeral.publicKey);
  symmetric.mixKey(dh(ephemeral, remoteStatic)); // es
  const sealedStatic = symmetric.encryptAndHash(local.publicKey); // s
  symmetric.mixKey(dh(local, remoteStatic)); // ss
  const sealedPayload = symmetric.encryptAndHash(payload);
  const message = concat(ephemeral.publicKey, sealedStatic, sealedPayload);
  return { state: { symmetric, local, ephemeral }, message };
}

export interface ResponderInput {
  readonly prologue: Uint8Array;
  readonly local: KeyPair;
}

/** First step of reading -> e, es, s: who claims to speak. Throws SealError and KeyError. */
export function readFirstStatic(input: ResponderInput, message: Uint8Array): ResponderState {
  const symmetric = start(input.prologue, input.local.publicKey);
  const remoteEphemeral = message.slice(0, KEY_BYTES);
  symmetric.mixHash(remoteEphemeral); // e
  symmetric.mixKey(remoteEphemeral);
  symmetric.mixKey(dh(input.local, remoteEphemeral)); // es
  const sealedStatic = message.subarray(KEY_BYTES, KEY_BYTES + SEALED_KEY_BYTES);
  const remoteStatic = symmetric.decryptAndHash(sealedStatic); // s
  return { symmetric, local: input.local, remoteStatic, remoteEphemeral };
}

/** Second step of reading, ss and payload: proves the sender. Throws SealError and KeyError. */
export function readFirstPayload(state: ResponderState, message: Uint8Array): Uint8Array {
  state.symmetric.mixKey(dh(state.local, state.remoteStatic)); // ss
  return state.symmetric.decryptAndHash(message.subarray(KEY_BYTES + SEALED_KEY_BYTES));
}

/** What the second message is made with besides the keys. */
export interface SecondInput {
  readonly ephemeral: KeyPair;
  readonly psk: Uint8Array;
  /** Sent in clear after `e` and mixed into the hash; empty: nothing is mixed. */
  readonly hashed: Uint8Array;
}

/** <- e, ee, se, psk. */
export function writeSecond(
  state: ResponderState,
  input: SecondInput,
  payload: Uint8Array,
): { keys: TransportKeys; message: Uint8Array } {
  const { symmetric } = state;
  const { ephemeral, psk, hashed } = input;
  symmetric.mixHash(ephemeral.publicKey); // e
  symmetric.mixKey(ephemeral.publicKey);
  symmetric.mixKey(dh(ephemeral, state.remoteEphemeral)); // ee
  symmetric.mixKey(dh(ephemeral, state.remoteStatic)); // se
  if (hashed.length > 0) symmetric.mixHash(hashed);
  symmetric.mixKeyAndHash(psk); // psk
  const sealedPayload = symmetric.encryptAndHash(payload);
  const message = concat(ephemeral.publicKey, hashed, sealedPayload);
  return { keys: splitKeys(symmetric), message };
}

/** How the reader of the second message comes to the psk. */
export interface SecondOutline {
  /** Bytes after `e` that are mixed into the hash. */
  readonly hashedBytes: number;
  readonly pskOf: (hashed: Uint8Array) => Uint8Array;
}

/**
 * Reads <- e, ee, se, psk. Throws SealError and KeyError, and leaves the state as it was then: a
 * forged answer must not keep the true one from being read.
 */
export function readSecond(
  state: InitiatorState,
  message: Uint8Array,
  outline: SecondOutline,
): { keys: TransportKeys; payload: Uint8Array } {
  const symmetric = state.symmetric.copy();
  const remoteEphemeral = message.slice(0, KEY_BYTES);
  const payloadAt = KEY_BYTES + outline.hashedBytes;
  const hashed = message.slice(KEY_BYTES, payloadAt);
  symmetric.mixHash(remoteEphemeral); // e
  symmetric.mixKey(remoteEphemeral);
  symmetric.mixKey(dh(state.ephemeral, remoteEphemeral)); // ee
  symmetric.mixKey(dh(state.local, remoteEphemeral)); // se
  if (outline.hashedBytes > 0) symmetric.mixHash(hashed);
  symmetric.mixKeyAndHash(outline.pskOf(hashed)); // psk
  const payload = symmetric.decryptAndHash(message.subarray(payloadAt));
  return { keys: splitKeys(symmetric), payload };
}

function start(prologue: Uint8Array, responderStatic: Uint8Array): SymmetricState {
  const symmetric = SymmetricState.initialize(PROTOCOL_NAME);
  symmetric.mixHash(prologue);
  symmetric.mixHash(responderStatic); // <- s
  return symmetric;
}

function splitKeys(symmetric: SymmetricState): TransportKeys {
  const [initiatorToResponder, responderToInitiator] = symmetric.split();
  return { initiatorToResponder, responderToInitiator, handshakeHash: symmetric.handshakeHash };
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
