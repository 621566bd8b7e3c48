/**
 * The mesh between two real machines whose datagrams the test carries by hand. What happens on bad
 * networks is in test/sim/.
 */
import { describe, expect, it } from 'vitest';
import { encodePing, encodePong, parseControl } from './control-messages.ts';
import {
  ACTIONS_MAX,
  ANSWER_INTERVAL_MS,
  CONFIRM_TIMEOUT_MS,
  CONTROL_BYTES_MAX,
  FRAGMENTS_MAX,
  HANDSHAKE_JITTER,
  HANDSHAKE_STARTS_PER_TIMEOUT_MAX,
  HOLD_MS,
  HOLD_MS_MAX,
  KEEPALIVE_MS,
  MESSAGE_BYTES_MAX,
  PEER_SILENT_MS,
  PEERS_MAX,
  PING_TIMEOUT_MS,
  PINGS_PER_PEER_MAX,
  PROBE_TIMEOUT_MS,
  REKEY_AFTER_INITIATOR_MS,
  REKEY_AFTER_RESPONDER_MS,
  REKEY_JITTER_MS,
  SEARCH_BURST,
  SESSION_LIFETIME_MS,
  SESSION_OVERLAP_MS,
  SESSIONS_PER_PEER_MAX,
} from './limits.ts';
import { Mesh } from './mesh.ts';
import type { MeshAction, MeshEvent, PeerConfig, PeerState } from './types.ts';
import { ACTIVITY, SESSION_ACTIVATION } from '../datapath-control/messages.ts';
import { makeEndpoint, parseEndpoint } from '../endpoint.ts';
import type { Endpoint } from '../endpoint.ts';
import {
  COOKIE_LIFETIME_MS,
  INTRODUCTIONS_BURST,
  LOAD_BURST,
  RESPONSES_UNPROVED_MAX,
} from '../handshake/limits.ts';
import { appendMacs, mac1Key } from '../handshake/macs.ts';
import type { RefusalReason } from '../handshake/refusals.ts';
import { keyPairOf } from '../noise/x25519.ts';

/** The node with the smaller id has precedence. */
const SMALL = 1;
const LARGE = 2;
const ANSWERER = { instance: new Uint8Array(8).fill(5), startCount: 1 };
const NOWHERE = parseEndpoint('203.0.113.9:9');

describe('a handshake', () => {
  it('puts both ends on one session, and the endpoints follow it', () => {
    const { a, b } = pair();
    const initiation = only(a.due(0), 'sendDatagram');
    expect(initiation.endpoint).toEqual(b.at);
    const answer = b.receive(a.at, initiation.bytes, 5);
    expect(answer.map(({ kind }) => kind)).toEqual(['setSession', 'sendDatagram']);
    const response = only(answer, 'sendDatagram');
    const done = a.receive(b.at, response.bytes, 10);
    expect(done.map(nameOf)).toEqual([
      'setEndpoint',
      'endpointMoved',
      'setSession',
      'peerUp',
      'sendControl',
    ]);
    const [own, theirs] = [only(done, 'setSession').session, only(answer, 'setSession').session];
    expect([own.activation, theirs.activation]).toEqual([
      SESSION_ACTIVATION.now,
      SESSION_ACTIVATION.onReceive,
    ]);
    expect([own.initiator, theirs.initiator]).toEqual([1, 0]);
    expect([own.remoteId, theirs.remoteId]).toEqual([theirs.localId, own.localId]);
    expect([own.sendKey, own.receiveKey]).toEqual([theirs.receiveKey, theirs.sendKey]);
    expect([own.lifetimeMs, own.receiveLanes]).toEqual([SESSION_LIFETIME_MS, 3]);

    expect(b.state(15)).toBe('handshaking');
    const confirmed = b.control(theirs.localId, a.at, [], 20);
    expect(confirmed.map(nameOf)).toEqual([
      'setEndpoint',
      'endpointMoved',
      'sendControl',
      'peerUp',
    ]);
    expect([a.state(20), b.state(20)]).toEqual(['up', 'up']);
    expect(a.control(own.localId, b.at, [], 25)).toEqual([]);
  });

  it('does not move the endpoint for an initiation, which could be a recorded one', () => {
    const { a, b } = pair();
    const initiation = only(a.due(0), 'sendDatagram');
    const answer = b.receive(NOWHERE, initiation.bytes, 0);
    expect(only(answer, 'sendDatagram').endpoint).toEqual(NOWHERE);
    expect(b.mesh.status(0)[0]?.endpoint).toBeUndefined();
    const { localId } = only(answer, 'setSession').session;
    b.mesh.handleSessionConfirmed(localId, 1);
    expect(only(b.mesh.drainActions(), 'setEndpoint').endpoint).toEqual(NOWHERE);
  });

  it('goes to the last good endpoint and all others, each once and 8 at most', () => {
    const { a } = pair();
    const many = Array.from({ length: 12 }, (_, index) =>
      makeEndpoint(Uint8Array.of(10, 0, 0, index), 1),
    );
    a.setEndpoints([...many.slice(0, 3), ...many], 0);
    const tries = a.due(0).map((action) => action.kind === 'sendDatagram' && action.endpoint);
    expect(tries).toEqual(many.slice(0, 8));
  });

  it('is tried again after 1 s, doubled to 10 s, each 20 % more or less', () => {
    const { a } = pair();
    a.due(0);
    let last = 0;
    for (const baseMs of [1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000]) {
      const { at = 0 } = a.mesh.pollTimeout() ?? {};
      expect(at - last).toBeGreaterThanOrEqual(baseMs * (1 - HANDSHAKE_JITTER));
      expect(at - last).toBeLessThanOrEqual(baseMs * (1 + HANDSHAKE_JITTER));
      expect(a.due(at).map(({ kind }) => kind)).toEqual(['sendDatagram']);
      last = at;
    }
  });

  it('rests without endpoints, and starts when there are some', () => {
    const { a, b } = pair();
    a.setEndpoints([], 0);
    expect(a.due(0)).toEqual([]);
    expect([a.state(0), a.mesh.pollTimeout()]).toEqual(['down', undefined]);
    a.mesh.handleSessionNeeded(1, 1);
    expect(a.due(1)).toEqual([]);
    a.setEndpoints([b.at], 2);
    expect(a.due(2).map(({ kind }) => kind)).toEqual(['sendDatagram']);
  });

  it('starts again at once when the endpoints change while it waits', () => {
    const { a } = pair();
    a.due(0);
    a.setEndpoints([NOWHERE], 10);
    expect(only(a.due(10), 'sendDatagram').endpoint).toEqual(NOWHERE);
  });

  it('is not started for hundreds of peers in one call', () => {
    const a = new End(SMALL, NOWHERE);
    const peers = Array.from({ length: 100 }, (_, index) =>
      configOf(new End(index + 10, NOWHERE), index + 1),
    );
    a.mesh.setPeers(peers, 0);
    expect(a.due(0).length).toBe(HANDSHAKE_STARTS_PER_TIMEOUT_MAX);
    expect(a.mesh.pollTimeout()?.at).toBe(0);
    for (let call = 0; call < 3; call++) a.due(0);
    expect(a.mesh.pollTimeout()?.at).toBeGreaterThan(0);
  });
});

