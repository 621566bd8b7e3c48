import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PROLOGUE } from './constants.ts';
import { CookieJar, cookieKey, openCookie } from './cookie-jar.ts';
import { initiate, openInitiation, openResponse, respond } from './exchange.ts';
import type { LocalParty } from './exchange.ts';
import { HandshakeGate } from './gate.ts';
import {
  COOKIE_LIFETIME_MS,
  HANDSHAKE_BYTES_MAX,
  HANDSHAKE_PARTS_MAX,
  JOINING_BYTES_MAX,
  JOINING_OF_STRANGERS_MAX,
  LOAD_BURST,
  LOAD_MESSAGES_PER_SECOND,
  PARTS_WAIT_MS,
  SOURCE_BURST,
  SOURCE_MESSAGES_PER_SECOND,
  SOURCES_MAX,
} from './limits.ts';
import { HandshakeLoad } from './load.ts';
import { appendMacs, hasValidMac1, hasValidMac2, mac1Key, mac1Of } from './macs.ts';
import {
  COOKIE_REPLY_BYTES,
  encodeInitiation,
  INITIATION_BYTES_MIN,
  parseHandshake,
  RESPONSE_BYTES_MIN,
} from './messages.ts';
import type { CookieReply, Initiation, Response } from './messages.ts';
import { decodePayload, encodePayload, isLaterOrdinal } from './payload.ts';
import { splitInitiation } from './parts.ts';
import { SourceLimiter } from './source-limiter.ts';
import { guardVectorText, guardVectors } from './guard-vectors.ts';
import { endpointAddress, makeEndpoint, parseEndpoint } from '../endpoint.ts';
import type { Endpoint } from '../endpoint.ts';
import { writeFirst } from '../noise/ikpsk2.ts';
import { KEM_CIPHERTEXT_BYTES, KEM_KEY_BYTES, KEM_SEED_BYTES } from '../noise/ml-kem.ts';
import { keyPairOf } from '../noise/x25519.ts';

const alice = party(1, 2);
const bob = party(2, 16);
const carol = party(3, 1);
const aliceAsPeer = {
  sessionKey: alice.keys.publicKey,
  nodeId: alice.nodeId,
  postQuantum: 'off',
} as const;
const bobAsPeer = {
  sessionKey: bob.keys.publicKey,
  nodeId: bob.nodeId,
  postQuantum: 'off',
} as const;
const SOURCE = parseEndpoint('192.0.2.1:8002');

describe('sizes of docs/protocol.md', () => {
  it('has them', () => {
    expect([INITIATION_BYTES_MIN, RESPONSE_BYTES_MIN, COOKIE_REPLY_BYTES]).toEqual([176, 132, 52]);
  });

  it('answers with less than it was asked with', () => {
    expect(COOKIE_REPLY_BYTES).toBeLessThan(RESPONSE_BYTES_MIN);
  });
});

describe('parseHandshake', () => {
  const good = appendMacs(initiation().body, mac1Key(bob.keys.publicKey), undefined);

  it.each([
    ['another first byte', patched(good, 0, 0xe0), 'kind_unknown'],
    ['an empty datagram', new Uint8Array(0), 'kind_unknown'],
    ['a cut message', good.subarray(0, INITIATION_BYTES_MIN - 1), 'header_invalid'],
    [
      'a long message',
      new Uint8Array([...good, ...new Uint8Array(HANDSHAKE_BYTES_MAX)]),
      'header_invalid',
    ],
    ['another version', patched(good, 1, 1), 'version_unsupported'],
    ['a part of one', patched(good, 3, 1), 'header_invalid'],
    ['a part beyond the count', patched(patched(good, 2, 2), 3, 2), 'header_invalid'],
    ['more parts than there may be', patched(good, 3, HANDSHAKE_PARTS_MAX + 1), 'header_invalid'],
    [
      'a cookie reply that is too long',
      Uint8Array.of(0xe3, 2, ...new Uint8Array(51)),
      'header_invalid',
    ],
  ])('refuses %s', (_name, bytes, reason) => {
    expect(parseHandshake(bytes)).toBe(reason);
  });

  it('takes any bytes without throwing', () => {
    const head = fc.constantFrom(
      [0xe1, 2, 0, 0],
      [0xe1, 2, 1, 2],
      [0xe2, 2, 0, 0],
      [0xe3, 2, 0, 0],
      [],
    );
    fc.assert(
      fc.property(head, fc.uint8Array({ maxLength: 400 }), (start, rest) => {
        const parsed = parseHandshake(Uint8Array.of(...start, ...rest));
        expect(typeof parsed === 'string' || 'kind' in parsed).toBe(true);
      }),
    );
  });
});

