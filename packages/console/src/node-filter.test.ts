/** What filters of lists of nodes ask for. */
import { ROUTES } from '@etherloom/api';
import { expect, test } from 'vitest';
import { STATE_FILTERS, countOf, stateQuery, textQuery, wrongInText } from './node-filter.ts';

test('a text is asked for by its words', () => {
  expect(textQuery('  Fra   10.20 ')).toEqual({ text: 'fra 10.20' });
  expect(textQuery('  ')).toEqual({});
});

test('whatever is typed, the controller takes what is asked for', () => {
  const { query } = ROUTES.nodeList;
  for (const text of ['a b c d e f', 'x'.repeat(300), 'ß \t ü', `${'y'.repeat(79)} z`]) {
    const asked = textQuery(text);
    expect(query.safeParse(asked).error, text).toBeUndefined();
  }
});

test('what does not count is said', () => {
  expect(wrongInText('a b c d')).toBeUndefined();
  expect(wrongInText('a b c d e')).toContain('4 words');
  expect(wrongInText('x'.repeat(81))).toContain('80 letters');
});

test('every state has a query and a count of its own', () => {
  const counts = { total: 5, online: 1, offline: 4, pending: 2, withProblems: 3 };
  const states = STATE_FILTERS.map(([state]) => state);
  expect(new Set(states.map((state) => JSON.stringify(stateQuery(state)))).size).toBe(5);
  expect(states.map((state) => countOf(counts, state))).toEqual([5, 1, 4, 2, 3]);
});
