/** What a filter of a list of nodes asks the controller for. */
import type { CallOptions, NodeCounts } from '@etherloom/api';
import { SEARCH_CHARS_MAX, SEARCH_WORDS_MAX, wordsOf } from '@etherloom/api';

/** States that can be asked for, as they are called. */
export const STATE_FILTERS = [
  ['any', 'any'],
  ['online', 'online'],
  ['offline', 'offline'],
  ['pending', 'waits for approval'],
  ['problems', 'has problems'],
] as const;
export type StateFilter = (typeof STATE_FILTERS)[number][0];

/** A list of nodes is asked for with these. */
export type NodeQuery = NonNullable<CallOptions<'nodeList'>['query']>;

const STATE_QUERIES: Readonly<Record<StateFilter, NodeQuery>> = {
  any: {},
  online: { connected: true },
  offline: { connected: false },
  pending: { state: 'pending' },
  problems: { hasProblems: true },
};

/** The query of a state. */
export function stateQuery(state: StateFilter): NodeQuery {
  return STATE_QUERIES[state];
}

/** The query of a text: as much of it as the controller takes. */
export function textQuery(text: string): Pick<NodeQuery, 'text'> {
  const words = wordsOf(text.slice(0, SEARCH_CHARS_MAX)).slice(0, SEARCH_WORDS_MAX);
  return words.length === 0 ? {} : { text: words.join(' ') };
}

/** Why not all of a text counts; undefined: it does. */
export function wrongInText(text: string): string | undefined {
  if (wordsOf(text).length > SEARCH_WORDS_MAX) return `${SEARCH_WORDS_MAX} words at most count.`;
  return text.length > SEARCH_CHARS_MAX ? `${SEARCH_CHARS_MAX} letters at most count.` : undefined;
}

const COUNTED: Readonly<Record<StateFilter, keyof NodeCounts>> = {
  any: 'total',
  online: 'online',
  offline: 'offline',
  pending: 'pending',
  problems: 'withProblems',
};

/** How many nodes are in a state. */
export function countOf(counts: NodeCounts, state: StateFilter): number {
  return counts[COUNTED[state]];
}