describe('payload', () => {
  it('has the layout of docs/protocol.md 2.1', () => {
    const nodeId = Uint8Array.from({ length: 16 }, (_, index) => index + 1);
    const payload = {
      ordinal: { startCount: 0x01020304, sequence: 0x05060708090a0b0cn },
      lanes: 4,
      nodeId,
      instance: Uint8Array.of(21, 22, 23, 24, 25, 26, 27, 28),
    };
    const bytes = encodePayload(payload);
    const expected = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 4, 0, 0, 0, ...nodeId];
    expect([...bytes]).toEqual([...expected, 21, 22, 23, 24, 25, 26, 27, 28]);
    expect(decodePayload(Uint8Array.of(...bytes, 99))).toEqual(payload);
    const encapsulationKey = new Uint8Array(KEM_KEY_BYTES).fill(9);
    const hybrid = encodePayload({ ...payload, encapsulationKey });
    expect([hybrid[13], hybrid.length]).toEqual([1, 40 + KEM_KEY_BYTES]);
    expect(decodePayload(Uint8Array.of(...hybrid, 99))).toEqual({ ...payload, encapsulationKey });
    expect(decodePayload(hybrid.subarray(0, -1)), 'a cut key').toBeUndefined();
  });

  it.each([
    [1, 0n, 1, 0n, false],
    [1, 1n, 1, 0n, true],
    [1, 0n, 1, 1n, false],
    [2, 0n, 1, 9n, true],
    [1, 9n, 2, 0n, false],
    [0, 1n << 40n, 0, 1n << 39n, true],
  ])('orders %i/%i after %i/%i: %s', (startA, sequenceA, startB, sequenceB, expected) => {
    const [a, b] = [
      { startCount: startA, sequence: sequenceA },
      { startCount: startB, sequence: sequenceB },
    ];
    expect(isLaterOrdinal(a, b)).toBe(expected);
  });
});