describe('both initiate at once', () => {
  it('the one with the smaller node id holds on to its own and repeats it', () => {
    const { a, b } = pair();
    const own = only(a.due(0), 'sendDatagram');
    const crossing = only(b.due(0), 'sendDatagram');
    const repeated = only(a.receive(NOWHERE, crossing.bytes, 10), 'sendDatagram');
    expect(repeated).toEqual({ kind: 'sendDatagram', endpoint: NOWHERE, bytes: own.bytes });
    expect(a.refused('initiation_crossed')).toBe(1);
    expect(b.receive(a.at, own.bytes, 10).map(({ kind }) => kind)).toEqual([
      'setSession',
      'sendDatagram',
    ]);
  });

  it('makes its own anew when the peer may have seen it already', () => {
    const { a, b } = pair();
    const own = only(a.due(0), 'sendDatagram');
    b.receive(a.at, own.bytes, 5);
    const crossing = only(b.due(600), 'sendDatagram');
    const sent = a
      .receive(NOWHERE, crossing.bytes, 610)
      .filter((action) => action.kind === 'sendDatagram');
    expect(sent.map(({ endpoint }) => endpoint)).toEqual([NOWHERE, b.at]);
    expect(sent[0]?.bytes).not.toEqual(own.bytes);
  });

  it('the other one keeps both sessions, and forgets its own when the peer uses the one that counts', () => {
    const { a, b } = pair();
    const theirs = only(b.due(0), 'sendDatagram');
    const lateAnswer = only(a.receive(b.at, theirs.bytes, 5), 'sendDatagram');
    const [initiation] = a.due(10).filter((action) => action.kind === 'sendDatagram');
    const answer = b.receive(a.at, initiation?.bytes ?? new Uint8Array(0), 15);
    const counting = only(answer, 'setSession').session;
    const own = only(b.receive(a.at, lateAnswer.bytes, 20), 'setSession').session;
    expect(b.mesh.status(20)[0]?.session?.localId).toBe(own.localId);
    const settled = a.receive(b.at, only(answer, 'sendDatagram').bytes, 25);
    expect(deleted(settled)).toEqual([own.remoteId]);
    expect(deleted(b.control(counting.localId, a.at, [], 30))).toEqual([own.localId]);
    expect(b.mesh.status(30)[0]?.session?.localId).toBe(counting.localId);
  });

  it('repeats the confirmation when its own has just been answered', () => {
    const { a, b } = pair();
    const crossing = only(b.due(0), 'sendDatagram');
    const response = only(b.receive(a.at, only(a.due(0), 'sendDatagram').bytes, 5), 'sendDatagram');
    a.receive(b.at, response.bytes, 10);
    expect(a.receive(b.at, crossing.bytes, 15).map(({ kind }) => kind)).toEqual(['sendControl']);
  });
});

describe('an introduction', () => {
  it('reaches a host that does not know its sender, which answers once it does', () => {
    const { a, b } = pair();
    b.mesh.setPeers([], 0);
    const told = introducing(a, b).flatMap((bytes) => b.receive(a.at, bytes, 0));
    expect(told).toEqual([
      { kind: 'event', event: { type: 'stranger', sessionKey: a.publicKey, from: a.at } },
      { kind: 'event', event: { type: 'introduced', bytes: INTRODUCTION, from: a.at } },
    ]);
    b.mesh.setPeers([{ ...configOf(a, 1), endpoints: [] }], 0);
    const again = a.due(2_000).filter((action) => action.kind === 'sendDatagram');
    const [answer] = again
      .flatMap(({ bytes }) => b.receive(a.at, bytes, 2_000))
      .filter((action) => action.kind === 'sendDatagram');
    if (answer === undefined) throw new Error('no answer');
    a.receive(b.at, answer.bytes, 2_010);
    expect(a.mesh.status(2_010)).toMatchObject([{ state: 'up' }]);
  });

  it('is heard so often of one address, and so often of all', () => {
    const { a, b } = pair();
    b.mesh.setPeers([], 0);
    const datagrams = introducing(a, b);
    const heardFrom = (host: number, now: number): number => {
      const from = parseEndpoint(`192.0.2.${host}:8002`);
      const actions = datagrams.flatMap((bytes) => b.receive(from, bytes, now));
      return actions.filter(
        (action) => action.kind === 'event' && action.event.type === 'introduced',
      ).length;
    };
    expect([1, 2, 3, 4].map(() => heardFrom(1, 0))).toEqual([1, 1, 0, 0]);
    const strangers = Array.from({ length: 20 }, (_, at) => heardFrom(10 + at, 0));
    expect(strangers.reduce((sum, count) => sum + count, 0)).toBe(INTRODUCTIONS_BURST - 2);
    expect(heardFrom(1, 1_000), 'later again').toBe(1);
  });
});

describe('a handshake of an unknown key', () => {
  it('is told with its key, so often of one address, and is answered once the key is known', () => {
    const { a, b } = pair();
    b.mesh.setPeers([], 0);
    const bytes = initiationOf(a);
    const told = [0, 0, 0, 0].flatMap((now) => b.receive(a.at, bytes, now));
    const stranger = { type: 'stranger', sessionKey: a.publicKey, from: a.at };
    expect(told).toEqual([0, 0].map(() => ({ kind: 'event', event: stranger })));
    b.mesh.setPeers([{ ...configOf(a, 1), endpoints: [] }], 0);
    expect(only(b.receive(a.at, bytes, 10), 'sendDatagram')).toBeDefined();
  });
});

