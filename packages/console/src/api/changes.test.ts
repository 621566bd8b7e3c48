/** Which readings a change makes stale. */
import { ROUTES } from '@etherloom/api';
import { expect, test } from 'vitest';
import { isStaleAfter, isStaleAfterReport } from './changes.ts';

test('a reading of the noun itself is stale, and every ledger', () => {
  expect(isStaleAfter('networkList', 'network')).toBe(true);
  expect(isStaleAfter('memberList', 'node')).toBe(true);
  expect(isStaleAfter('auditList', 'reservation')).toBe(true);
});

test('what shows nothing of the noun is kept', () => {
  expect(isStaleAfter('userList', 'network')).toBe(false);
  expect(isStaleAfter('apiTokenList', 'node')).toBe(false);
});

test('a noun that nobody knows makes everything stale', () => {
  expect(isStaleAfter('userList', 'moth')).toBe(true);
  expect(isStaleAfter('networkList', '')).toBe(true);
});

test('a report makes nodes stale, and no users', () => {
  expect(isStaleAfterReport('nodeList')).toBe(true);
  expect(isStaleAfterReport('userList')).toBe(false);
});

test('every list of the API is stale after a change of its own noun', () => {
  const lists = Object.keys(ROUTES).filter((name) => name.endsWith('List'));
  for (const list of lists) {
    const noun = list.replace(/List$/, '').replaceAll(/[A-Z]/g, (big) => `_${big.toLowerCase()}`);
    expect(isStaleAfter(list, noun), list).toBe(true);
  }
});