describe('exchange', () => {
  it('gives both sides the same keys and lanes', () => {
    const made = initiation();
    const opened = ok(openInitiation(bob, made.message, () => aliceAsPeer));
    expect(opened.payload.ordinal).toEqual({ startCount: 3, sequence: 4n });
    const answer = ok(respond(bob, opened, { sessionId: 8, receiverId: 7, ephemeral: filled(4) }));
    const { keys, instance } = ok(openResponse(made.state, responseOf(answer.body), bobAsPeer));
    expect(instance).toEqual(bob.instance);
    expect(opened.payload.instance).toEqual(alice.instance);
    expect(keys.sendKey).toEqual(answer.keys.receiveKey);
    expect(keys.receiveKey).toEqual(answer.keys.sendKey);
    expect([keys.receiveLanes, answer.keys.receiveLanes]).toEqual([bob.lanes, alice.lanes]);
    expect(keys.sendKey).not.toEqual(keys.receiveKey);
  });

  it('refuses a peer that nobody knows', () => {
    expect(openInitiation(bob, initiation().message, () => undefined)).toBe('peer_unknown');
  });

  it('refuses an initiation that was meant for another host', () => {
    expect(openInitiation(carol, initiation().message, () => aliceAsPeer)).toBe('seal_invalid');
  });

  it('refuses a static key whose payload its holder did not seal', () => {
    const { message } = initiation();
    const noise = patched(message.noise, message.noise.length - 1, 0);
    expect(openInitiation(bob, { ...message, noise }, () => aliceAsPeer)).toBe('seal_invalid');
  });

  it('refuses another node id than the one that belongs to the key', () => {
    const other = { ...aliceAsPeer, nodeId: carol.nodeId };
    expect(openInitiation(bob, initiation().message, () => other)).toBe('node_id_mismatch');
  });

  it.each([0, 17, 255])('refuses %i lanes', (lanes) => {
    expect(openInitiation(bob, initiation({ ...alice, lanes }).message, () => aliceAsPeer)).toBe(
      'lanes_invalid',
    );
  });

  it('refuses an ephemeral key of low order', () => {
    const { message } = initiation();
    const noise = Uint8Array.from(message.noise);
    noise.fill(0, 0, 32);
    expect(openInitiation(bob, { ...message, noise }, () => aliceAsPeer)).toBe('key_invalid');
  });

  it('refuses to initiate to a static key of low order', () => {
    const remote = { ...bobAsPeer, sessionKey: new Uint8Array(32) };
    expect(
      initiate(alice, remote, {
        sessionId: 1,
        ordinal: { startCount: 1, sequence: 1n },
        ephemeral: filled(3),
        kemSeed: undefined,
      }),
    ).toBe('key_invalid');
  });

  it('ignores what follows the 40 bytes of a payload', () => {
    const payload = encodePayload({
      ordinal: { startCount: 1, sequence: 1n },
      lanes: 2,
      nodeId: alice.nodeId,
      instance: alice.instance,
    });
    const input = {
      prologue: PROLOGUE,
      local: alice.keys,
      remoteStatic: bob.keys.publicKey,
      ephemeral: keyPairOf(filled(3)),
    };
    const { message } = writeFirst(input, Uint8Array.of(...payload, 1, 2, 3));
    const parsed = parseHandshake(
      appendMacs(encodeInitiation(7, message), mac1Key(bob.keys.publicKey), undefined),
    );
    const made = parsed as Initiation; // just encoded as one
    const opened = ok(openInitiation(bob, made, () => aliceAsPeer));
    expect(opened.payload.lanes).toBe(2);
  });

  it('reads the true response after a forged one', () => {
    const made = initiation();
    const opened = ok(openInitiation(bob, made.message, () => aliceAsPeer));
    const { body } = ok(
      respond(bob, opened, { sessionId: 8, receiverId: 7, ephemeral: filled(4) }),
    );
    const forged = responseOf(patched(body, body.length - 1, 0));
    expect(openResponse(made.state, forged, bobAsPeer)).toBe('seal_invalid');
    const lowOrder = responseOf(body);
    lowOrder.noise.fill(0, 0, 32);
    expect(openResponse(made.state, lowOrder, bobAsPeer)).toBe('key_invalid');
    expect(openResponse(made.state, responseOf(body), { ...bobAsPeer, nodeId: carol.nodeId })).toBe(
      'node_id_mismatch',
    );
    expect(typeof openResponse(made.state, responseOf(body), bobAsPeer)).toBe('object');
  });
});