describe('refusals', () => {
  const cases: Record<RefusalReason, (given: Pair) => void> = {
    kind_unknown: ({ b }) => b.receive(NOWHERE, Uint8Array.of(1), 0),
    header_invalid: ({ b }) => b.receive(NOWHERE, Uint8Array.of(0xe1, 2, 0, 0), 0),
    version_unsupported: ({ a, b }) => b.receive(a.at, patched(initiationOf(a), 1, 9), 0),
    mac1_invalid: ({ a, b }) => b.receive(a.at, patched(initiationOf(a), 50, 1), 0),
    cookie_required: ({ a, b }) => {
      const bytes = initiationOf(a);
      for (let count = 0; count <= LOAD_BURST; count++) b.receive(a.at, bytes, 0);
    },
    source_limited: ({ a, b }) => {
      const bytes = initiationOf(a);
      for (let count = 0; count < LOAD_BURST; count++) b.receive(a.at, bytes, 0);
      const reply = only(b.receive(a.at, bytes, 0), 'sendDatagram');
      const shown = only(a.receive(b.at, reply.bytes, 0), 'sendDatagram');
      for (let count = 0; count < 40; count++) b.receive(a.at, shown.bytes, 0);
    },
    key_invalid: ({ a, b }) => {
      const body = initiationOf(a).slice(0, -32).fill(0, 8, 40);
      b.receive(a.at, appendMacs(body, mac1Key(b.publicKey), undefined), 0);
    },
    seal_invalid: ({ a, b }) => {
      const body = patched(initiationOf(a).slice(0, -32), 100, 1);
      b.receive(a.at, appendMacs(body, mac1Key(b.publicKey), undefined), 0);
    },
    peer_unknown: ({ a, b }) => {
      b.mesh.setPeers([], 0);
      b.receive(a.at, initiationOf(a), 0);
    },
    introduction_limited: ({ a, b }) => {
      b.mesh.setPeers([], 0);
      const datagrams = introducing(a, b);
      for (let count = 0; count < 4; count++)
        for (const bytes of datagrams) b.receive(a.at, bytes, 0);
    },
    node_id_mismatch: ({ a, b }) => {
      b.mesh.setPeers([{ ...configOf(a, 1), nodeId: new Uint8Array(16).fill(77) }], 0);
      b.receive(a.at, initiationOf(a), 0);
    },
    lanes_invalid: ({ b }) => {
      const many = new End(SMALL, NOWHERE, 17);
      many.mesh.setPeers([configOf(b, 1)], 0);
      b.receive(NOWHERE, initiationOf(many), 0);
    },
    ordinal_replayed: ({ a, b }) => {
      const bytes = initiationOf(a);
      b.receive(a.at, bytes, 0);
      expect(b.receive(a.at, bytes, 1_000)).toEqual([]);
    },
    peer_limited: ({ a, b }) => {
      const [first, second] = [initiationOf(a), initiationOf(a, 2_000)];
      b.receive(a.at, first, 0);
      expect(b.receive(a.at, second, ANSWER_INTERVAL_MS - 1)).toEqual([]);
    },
    initiation_crossed: ({ a, b }) => {
      a.due(0);
      a.receive(b.at, initiationOf(b), 0);
    },
    session_unmatched: ({ a, b }) => {
      const response = only(b.receive(a.at, initiationOf(a), 0), 'sendDatagram');
      initiationOf(a, 2_000);
      expect(a.receive(b.at, response.bytes, 2_001)).toEqual([]);
    },
    cookie_invalid: ({ a }) => {
      const reply = Uint8Array.of(
        0xe3,
        2,
        0,
        0,
        ...initiationOf(a).subarray(4, 8),
        ...new Uint8Array(44),
      );
      expect(a.receive(NOWHERE, reply, 0)).toEqual([]);
    },
    control_session_unknown: ({ a }) => a.control(12_345, NOWHERE, [], 0),
    control_invalid: ({ a, b }) => {
      const { localId } = connect(a, b, 0);
      a.control(localId, b.at, [1, 2, 3], 0);
    },
    pong_unmatched: ({ a, b }) => {
      const { localId } = connect(a, b, 0);
      a.control(localId, b.at, [...encodePong(99n, a.at, ANSWERER)], 0);
    },
    post_quantum_required: ({ a, b }) => {
      b.mesh.setPeers([{ ...configOf(a, 1), postQuantum: 'required' }], 0);
      expect(b.receive(a.at, initiationOf(a), 0)).toEqual([]);
    },
    part_repeated: (given) => {
      const { a, b } = hybrid(given);
      const [first] = datagramsOf(a.due(0));
      b.receive(a.at, first, 0);
      expect(b.receive(a.at, first, 0)).toEqual([]);
    },
    part_invalid: (given) => {
      const { a, b } = hybrid(given);
      const [first, second] = datagramsOf(a.due(0));
      b.receive(a.at, first, 0);
      const body = patched(second.slice(0, -32), 3, 1);
      b.receive(a.at, appendMacs(body, mac1Key(b.publicKey), undefined), 0);
    },
    instance_doubled: ({ a, b }) => {
      double(a, b);
    },
    credential_ended: ({ a, b }) => {
      const bytes = initiationOf(a);
      b.mesh.setPeers([{ ...configOf(a, 1), validUntil: 10 }], 0);
      expect(b.receive(a.at, bytes, 10)).toEqual([]);
    },
    fragment_invalid: ({ a, b }) => {
      const { localId } = connect(a, b, 0);
      a.control(localId, b.at, [3, 0, 0, 0, 1, 0, 2, 99], 0);
      a.control(localId, b.at, [3, 0, 0, 0, 1, 0, 2, 99], 0);
    },
    actions_full: ({ a, b }) => {
      const ping = [...encodePing(1n)];
      const { localId } = connect(a, b, 0);
      for (let count = 0; count <= ACTIONS_MAX; count++) {
        a.mesh.handleControl(1, localId, b.at, Uint8Array.from(ping), 0);
      }
      expect(a.mesh.drainActions().length).toBe(ACTIONS_MAX);
    },
  };

  it.each(Object.entries(cases))('counts %s', (reason, provoke) => {
    const given = pair();
    provoke(given);
    const { a, b } = given;
    expect(a.refused(reason) + b.refused(reason)).toBeGreaterThan(0);
    expect([...a.mesh.refusals().keys(), ...b.mesh.refusals().keys()].length).toBeGreaterThan(0);
  });

  it('leave a session as it was', () => {
    const { a, b } = pair();
    const { localId } = connect(a, b, 0);
    const before = a.mesh.status(100);
    for (const bytes of [
      Uint8Array.of(9),
      Uint8Array.of(0xe2, 2, 0, 0),
      new Uint8Array(200).fill(0xe1),
    ])
      a.receive(NOWHERE, bytes, 100);
    a.control(localId + 1, NOWHERE, [], 100);
    expect(a.mesh.status(100)).toEqual(before);
  });
});

describe('under load', () => {
  it('is judged by keys that a data path is given when it is attached, and with every new secret', () => {
    const { a, b } = pair();
    b.mesh.setGuard(0);
    const first = only(b.mesh.drainActions(), 'setGuard').guard;
    expect(first.mac1Key).toEqual(mac1Key(b.publicKey));
    const noise = appendMacs(initiationOf(a).slice(0, -32), mac1Key(b.publicKey), undefined);
    const now = COOKIE_LIFETIME_MS;
    const actions: MeshAction[] = [];
    for (let count = 0; count <= LOAD_BURST + 1; count++)
      actions.push(...b.receive(NOWHERE, noise, now));
    const second = only(actions, 'setGuard').guard;
    expect(second.previousSecret).toEqual(first.cookieSecret);
    expect(second.cookieSecret).not.toEqual(first.cookieSecret);
  });

  it('a cookie is followed at once and lets the handshake through', () => {
    const { a, b } = pair();
    const initiation = initiationOf(a);
    const noise = initiationOf(new End(9, NOWHERE).knowing(b));
    for (let count = 0; count < LOAD_BURST; count++) b.receive(NOWHERE, noise, 0);
    const reply = only(b.receive(a.at, initiation, 0), 'sendDatagram');
    const again = only(a.receive(b.at, reply.bytes, 1), 'sendDatagram');
    expect(b.receive(a.at, again.bytes, 2).map(({ kind }) => kind)).toEqual([
      'setSession',
      'sendDatagram',
    ]);
    expect(a.receive(b.at, reply.bytes, 3), 'a second reply').toEqual([]);
  });

  it('a response that is waited for needs no cookie', () => {
    const { a, b } = pair();
    const initiation = initiationOf(a);
    const noise = initiationOf(new End(9, NOWHERE).knowing(a));
    for (let count = 0; count < LOAD_BURST; count++) a.receive(NOWHERE, noise, 0);
    const response = only(b.receive(a.at, initiation, 0), 'sendDatagram');
    expect(a.receive(b.at, response.bytes, 0).map(nameOf)).toContain('setSession');
  });

  it('responses to nothing bring no load, and are answered by nothing', () => {
    const { a, b } = pair();
    const response = only(b.receive(a.at, initiationOf(a), 0), 'sendDatagram');
    const stray = forgedResponse(response.bytes, a, 77);
    for (let count = 0; count < LOAD_BURST; count++)
      expect(a.receive(NOWHERE, stray, 0)).toEqual([]);
    expect(a.mesh.refusals().get('session_unmatched')).toBe(LOAD_BURST);
    const other = new End(9, NOWHERE).knowing(a);
    a.receive(NOWHERE, initiationOf(other), 0);
    expect(a.mesh.refusals().get('cookie_required')).toBe(undefined);
  });

  it('a responder repeats its response with the cookie', () => {
    const { a, b } = pair();
    const initiation = initiationOf(a);
    const noise = initiationOf(new End(9, NOWHERE).knowing(a));
    for (let count = 0; count < LOAD_BURST; count++) a.receive(NOWHERE, noise, 0);
    const response = only(b.receive(a.at, initiation, 0), 'sendDatagram');
    for (let count = 0; count < RESPONSES_UNPROVED_MAX; count++)
      expect(a.receive(NOWHERE, forgedResponse(response.bytes, a), 0)).toEqual([]);
    const reply = only(a.receive(b.at, response.bytes, 0), 'sendDatagram');
    const again = only(b.receive(a.at, reply.bytes, 0), 'sendDatagram');
    expect(a.receive(b.at, again.bytes, 0).map(nameOf)).toContain('setSession');
  });
});

