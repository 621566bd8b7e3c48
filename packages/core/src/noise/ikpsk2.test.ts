import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SealError } from './aes-gcm.ts';
import {
  PROTOCOL_NAME,
  readFirstPayload,
  readFirstStatic,
  readSecond,
  writeFirst,
  writeSecond,
} from './ikpsk2.ts';
import { dh, KeyError, keyPairOf } from './x25519.ts';

interface Vector {
  readonly protocol_name: string;
  readonly init_prologue: string;
  readonly init_psks: readonly [string];
  readonly init_static: string;
  readonly init_ephemeral: string;
  readonly init_remote_static: string;
  readonly resp_prologue: string;
  readonly resp_psks: readonly [string];
  readonly resp_static: string;
  readonly resp_ephemeral: string;
  readonly handshake_hash: string;
  readonly messages: readonly { readonly payload: string; readonly ciphertext: string }[];
}

const url = new URL('./ikpsk2-vectors.json', import.meta.url);
const file: unknown = JSON.parse(readFileSync(url, 'utf8'));
const { vectors } = file as { vectors: Vector[] }; // a committed file of this shape
const none = new Uint8Array(0);

describe('published vectors', () => {
  it.each(vectors.map((vector, index) => [index, vector] as const))(
    'vector %i is met by both sides',
    (_index, vector) => {
      expect(vector.protocol_name).toBe(PROTOCOL_NAME);
      const [first, second, ...transport] = vector.messages.map(({ payload, ciphertext }) => ({
        payload: bytes(payload),
        ciphertext: bytes(ciphertext),
      }));
      if (first === undefined || second === undefined)
        throw new Error('a vector has two handshake messages');

      const initiator = writeFirst(initiatorOf(vector), first.payload);
      expect(initiator.message).toEqual(first.ciphertext);
      const responder = readFirstStatic(responderOf(vector), first.ciphertext);
      expect(responder.remoteStatic).toEqual(keyPairOf(bytes(vector.init_static)).publicKey);
      expect(readFirstPayload(responder, first.ciphertext)).toEqual(first.payload);

      const answer = writeSecond(responder, secondOf(vector), second.payload);
      expect(answer.message).toEqual(second.ciphertext);
      const done = readSecond(initiator.state, second.ciphertext, outlineOf(vector));
      expect(done.payload).toEqual(second.payload);
      expect(done.keys.handshakeHash).toEqual(bytes(vector.handshake_hash));
      expect(answer.keys.handshakeHash).toEqual(bytes(vector.handshake_hash));

      expect(transport.length).toBeGreaterThan(0);
      for (const [index, { payload, ciphertext }] of transport.entries()) {
        const name = index % 2 === 0 ? 'initiatorToResponder' : 'responderToInitiator';
        const [from, to] = index % 2 === 0 ? [done.keys, answer.keys] : [answer.keys, done.keys];
        expect(from[name].encryptWithAd(none, payload)).toEqual(ciphertext);
        expect(to[name].decryptWithAd(none, ciphertext)).toEqual(payload);
      }
    },
  );
});

