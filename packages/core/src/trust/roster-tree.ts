/**
 * How a roster commits to credentials (docs/trust.md 4): a Merkle tree of 16 branches and depth 3
 * over pairs of node id and credential hash. A pair lies in the bucket that the first three hex
 * digits of SHA-256(node id) name, so one change touches one bucket and three inner nodes, and one
 * member is proved by its bucket and three rows of siblings, however large the network is.
 *
 * All hashes are lower-case hex. What is hashed are texts that begin with a line of their own, so
 * that a bucket, an inner node and nothing at all can never have the same hash.
 */
import {
  ROSTER_BUCKET_MAX,
  ROSTER_PROOF_CHARS_MAX,
  fromBase64url,
  toBase64url,
} from '@etherloom/api';
import { compareText, hexOf } from '../network-state/canonical.ts';
import { hashStatement } from './statement.ts';

/** One credential, by its holder. */
export interface RosterEntry {
  /** 32 hex digits. */
  readonly nodeId: string;
  /** Hash of the credential. */
  readonly hash: string;
}

/** Inner nodes between the root and a bucket, the root included. */
export const ROSTER_TREE_DEPTH = 3;
const BRANCHES = 16;
const DIGITS = '0123456789abcdef';
const NODE_ID_BYTES = 16;
const HASH_BYTES = 32;

/** The hash of a subtree without a member, at any depth; so also of an empty roster. */
export const EMPTY_ROSTER_HASH: string = hashStatement('etherloom roster empty 1\n');

/** The hashes of the 16 children of an inner node, in the order of their digit. */
export type RosterChildren = readonly string[];

/** The inner nodes above a bucket: the root first. */
export type RosterBranch = readonly [RosterChildren, RosterChildren, RosterChildren];

const EMPTY_CHILDREN: RosterChildren = Array<string>(BRANCHES).fill(EMPTY_ROSTER_HASH);

/** The inner nodes above a bucket of a tree that has nobody there. */
export const EMPTY_ROSTER_BRANCH: RosterBranch = [EMPTY_CHILDREN, EMPTY_CHILDREN, EMPTY_CHILDREN];

/** Every inner node that is not empty, by the digits that lead to it: '', 'a', 'ab'. */
export interface RosterTree {
  readonly root: string;
  readonly nodes: ReadonlyMap<string, RosterChildren>;
}

/** The bucket of a node: three hex digits. */
export function rosterBucketOf(nodeId: string): string {
  return hashStatement(nodeId).slice(0, ROSTER_TREE_DEPTH);
}

/** The digits that lead to the inner nodes above a bucket, the root first. */
export function rosterPathsOf(bucket: string): readonly [string, string, string] {
  return ['', bucket.slice(0, 1), bucket.slice(0, 2)];
}

/** The hash of a bucket; the order of the entries has no meaning. Throws RangeError for doubles. */
export function rosterBucketHash(entries: readonly RosterEntry[]): string {
  if (entries.length === 0) return EMPTY_ROSTER_HASH;
  let text = 'etherloom roster bucket 1\n';
  let before = '';
  for (const { nodeId, hash } of entries.toSorted(byNode)) {
    if (nodeId === before) throw new RangeError(`the node ${nodeId} is twice in a roster`);
    before = nodeId;
    text += `${nodeId} ${hash}\n`;
  }
  return hashStatement(text);
}

/** The hash of an inner node. */
export function rosterNodeHash(children: RosterChildren): string {
  if (children.every((hash) => hash === EMPTY_ROSTER_HASH)) return EMPTY_ROSTER_HASH;
  return hashStatement(`etherloom roster node 1\n${children.join('\n')}\n`);
}

/** The tree of a whole list. */
export function rosterTree(entries: Iterable<RosterEntry>): RosterTree {
  const buckets = Map.groupBy(entries, ({ nodeId }) => rosterBucketOf(nodeId));
  let level = new Map<string, string>();
  for (const [bucket, held] of buckets) level.set(bucket, rosterBucketHash(held));
  const nodes = new Map<string, RosterChildren>();
  for (let depth = ROSTER_TREE_DEPTH; depth > 0; depth--) {
    const above = new Map<string, string>();
    for (const path of new Set([...level.keys()].map((below) => below.slice(0, depth - 1)))) {
      const children = childrenOf(path, level);
      nodes.set(path, children);
      above.set(path, rosterNodeHash(children));
    }
    level = above;
  }
  return { root: level.get('') ?? EMPTY_ROSTER_HASH, nodes };
}

function childrenOf(path: string, level: ReadonlyMap<string, string>): RosterChildren {
  return Array.from(DIGITS, (digit) => level.get(path + digit) ?? EMPTY_ROSTER_HASH);
}

/** The root of a whole list: what a roster of these credentials says. */
export function rosterTreeRoot(entries: Iterable<RosterEntry>): string {
  return rosterTree(entries).root;
}

/** The inner nodes above a bucket, of a whole tree. */
export function rosterBranchOf(tree: RosterTree, bucket: string): RosterBranch {
  const [root, middle, low] = rosterPathsOf(bucket);
  const at = (path: string): RosterChildren => tree.nodes.get(path) ?? EMPTY_CHILDREN;
  return [at(root), at(middle), at(low)];
}

/** The inner nodes above a bucket, and the root, once the bucket has another hash. */
export function replaceRosterBucket(
  branch: RosterBranch,
  bucket: string,
  bucketHash: string,
): { readonly branch: RosterBranch; readonly root: string } {
  const [first = '', second = '', third = ''] = bucket;
  const low = branch[2].with(slotOf(third), bucketHash);
  const middle = branch[1].with(slotOf(second), rosterNodeHash(low));
  const root = branch[0].with(slotOf(first), rosterNodeHash(middle));
  return { branch: [root, middle, low], root: rosterNodeHash(root) };
}