describe('a session', () => {
  it('is rekeyed by its initiator after 120 s, to the endpoint in use, and the former one goes 15 s after the confirmation', () => {
    const { a, b } = pair();
    const first = connect(a, b, 0);
    a.setEndpoints([b.at, NOWHERE], 0);
    const rekeyAt = untilSent(a, b, REKEY_AFTER_INITIATOR_MS - 1, 'sendDatagram');
    expect(rekeyAt.at).toBeGreaterThanOrEqual(REKEY_AFTER_INITIATOR_MS);
    expect(rekeyAt.at).toBeLessThanOrEqual(REKEY_AFTER_INITIATOR_MS + REKEY_JITTER_MS + 20);
    expect(
      rekeyAt.actions.map((action) => action.kind === 'sendDatagram' && action.endpoint),
    ).toEqual([b.at]);
    const second = finish(a, b, rekeyAt.actions, rekeyAt.at);
    expect(deleted(a.dueWith(b, rekeyAt.at + SESSION_OVERLAP_MS - 100))).toEqual([]);
    expect(deleted(a.due(rekeyAt.at + SESSION_OVERLAP_MS + 100))).toEqual([first.localId]);
    expect(a.mesh.status(0)[0]?.session?.localId).toBe(second.localId);
  });

  it('is rekeyed by its responder after 150 s', () => {
    const { a, b } = pair();
    connect(a, b, 0);
    const { at } = untilSent(b, a, REKEY_AFTER_RESPONDER_MS - 1, 'sendDatagram');
    expect(at).toBeGreaterThanOrEqual(REKEY_AFTER_RESPONDER_MS);
    expect(at).toBeLessThanOrEqual(REKEY_AFTER_RESPONDER_MS + REKEY_JITTER_MS + 20);
  });

  it('is rekeyed after another time where one is given', () => {
    const a = new End(SMALL, parseEndpoint('192.0.2.1:8002'), 1, 2_000);
    const b = new End(LARGE, parseEndpoint('192.0.2.2:8002')).knowing(a);
    connect(a.knowing(b), b, 0);
    const { at } = untilSent(a, b, 1_999, 'sendDatagram');
    expect(at).toBeGreaterThanOrEqual(2_000);
    expect(at).toBeLessThanOrEqual(2_000 + REKEY_JITTER_MS + 20);
  });

  it('is rekeyed at once when it is spent, and when a frame waits without one', () => {
    const { a, b } = pair();
    const { localId } = connect(a, b, 0);
    a.mesh.handleSessionSpent(localId, 1_500);
    expect(a.due(1_500).map(({ kind }) => kind)).toEqual(['sendDatagram']);
    b.mesh.handleSessionNeeded(1, 100);
    expect(b.due(100), 'just set up').toEqual([]);
    b.mesh.handleSessionNeeded(1, 2_000);
    expect(b.due(2_000).map(({ kind }) => kind)).toContain('sendDatagram');
  });

  it('is confirmed again until the peer uses it, then replaced', () => {
    const { a, b } = pair();
    const response = only(b.receive(a.at, initiationOf(a), 0), 'sendDatagram');
    a.receive(b.at, response.bytes, 0);
    const kinds: [number, string][] = [];
    for (let now = 0; now <= CONFIRM_TIMEOUT_MS + 10_000; now += 100) {
      for (const { kind } of a.due(now)) kinds.push([now, kind]);
      if (kinds.some(([, kind]) => kind === 'sendDatagram')) break;
    }
    expect(kinds).toEqual([
      [1_000, 'sendControl'],
      [3_000, 'sendControl'],
      [7_000, 'sendControl'],
      [8_000, 'sendDatagram'],
    ]);
  });

  it('that was answered and never used is forgotten', () => {
    const { a, b } = pair();
    const answer = b.receive(a.at, initiationOf(a), 0);
    const { localId } = only(answer, 'setSession').session;
    expect(deleted(b.due(SESSION_OVERLAP_MS - 1))).toEqual([]);
    expect(deleted(b.due(SESSION_OVERLAP_MS))).toEqual([localId]);
  });

  it('ends with its lifetime', () => {
    const { a, b } = pair();
    const { localId } = connect(a, b, 0);
    a.setEndpoints([], 0);
    const actions = a.dueWith(b, SESSION_LIFETIME_MS + 100);
    expect(deleted(actions)).toEqual([localId]);
    expect(events(actions)).toContainEqual({ type: 'peerDown', peer: 1, reason: 'expired' });
  });

  it('never has more than three beside it, however often a peer initiates', () => {
    const { a, b } = pair();
    connect(a, b, 0);
    for (let now = 2_000; now < 40_000; now += 1_000) {
      const answer = b.receive(a.at, initiationOf(a, now), now);
      for (const action of answer)
        if (action.kind === 'setSession') b.control(action.session.localId, a.at, [], now);
      expect(b.mesh.status(now)[0]?.sessionCount).toBeLessThanOrEqual(SESSIONS_PER_PEER_MAX);
    }
    expect(b.mesh.status(0)[0]?.sessionCount).toBe(SESSIONS_PER_PEER_MAX);
  });
});

describe('a peer', () => {
  it('gets a keepalive every 10 s', () => {
    const { a, b } = pair();
    connect(a, b, 0);
    expect(a.due(KEEPALIVE_MS - 10)).toEqual([]);
    expect(a.due(KEEPALIVE_MS + 10).map(({ kind }) => kind)).toEqual(['sendControl']);
    expect(a.mesh.pollTimeout()).toEqual({ at: 2 * KEEPALIVE_MS + 10, reason: 'keepalive' });
  });

  it('is down after 25 s of silence, is looked for everywhere, and is up when heard', () => {
    const { a, b } = pair();
    const { localId } = connect(a, b, 0);
    a.setEndpoints([NOWHERE], 0);
    a.mesh.handleActivity(1, ACTIVITY.sent, 5_000);
    const actions = a.due(PEER_SILENT_MS + 10);
    expect(events(actions)).toEqual([{ type: 'peerDown', peer: 1, reason: 'silent' }]);
    expect(actions.filter(({ kind }) => kind === 'sendDatagram').length).toBe(2);
    expect(a.state(PEER_SILENT_MS + 10)).toBe('handshaking');
    a.control(localId, b.at, [], PEER_SILENT_MS + 20);
    expect(a.state(PEER_SILENT_MS + 20)).toBe('up');
  });

  it('is not silent while data comes', () => {
    const { a, b } = pair();
    connect(a, b, 0);
    a.mesh.handleActivity(1, ACTIVITY.received, 20_000);
    expect(events(a.due(PEER_SILENT_MS + 10))).toEqual([]);
  });

  it('is followed by control messages of the current session, not of a former one', () => {
    const { a, b } = pair();
    const first = connect(a, b, 0);
    a.mesh.handleSessionSpent(first.localId, 5_000);
    const second = finish(a, b, a.due(5_000), 5_000);
    expect(a.control(first.localId, NOWHERE, [], 5_100)).toEqual([]);
    const moved = a.control(second.localId, NOWHERE, [], 5_200);
    expect(events(moved)).toEqual([{ type: 'endpointMoved', peer: 1, from: b.at, to: NOWHERE }]);
  });

  it('is pinged and answers with where it saw the ping from', () => {
    const { a, b } = pair();
    const { localId, remoteId } = connect(a, b, 0);
    const id = a.mesh.ping(1, 100);
    const ping = only(a.mesh.drainActions(), 'sendControl');
    const pong = only(b.control(remoteId, NOWHERE, [...ping.bytes], 105), 'sendControl');
    expect(parseControl(pong.bytes)).toEqual({
      type: 'pong',
      id,
      seenAs: NOWHERE,
      instance: b.mesh.instance,
      startCount: 1,
    });
    const done = a.control(localId, b.at, [...pong.bytes], 110);
    expect(events(done)).toEqual([
      { type: 'pong', peer: 1, pingId: id, rttMs: 10, endpoint: b.at, seenAs: NOWHERE },
    ]);
    expect(a.mesh.status(110)[0]?.rttMs).toBe(10);
  });

  it('has bounded pings, which time out', () => {
    const { a, b } = pair();
    expect(a.mesh.ping(1, 0), 'without a session').toBeUndefined();
    expect(a.mesh.ping(9, 0), 'to nobody').toBeUndefined();
    connect(a, b, 0);
    for (let count = 0; count < PINGS_PER_PEER_MAX; count++)
      expect(a.mesh.ping(1, 100)).toBeDefined();
    expect(a.mesh.ping(1, 100)).toBeUndefined();
    a.mesh.drainActions();
    const timedOut = events(a.due(100 + PING_TIMEOUT_MS)).filter(
      ({ type }) => type === 'pingTimedOut',
    );
    expect(timedOut.length).toBe(PINGS_PER_PEER_MAX);
    expect(a.mesh.ping(1, 6_000)).toBeDefined();
  });

  it('keeps its sessions over setPeers, loses them when it goes or has another key', () => {
    const { a, b } = pair();
    const { localId } = connect(a, b, 0);
    a.setEndpoints([NOWHERE], 1);
    expect(a.mesh.drainActions()).toEqual([]);
    const otherKey = { ...configOf(b, 1), sessionKey: new End(7, NOWHERE).publicKey };
    a.mesh.setPeers([otherKey], 2);
    const actions = a.mesh.drainActions();
    expect(deleted(actions)).toEqual([localId]);
    expect(events(actions)).toEqual([{ type: 'peerDown', peer: 1, reason: 'key_changed' }]);

    const other = pair();
    const second = connect(other.a, other.b, 0);
    other.a.mesh.setPeers([], 1);
    const gone = other.a.mesh.drainActions();
    expect(deleted(gone)).toEqual([second.localId]);
    expect(events(gone)).toEqual([{ type: 'peerDown', peer: 1, reason: 'removed' }]);
    expect(other.a.mesh.pollTimeout()).toBeUndefined();
  });

  it('is not given twice', () => {
    const { a, b } = pair();
    expect(() => a.mesh.setPeers([configOf(b, 1), configOf(b, 1)], 0)).toThrow(
      'a peer id is given twice',
    );
    expect(() => a.mesh.setPeers([configOf(b, 1), configOf(b, 2)], 0)).toThrow(
      'a session key is given twice',
    );
    const crowd = Array.from({ length: PEERS_MAX + 1 }, (_, index) => crowdOf(index));
    expect(() => a.mesh.setPeers(crowd, 0)).toThrow(RangeError);
  });
});