describe('a hybrid exchange', () => {
  const hybridAlice = { ...aliceAsPeer, postQuantum: 'required' } as const;
  const hybridBob = { ...bobAsPeer, postQuantum: 'required' } as const;
  const answerTo = { sessionId: 8, receiverId: 7, ephemeral: filled(4) };
  const openedBy = (body: Uint8Array, remote: typeof aliceAsPeer | typeof hybridAlice) => {
    const message = { kind: 'initiation', senderId: 7, noise: body.subarray(8) } as const;
    return openInitiation(bob, message, () => remote);
  };

  it('gives both sides the same keys, and other ones with every encapsulation', () => {
    const made = hybridInitiation();
    const answers = [1, 2].map(() => {
      const opened = ok(openedBy(made.body, hybridAlice));
      const answer = ok(respond(bob, opened, answerTo));
      const { keys } = ok(openResponse(made.state, responseOf(answer.body), hybridBob));
      expect(keys.sendKey).toEqual(answer.keys.receiveKey);
      expect(keys.receiveKey).toEqual(answer.keys.sendKey);
      return keys.sendKey;
    });
    expect(answers[0]).not.toEqual(answers[1]);
  });

  it('needs the secret of the KEM: whoever has all X25519 keys alone does not open it', () => {
    const made = hybridInitiation();
    const { body } = ok(respond(bob, ok(openedBy(made.body, hybridAlice)), answerTo));
    const other = hybridInitiation(2).state.kem;
    expect(openResponse({ ...made.state, kem: other }, responseOf(body), hybridBob)).toBe(
      'seal_invalid',
    );
  });

  it('notices every changed byte of the ciphertext', () => {
    const made = hybridInitiation();
    const { body } = ok(respond(bob, ok(openedBy(made.body, hybridAlice)), answerTo));
    for (let at = 44; at < 44 + KEM_CIPHERTEXT_BYTES; at += 67) {
      const forged = responseOf(patched(body, at, (body[at] ?? 0) ^ 1));
      expect(openResponse(made.state, forged, hybridBob), `byte ${at}`).toBe('seal_invalid');
    }
  });

  it('is not talked out of it: a classic initiation is refused where it is required', () => {
    expect(openInitiation(bob, initiation().message, () => hybridAlice)).toBe(
      'post_quantum_required',
    );
  });

  it('is not talked out of it: a classic response to a hybrid initiation is refused', () => {
    const classic = ok(openInitiation(bob, initiation().message, () => aliceAsPeer));
    const { body } = ok(respond(bob, classic, answerTo));
    for (const remote of [hybridBob, bobAsPeer])
      expect(openResponse(hybridInitiation().state, responseOf(body), remote)).toBe(
        'post_quantum_required',
      );
  });

  it('refuses what its own classic initiation was answered with once it is required', () => {
    const made = initiation();
    const opened = ok(openInitiation(bob, made.message, () => aliceAsPeer));
    const { body } = ok(respond(bob, opened, answerTo));
    expect(openResponse(made.state, responseOf(body), hybridBob)).toBe('post_quantum_required');
  });

  it('is answered in its form by a host that does not require it', () => {
    const made = hybridInitiation();
    const { body } = ok(respond(bob, ok(openedBy(made.body, aliceAsPeer)), answerTo));
    expect(typeof openResponse(made.state, responseOf(body), hybridBob)).toBe('object');
  });

  it('refuses an encapsulation key that is none', () => {
    const payload = encodePayload({
      ordinal: { startCount: 1, sequence: 1n },
      lanes: 2,
      nodeId: alice.nodeId,
      instance: alice.instance,
      encapsulationKey: new Uint8Array(KEM_KEY_BYTES).fill(0xff),
    });
    const remoteStatic = bob.keys.publicKey;
    const ephemeral = keyPairOf(filled(3));
    const input = { prologue: PROLOGUE, local: alice.keys, remoteStatic, ephemeral };
    const body = encodeInitiation(7, writeFirst(input, payload).message);
    expect(respond(bob, ok(openedBy(body, hybridAlice)), answerTo)).toBe('key_invalid');
  });
});

