/** The committed handshakes are what this implementation writes, reads and derives. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { initiate, openInitiation, openResponse } from './exchange.ts';
import { HandshakeGate } from './gate.ts';
import { parseHandshake } from './messages.ts';
import type { Response } from './messages.ts';
import {
  handshakeVectorText,
  VECTOR_INITIATOR,
  VECTOR_PRIVATE,
  VECTOR_RESPONDER,
  vectorCiphertext,
  vectorRemote,
} from './vectors.ts';
import { parseEndpoint } from '../endpoint.ts';
import { decapsulate, kemKeyPairOf } from '../noise/ml-kem.ts';

const url = new URL('../../../../datapath/vectors/handshake.hex', import.meta.url);
const text = readFileSync(url, 'utf8');
const vectors = new Map(
  text.split('\n').map((line) => {
    const [name = '', hex = ''] = line.split(' ');
    return [name, Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16))];
  }),
);
const SOURCE = parseEndpoint('192.0.2.1:8002');

describe('handshake vectors', () => {
  it('are written byte by byte', () => {
    expect(handshakeVectorText(vectorCiphertext(text))).toBe(text);
  });

  it('have the secret of their seed and ciphertext', () => {
    const kem = kemKeyPairOf(VECTOR_PRIVATE.kemSeed);
    expect(kem.encapsulationKey).toEqual(vector('hybrid.kem.encapsulation_key'));
    expect(decapsulate(kem, vector('hybrid.kem.ciphertext'))).toEqual(
      vector('hybrid.kem.shared_secret'),
    );
  });

  it.each([
    ['classic', 'off', ['classic.initiation.0']],
    ['hybrid', 'required', ['hybrid.initiation.1', 'hybrid.initiation.0']],
  ] as const)('are read: %s', (name, postQuantum, datagrams) => {
    const gate = new HandshakeGate(VECTOR_RESPONDER.keys.publicKey, {
      random: (bytes) => new Uint8Array(bytes),
      isPeerAddress: () => true,
    });
    const admitted = datagrams.map((datagram) => gate.admit(SOURCE, vector(datagram), 0)).at(-1);
    if (admitted?.verdict !== 'admitted' || admitted.message.kind !== 'initiation')
      throw new Error(`the initiation is not whole: ${admitted?.verdict}`);
    const initiator = vectorRemote(VECTOR_INITIATOR, postQuantum);
    const opened = openInitiation(VECTOR_RESPONDER, admitted.message, () => initiator);
    if (typeof opened === 'string') throw new Error(opened);
    expect(opened.payload.instance).toEqual(VECTOR_INITIATOR.instance);

    const responder = vectorRemote(VECTOR_RESPONDER, postQuantum);
    const made = initiate(VECTOR_INITIATOR, responder, {
      sessionId: admitted.message.senderId,
      ordinal: opened.payload.ordinal,
      ephemeral: VECTOR_PRIVATE.initiatorEphemeral,
      kemSeed: postQuantum === 'off' ? undefined : VECTOR_PRIVATE.kemSeed,
    });
    if (typeof made === 'string') throw new Error(made);
    const response = parseHandshake(vector(`${name}.response`)) as Response; // by its name
    const done = openResponse(made.state, response, responder);
    if (typeof done === 'string') throw new Error(done);
    expect(done.keys.sendKey).toEqual(vector(`${name}.key.initiator_to_responder`));
    expect(done.keys.receiveKey).toEqual(vector(`${name}.key.responder_to_initiator`));
  });
});

function vector(name: string): Uint8Array {
  const bytes = vectors.get(name);
  if (bytes === undefined) throw new Error(`there is no vector ${name}`);
  return bytes;
}