describe('changes around the mesh', () => {
  it('after a restart of the data path all sessions are forgotten and made anew at once', () => {
    const { a, b } = pair();
    connect(a, b, 0);
    a.mesh.handleDatapathRestarted(50_000);
    const actions = a.mesh.drainActions();
    expect(deleted(actions)).toEqual([]);
    expect(actions.map(nameOf)).toEqual(['setEndpoint', 'peerDown']);
    const { localId } = finish(a, b, a.due(50_000), 50_000);
    expect(a.mesh.status(50_000)[0]?.session?.localId).toBe(localId);
  });

  it('after a restart of the agent sessions go on, are rekeyed at their age, and what is not wanted is deleted', () => {
    const { a, b } = pair();
    const { localId, remoteId } = connect(a, b, 0);
    const heir = new End(SMALL, a.at).knowing(b);
    const entry = {
      localId,
      remoteId,
      peer: 1,
      active: 1,
      confirmed: 1,
      initiator: 1,
      ageMs: 100_000,
      lifetimeMs: SESSION_LIFETIME_MS,
      endpoint: b.at,
    };
    heir.mesh.adoptSessions([entry, { ...entry, localId: 5, peer: 9 }], 0);
    const actions = heir.mesh.drainActions();
    expect(deleted(actions)).toEqual([5]);
    expect(events(actions)).toEqual([{ type: 'peerUp', peer: 1, endpoint: b.at }]);
    expect(heir.due(0).map(({ kind }) => kind)).toEqual(['sendControl']);
    heir.mesh.handleActivity(1, ACTIVITY.received, 19_000);
    const kinds = [...heir.due(19_999), ...heir.due(20_000 + REKEY_JITTER_MS)].map(
      ({ kind }) => kind,
    );
    expect(kinds).toContain('sendDatagram');
  });

  it('after a change of its own address it pings every peer, then looks for those that do not answer', () => {
    const { a, b } = pair();
    connect(a, b, 0);
    a.setEndpoints([NOWHERE], 0);
    a.mesh.handleUnderlayChanged(1_000);
    expect(parseControl(only(a.mesh.drainActions(), 'sendControl').bytes)).toMatchObject({
      type: 'ping',
    });
    const targets = a
      .due(1_000 + PROBE_TIMEOUT_MS)
      .flatMap((action) => (action.kind === 'sendDatagram' ? [action.endpoint] : []));
    expect(targets).toEqual([b.at, NOWHERE]);
  });

  it('after a change of its own address it is content with an answer', () => {
    const { a, b } = pair();
    const { localId, remoteId } = connect(a, b, 0);
    a.mesh.handleUnderlayChanged(1_000);
    const ping = only(a.mesh.drainActions(), 'sendControl');
    const pong = only(
      b.control(remoteId, NOWHERE, [...ping.bytes], 1_005).slice(-1),
      'sendControl',
    );
    a.control(localId, b.at, [...pong.bytes], 1_010);
    expect(a.due(1_000 + PROBE_TIMEOUT_MS)).toEqual([]);
    expect(b.mesh.status(0)[0]?.endpoint, 'the peer has followed').toEqual(NOWHERE);
  });
});

describe('a hybrid handshake', () => {
  it('is what a peer gets when nothing else is said, in parts that pass everywhere', () => {
    const { a, b } = pair();
    const { postQuantum: _, ...config } = configOf(b, 1);
    a.mesh.setPeers([config], 0);
    const { postQuantum: __, ...back } = configOf(a, 1);
    b.mesh.setPeers([back], 0);
    const [first, second] = datagramsOf(a.due(0));
    expect(b.receive(a.at, second, 5)).toEqual([]);
    const response = only(b.receive(a.at, first, 5), 'sendDatagram');
    expect(a.receive(b.at, response.bytes, 10).map(nameOf)).toContain('setSession');
  });

  it('follows a cookie that was asked of one of its parts', () => {
    const { a, b } = hybrid(pair());
    const [first, second] = datagramsOf(a.due(0));
    const noise = initiationOf(new End(9, NOWHERE).knowing(b));
    const stray = patched(first.slice(0, -32), 7, 1);
    b.receive(NOWHERE, appendMacs(stray, mac1Key(b.publicKey), undefined), 0);
    b.receive(a.at, first, 0);
    for (let count = 0; count < LOAD_BURST; count++) b.receive(NOWHERE, noise, 0);
    const reply = only(b.receive(a.at, second, 0), 'sendDatagram');
    const again = datagramsOf(a.receive(b.at, reply.bytes, 1));
    const answers = again.flatMap((bytes) => b.receive(a.at, bytes, 2)).map(nameOf);
    expect(answers).toEqual(['setSession', 'sendDatagram']);
  });

  it('replaces a session without the secret at once when it comes to be required', () => {
    const { a, b } = pair();
    connect(a, b, 0);
    a.mesh.setPeers([{ ...configOf(b, 1), postQuantum: 'required' }], 5_000);
    expect(datagramsOf(a.due(5_000)).length).toBe(2);
    expect(a.state(5_000)).toBe('up');
  });
});

describe('a handshake under way', () => {
  it('is made anew when a post-quantum secret comes to be required', () => {
    const { a, b } = pair();
    a.due(0);
    a.mesh.setPeers([{ ...configOf(b, 1), postQuantum: 'required' }], 10);
    expect(datagramsOf(a.due(10)).length).toBe(2);
  });

  it('goes on when further endpoints are heard of at once: the same is sent there', () => {
    const { a, b } = pair();
    const first = only(a.due(0), 'sendDatagram');
    a.mesh.learnEndpoints(1, [NOWHERE], 30);
    const second = only(a.due(30), 'sendDatagram');
    expect([second.endpoint, second.bytes]).toEqual([NOWHERE, first.bytes]);
    const response = only(b.receive(a.at, first.bytes, 40), 'sendDatagram');
    expect(a.receive(b.at, response.bytes, 50).map(nameOf)).toContain('setSession');
  });
});