describe('parts', () => {
  const flood = (count: number) =>
    Array.from({ length: count }, (_, index) => {
      const body = Uint8Array.of(0xe1, 2, 0, 2, ...filled(0), ...filled(1), ...new Uint8Array(640));
      new DataView(body.buffer).setUint32(4, index);
      return appendMacs(body, mac1Key(bob.keys.publicKey), undefined);
    });

  it('fit the smallest IPv6 MTU, and the response is one datagram', () => {
    const made = hybridInitiation();
    expect(made.datagrams.map(({ length }) => length)).toEqual([700, 700]);
    const gate = new HandshakeGate(bob.keys.publicKey, gateDeps());
    const opened = ok(openInitiation(bob, joinedBy(gate, made.datagrams), () => aliceAsPeer));
    const given = { sessionId: 8, receiverId: 7, ephemeral: filled(4) };
    const response = appendMacs(ok(respond(bob, opened, given)).body, filled(0), undefined);
    expect(response.length).toBe(1_220);
    expect(response.length).toBeLessThanOrEqual(HANDSHAKE_BYTES_MAX);
    expect(parseHandshake(response)).toMatchObject({ kind: 'response' });
  });

  it('join in any order, and a whole one stays as it is', () => {
    const { datagrams, body } = hybridInitiation();
    const gate = new HandshakeGate(bob.keys.publicKey, gateDeps());
    expect(joinedBy(gate, datagrams).noise).toEqual(body.subarray(8));
    expect(joinedBy(gate, datagrams.toReversed()).noise).toEqual(body.subarray(8));
    expect(gate.waiting).toEqual({ entries: 0, bytes: 0 });
    const classic = initiation().body;
    expect(splitInitiation(classic)).toEqual([classic]);
  });

  it('are refused when they repeat, disagree or have a wrong mac1', () => {
    const gate = new HandshakeGate(bob.keys.publicKey, gateDeps());
    const [first = filled(0)] = hybridInitiation().datagrams;
    const key = mac1Key(bob.keys.publicKey);
    expect(gate.admit(SOURCE, first, 0)).toEqual({ verdict: 'waiting' });
    expect(gate.admit(SOURCE, first, 0)).toEqual({ verdict: 'refused', reason: 'part_repeated' });
    for (const index of [0, 1]) {
      const other = appendMacs(
        patched(patched(first, 2, index), 3, 3).slice(0, -32),
        key,
        undefined,
      );
      expect(gate.admit(SOURCE, other, 0)).toEqual({ verdict: 'refused', reason: 'part_invalid' });
    }
    expect(gate.admit(SOURCE, patched(first, 100, 1), 0)).toEqual({
      verdict: 'refused',
      reason: 'mac1_invalid',
    });
  });

  it('wait 2 s for each other, and only for those of their source and session id', () => {
    const gate = new HandshakeGate(bob.keys.publicKey, gateDeps());
    const [first = filled(0), second = filled(0)] = hybridInitiation().datagrams;
    gate.admit(SOURCE, first, 0);
    expect(gate.admit(parseEndpoint('192.0.2.1:8003'), second, 0).verdict).toBe('waiting');
    const other = patched(second, 7, 9).slice(0, -32);
    const stray = appendMacs(other, mac1Key(bob.keys.publicKey), undefined);
    expect(gate.admit(SOURCE, stray, 0).verdict).toBe('waiting');
    expect(gate.admit(SOURCE, second, PARTS_WAIT_MS).verdict).toBe('waiting');
    expect(gate.waiting.entries).toBe(1);
  });

  it('of a flood are asked for cookies, take bounded room and leave that of peers alone', () => {
    const isPeer = (source: Endpoint) => endpointAddress(source)[15] === 1;
    const gate = new HandshakeGate(bob.keys.publicKey, gateDeps(isPeer));
    const { datagrams } = hybridInitiation();
    const [first = filled(0), second = filled(0)] = datagrams;
    expect(gate.admit(SOURCE, first, 0).verdict).toBe('waiting');
    const stranger = parseEndpoint('198.51.100.7:8002');
    const verdicts = flood(3 * JOINING_OF_STRANGERS_MAX).map(
      (bytes) => gate.admit(stranger, bytes, 1).verdict,
    );
    expect(verdicts.filter((verdict) => verdict === 'waiting').length).toBe(2 * LOAD_BURST - 1);
    expect(verdicts.at(-1)).toBe('challenged');
    expect(gate.waiting.entries).toBe(JOINING_OF_STRANGERS_MAX + 1);
    expect(gate.waiting.bytes).toBeLessThanOrEqual(2 * JOINING_BYTES_MAX);
    const answer = gate.admit(SOURCE, second, 2);
    if (answer.verdict !== 'challenged') throw new Error(`expected a challenge: ${answer.verdict}`);
    const reply = parseHandshake(answer.reply) as CookieReply; // of the gate's making
    const cookie = openCookie(reply, cookieKey(bob.keys.publicKey), mac1Of(second));
    const shown = appendMacs(second.slice(0, -32), mac1Key(bob.keys.publicKey), cookie);
    expect(gate.admit(SOURCE, shown, 3).verdict, 'the first part has not been lost').toBe(
      'admitted',
    );
  });
});

