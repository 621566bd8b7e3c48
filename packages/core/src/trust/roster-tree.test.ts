import { ROSTER_BUCKET_MAX, ROSTER_PROOF_CHARS_MAX, toBase64url } from '@etherloom/api';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  EMPTY_ROSTER_BRANCH,
  EMPTY_ROSTER_HASH,
  isRosterEntryProved,
  proveRosterEntry,
  replaceRosterBucket,
  rosterBranchOf,
  rosterBucketHash,
  rosterBucketOf,
  rosterTree,
  rosterTreeRoot,
} from './roster-tree.ts';
import type { RosterEntry } from './roster-tree.ts';
import { hashStatement } from './statement.ts';

/** Node 1111... with the hash 1111..., and node 2222... with 2222...; docs/trust.md 4 has them. */
const VECTOR = {
  empty: '3cc232d420c602b6764f8844e408b1dcc18e9d100b64e3243dffff026473fb35',
  buckets: ['8a8', '0d6'],
  bucketHash: '800df9d1ea63c059e2439ae6fdda3db03c00533690c4b552f035d7919d3b5d14',
  root: 'b56ffd4db006c18f70d4ed6c5ce17329a9fb2e7462db251ac06fa5d236584ae8',
  proof: 'AAAAAAAAAR3Xw-gNCDAgD6a6jrdobVOE5rbrUA1Zj2rXaezlDSPM',
};

const entryOf = (number: number, text = ''): RosterEntry => ({
  nodeId: number.toString(16).padStart(32, '0'),
  hash: hashStatement(`credential ${number} ${text}`),
});
const listOf = (count: number): RosterEntry[] =>
  Array.from({ length: count }, (_, n) => entryOf(n));
const bucketOf = (entries: readonly RosterEntry[], bucket: string): RosterEntry[] =>
  entries.filter(({ nodeId }) => rosterBucketOf(nodeId) === bucket);

/** Node ids that lie in one bucket, found by trying. */
function crowdOf(bucket: string, count: number): RosterEntry[] {
  const crowd: RosterEntry[] = [];
  for (let n = 0; crowd.length < count; n++)
    if (rosterBucketOf(entryOf(n).nodeId) === bucket) crowd.push(entryOf(n));
  return crowd;
}

function proofIn(entries: readonly RosterEntry[], nodeId: string): string {
  const bucket = rosterBucketOf(nodeId);
  return proveRosterEntry(
    nodeId,
    bucketOf(entries, bucket),
    rosterBranchOf(rosterTree(entries), bucket),
  );
}

const numbers = fc.uniqueArray(fc.integer({ min: 0, max: 40_000 }), { maxLength: 60 });

describe('the root of a roster', () => {
  it('is that of the vectors in docs/trust.md', () => {
    expect(EMPTY_ROSTER_HASH).toBe(VECTOR.empty);
    expect(rosterTreeRoot([])).toBe(VECTOR.empty);
    const entries = [1, 2].map((n) => ({
      nodeId: String(n).repeat(32),
      hash: String(n).repeat(64),
    }));
    expect(entries.map(({ nodeId }) => rosterBucketOf(nodeId))).toEqual(VECTOR.buckets);
    expect(rosterBucketHash(entries.slice(0, 1))).toBe(VECTOR.bucketHash);
    expect(rosterTreeRoot(entries)).toBe(VECTOR.root);
    expect(proofIn(entries, '1'.repeat(32))).toBe(VECTOR.proof);
  });

  it('does not depend on the order, and tells every set of entries from every other', () => {
    fc.assert(
      fc.property(numbers, numbers, (a, b) => {
        const [x, y] = [a, b].map((list) => rosterTreeRoot(list.map((n) => entryOf(n))));
        const isSame = a.length === b.length && a.every((n) => b.includes(n));
        expect(x === y).toBe(isSame);
        expect(rosterTreeRoot(a.toReversed().map((n) => entryOf(n)))).toBe(x);
      }),
    );
  });

  it('changes with the hash of one credential, and with who has it', () => {
    const entries = listOf(50);
    const root = rosterTreeRoot(entries);
    expect(rosterTreeRoot(entries.with(7, entryOf(7, 'again')))).not.toBe(root);
    const swapped = entries
      .with(7, { ...entryOf(7), hash: entryOf(8).hash })
      .with(8, { ...entryOf(8), hash: entryOf(7).hash });
    expect(rosterTreeRoot(swapped)).not.toBe(root);
  });

  it('is refused for a list that names a node twice', () => {
    expect(() => rosterTreeRoot([entryOf(1), entryOf(1, 'other')])).toThrow(RangeError);
  });
});

