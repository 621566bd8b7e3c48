import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { networkDigest } from '@etherloom/core';
import { STATE_FETCH_AGAIN_MS, STATE_PIECE_BYTES, STATE_PIECE_WAIT_MS } from '../limits.ts';
import { NETWORK_ID, TestOrganization, testMember } from '../trust/test-organization.ts';
import { packDocument, unpackDocument } from './state-document.ts';
import type { StateDocument } from './state-document.ts';
import { StateFetcher } from './state-fetcher.ts';
import {
  ANY_HASH,
  encodeStateAsk,
  encodeStatePiece,
  parseStateAsk,
  parseStatePiece,
} from './state-messages.ts';
import { StateServer } from './state-server.ts';

const ORGANIZATION = new TestOrganization();
const DOCUMENT = documentOf(154);

let nowMs = 0;
let isMember = true;
let document: StateDocument = DOCUMENT;
let version = '1';
/** By peer; what a peer is asked goes to its server. */
let servers: Map<number, StateServer>;
let fetcher: StateFetcher;
let taken: StateDocument[];
/** Messages to this peer, or from it, are lost. */
let lost: (peer: number) => boolean;
let accepts: (given: StateDocument) => boolean;
let asked: number[];
/** Pieces on their way. */
let underway: (() => void)[];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  [nowMs, isMember, document, version] = [0, true, DOCUMENT, '1'];
  lost = () => false;
  accepts = () => true;
  [taken, asked, underway] = [[], [], []];
  servers = new Map([1, 2].map((peer) => [peer, serverOf(peer)]));
  fetcher = new StateFetcher({
    networkId: NETWORK_ID,
    peers: () => [...servers.keys()],
    send: (peer, bytes) => {
      asked.push(peer);
      if (!lost(peer)) servers.get(peer)?.take(0, bytes);
    },
    onDocument: (given) => {
      taken.push(given);
      return accepts(given);
    },
    random: () => 0,
  });
});
afterEach(() => {
  fetcher.stop();
  vi.useRealTimers();
});

describe('the state of a network', () => {
  test('comes whole from one member, piece by piece', () => {
    fetcher.start();
    run(60_000);
    expect(taken).toEqual([DOCUMENT]);
    const pieces = Math.ceil((packDocument(DOCUMENT)?.bytes.length ?? 0) / STATE_PIECE_BYTES);
    expect(pieces).toBeGreaterThan(1);
    expect(asked).toEqual(Array.from({ length: pieces }, () => 1));
  });

  test('goes on with another member where the first one fell silent', () => {
    lost = (peer) => peer === 1 && asked.length > 1;
    fetcher.start();
    run(2_000);
    expect(taken).toEqual([]);
    servers.delete(1);
    run(60_000);
    expect(taken).toEqual([DOCUMENT]);
    expect(asked.filter((peer) => peer === 2).length).toBeGreaterThan(0);
  });

  test('begins anew when it has changed on the way', () => {
    fetcher.start();
    run(20);
    document = documentOf(155);
    version = '2';
    run(60_000);
    expect(taken).toEqual([document]);
  });

  test('that does not hold is asked of the next member, and of the first one again later', () => {
    let refusals = 2;
    accepts = () => refusals-- <= 0;
    fetcher.start();
    run(4 * STATE_FETCH_AGAIN_MS + 60_000);
    expect(taken).toHaveLength(3);
    expect([...new Set(asked)]).toEqual([1, 2]);
  });

  test('is given to members alone', () => {
    isMember = false;
    fetcher.start();
    run(20 * STATE_PIECE_WAIT_MS);
    expect(taken).toEqual([]);
    expect(asked.length).toBeGreaterThan(0);
  });

  test('is given at a rate that a member cannot raise', () => {
    let given = 0;
    const server = serverOf(1, () => given++);
    const ask = encodeStateAsk({ networkId: NETWORK_ID, hash: ANY_HASH, offset: 0 });
    for (let count = 0; count < 1_000; count++) server.take(7, ask);
    expect(given).toBe(5);
    nowMs += 1_000;
    for (let count = 0; count < 1_000; count++) server.take(7, ask);
    expect(given).toBe(10);
  });
});

describe('a document', () => {
  test('that is none, is cut, or grows beyond all bounds is not taken', () => {
    const packed = packDocument(DOCUMENT);
    if (packed === undefined) throw new Error('is packed');
    expect(unpackDocument(packed.bytes)).toEqual(DOCUMENT);
    expect(unpackDocument(packed.bytes.slice(0, -100))).toBe(undefined);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(unpackDocument(bytes)).toBe(undefined);
      }),
    );
  });
});

describe('messages', () => {
  test('are read as they were written, and other layouts are none', () => {
    const ask = { networkId: NETWORK_ID, hash: new Uint8Array(32).fill(7), offset: 70_000 };
    const piece = { ...ask, totalBytes: 90_000, bytes: Uint8Array.of(1, 2, 3) };
    expect(parseStateAsk(encodeStateAsk(ask))).toEqual(ask);
    expect(parseStatePiece(encodeStatePiece(piece))).toEqual(piece);
    expect(parseStateAsk(encodeStateAsk(ask).slice(1))).toBe(undefined);
    expect(parseStatePiece(encodeStateAsk(ask))).toBe(undefined);
  });
});

function documentOf(count: number): StateDocument {
  const members = Array.from({ length: count }, (_, at) => testMember(at + 1));
  const { state, proof } = ORGANIZATION.network({ members, revision: count });
  return { authority: [...ORGANIZATION.chain], state, proof, digest: networkDigest(state) };
}

function serverOf(
  peer: number,
  send = (bytes: Uint8Array) => {
    if (!lost(peer)) underway.push(() => fetcher.take(peer, bytes));
  },
): StateServer {
  return new StateServer({
    isMember: () => isMember,
    versionOf: () => version,
    documentOf: () => document,
    send: (_to, bytes) => send(bytes),
    nowMs: () => nowMs,
  });
}

/** Moves timers and the clock on together. */
function run(ms: number): void {
  for (let passed = 0; passed < ms; passed += 10) {
    nowMs += 10;
    for (const arrive of underway.splice(0)) arrive();
    vi.advanceTimersByTime(10);
  }
}
