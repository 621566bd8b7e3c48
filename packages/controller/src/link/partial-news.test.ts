import type { PartialUpdate } from '@etherloom/api';
import { hashStatement } from '@etherloom/core';
import { describe, expect, test } from 'vitest';
import { NEWS_CHANGES_MAX, NEWS_NODES_MAX, NEWS_TEXTS_MAX } from '../limits.ts';
import type { PublishedHead } from '../store/published-changes.ts';
import type { NetworkInterest } from './interest.ts';
import { PartialNewsLog } from './partial-news.ts';

const NETWORK = 'net_aaaaaaaaaaaaaaaaaaaa';
const headAt = (revision: number, changed: Partial<PublishedHead> = {}): PublishedHead => ({
  networkId: NETWORK,
  revision,
  deltaFloor: 0,
  configRevision: 0,
  rosterRevision: revision,
  revocationsRevision: 0,
  authorityVersion: 1,
  config: { id: NETWORK, name: 'n', vni: 1, mtuBytes: 1_370, ipv4: null, ipv6: null },
  network: '{"statement":"n","signatures":[]}',
  roster: `{"statement":"r${revision}","signatures":[]}`,
  memberCount: 2_000,
  revocationCount: 0,
  ...changed,
});
const interestOf = (
  revision: number | null,
  nodeIds: readonly string[],
  changes: Partial<NetworkInterest> = {},
): NetworkInterest => ({
  nodeIds: new Set(nodeIds),
  unsent: new Set(),
  revision,
  isReplyDue: false,
  answers: [],
  ...changes,
});

test('another setting is one text for all whose members did not change', () => {
  const log = new PartialNewsLog();
  log.note(headAt(5), 4, new Set(['x']), undefined);
  log.note(headAt(6, { configRevision: 6 }), 5, new Set(), undefined);
  const news = [interestOf(5, ['a']), interestOf(5, ['b', 'x'])].map((of) => log.read(NETWORK, of));
  expect(news[0]?.revision).toBe(6);
  expect(news[0]?.data).toBe(news[1]?.data);
  const message: unknown = JSON.parse(news[0]?.data.toString() ?? '');
  expect(message).toMatchObject({ type: 'partial', networkId: NETWORK, revision: 6, upserts: [] });
  expect(JSON.stringify(message)).not.toContain('revocations');
});

test('what changed of others is nothing, what changed of its own has to be read', () => {
  const log = new PartialNewsLog();
  log.note(headAt(5), 4, new Set(['x']), undefined);
  expect(log.read(NETWORK, interestOf(4, ['a']))).toBeNull();
  expect(log.read(NETWORK, interestOf(4, ['x']))).toBeUndefined();
  expect(log.read(NETWORK, interestOf(5, ['x']))).toBeNull();
});

test('nothing is guessed: of what is not known, was never told or is asked for', () => {
  const log = new PartialNewsLog();
  log.note(headAt(5), 4, new Set(), undefined);
  expect(log.read(NETWORK, interestOf(3, []))).toBeUndefined();
  expect(log.read(NETWORK, interestOf(6, []))).toBeUndefined();
  expect(log.read(NETWORK, interestOf(null, []))).toBeUndefined();
  expect(log.read(NETWORK, interestOf(4, [], { isReplyDue: true }))).toBeUndefined();
  expect(log.read(NETWORK, interestOf(4, [], { unsent: new Set(['a']) }))).toBeUndefined();
  expect(log.read('net_other', interestOf(4, []))).toBeUndefined();
  // A gap: what changed between is not known.
  log.note(headAt(9), 7, new Set(), undefined);
  expect(log.read(NETWORK, interestOf(5, []))).toBeUndefined();
  expect(log.read(NETWORK, interestOf(7, []))).toBeNull();
  log.forget(NETWORK);
  expect(log.read(NETWORK, interestOf(7, []))).toBeUndefined();
});

test('an end of a member goes to all with the list of ends, where that was read', () => {
  const log = new PartialNewsLog();
  const ended = headAt(5, { revocationsRevision: 5 });
  log.note(ended, 4, new Set(['x']), ['{"statement":"gone","signatures":[]}']);
  const news = log.read(NETWORK, interestOf(4, ['a']));
  expect(news?.data.toString()).toContain('"revocations":[{"statement":"gone"');
  log.note(headAt(6, { revocationsRevision: 5 }), 5, new Set(), undefined);
  expect(log.read(NETWORK, interestOf(4, ['a']))?.data.toString()).toContain('"gone"');
  expect(log.read(NETWORK, interestOf(5, ['a']))).toBeNull();
  log.note(headAt(7, { revocationsRevision: 7 }), 6, new Set(), undefined);
  expect(log.read(NETWORK, interestOf(5, ['a'])), 'not read').toBeUndefined();
});

const ended = (...names: readonly string[]): string[] =>
  names.map((name) => JSON.stringify({ statement: name, signatures: [] }));

