/**
 * The two halves of a handshake on top of Noise: what is said, what is checked, and what keys come
 * out. Ephemeral keys come in as bytes. Who the peers are, what was accepted before and when, is
 * the caller's (mesh/).
 *
 * A handshake is hybrid when its initiation carries an encapsulation key; the response has that
 * form then and no other. Whether a handshake has to be hybrid is said by signed settings, never by
 * a message, so nobody on the way can talk two hosts out of it.
 */
import { CLASSIC_PSK, PROLOGUE } from './constants.ts';
import { hybridPsk } from './hybrid.ts';
import { encodeInitiation, encodeResponse, PAYLOAD_BYTES } from './messages.ts';
import type { Initiation, Response } from './messages.ts';
import { decodePayload, encodePayload, LANES_MAX, NO_ORDINAL } from './payload.ts';
import type { HandshakePayload, Ordinal } from './payload.ts';
import type { RefusalReason } from './refusals.ts';
import { SealError, TAG_BYTES } from '../noise/aes-gcm.ts';
import {
  readFirstPayload,
  readFirstStatic,
  readSecond,
  writeFirst,
  writeSecond,
} from '../noise/ikpsk2.ts';
import type {
  InitiatorState,
  ResponderState,
  SecondOutline,
  TransportKeys,
} from '../noise/ikpsk2.ts';
import {
  decapsulate,
  encapsulate as kemEncapsulate,
  KEM_CIPHERTEXT_BYTES,
  KEM_KEY_BYTES,
  kemKeyPairOf,
} from '../noise/ml-kem.ts';
import type { Encapsulation, KemKeyPair } from '../noise/ml-kem.ts';
import { KEY_BYTES, KeyError, keyPairOf } from '../noise/x25519.ts';
import type { KeyPair } from '../noise/x25519.ts';

/** Whether sessions need a post-quantum secret. */
export type PostQuantum = 'required' | 'off';

/** This host as it takes part in handshakes. */
export interface LocalParty {
  readonly keys: KeyPair;
  readonly nodeId: Uint8Array;
  readonly instance: Uint8Array;
  readonly lanes: number;
}

/** The other side as stored state names it. */
export interface RemoteParty {
  readonly sessionKey: Uint8Array;
  readonly nodeId: Uint8Array;
  readonly postQuantum: PostQuantum;
}

/** What a finished handshake leaves: keys by direction as this host sees them. */
export interface SessionKeys {
  readonly sendKey: Uint8Array;
  readonly receiveKey: Uint8Array;
  readonly receiveLanes: number;
}

/** The initiator between its message and the answer. */
export interface OwnInitiation {
  readonly noise: InitiatorState;
  readonly kem: KemKeyPair | undefined;
}

/** Writes an initiation's body; with `kemSeed` a hybrid one. */
export function initiate(
  local: LocalParty,
  remote: RemoteParty,
  given: {
    readonly sessionId: number;
    readonly ordinal: Ordinal;
    readonly ephemeral: Uint8Array;
    readonly kemSeed: Uint8Array | undefined;
    readonly introduction?: Uint8Array | undefined;
  },
): { state: OwnInitiation; body: Uint8Array } | RefusalReason {
  const { keys, nodeId, lanes, instance } = local;
  const ephemeral = keyPairOf(given.ephemeral);
  const kem = given.kemSeed === undefined ? undefined : kemKeyPairOf(given.kemSeed);
  const encapsulationKey = kem?.encapsulationKey;
  const payload = encodePayload({
    ordinal: given.ordinal,
    lanes,
    nodeId,
    instance,
    encapsulationKey,
    introduction: given.introduction,
  });
  const input = { prologue: PROLOGUE, local: keys, remoteStatic: remote.sessionKey, ephemeral };
  return refusalOf(() => {
    const { state: noise, message } = writeFirst(input, payload);
    return { state: { noise, kem }, body: encodeInitiation(given.sessionId, message) };
  });
}

/** An initiation that proved its sender, not yet judged by ordinal. */
export interface OpenedInitiation<P extends RemoteParty> {
  readonly state: ResponderState;
  readonly remote: P;
  readonly payload: HandshakePayload;
}

/** What is done about nodes that are no peers. */
export interface StrangerDoor {
  /** Whether a Diffie-Hellman may be spent on one more. */
  readonly isOpen: () => boolean;
  /** Takes what one says of itself; nothing of it is verified. */
  readonly hear: (introduction: Uint8Array) => void;
  /** Somebody uses this static key and is no peer; that he has its other half is not proved. */
  readonly meet?: (sessionKey: Uint8Array) => void;
}

/**
 * Opens an initiation of one of the peers that `find` knows by static key. One of anybody else is
 * refused; when it is long enough for an introduction, that is heard before.
 */
export function openInitiation<P extends RemoteParty>(
  local: LocalParty,
  message: Initiation,
  find: (sessionKey: Uint8Array) => P | undefined,
  door?: StrangerDoor,
): OpenedInitiation<P> | RefusalReason {
  return refusalOf(() => {
    const state = readFirstStatic({ prologue: PROLOGUE, local: local.keys }, message.noise);
    const remote = find(state.remoteStatic);
    if (remote === undefined) {
      door?.meet?.(state.remoteStatic);
      if (door === undefined || message.noise.length < INTRODUCED_BYTES_MIN) return 'peer_unknown';
      if (!door.isOpen()) return 'introduction_limited';
      const { introduction } = decodePayload(readFirstPayload(state, message.noise)) ?? {};
      if (introduction !== undefined) door.hear(introduction);
      return 'peer_unknown';
    }
    const payload = decodePayload(readFirstPayload(state, message.noise));
    if (payload === undefined) return 'header_invalid';
    const isClassic = payload.encapsulationKey === undefined;
    if (isClassic && remote.postQuantum === 'required') return 'post_quantum_required';
    return refusalOfPayload(payload, remote) ?? { state, remote, payload };
  });
}