describe('credentials', () => {
  it('end sessions and handshakes when they end, and begin again with later ones', () => {
    const { a, b } = pair();
    const { localId } = connect(a, b, 0);
    a.mesh.setPeers([{ ...configOf(b, 1), validUntil: 5_000 }], 1_000);
    a.mesh.handleActivity(1, ACTIVITY.received, 4_000);
    expect(deleted(a.due(4_999))).toEqual([]);
    expect(a.mesh.pollTimeout()).toEqual({ at: 5_000, reason: 'end of credentials' });
    const actions = a.due(5_000);
    expect(deleted(actions)).toEqual([localId]);
    expect(events(actions)).toEqual([{ type: 'peerDown', peer: 1, reason: 'credential_ended' }]);
    expect(a.mesh.pollTimeout()).toBeUndefined();
    for (const provoke of [
      () => a.mesh.handleSessionNeeded(1, 6_000),
      () => a.mesh.handleUnderlayChanged(6_000),
      () => a.mesh.learnEndpoints(1, [NOWHERE], 6_000),
    ]) {
      provoke();
      expect(a.due(6_000)).toEqual([]);
    }
    a.mesh.setPeers([{ ...configOf(b, 1), validUntil: 90_000 }], 7_000);
    expect(a.due(7_000).map(({ kind }) => kind)).toContain('sendDatagram');
  });
});

describe('two holders of one key', () => {
  it('the newcomer is refused when the first one answers, and the first one loses nothing', () => {
    const { a, b } = pair();
    const { newcomer, sessionId } = double(a, b);
    expect(b.mesh.status(0)[0]?.session?.localId).toBe(sessionId);
    const [held] = b.mesh.status(0);
    expect(held?.quarantined).toEqual(newcomer.mesh.instance);
    expect(held?.instance).toEqual(a.mesh.instance);
    expect(held?.endpoint).toEqual(a.at);
    expect(b.receive(NOWHERE, initiationOf(newcomer, 3_000), 3_000)).toEqual([]);
    const rekey = initiationOf(a, 4_000);
    expect(b.receive(a.at, rekey, 4_000).map(nameOf)).toEqual(['setSession', 'sendDatagram']);
  });

  it('both are told of, once', () => {
    const { a, b } = pair();
    const { newcomer, told } = double(a, b);
    const instances = [a.mesh.instance, newcomer.mesh.instance];
    expect(told).toEqual([{ type: 'peerDoubled', peer: 1, instances, endpoints: [a.at, NOWHERE] }]);
    expect(events(b.receive(NOWHERE, initiationOf(newcomer, 3_000), 3_000))).toEqual([]);
  });

  it('an agent that was started anew over its data path is answered with its pong', () => {
    const { a, b } = pair();
    const { localId, remoteId } = connect(a, b, 0);
    const heir = new End(SMALL, a.at, 3, undefined, 2).knowing(b);
    const ping = only(b.receive(a.at, initiationOf(heir), 1_000), 'sendControl');
    const pong = encodePong(pingIdOf(ping.bytes), b.at, {
      instance: heir.mesh.instance,
      startCount: 2,
    });
    expect(b.control(remoteId, a.at, [...pong], 1_010).map(nameOf)).toContain('setSession');
    expect(b.mesh.status(0)[0]?.quarantined).toBeUndefined();
    expect(localId).not.toBe(remoteId);
  });

  it('a host that was started anew is answered when nobody else does, within 300 ms', () => {
    const { a, b } = pair();
    connect(a, b, 0);
    const heir = new End(SMALL, NOWHERE, 3, undefined, 2).knowing(b);
    b.receive(NOWHERE, initiationOf(heir), 1_000);
    const pings = [1_100, 1_200].flatMap((at) => b.due(at)).map(({ kind }) => kind);
    expect(pings).toEqual(['sendControl', 'sendControl']);
    expect(b.due(1_299)).toEqual([]);
    const answer = b.due(1_000 + HOLD_MS);
    expect(only(answer, 'sendDatagram').endpoint).toEqual(NOWHERE);
    expect(answer.map(({ kind }) => kind)).toEqual(['setSession', 'sendDatagram']);
  });

  it('a recorded initiation of a former start makes no second holder', () => {
    const { a, b } = pair();
    const recorded = initiationOf(a);
    const now = new End(SMALL, a.at, 3, undefined, 2).knowing(b);
    const { localId, remoteId } = connect(now, b, 1_000);
    const entry = { localId: remoteId, remoteId: localId, peer: 1, active: 1, confirmed: 1 };
    const heir = new End(LARGE, b.at).knowing(a);
    heir.mesh.adoptSessions(
      [{ ...entry, initiator: 0, ageMs: 0, lifetimeMs: SESSION_LIFETIME_MS, endpoint: a.at }],
      0,
    );
    heir.mesh.drainActions();
    const ping = only(heir.receive(NOWHERE, recorded, 0), 'sendControl');
    const pong = encodePong(pingIdOf(ping.bytes), b.at, {
      instance: now.mesh.instance,
      startCount: 2,
    });
    expect(events(heir.control(remoteId, a.at, [...pong], 5)).map(({ type }) => type)).toEqual([
      'pong',
    ]);
    expect(heir.refused('ordinal_replayed')).toBe(1);
    expect(heir.mesh.status(0)[0]?.quarantined).toBeUndefined();
  });

  it('the newcomer is taken when the first one has become silent', () => {
    const { a, b } = pair();
    const { newcomer } = double(a, b);
    const later = 2_100 + PEER_SILENT_MS;
    b.due(later);
    const answer = b.receive(NOWHERE, initiationOf(newcomer, later), later);
    expect(answer.map(nameOf)).toEqual(['setSession', 'sendDatagram']);
  });

  it('a controller may decide for the newcomer', () => {
    const { a, b } = pair();
    const { newcomer, sessionId } = double(a, b);
    b.mesh.setSurvivor(1, newcomer.mesh.instance, 3_000);
    const actions = b.mesh.drainActions();
    expect(deleted(actions)).toEqual([sessionId]);
    expect(events(actions)).toEqual([{ type: 'peerDown', peer: 1, reason: 'instance_replaced' }]);
    const answer = b.receive(NOWHERE, initiationOf(newcomer, 3_000), 3_000);
    expect(answer.map(nameOf)).toEqual(['setSession', 'sendDatagram']);
  });

  it('a controller that decides for the first one, or for nobody that was seen, ends nothing', () => {
    const { a, b } = pair();
    const { newcomer } = double(a, b);
    for (const instance of [a.mesh.instance, new Uint8Array(8).fill(99)])
      b.mesh.setSurvivor(1, instance, 3_000);
    expect(b.mesh.drainActions()).toEqual([]);
    expect(b.mesh.status(0)[0]?.quarantined).toEqual(newcomer.mesh.instance);
  });

  it('the one that a controller has decided against is refused in its turn', () => {
    const { a, b } = pair();
    const { newcomer } = double(a, b);
    b.mesh.setSurvivor(1, newcomer.mesh.instance, 3_000);
    b.mesh.drainActions();
    expect(b.receive(a.at, initiationOf(a, 3_000), 3_000), 'the first to come').toEqual([]);
    const answer = b.receive(NOWHERE, initiationOf(newcomer, 3_000), 3_000);
    b.control(only(answer, 'setSession').session.localId, NOWHERE, [], 3_010);
    expect(b.receive(a.at, initiationOf(a, 8_000), 8_000)).toEqual([]);
    expect(b.mesh.status(0)[0]?.quarantined).toEqual(a.mesh.instance);
  });

  it('a response of a second holder is refused, and the true one still counts', () => {
    const { a, b } = pair();
    const { localId, remoteId } = connect(a, b, 0);
    const clone = new End(SMALL, NOWHERE).knowing(b);
    const initiation = initiationOf(b, 2_000);
    const theirs = only(clone.receive(b.at, initiation, 2_000), 'sendDatagram');
    const ping = only(b.receive(NOWHERE, theirs.bytes, 2_001), 'sendControl');
    const pong = encodePong(pingIdOf(ping.bytes), b.at, {
      instance: a.mesh.instance,
      startCount: 1,
    });
    const told = events(b.control(remoteId, a.at, [...pong], 2_002)).map(({ type }) => type);
    expect(told).toContain('peerDoubled');
    const own = only(a.receive(b.at, initiation, 2_003), 'sendDatagram');
    expect(b.receive(a.at, own.bytes, 2_004).map(nameOf)).toContain('setSession');
    expect(localId).not.toBe(remoteId);
  });
});