describe('macs', () => {
  const body = filled(5);
  const key = mac1Key(bob.keys.publicKey);
  const cookie = filled(6).subarray(0, 16);

  it('accepts its own and nothing else', () => {
    const message = appendMacs(body, key, cookie);
    expect(hasValidMac1(message, key)).toBe(true);
    expect(hasValidMac2(message, cookie)).toBe(true);
    expect(hasValidMac1(message, mac1Key(alice.keys.publicKey))).toBe(false);
    expect(hasValidMac2(message, filled(7).subarray(0, 16))).toBe(false);
    for (let at = 0; at < message.length; at++) {
      const forged = patched(message, at, (message[at] ?? 0) ^ 1);
      expect(hasValidMac1(forged, key) && hasValidMac2(forged, cookie), `byte ${at}`).toBe(false);
    }
  });

  it('has zeros for mac2 without a cookie', () => {
    expect([...appendMacs(body, key, undefined).subarray(-16)]).toEqual(Array<number>(16).fill(0));
  });
});

describe('cookies', () => {
  it('go to whom they were sealed for, and answer one message only', () => {
    const jar = new CookieJar(bob.keys.publicKey, counting());
    const mac1 = filled(9).subarray(0, 16);
    const parsed = parseHandshake(jar.reply(SOURCE, 7, mac1, 0));
    const reply = parsed as CookieReply; // just encoded as one
    expect(reply.receiverId).toBe(7);
    expect(openCookie(reply, cookieKey(bob.keys.publicKey), mac1)).toEqual(jar.cookieOf(SOURCE, 0));
    expect(
      openCookie(reply, cookieKey(bob.keys.publicKey), filled(8).subarray(0, 16)),
    ).toBeUndefined();
    expect(openCookie(reply, cookieKey(alice.keys.publicKey), mac1)).toBeUndefined();
  });

  it('differ by source address and port, and with every secret', () => {
    const jar = new CookieJar(bob.keys.publicKey, counting());
    const first = jar.cookieOf(SOURCE, 0);
    expect(jar.cookieOf(parseEndpoint('192.0.2.1:8003'), 0)).not.toEqual(first);
    expect(jar.cookieOf(parseEndpoint('192.0.2.2:8002'), 0)).not.toEqual(first);
    expect(jar.cookieOf(SOURCE, COOKIE_LIFETIME_MS - 1)).toEqual(first);
    expect(jar.cookieOf(SOURCE, COOKIE_LIFETIME_MS)).not.toEqual(first);
  });

  it('are taken for as long again under the secret before, and then no more', () => {
    const jar = new CookieJar(bob.keys.publicKey, counting());
    const first = jar.cookieOf(SOURCE, 0);
    expect(jar.cookiesOf(SOURCE, COOKIE_LIFETIME_MS)).toContainEqual(first);
    expect(jar.cookiesOf(SOURCE, 2 * COOKIE_LIFETIME_MS)).not.toContainEqual(first);
  });

  it('are told of when others than those that were asked for count', () => {
    const told: unknown[] = [];
    const jar = new CookieJar(bob.keys.publicKey, counting(), (secrets) => told.push(secrets));
    const { current } = jar.secrets(0);
    expect(told).toEqual([]);
    jar.cookieOf(SOURCE, COOKIE_LIFETIME_MS);
    jar.cookieOf(SOURCE, COOKIE_LIFETIME_MS + 1);
    expect(told).toEqual([{ ...jar.secrets(COOKIE_LIFETIME_MS), previous: current }]);
  });
});