/**
 * Shortest noise message with an introduction: e, sealed s, a hybrid payload, and what no statement
 * is shorter than. A host that introduces itself sends the hybrid form to whom it does not know.
 */
const INTRODUCED_BYTES_MIN =
  KEY_BYTES + KEY_BYTES + TAG_BYTES + PAYLOAD_BYTES + KEM_KEY_BYTES + TAG_BYTES + 256;

/** Writes the response's body, in the form of the initiation, and yields the keys. */
export function respond<P extends RemoteParty>(
  local: LocalParty,
  opened: OpenedInitiation<P>,
  given: {
    readonly sessionId: number;
    readonly receiverId: number;
    readonly ephemeral: Uint8Array;
    /** In place of that of node:crypto, which draws its own randomness; for vectors. */
    readonly encapsulate?: ((encapsulationKey: Uint8Array) => Encapsulation) | undefined;
  },
): { body: Uint8Array; keys: SessionKeys } | RefusalReason {
  const { lanes, nodeId, instance } = local;
  return refusalOf(() => {
    const payload = encodePayload({ ordinal: NO_ORDINAL, lanes, nodeId, instance });
    const secret = secretFor(opened.payload.encapsulationKey, given.encapsulate);
    const input = { ephemeral: keyPairOf(given.ephemeral), ...secret };
    const { keys, message } = writeSecond(opened.state, input, payload);
    const body = encodeResponse(given.sessionId, given.receiverId, message);
    return { body, keys: sessionKeys(keys, opened.payload.lanes, 'responder') };
  });
}

/** A response that proved its sender. */
export interface OpenedResponse {
  readonly keys: SessionKeys;
  readonly instance: Uint8Array;
}

/** Opens the response to an own initiation. A refusal leaves `state` fit for the true response. */
export function openResponse(
  state: OwnInitiation,
  message: Response,
  remote: RemoteParty,
): OpenedResponse | RefusalReason {
  const { kem } = state;
  if (kem === undefined && remote.postQuantum === 'required') return 'post_quantum_required';
  if (kem !== undefined && message.noise.length < HYBRID_SECOND_BYTES_MIN)
    return 'post_quantum_required';
  return refusalOf(() => {
    const { keys, payload } = readSecond(state.noise, message.noise, outlineOf(kem));
    const opened = decodePayload(payload);
    if (opened === undefined) return 'header_invalid';
    const { instance, lanes } = opened;
    const refusal = refusalOfPayload(opened, remote);
    return refusal ?? { keys: sessionKeys(keys, lanes, 'initiator'), instance };
  });
}

/** e, ciphertext, sealed payload. */
const HYBRID_SECOND_BYTES_MIN = KEY_BYTES + KEM_CIPHERTEXT_BYTES + PAYLOAD_BYTES + TAG_BYTES;

function secretFor(
  encapsulationKey: Uint8Array | undefined,
  encapsulate = kemEncapsulate,
): { psk: Uint8Array; hashed: Uint8Array } {
  if (encapsulationKey === undefined) return { psk: CLASSIC_PSK, hashed: new Uint8Array(0) };
  const { sharedSecret, ciphertext } = encapsulate(encapsulationKey);
  return { psk: hybridPsk({ sharedSecret, encapsulationKey, ciphertext }), hashed: ciphertext };
}

function outlineOf(kem: KemKeyPair | undefined): SecondOutline {
  if (kem === undefined) return { hashedBytes: 0, pskOf: () => CLASSIC_PSK };
  const { encapsulationKey } = kem;
  const pskOf = (ciphertext: Uint8Array) =>
    hybridPsk({ sharedSecret: decapsulate(kem, ciphertext), encapsulationKey, ciphertext });
  return { hashedBytes: KEM_CIPHERTEXT_BYTES, pskOf };
}

function refusalOfPayload(
  payload: HandshakePayload,
  remote: RemoteParty,
): RefusalReason | undefined {
  if (!payload.nodeId.every((byte, index) => byte === remote.nodeId[index]))
    return 'node_id_mismatch';
  return payload.lanes < 1 || payload.lanes > LANES_MAX ? 'lanes_invalid' : undefined;
}

function sessionKeys(
  keys: TransportKeys,
  receiveLanes: number,
  role: 'initiator' | 'responder',
): SessionKeys {
  const [out, back] = [keys.initiatorToResponder.key, keys.responderToInitiator.key];
  return role === 'initiator'
    ? { sendKey: out, receiveKey: back, receiveLanes }
    : { sendKey: back, receiveKey: out, receiveLanes };
}

function refusalOf<T>(step: () => T): T | RefusalReason {
  try {
    return step();
  } catch (error) {
    if (error instanceof SealError) return 'seal_invalid';
    if (error instanceof KeyError) return 'key_invalid';
    throw error;
  }
}