describe('one bucket after the other', () => {
  it('leads to the root and the nodes of the whole list, whatever is added or taken out', () => {
    const step = fc.record({
      number: fc.integer({ min: 0, max: 30 }),
      version: fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const held = new Map<string, RosterEntry>();
        const nodes = new Map<string, readonly string[]>();
        let root = EMPTY_ROSTER_HASH;
        for (const { number, version } of steps) {
          const entry = entryOf(number, String(version));
          if (version === undefined) held.delete(entry.nodeId);
          else held.set(entry.nodeId, entry);
          const bucket = rosterBucketOf(entry.nodeId);
          const hash = rosterBucketHash(bucketOf([...held.values()], bucket));
          const branch = rosterBranchOf({ root, nodes }, bucket);
          const next = replaceRosterBucket(branch, bucket, hash);
          root = next.root;
          for (const [depth, children] of next.branch.entries())
            nodes.set(bucket.slice(0, depth), children);
          const whole = rosterTree(held.values());
          expect(root).toBe(whole.root);
          expect(rosterBranchOf({ root, nodes }, bucket)).toEqual(rosterBranchOf(whole, bucket));
        }
      }),
    );
  });

  it('begins with nobody', () => {
    const entry = entryOf(3);
    const bucket = rosterBucketOf(entry.nodeId);
    const { root, branch } = replaceRosterBucket(
      EMPTY_ROSTER_BRANCH,
      bucket,
      rosterBucketHash([entry]),
    );
    expect(root).toBe(rosterTreeRoot([entry]));
    expect(replaceRosterBucket(branch, bucket, EMPTY_ROSTER_HASH).root).toBe(EMPTY_ROSTER_HASH);
  });
});

describe('a proof of one member', () => {
  it('holds for every member of every roster, and for no other hash, node or root', () => {
    fc.assert(
      fc.property(numbers, fc.nat(), (list, pick) => {
        fc.pre(list.length > 0);
        const entries = list.map((n) => entryOf(n));
        const entry = entries[pick % entries.length] ?? entryOf(0);
        const root = rosterTreeRoot(entries);
        const proof = proofIn(entries, entry.nodeId);
        expect(isRosterEntryProved(root, entry, proof)).toBe(true);
        const other = { ...entry, hash: entryOf(99_999).hash };
        expect(isRosterEntryProved(root, other, proof)).toBe(false);
        const stranger = { ...entry, nodeId: entryOf(99_999).nodeId };
        expect(isRosterEntryProved(root, stranger, proof)).toBe(false);
        expect(isRosterEntryProved(EMPTY_ROSTER_HASH, entry, proof)).toBe(false);
      }),
    );
  });

  it('is one text: changed, shortened or lengthened anywhere it proves nothing', () => {
    const entries = [...crowdOf('abc', 3), ...listOf(64)];
    const unique = [...new Map(entries.map((entry) => [entry.nodeId, entry])).values()];
    const entry = unique[1] ?? entryOf(0);
    const root = rosterTreeRoot(unique);
    const proof = proofIn(unique, entry.nodeId);
    expect(isRosterEntryProved(root, entry, proof)).toBe(true);
    for (const lie of [`${proof}A`, proof.slice(0, -1), `${proof}==`, ` ${proof}`, ''])
      expect(isRosterEntryProved(root, entry, lie), lie).toBe(false);
    for (let at = 0; at < proof.length; at++) {
      const lie = `${proof.slice(0, at)}${proof[at] === 'A' ? 'B' : 'A'}${proof.slice(at + 1)}`;
      expect(isRosterEntryProved(root, entry, lie), `character ${at}`).toBe(false);
    }
  });

  it('says an empty branch in one way, and no entry of another bucket', () => {
    const entry = entryOf(1);
    const root = rosterTreeRoot([entry]);
    const proof = proofIn([entry], entry.nodeId);
    expect(proof).toBe(toBase64url(new Uint8Array(7)));
    const slot = rosterBucketOf(entry.nodeId).endsWith('0') ? 1 : 0;
    const empty = Uint8Array.from(EMPTY_ROSTER_HASH.match(/../g) ?? [], (pair) =>
      parseInt(pair, 16),
    );
    const said = new Uint8Array(39);
    said[2] = 1 << slot;
    said.set(empty, 3);
    expect(isRosterEntryProved(root, entry, toBase64url(said))).toBe(false);
    const crowd = [entry, entryOf(2)];
    const misplaced = proveRosterEntry(entry.nodeId, crowd, EMPTY_ROSTER_BRANCH);
    const forged = replaceRosterBucket(
      EMPTY_ROSTER_BRANCH,
      rosterBucketOf(entry.nodeId),
      rosterBucketHash(crowd),
    );
    expect(isRosterEntryProved(forged.root, entry, misplaced)).toBe(false);
  });

  it('has a bounded length, with a bucket as full as it may be', () => {
    const crowd = crowdOf('012', ROSTER_BUCKET_MAX + 1);
    const full = crowd.slice(0, ROSTER_BUCKET_MAX);
    const row = Array.from({ length: 16 }, (_, n) => hashStatement(String(n)));
    const branch = replaceRosterBucket([row, row, row], '012', rosterBucketHash(full));
    const entry = full[5] ?? entryOf(0);
    const proof = proveRosterEntry(entry.nodeId, full, branch.branch);
    expect(proof).toHaveLength(ROSTER_PROOF_CHARS_MAX);
    expect(isRosterEntryProved(branch.root, entry, proof)).toBe(true);
    expect(() => proveRosterEntry(entry.nodeId, crowd, branch.branch)).toThrow(RangeError);
  });

  it('refuses whatever somebody makes up', () => {
    const root = rosterTreeRoot(listOf(20));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.string(), (bytes, text) => {
        expect(isRosterEntryProved(root, entryOf(999), toBase64url(bytes))).toBe(false);
        expect(isRosterEntryProved(root, entryOf(999), text)).toBe(false);
      }),
    );
    expect(isRosterEntryProved(root, { nodeId: 'x', hash: 'y' }, 'AAAAAAAAAA')).toBe(false);
  });
});