/**
 * Proves that a node's credential is one of those that a root commits to. `bucket` is everything in
 * the node's bucket, the node itself included or not. Throws RangeError for a bucket that is fuller
 * than any roster's may be.
 */
export function proveRosterEntry(
  nodeId: string,
  bucket: readonly RosterEntry[],
  branch: RosterBranch,
): string {
  const others = bucket.filter((entry) => entry.nodeId !== nodeId).toSorted(byNode);
  if (others.length >= ROSTER_BUCKET_MAX)
    throw new RangeError(
      `a bucket of a roster has ${ROSTER_BUCKET_MAX} members at most, this one ${bucket.length}`,
    );
  const parts: Uint8Array[] = [Uint8Array.of(others.length)];
  for (const entry of others) parts.push(bytesOf(entry.nodeId), bytesOf(entry.hash));
  const digits = rosterBucketOf(nodeId);
  for (let depth = ROSTER_TREE_DEPTH - 1; depth >= 0; depth--) {
    const own = slotOf(digits[depth] ?? '');
    const children = branch[depth] ?? EMPTY_CHILDREN;
    const isSaid = (hash: string, slot: number): boolean =>
      slot !== own && hash !== EMPTY_ROSTER_HASH;
    const bits = children.reduce(
      (all, hash, slot) => all | (isSaid(hash, slot) ? 1 << slot : 0),
      0,
    );
    parts.push(Uint8Array.of(bits >> 8, bits & 0xff), ...children.filter(isSaid).map(bytesOf));
  }
  return toBase64url(joined(parts));
}

/**
 * True when the proof shows that the root commits to this credential of this node. False for
 * whatever is no proof, in whatever way: there is one text only that proves an entry of a root.
 */
export function isRosterEntryProved(root: string, entry: RosterEntry, proof: string): boolean {
  if (proof.length > ROSTER_PROOF_CHARS_MAX) return false;
  if (!/^[0-9a-f]{32}$/.test(entry.nodeId) || !/^[0-9a-f]{64}$/.test(entry.hash)) return false;
  const reader = readerOf(proof);
  return reader !== undefined && rootBy(entry, reader) === root && reader.isAtEnd();
}

/** The root that the proof leads to; undefined: it is none. */
function rootBy(entry: RosterEntry, reader: Reader): string | undefined {
  const others = readOthers(entry, reader);
  if (others === undefined) return undefined;
  const digits = rosterBucketOf(entry.nodeId);
  let hash = rosterBucketHash([...others, entry]);
  for (let depth = ROSTER_TREE_DEPTH - 1; depth >= 0; depth--) {
    const own = slotOf(digits[depth] ?? '');
    const bits = reader.take(2);
    if (bits === undefined) return undefined;
    const said = parseInt(bits, 16);
    if ((said & (1 << own)) !== 0) return undefined;
    const children: string[] = [];
    for (let slot = 0; slot < BRANCHES; slot++) {
      const isSaid = (said & (1 << slot)) !== 0;
      const child = slot === own ? hash : isSaid ? reader.take(HASH_BYTES) : EMPTY_ROSTER_HASH;
      // An empty child has one way to be said.
      if (child === undefined || (isSaid && child === EMPTY_ROSTER_HASH)) return undefined;
      children.push(child);
    }
    hash = rosterNodeHash(children);
  }
  return hash;
}

/** The other entries of the bucket: in order, each once, each of this bucket. */
function readOthers({ nodeId: own }: RosterEntry, reader: Reader): RosterEntry[] | undefined {
  const count = parseInt(reader.take(1) ?? '', 16);
  if (Number.isNaN(count) || count >= ROSTER_BUCKET_MAX) return undefined;
  const bucket = rosterBucketOf(own);
  const others: RosterEntry[] = [];
  for (let index = 0; index < count; index++) {
    const nodeId = reader.take(NODE_ID_BYTES);
    const hash = reader.take(HASH_BYTES);
    if (nodeId === undefined || hash === undefined) return undefined;
    const before = others.at(-1)?.nodeId ?? '';
    if (nodeId === own || nodeId <= before || rosterBucketOf(nodeId) !== bucket) return undefined;
    others.push({ nodeId, hash });
  }
  return others;
}

/** Takes bytes one after the other, as hex; undefined: there are not as many left. */
interface Reader {
  readonly take: (count: number) => string | undefined;
  readonly isAtEnd: () => boolean;
}

function readerOf(proof: string): Reader | undefined {
  let bytes: Uint8Array;
  try {
    bytes = fromBase64url(proof);
  } catch {
    return undefined;
  }
  // Bits that a last character may carry beyond the bytes are none.
  if (toBase64url(bytes) !== proof) return undefined;
  let at = 0;
  return {
    take: (count) => {
      if (at + count > bytes.length) return undefined;
      at += count;
      return hexOf(bytes.subarray(at - count, at));
    },
    isAtEnd: () => at === bytes.length,
  };
}

function slotOf(digit: string): number {
  const slot = DIGITS.indexOf(digit);
  if (digit.length !== 1 || slot < 0) throw new RangeError(`${digit} is no hex digit`);
  return slot;
}

function bytesOf(hex: string): Uint8Array {
  const bytes = new Uint8Array(hex.length / 2);
  for (let at = 0; at < bytes.length; at++)
    bytes[at] = (valueOf(hex.charCodeAt(2 * at)) << 4) | valueOf(hex.charCodeAt(2 * at + 1));
  return bytes;
}

/** Of a lower-case hex digit. */
function valueOf(code: number): number {
  return code < 0x3a ? code - 0x30 : code - 0x57;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function byNode(a: RosterEntry, b: RosterEntry): number {
  return compareText(a.nodeId, b.nodeId);
}