describe('endpoints that a peer has said itself', () => {
  it('are tried at once when it is looked for, without waiting for the next retry', () => {
    const { a } = pair();
    a.due(0);
    a.mesh.learnEndpoints(1, [NOWHERE], 10);
    const targets = a.due(10).flatMap((action) => ('endpoint' in action ? [action.endpoint] : []));
    expect(targets[0]).toEqual(NOWHERE);
    a.mesh.learnEndpoints(1, [NOWHERE], 20);
    expect(a.due(20), 'nothing has changed').toEqual([]);
  });

  it('are tried at once while a ping is out because the own address has changed', () => {
    const { a, b } = pair();
    connect(a, b, 0);
    a.mesh.handleUnderlayChanged(1_000);
    a.mesh.drainActions();
    a.mesh.learnEndpoints(1, [NOWHERE], 1_100);
    const targets = a
      .due(1_100)
      .flatMap((action) => ('endpoint' in action ? [action.endpoint] : []));
    expect(targets).toEqual([b.at, NOWHERE]);
  });

  it('make a peer that is up and elsewhere be asked, and disturb nothing when it answers', () => {
    const { a, b } = pair();
    const { localId } = connect(a, b, 0);
    a.mesh.learnEndpoints(1, [NOWHERE, b.at], 1_000);
    expect(a.mesh.drainActions()).toEqual([]);
    a.mesh.learnEndpoints(1, [NOWHERE], 2_000);
    expect(a.mesh.drainActions().map(({ kind }) => kind)).toEqual(['sendControl']);
    a.control(localId, b.at, [], 2_100);
    expect(a.due(2_000 + PROBE_TIMEOUT_MS)).toEqual([]);
  });
});

it('a late answer of a holder that was given up does not speak for the one that took over', () => {
  const { a, b } = pair();
  const { remoteId, localId } = connect(a, b, 0);
  const newcomer = new End(SMALL, NOWHERE, 3, undefined, 2).knowing(b);
  const ping = only(b.receive(NOWHERE, initiationOf(newcomer), 2_000), 'sendControl');
  const session = only(b.due(2_000 + HOLD_MS_MAX), 'setSession').session;
  b.control(session.localId, NOWHERE, [], 2_900);
  expect(b.mesh.status(0)[0]?.instance).toEqual(newcomer.mesh.instance);
  const pong = only(a.control(localId, b.at, [...ping.bytes], 2_905), 'sendControl');
  b.control(remoteId, a.at, [...pong.bytes], 2_910);
  expect(b.mesh.status(0)[0]?.instance).toEqual(newcomer.mesh.instance);
});

describe('a peer that moves on paper all the time', () => {
  const placeOf = (at: number) => [makeEndpoint(Uint8Array.of(203, 0, 113, 7), 1_000 + at)];

  it('has others send no more than a few tries to where it points, and one in a while', () => {
    const { a } = pair();
    a.due(0);
    const sentIn = (fromMs: number, count: number) => {
      let sent = 0;
      for (let at = 0; at < count; at++) {
        a.mesh.learnEndpoints(1, placeOf(fromMs + at), fromMs + at);
        const targets = a.due(fromMs + at).flatMap((x) => ('endpoint' in x ? [x.endpoint] : []));
        sent += targets.filter((to) => to?.[15] === 7).length;
      }
      return sent;
    };
    expect(sentIn(1, 400)).toBe(SEARCH_BURST);
  });

  it('is tried where it said last when the next try is due', () => {
    const { a } = pair();
    a.due(0);
    for (let at = 1; at <= 100; at++) a.mesh.learnEndpoints(1, placeOf(at), at);
    a.due(100);
    const [target] = a.due(60_000).flatMap((x) => ('endpoint' in x ? [x.endpoint] : []));
    expect(target).toEqual(placeOf(100)[0]);
  });
});

describe('messages for other rooms', () => {
  const message = (bytes: number) => new Uint8Array(bytes).fill(200);

  it.each([
    ['one datagram', CONTROL_BYTES_MAX, 1],
    ['fragments', CONTROL_BYTES_MAX + 1, 2],
    ['the most fragments', MESSAGE_BYTES_MAX, FRAGMENTS_MAX],
  ])('go in %s and arrive whole', (_name, bytes, count) => {
    const { a, b } = pair();
    const { remoteId } = connect(a, b, 0);
    expect(a.mesh.sendMessage(1, message(bytes), 0)).toBe(true);
    const sent = a.mesh
      .drainActions()
      .flatMap((action) => (action.kind === 'sendControl' ? [action] : []));
    expect(sent.length).toBe(count);
    const told = sent
      .toReversed()
      .flatMap((action) => events(b.control(remoteId, a.at, [...action.bytes], 0)));
    expect(told).toEqual([{ type: 'message', peer: 1, bytes: message(bytes) }]);
  });

  it('are refused without a session, and above their limit', () => {
    const { a, b } = pair();
    expect(a.mesh.sendMessage(1, message(1), 0)).toBe(false);
    connect(a, b, 0);
    expect(() => a.mesh.sendMessage(1, message(MESSAGE_BYTES_MAX + 1), 0)).toThrow(RangeError);
  });

  it('carry nothing of the mesh itself', () => {
    const { a, b } = pair();
    const { localId } = connect(a, b, 0);
    a.control(localId, b.at, [3, 0, 0, 0, 1, 0, 2, 1], 0);
    expect(events(a.control(localId, b.at, [3, 0, 0, 0, 1, 1, 2, 1], 0))).toEqual([]);
    expect(a.refused('fragment_invalid')).toBe(1);
  });
});

describe('control messages', () => {
  it.each([
    ['a keepalive', [], { type: 'keepalive' }],
    ['a ping', [...encodePing(5n)], { type: 'ping', id: 5n }],
    ['a type of the future', [9, 1, 2], { type: 'unknown' }],
    [
      'a message for another room',
      [200, 1, 2],
      { type: 'message', bytes: Uint8Array.of(200, 1, 2) },
    ],
    ['a ping that is too short', [1, 0, 0], undefined],
    ['a ping that is too long', [...encodePing(5n), 0], undefined],
    ['a pong without its endpoint', [2, ...encodePing(5n).slice(1)], undefined],
    ['more than any message has', [200, ...new Uint8Array(CONTROL_BYTES_MAX)], undefined],
    ['a fragment of one', [3, 0, 0, 0, 1, 0, 1, 9], undefined],
    ['a fragment beyond the count', [3, 0, 0, 0, 1, 2, 2, 9], undefined],
    ['an empty fragment', [3, 0, 0, 0, 1, 0, 2], undefined],
  ])('reads %s', (_name, bytes, expected) => {
    expect(parseControl(Uint8Array.from(bytes))).toEqual(expected);
  });
});

/** So that no two draw the same random bytes. */
let ends = 0;

class End {
  readonly at: Endpoint;
  readonly nodeId: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly mesh: Mesh;
  #peer: PeerConfig | undefined;
  #draws: number;

  constructor(id: number, at: Endpoint, lanes = 3, rekeyAfterMs?: number, startCount = 1) {
    this.at = at;
    this.nodeId = new Uint8Array(16).fill(id);
    const privateKey = new Uint8Array(32).fill(id);
    this.publicKey = keyPairOf(privateKey).publicKey;
    this.#draws = id * 1_000_000 + ++ends * 10_000;
    const random = (count: number) => this.#random(count);
    const staticKeys = { privateKey, publicKey: this.publicKey };
    const options = { nodeId: this.nodeId, staticKeys, startCount, lanes, rekeyAfterMs };
    this.mesh = new Mesh(options, { random });
  }

