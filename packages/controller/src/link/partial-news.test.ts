import { expect, test } from 'vitest';
import { NEWS_CHANGES_MAX } from '../limits.ts';
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
  expect(log.read(NETWORK, interestOf(4, ['a']))).toBeUndefined();
  expect(log.read(NETWORK, interestOf(5, ['a']))).toBeNull();
});

test('what is remembered is bounded, and what is forgotten has to be read', () => {
  const log = new PartialNewsLog();
  for (let n = 1; n <= NEWS_CHANGES_MAX + 1; n++)
    log.note(headAt(n), n - 1, new Set([`node-${n}`]), undefined);
  expect(log.read(NETWORK, interestOf(0, ['a']))).toBeUndefined();
  expect(log.read(NETWORK, interestOf(1, ['a']))).toBeNull();
});
