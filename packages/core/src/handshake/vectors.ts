/**
 * The vectors of datapath/vectors/handshake.hex: for fixed keys and seeds, what both ends of a
 * handshake write and what keys come out. The format is described in datapath/vectors/README.md.
 *
 * Encapsulation draws its own randomness, so its ciphertext is an input: the committed one stays,
 * and the shared secret follows from it and the seed.
 */
import { hybridPsk } from './hybrid.ts';
import { initiate, openInitiation, openResponse, respond } from './exchange.ts';
import type { LocalParty, PostQuantum, RemoteParty, SessionKeys } from './exchange.ts';
import { appendMacs, mac1Key } from './macs.ts';
import { parseHandshake } from './messages.ts';
import type { Initiation, Response } from './messages.ts';
import { splitInitiation } from './parts.ts';
import {
  decapsulate,
  encapsulate,
  KEM_CIPHERTEXT_BYTES,
  KEM_SEED_BYTES,
  kemKeyPairOf,
} from '../noise/ml-kem.ts';
import { KEY_BYTES, keyPairOf } from '../noise/x25519.ts';

/** Bytes that count up from a first one. */
const counting = (length: number, start: number): Uint8Array =>
  Uint8Array.from({ length }, (_, at) => (start + at) & 0xff);

export const VECTOR_PRIVATE = {
  initiatorStatic: counting(KEY_BYTES, 0x00),
  responderStatic: counting(KEY_BYTES, 0x20),
  initiatorEphemeral: counting(KEY_BYTES, 0x40),
  responderEphemeral: counting(KEY_BYTES, 0x60),
  kemSeed: counting(KEM_SEED_BYTES, 0x80),
} as const;
const SESSION_ID = { initiator: 0x01020304, responder: 0x05060708 } as const;
const ORDINAL = { startCount: 0x11121314, sequence: 0x2122232425262728n };
const COOKIE = counting(16, 0xf0);

export const VECTOR_INITIATOR: LocalParty = {
  keys: keyPairOf(VECTOR_PRIVATE.initiatorStatic),
  nodeId: counting(16, 0xa0),
  instance: counting(8, 0xb0),
  lanes: 2,
};
export const VECTOR_RESPONDER: LocalParty = {
  keys: keyPairOf(VECTOR_PRIVATE.responderStatic),
  nodeId: counting(16, 0xc0),
  instance: counting(8, 0xd0),
  lanes: 3,
};

/** How the other end knows a party. */
export function vectorRemote(party: LocalParty, postQuantum: PostQuantum): RemoteParty {
  return { sessionKey: party.keys.publicKey, nodeId: party.nodeId, postQuantum };
}

/** A ciphertext to begin with, where no file is committed. */
export function freshVectorCiphertext(): Uint8Array {
  return encapsulate(kemKeyPairOf(VECTOR_PRIVATE.kemSeed).encapsulationKey).ciphertext;
}

/** The ciphertext in the text of a committed file. */
export function vectorCiphertext(text: string): Uint8Array {
  const [, hex = ''] = /^hybrid\.kem\.ciphertext ([0-9a-f]+)$/m.exec(text) ?? [];
  if (hex.length !== 2 * KEM_CIPHERTEXT_BYTES)
    throw new RangeError(`a ciphertext has ${KEM_CIPHERTEXT_BYTES} bytes, given ${hex.length / 2}`);
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** The text of handshake.hex. */
export function handshakeVectorText(ciphertext: Uint8Array): string {
  const kem = kemKeyPairOf(VECTOR_PRIVATE.kemSeed);
  const sharedSecret = decapsulate(kem, ciphertext);
  const { encapsulationKey } = kem;
  const inputs: [string, Uint8Array][] = [
    ['initiator.static.private', VECTOR_PRIVATE.initiatorStatic],
    ['initiator.static.public', VECTOR_INITIATOR.keys.publicKey],
    ['initiator.ephemeral.private', VECTOR_PRIVATE.initiatorEphemeral],
    ['responder.static.private', VECTOR_PRIVATE.responderStatic],
    ['responder.static.public', VECTOR_RESPONDER.keys.publicKey],
    ['responder.ephemeral.private', VECTOR_PRIVATE.responderEphemeral],
    ['cookie', COOKIE],
  ];
  const secret: [string, Uint8Array][] = [
    ['hybrid.kem.seed', VECTOR_PRIVATE.kemSeed],
    ['hybrid.kem.encapsulation_key', encapsulationKey],
    ['hybrid.kem.ciphertext', ciphertext],
    ['hybrid.kem.shared_secret', sharedSecret],
    ['hybrid.psk', hybridPsk({ sharedSecret, encapsulationKey, ciphertext })],
  ];
  const lines = [
    ...inputs,
    ...exchange('classic', undefined),
    ...secret,
    ...exchange('hybrid', { sharedSecret, ciphertext }),
  ];
  return lines.map(([name, bytes]) => `${name} ${hexOf(bytes)}\n`).join('');
}

type Line = [string, Uint8Array];

function exchange(name: string, encapsulation: ReturnType<typeof encapsulate> | undefined): Line[] {
  const postQuantum = encapsulation === undefined ? 'off' : 'required';
  const [initiator, responder] = [
    vectorRemote(VECTOR_INITIATOR, postQuantum),
    vectorRemote(VECTOR_RESPONDER, postQuantum),
  ];
  const first = done(
    initiate(VECTOR_INITIATOR, responder, {
      sessionId: SESSION_ID.initiator,
      ordinal: ORDINAL,
      ephemeral: VECTOR_PRIVATE.initiatorEphemeral,
      kemSeed: encapsulation === undefined ? undefined : VECTOR_PRIVATE.kemSeed,
    }),
  );
  const message: Initiation = { kind: 'initiation', senderId: 0, noise: first.body.subarray(8) };
  const opened = done(openInitiation(VECTOR_RESPONDER, message, () => initiator));
  const second = done(
    respond(VECTOR_RESPONDER, opened, {
      sessionId: SESSION_ID.responder,
      receiverId: SESSION_ID.initiator,
      ephemeral: VECTOR_PRIVATE.responderEphemeral,
      encapsulate: encapsulation === undefined ? undefined : () => encapsulation,
    }),
  );
  const response = appendMacs(second.body, mac1Key(initiator.sessionKey), undefined);
  const parsed = parseHandshake(response) as Response; // just encoded as one
  const { keys } = done(openResponse(first.state, parsed, responder));
  const key = mac1Key(responder.sessionKey);
  const datagrams = splitInitiation(first.body).flatMap((body, at): Line[] => [
    [`${name}.initiation.${at}`, appendMacs(body, key, undefined)],
    [`${name}.initiation.${at}.with_cookie`, appendMacs(body, key, COOKIE)],
  ]);
  return [...datagrams, [`${name}.response`, response], ...keyLines(name, keys)];
}

function keyLines(name: string, keys: SessionKeys): Line[] {
  return [
    [`${name}.key.initiator_to_responder`, keys.sendKey],
    [`${name}.key.responder_to_initiator`, keys.receiveKey],
  ];
}

function done<T extends object>(result: T | string): T {
  if (typeof result === 'string') throw new TypeError(`a vector was refused: ${result}`);
  return result;
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