  knowing(other: End): this {
    this.#peer = configOf(other, 1);
    this.mesh.setPeers([this.#peer], 0);
    return this;
  }

  setEndpoints(endpoints: readonly Endpoint[], now: number): void {
    if (this.#peer !== undefined) this.mesh.setPeers([{ ...this.#peer, endpoints }], now);
  }

  due(now: number): MeshAction[] {
    this.mesh.handleTimeout(now);
    return this.mesh.drainActions();
  }

  /** Runs the timers up to a time, the other end being heard all the while. */
  dueWith(_other: End, now: number): MeshAction[] {
    const actions: MeshAction[] = [];
    for (;;) {
      const at = this.mesh.pollTimeout()?.at ?? Infinity;
      if (at > now) return actions;
      this.mesh.handleActivity(1, ACTIVITY.received, at);
      actions.push(...this.due(at));
    }
  }

  receive(from: Endpoint, bytes: Uint8Array, now: number): MeshAction[] {
    this.mesh.handleDatagram(from, bytes, now);
    return this.mesh.drainActions();
  }

  control(localId: number, from: Endpoint, bytes: readonly number[], now: number): MeshAction[] {
    this.mesh.handleControl(1, localId, from, Uint8Array.from(bytes), now);
    return this.mesh.drainActions();
  }

  state(now: number): PeerState | undefined {
    return this.mesh.status(now)[0]?.state;
  }

  refused(reason: string): number {
    return new Map<string, number>(this.mesh.refusals()).get(reason) ?? 0;
  }

  #random(count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    new DataView(bytes.buffer).setUint32(0, ++this.#draws * 2_654_435_761);
    return bytes;
  }
}

/** Both ends of a pair, so that they require the post-quantum secret. */
function hybrid({ a, b }: Pair): Pair {
  a.mesh.setPeers([{ ...configOf(b, 1), postQuantum: 'required' }], 0);
  b.mesh.setPeers([{ ...configOf(a, 1), postQuantum: 'required' }], 0);
  return { a, b };
}

/** What is sent, of which there have to be two. */
function datagramsOf(actions: readonly MeshAction[]): [Uint8Array, Uint8Array] {
  const sent = actions.flatMap((action) => (action.kind === 'sendDatagram' ? [action.bytes] : []));
  const [first, second] = sent;
  if (first === undefined || second === undefined || sent.length > 2)
    throw new Error(`${sent.length} datagrams instead of 2`);
  return [first, second];
}

/** A copy of `a` initiates to `b` while `a` lives and answers. */
function double(a: End, b: End) {
  const { remoteId: sessionId, localId } = connect(a, b, 0);
  const newcomer = new End(SMALL, NOWHERE, 3, undefined, 2).knowing(b);
  const ping = only(b.receive(NOWHERE, initiationOf(newcomer), 2_000), 'sendControl');
  const pong = only(a.control(localId, b.at, [...ping.bytes], 2_005), 'sendControl');
  const told = events(b.control(sessionId, a.at, [...pong.bytes], 2_010)).filter(
    ({ type }) => type !== 'pong',
  );
  return { newcomer, sessionId, told };
}

function pingIdOf(bytes: Uint8Array): bigint {
  const ping = parseControl(bytes);
  if (ping?.type !== 'ping') throw new Error(`a ping was expected, not ${ping?.type}`);
  return ping.id;
}

interface Pair {
  readonly a: End;
  readonly b: End;
}

function pair(): Pair {
  const a = new End(SMALL, parseEndpoint('192.0.2.1:8002'));
  const b = new End(LARGE, parseEndpoint('192.0.2.2:8002'));
  return { a: a.knowing(b), b: b.knowing(a) };
}

const INTRODUCTION = new Uint8Array(1_600).fill(7);

/** The datagrams by which one end introduces itself to the other. */
function introducing(a: End, b: End): Uint8Array[] {
  a.mesh.setPeers([{ ...configOf(b, 1), introduction: INTRODUCTION }], 0);
  return a.due(0).flatMap((action) => (action.kind === 'sendDatagram' ? [action.bytes] : []));
}

/** Without a post-quantum secret: every message is one datagram. */
function configOf(end: End, peer: number): PeerConfig {
  const { nodeId, publicKey: sessionKey } = end;
  return { peer, nodeId, sessionKey, endpoints: [end.at], postQuantum: 'off' };
}

function crowdOf(index: number): PeerConfig {
  const sessionKey = new Uint8Array(32);
  new DataView(sessionKey.buffer).setUint32(0, index);
  return { peer: index + 1, nodeId: sessionKey.slice(0, 16), sessionKey, endpoints: [] };
}

/** A response with other sealed bytes and a right mac1, to the same handshake or another. */
function forgedResponse(bytes: Uint8Array, to: End, receiverId?: number): Uint8Array {
  const body = bytes.slice(0, -32);
  body[body.length - 1] = (body.at(-1) ?? 0) ^ 1;
  if (receiverId !== undefined) new DataView(body.buffer).setUint32(8, receiverId);
  return appendMacs(body, mac1Key(to.publicKey), undefined);
}

function initiationOf(end: End, now = 0): Uint8Array {
  end.mesh.handleUnderlayChanged(now);
  const { localId } = end.mesh.status(now)[0]?.session ?? {};
  if (localId !== undefined) end.mesh.handleSessionSpent(localId, now);
  const [sent] = end.due(now).filter((action) => action.kind === 'sendDatagram');
  if (sent === undefined) throw new Error('nothing was initiated');
  return sent.bytes;
}

/** `a` initiates, both ends confirm. The ids as `a` sees them. */
function connect(a: End, b: End, now: number): { localId: number; remoteId: number } {
  return finish(a, b, a.due(now), now);
}

function finish(
  a: End,
  b: End,
  started: readonly MeshAction[],
  now: number,
): { localId: number; remoteId: number } {
  const [initiation] = started.filter((action) => action.kind === 'sendDatagram');
  if (initiation === undefined) throw new Error('nothing was initiated');
  const response = only(b.receive(a.at, initiation.bytes, now), 'sendDatagram');
  const { localId, remoteId } = only(a.receive(b.at, response.bytes, now), 'setSession').session;
  b.control(remoteId, a.at, [], now);
  a.control(localId, b.at, [], now);
  return { localId, remoteId };
}

/** Runs the timers of one end, the other being heard, until it sends something of a kind. */
function untilSent(
  end: End,
  other: End,
  after: number,
  kind: MeshAction['kind'],
): { at: number; actions: MeshAction[] } {
  end.dueWith(other, after);
  for (;;) {
    const { at } = end.mesh.pollTimeout() ?? { at: 0 };
    end.mesh.handleActivity(1, ACTIVITY.received, at);
    const actions = end.due(at).filter((action) => action.kind === kind);
    if (actions.length > 0) return { at, actions };
  }
}

type ActionOf<K extends MeshAction['kind']> = Extract<MeshAction, { kind: K }>;

function only<K extends MeshAction['kind']>(actions: readonly MeshAction[], kind: K): ActionOf<K> {
  const found = actions.filter((action): action is ActionOf<K> => action.kind === kind);
  const [first] = found;
  if (first === undefined || found.length > 1)
    throw new Error(`${found.length} of ${kind} in ${actions.map(nameOf).join(', ')}`);
  return first;
}

function events(actions: readonly MeshAction[]): MeshEvent[] {
  return actions.flatMap((action) => (action.kind === 'event' ? [action.event] : []));
}

function deleted(actions: readonly MeshAction[]): number[] {
  return actions.flatMap((action) => (action.kind === 'deleteSession' ? [action.localId] : []));
}

function nameOf(action: MeshAction): string {
  return action.kind === 'event' ? action.event.type : action.kind;
}

function patched(bytes: Uint8Array, at: number, flip: number): Uint8Array {
  const out = Uint8Array.from(bytes);
  out[at] = (out[at] ?? 0) ^ flip;
  return out;
}