describe('once all ends are known, agents are told those that they lack', () => {
  const newsFor = (log: PartialNewsLog, held: number) => {
    const text = log.read(NETWORK, interestOf(held, ['a']))?.data.toString();
    const message = JSON.parse(text ?? '') as PartialUpdate; // its statements are none
    const { revocations, revocationNews } = message.proof;
    return {
      all: revocations?.map(({ statement }) => statement),
      added: revocationNews?.added.map(({ statement }) => statement),
      gone: revocationNews?.gone,
    };
  };

  test('whatever revision they are at', () => {
    const log = new PartialNewsLog();
    log.begin(headAt(4), ended('w'));
    log.note(headAt(5, { revocationsRevision: 5 }), 4, new Set(['x']), ended('w', 'x'));
    log.note(headAt(6, { revocationsRevision: 5 }), 5, new Set(['q']), undefined);
    log.note(headAt(7, { revocationsRevision: 7 }), 6, new Set(['y']), ended('x', 'y'));
    expect(newsFor(log, 4)).toMatchObject({ added: ['x', 'y'], gone: [hashStatement('w')] });
    for (const held of [5, 6])
      expect(newsFor(log, held)).toEqual({
        all: undefined,
        added: ['y'],
        gone: [hashStatement('w')],
      });
    const read = (held: number) => log.read(NETWORK, interestOf(held, ['a']))?.data;
    expect(read(5), 'one text for all').toBe(read(6));
    expect(log.read(NETWORK, interestOf(7, ['a']))).toBeNull();
    expect(log.endsBetween(NETWORK, 4, 7)?.added).toEqual(ended('x', 'y'));
    expect(log.endsBetween(NETWORK, 4, 8), 'of another revision').toBeUndefined();
    expect(log.endsBetween(NETWORK, 3, 7), 'of before').toBeUndefined();
  });

  test('one that came and went in between is nothing', () => {
    const log = new PartialNewsLog();
    log.begin(headAt(4), []);
    log.note(headAt(5, { revocationsRevision: 5 }), 4, new Set(), ended('x'));
    log.note(headAt(6, { revocationsRevision: 6 }), 5, new Set(), ended('y'));
    expect(newsFor(log, 4)).toMatchObject({ added: ['y'], gone: [] });
  });

  test('all of them within a step, whose begin alone is known', () => {
    const log = new PartialNewsLog();
    log.begin(headAt(4), ended('w'));
    // x came at 6 and went at 8: who holds 6 or 7 has it.
    log.note(headAt(9, { revocationsRevision: 9 }), 4, new Set(), ended('w', 'y'));
    expect(newsFor(log, 4)).toMatchObject({ added: ['y'], all: undefined });
    for (const held of [5, 6, 8]) expect(newsFor(log, held)).toMatchObject({ all: ['w', 'y'] });
    expect(log.endsBetween(NETWORK, 6, 9)).toBeUndefined();
  });

  test('all of them where agents are at more revisions than texts are kept for', () => {
    const log = new PartialNewsLog();
    const names = Array.from({ length: NEWS_TEXTS_MAX + 2 }, (_, i) => `n${i}`);
    log.begin(headAt(4), []);
    for (const [i] of names.entries()) {
      const revision = 5 + i;
      const held = names.slice(0, i + 1);
      log.note(
        headAt(revision, { revocationsRevision: revision }),
        revision - 1,
        new Set(),
        ended(...held),
      );
    }
    const told = names.map((_, i) => newsFor(log, 4 + i));
    expect(told.filter(({ added }) => added !== undefined)).toHaveLength(NEWS_TEXTS_MAX);
    for (const { all } of told.slice(NEWS_TEXTS_MAX)) expect(all).toEqual(names);
    expect(newsFor(log, 4), 'one that is kept').toMatchObject({ added: names });
  });

  test('all of them where there was a gap, or more than is remembered', () => {
    const log = new PartialNewsLog();
    log.begin(headAt(4), ended('w'));
    log.note(headAt(9, { revocationsRevision: 9 }), 7, new Set(), ended('w', 'x'));
    expect(newsFor(log, 7)).toMatchObject({ all: ['w', 'x'], added: undefined });
    const many = Array.from({ length: NEWS_NODES_MAX + 1 }, (_, i) => `n${i}`);
    const full = new PartialNewsLog();
    full.begin(headAt(4), []);
    full.note(headAt(5, { revocationsRevision: 5 }), 4, new Set(), ended(...many));
    expect(newsFor(full, 4).all).toHaveLength(many.length);
    full.note(headAt(6, { revocationsRevision: 6 }), 5, new Set(), ended(...many, 'z'));
    expect(newsFor(full, 5)).toMatchObject({ added: ['z'], gone: [] });
  });
});

test('what is remembered is bounded, and what is forgotten has to be read', () => {
  const log = new PartialNewsLog();
  for (let n = 1; n <= NEWS_CHANGES_MAX + 1; n++)
    log.note(headAt(n), n - 1, new Set([`node-${n}`]), undefined);
  expect(log.read(NETWORK, interestOf(0, ['a']))).toBeUndefined();
  expect(log.read(NETWORK, interestOf(1, ['a']))).toBeNull();
});