describe('forgeries', () => {
  const vector = vectors[0];
  if (vector === undefined) throw new Error('there is a vector');

  it('refuses every single flipped byte of the first message', () => {
    const { message } = writeFirst(initiatorOf(vector), Uint8Array.of(1, 2, 3));
    for (let at = 0; at < message.length; at++) {
      const forged = flipped(message, at);
      expect(
        () => readFirstPayload(readFirstStatic(responderOf(vector), forged), forged),
        `byte ${at}`,
      ).toThrow();
    }
  });

  it('reads the true answer after a forged one', () => {
    const { state, message } = writeFirst(initiatorOf(vector), none);
    const responder = readFirstStatic(responderOf(vector), message);
    readFirstPayload(responder, message);
    const answer = writeSecond(responder, secondOf(vector), none);
    for (let at = 0; at < answer.message.length; at++) {
      const forged = flipped(answer.message, at);
      expect(() => readSecond(state, forged, outlineOf(vector)), `byte ${at}`).toThrow();
    }
    const { keys } = readSecond(state, answer.message, outlineOf(vector));
    expect(keys.initiatorToResponder.key).toEqual(answer.keys.initiatorToResponder.key);
  });

  it('refuses every single flipped byte of what is sent in clear beside the payload', () => {
    const { state, message } = writeFirst(initiatorOf(vector), none);
    const responder = readFirstStatic(responderOf(vector), message);
    readFirstPayload(responder, message);
    const hashed = Uint8Array.of(7, 8, 9);
    const answer = writeSecond(responder, { ...secondOf(vector), hashed }, none);
    const outline = { ...outlineOf(vector), hashedBytes: hashed.length };
    for (let at = 0; at < answer.message.length; at++) {
      const forged = flipped(answer.message, at);
      expect(() => readSecond(state, forged, outline), `byte ${at}`).toThrow();
    }
    expect(() => readSecond(state, answer.message, outlineOf(vector))).toThrow(SealError);
    expect(readSecond(state, answer.message, outline).payload).toEqual(none);
  });

  it('refuses another psk, another prologue and another responder', () => {
    const input = initiatorOf(vector);
    const { state, message } = writeFirst(input, none);
    const responder = readFirstStatic(responderOf(vector), message);
    readFirstPayload(responder, message);
    const other = { ...secondOf(vector), psk: new Uint8Array(32) };
    const answer = writeSecond(responder, other, none);
    expect(() => readSecond(state, answer.message, outlineOf(vector))).toThrow(SealError);
    expect(() => readFirstStatic({ ...responderOf(vector), prologue: none }, message)).toThrow(
      SealError,
    );
    expect(() => readFirstStatic({ ...responderOf(vector), local: input.local }, message)).toThrow(
      SealError,
    );
  });

  it('refuses a message that is cut anywhere', () => {
    const { message } = writeFirst(initiatorOf(vector), none);
    for (let size = 0; size < message.length; size++) {
      const cut = message.subarray(0, size);
      expect(
        () => readFirstPayload(readFirstStatic(responderOf(vector), cut), cut),
        `${size} bytes`,
      ).toThrow();
    }
  });
});

describe('X25519', () => {
  it('agrees with RFC 7748, 5.2', () => {
    const scalar = keyPairOf(
      bytes('a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4'),
    );
    const u = bytes('e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c');
    expect(hex(dh(scalar, u))).toBe(
      'c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552',
    );
  });

  it.each([
    ['zero', '00'.repeat(32)],
    ['one', `01${'00'.repeat(31)}`],
    ['order 8', 'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800'],
    ['p', `edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f`],
  ])('refuses a public key of low order: %s', (_name, key) => {
    expect(() => dh(keyPairOf(new Uint8Array(32).fill(7)), bytes(key))).toThrow(KeyError);
  });

  it('says how long a key has to be', () => {
    expect(() => keyPairOf(new Uint8Array(31))).toThrow('a key has 32 bytes, given 31');
    expect(() => dh(keyPairOf(new Uint8Array(32)), new Uint8Array(33))).toThrow(KeyError);
  });
});

function initiatorOf(vector: Vector) {
  return {
    prologue: bytes(vector.init_prologue),
    local: keyPairOf(bytes(vector.init_static)),
    remoteStatic: bytes(vector.init_remote_static),
    ephemeral: keyPairOf(bytes(vector.init_ephemeral)),
  };
}

function responderOf(vector: Vector) {
  return {
    prologue: bytes(vector.resp_prologue),
    local: keyPairOf(bytes(vector.resp_static)),
  };
}

function secondOf(vector: Vector) {
  const ephemeral = keyPairOf(bytes(vector.resp_ephemeral));
  return { ephemeral, psk: bytes(vector.resp_psks[0]), hashed: none };
}

function outlineOf(vector: Vector) {
  return { hashedBytes: 0, pskOf: () => bytes(vector.init_psks[0]) };
}

function flipped(message: Uint8Array, at: number): Uint8Array {
  const out = Uint8Array.from(message);
  out[at] = (out[at] ?? 0) ^ 1;
  return out;
}

function bytes(hexText: string): Uint8Array {
  return Uint8Array.from(hexText.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

function hex(data: Uint8Array): string {
  return Array.from(data, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
