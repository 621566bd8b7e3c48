/**
 * The two halves of a handshake on top of Noise: what is said, what is checked, and what keys come
 * out. Pure: ephemeral keys come in as bytes. Who the peers are, what was accepted before and when,
 * is the caller's (mesh/).
 */
import { PROLOGUE, PSK } from './constants.ts';
import { encodeInitiation, encodeResponse } from './messages.ts';
import type { Initiation, Response } from './messages.ts';
import { decodePayload, encodePayload, LANES_MAX, NO_ORDINAL } from './payload.ts';
import type { HandshakePayload, Ordinal } from './payload.ts';
import type { RefusalReason } from './refusals.ts';
import { SealError } from '../noise/aes-gcm.ts';
import {
  readFirstPayload,
  readFirstStatic,
  readSecond,
  writeFirst,
  writeSecond,
} from '../noise/ikpsk2.ts';
import type { InitiatorState, ResponderState, TransportKeys } from '../noise/ikpsk2.ts';
import { KeyError, keyPairOf } from '../noise/x25519.ts';
import type { KeyPair } from '../noise/x25519.ts';

/** This host as it takes part in handshakes. */
export interface LocalParty {
  readonly keys: KeyPair;
  readonly nodeId: Uint8Array;
  readonly lanes: number;
}

/** The other side as stored state names it. */
export interface RemoteParty {
  readonly sessionKey: Uint8Array;
  readonly nodeId: Uint8Array;
}

/** What a finished handshake leaves: keys by direction as this host sees them. */
export interface SessionKeys {
  readonly sendKey: Uint8Array;
  readonly receiveKey: Uint8Array;
  readonly receiveLanes: number;
}

/** Writes an initiation's body. */
export function initiate(
  local: LocalParty,
  remote: RemoteParty,
  given: { readonly sessionId: number; readonly ordinal: Ordinal; readonly ephemeral: Uint8Array },
): { state: InitiatorState; body: Uint8Array } | RefusalReason {
  const { keys, nodeId, lanes } = local;
  const ephemeral = keyPairOf(given.ephemeral);
  const payload = encodePayload({ ordinal: given.ordinal, lanes, nodeId });
  const input = {
    prologue: PROLOGUE,
    psk: PSK,
    local: keys,
    remoteStatic: remote.sessionKey,
    ephemeral,
  };
  return refusalOf(() => {
    const { state, message } = writeFirst(input, payload);
    return { state, body: encodeInitiation(given.sessionId, message) };
  });
}

/** An initiation that proved its sender, not yet judged by ordinal. */
export interface OpenedInitiation<P extends RemoteParty> {
  readonly state: ResponderState;
  readonly remote: P;
  readonly payload: HandshakePayload;
}

/** Opens an initiation of one of the peers that `find` knows by static key. */
export function openInitiation<P extends RemoteParty>(
  local: LocalParty,
  message: Initiation,
  find: (sessionKey: Uint8Array) => P | undefined,
): OpenedInitiation<P> | RefusalReason {
  return refusalOf(() => {
    const state = readFirstStatic(
      { prologue: PROLOGUE, psk: PSK, local: local.keys },
      message.noise,
    );
    const remote = find(state.remoteStatic);
    if (remote === undefined) return 'peer_unknown';
    const payload = decodePayload(readFirstPayload(state, message.noise));
    return refusalOfPayload(payload, remote) ?? { state, remote, payload };
  });
}

/** Writes the response's body and yields the keys. */
export function respond<P extends RemoteParty>(
  local: LocalParty,
  opened: OpenedInitiation<P>,
  given: {
    readonly sessionId: number;
    readonly receiverId: number;
    readonly ephemeral: Uint8Array;
  },
): { body: Uint8Array; keys: SessionKeys } | RefusalReason {
  return refusalOf(() => {
    const payload = encodePayload({
      ordinal: NO_ORDINAL,
      lanes: local.lanes,
      nodeId: local.nodeId,
    });
    const { keys, message } = writeSecond(opened.state, keyPairOf(given.ephemeral), payload);
    const body = encodeResponse(given.sessionId, given.receiverId, message);
    return { body, keys: sessionKeys(keys, opened.payload.lanes, 'responder') };
  });
}

/** Opens the response to an own initiation. A refusal leaves `state` fit for the true response. */
export function openResponse(
  state: InitiatorState,
  message: Response,
  remote: RemoteParty,
): SessionKeys | RefusalReason {
  return refusalOf(() => {
    const { keys, payload } = readSecond(state, message.noise);
    const opened = decodePayload(payload);
    return refusalOfPayload(opened, remote) ?? sessionKeys(keys, opened.lanes, 'initiator');
  });
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