describe('load', () => {
  it('begins when the budget is used up and ends when it has come back', () => {
    const load = new HandshakeLoad();
    for (let count = 0; count < LOAD_BURST; count++) expect(load.countMessage(0)).toBe(false);
    expect(load.countMessage(0)).toBe(true);
    expect(load.countMessage(Math.ceil(1_000 / LOAD_MESSAGES_PER_SECOND))).toBe(false);
    expect(load.countMessage(Math.ceil(1_000 / LOAD_MESSAGES_PER_SECOND))).toBe(true);
  });

  it('gains nothing from a clock that goes back', () => {
    const load = new HandshakeLoad();
    for (let count = 0; count < LOAD_BURST; count++) load.countMessage(1_000);
    expect(load.countMessage(0)).toBe(true);
  });
});

describe('source limiter', () => {
  it('counts addresses, not ports, and IPv6 by /64', () => {
    for (const [first, second, other] of [
      ['192.0.2.1:1', '192.0.2.1:2', '192.0.2.2:1'],
      ['[2001:db8::1]:1', '[2001:db8::ffff:2]:9', '[2001:db8:0:1::1]:1'],
    ] as const) {
      const limiter = new SourceLimiter();
      for (let count = 0; count < SOURCE_BURST; count++)
        expect(limiter.allows(parseEndpoint(first), 0)).toBe(true);
      expect(limiter.allows(parseEndpoint(second), 0)).toBe(false);
      expect(limiter.allows(parseEndpoint(other), 0)).toBe(true);
      expect(limiter.allows(parseEndpoint(second), 1_000 / SOURCE_MESSAGES_PER_SECOND)).toBe(true);
    }
  });

  it('stays bounded, and makes room when sources have been quiet', () => {
    const limiter = new SourceLimiter();
    const source = (index: number) =>
      makeEndpoint(Uint8Array.of(10, index >> 16, (index >> 8) & 255, index & 255), 1);
    for (let index = 0; index < SOURCES_MAX; index++)
      expect(limiter.allows(source(index), 0)).toBe(true);
    expect(limiter.allows(source(SOURCES_MAX), 0)).toBe(false);
    expect(limiter.size).toBe(SOURCES_MAX);
    expect(limiter.allows(source(SOURCES_MAX), 1_000)).toBe(true);
    expect(limiter.size).toBeLessThanOrEqual(SOURCES_MAX);
  });
});

describe('gate', () => {
  const bytes = appendMacs(initiation().body, mac1Key(bob.keys.publicKey), undefined);

  it('refuses a wrong mac1 without counting it as load', () => {
    const gate = new HandshakeGate(bob.keys.publicKey, gateDeps());
    const forged = appendMacs(initiation().body, mac1Key(alice.keys.publicKey), undefined);
    for (let count = 0; count < 2 * LOAD_BURST; count++) {
      expect(gate.admit(SOURCE, forged, 0)).toEqual({ verdict: 'refused', reason: 'mac1_invalid' });
    }
    expect(gate.admit(SOURCE, bytes, 0).verdict).toBe('admitted');
  });

  it('agrees with the vectors of the data path, which are what the file says', () => {
    const file = new URL('../../../../datapath/vectors/guard.hex', import.meta.url);
    expect(readFileSync(file, 'utf8')).toBe(guardVectorText());
    const vectors = guardVectors();
    const of = (name: string): Uint8Array => vectors.get(name) ?? new Uint8Array(0);
    for (const name of ['initiation', 'part'])
      expect(hasValidMac1(of(`${name}.cookie`), of('mac1Key'))).toBe(true);
    expect(hasValidMac2(of('part.cookie'), of('cookie'))).toBe(true);
    expect(hasValidMac2(of('initiation.previous'), of('cookie'))).toBe(false);
  });

  it('gives the data path keys under which it takes the cookies of both', () => {
    const told: unknown[] = [];
    const gate = new HandshakeGate(bob.keys.publicKey, {
      ...gateDeps(),
      onKeys: (keys) => told.push(keys),
    });
    const first = gate.keys(0);
    expect(first.mac1Key).toEqual(mac1Key(bob.keys.publicKey));
    expect(first.cookieReplyKey).toEqual(cookieKey(bob.keys.publicKey));
    for (let count = 0; count <= LOAD_BURST; count++) gate.admit(SOURCE, bytes, COOKIE_LIFETIME_MS);
    const second = gate.keys(COOKIE_LIFETIME_MS);
    expect(told).toEqual([second]);
    expect(second.previousSecret).toEqual(first.cookieSecret);
  });

  it('asks for a cookie under load only, admits who shows it, and limits that source', () => {
    const gate = new HandshakeGate(bob.keys.publicKey, gateDeps());
    for (let count = 0; count < LOAD_BURST; count++)
      expect(gate.admit(SOURCE, bytes, 0).verdict).toBe('admitted');
    const challenge = gate.admit(SOURCE, bytes, 0);
    if (challenge.verdict !== 'challenged')
      throw new Error(`expected a challenge, got ${challenge.verdict}`);
    expect(challenge.reason).toBe('cookie_required');
    expect(challenge.reply.length).toBeLessThan(bytes.length);
    const reply = parseHandshake(challenge.reply) as CookieReply; // of the gate's making
    const cookie = openCookie(reply, cookieKey(bob.keys.publicKey), mac1Of(bytes));
    const shown = appendMacs(initiation().body, mac1Key(bob.keys.publicKey), cookie);
    expect(gate.admit(parseEndpoint('192.0.2.9:8002'), shown, 0).verdict, 'stolen cookie').toBe(
      'challenged',
    );
    for (let count = 0; count < SOURCE_BURST; count++)
      expect(gate.admit(SOURCE, shown, 0).verdict).toBe('admitted');
    expect(gate.admit(SOURCE, shown, 0)).toEqual({ verdict: 'refused', reason: 'source_limited' });
  });
});

