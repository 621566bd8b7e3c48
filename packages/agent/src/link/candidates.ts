/**
 * In which order an agent tries the URLs of its controllers: a pure function of what it knows of
 * them.
 *
 *   1. the controller that it was linked to, while that one has not failed
 *   2. those that are up, by rendezvous hashing: each node has its own order, so that the nodes
 *      spread over the controllers, and those of one that is gone spread over the others
 *   3. those that were said to be down
 *   4. the URLs that came with the join token, whatever controllers said of each other
 *   5. what has failed a while ago, the longest ago first
 *
 * The first URL of each controller comes before the second of any. No controller can take a URL of
 * the join token away, so none of them can cut an agent off from the others.
 */
import { createHash } from 'node:crypto';
import type { KnownController } from '@etherloom/api';

/** A URL to try. */
export interface Candidate {
  readonly url: string;
  /** What fails or not: the id of a controller, or the URL itself where none is known. */
  readonly key: string;
}

export interface Acquaintance extends KnownController {
  /** As the controller of the last link said. */
  readonly isUp: boolean;
}

export interface Knowledge {
  readonly nodeId: string;
  /** URLs of the join token. */
  readonly seeds: readonly string[];
  readonly known: readonly Acquaintance[];
  /** Key of the last one that welcomed the agent. */
  readonly last: string | null;
  /** Its URL. */
  readonly lastUrl: string | null;
  /** When each failed, by key; forgotten ones are not in it. */
  readonly failedAtMs: ReadonlyMap<string, number>;
}

/** URLs in the order in which they are tried; each once. */
export function orderCandidates(knowledge: Knowledge): Candidate[] {
  const { known, seeds, lastUrl } = knowledge;
  const named = new Set(known.flatMap(({ urls }) => urls));
  const groups = [
    ...known.map(({ id, urls, isUp }) => ({ key: id, urls: lastFirst(urls, lastUrl), isUp })),
    ...lastFirst(seeds, lastUrl)
      .filter((url) => !named.has(url))
      .map((url) => ({ key: url, urls: [url], isUp: null })),
  ];
  const ranked = groups
    .map((group, index) => ({ ...group, rank: rankOf(knowledge, group, index) }))
    .toSorted((a, b) => compare(a.rank, b.rank));
  const failed = ranked.filter(({ key }) => knowledge.failedAtMs.has(key));
  const good = ranked.filter(({ key }) => !knowledge.failedAtMs.has(key));
  return [...inTurns(good), ...inTurns(failed)];
}

interface Group {
  readonly key: string;
  readonly urls: readonly string[];
  /** null: a URL of the join token. */
  readonly isUp: boolean | null;
}

function rankOf(knowledge: Knowledge, { key, isUp }: Group, index: number): number[] {
  const failedAtMs = knowledge.failedAtMs.get(key) ?? 0;
  const isLast = key === knowledge.last;
  const kind = isUp === null ? 2 : isUp ? 0 : 1;
  // Those of the join token keep their order: the first has let the node in.
  const weight = isUp === null ? index : -weightOf(knowledge.nodeId, key);
  return [failedAtMs, isLast ? 0 : 1, kind, weight];
}

/** Rendezvous hashing: the controller with the largest weight is the node's first choice. */
export function weightOf(nodeId: string, controllerId: string): number {
  const hash = createHash('sha256').update(`${nodeId}\n${controllerId}`).digest();
  return hash.readUIntBE(0, 6);
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [i, left] of a.entries()) {
    const difference = left - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function lastFirst(urls: readonly string[], last: string | null): readonly string[] {
  return last !== null && urls.includes(last)
    ? [last, ...urls.filter((url) => url !== last)]
    : urls;
}

function inTurns(groups: readonly Group[]): Candidate[] {
  const rounds = Math.max(0, ...groups.map(({ urls }) => urls.length));
  const candidates: Candidate[] = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const { key, urls } of groups) {
      const url = urls[round];
      if (url !== undefined) candidates.push({ key, url });
    }
  }
  return candidates;
}