function party(seed: number, lanes: number): LocalParty {
  const [nodeId, instance] = [filled(seed).subarray(0, 16), filled(seed + 100).subarray(0, 8)];
  return { keys: keyPairOf(filled(seed)), nodeId, instance, lanes };
}

function initiation(from: LocalParty = alice) {
  const ordinal = { startCount: 3, sequence: 4n };
  const given = { sessionId: 7, ordinal, ephemeral: filled(0x33), kemSeed: undefined };
  const made = ok(initiate(from, bobAsPeer, given));
  const parsed = parseHandshake(appendMacs(made.body, mac1Key(bob.keys.publicKey), undefined));
  return { ...made, message: parsed as Initiation }; // just encoded as one
}

/** A hybrid initiation, as the datagrams in which it leaves. */
function hybridInitiation(seed = 1) {
  const ordinal = { startCount: 3, sequence: 4n };
  const kemSeed = new Uint8Array(KEM_SEED_BYTES).fill(seed);
  const given = { sessionId: 7, ordinal, ephemeral: filled(0x33), kemSeed };
  const { state, body } = ok(initiate(alice, { ...bobAsPeer, postQuantum: 'required' }, given));
  const key = mac1Key(bob.keys.publicKey);
  const datagrams = splitInitiation(body).map((part) => appendMacs(part, key, undefined));
  return { state, body, datagrams };
}

/** What a gate makes of datagrams that follow each other. */
function joinedBy(gate: HandshakeGate, datagrams: readonly Uint8Array[], now = 0): Initiation {
  const last = datagrams.map((bytes) => gate.admit(SOURCE, bytes, now)).at(-1);
  if (last?.verdict !== 'admitted' || last.message.kind !== 'initiation')
    throw new Error(`expected a whole initiation, got ${last?.verdict}`);
  return last.message;
}

function gateDeps(isPeerAddress = (_source: Endpoint) => false) {
  return { random: counting(), isPeerAddress };
}

function responseOf(body: Uint8Array): Response {
  return parseHandshake(appendMacs(body, filled(0), undefined)) as Response; // just encoded as one
}

function ok<T extends object>(result: T | string): T {
  if (typeof result === 'string') throw new Error(`refused: ${result}`);
  return result;
}

function patched(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const out = Uint8Array.from(bytes);
  out[at] = value;
  return out;
}

function filled(value: number): Uint8Array {
  return new Uint8Array(32).fill(value);
}

function counting(): (bytes: number) => Uint8Array {
  let calls = 0;
  return (bytes) => new Uint8Array(bytes).fill(++calls);
}
