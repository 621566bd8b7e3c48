/** Filters of the list of nodes. */
import { expect, test } from 'vitest';
import { matchesFilter } from './node-filter.ts';
import type { FilteredNode, StateFilter } from './node-filter.ts';

const NODE: FilteredNode = {
  id: 'ab'.repeat(16),
  name: 'fra-db-1',
  state: 'active',
  connected: true,
  problems: [],
  endpoints: ['203.0.113.11:8002'],
  memberships: [{ mac: '02:00:5e:10:00:01', addresses: ['10.20.0.3'] }],
};

test.each(['', 'fra', 'FRA', 'fra 10.20', '203.0.113', '5e:10', 'abab'])('%j finds it', (text) => {
  expect(matchesFilter(NODE, text, 'any')).toBe(true);
});

test('every word must be somewhere', () => {
  expect(matchesFilter(NODE, 'fra ams', 'any')).toBe(false);
});

test.each<[StateFilter, Partial<FilteredNode>]>([
  ['online', {}],
  ['offline', { connected: false }],
  ['pending', { state: 'pending' }],
  ['problems', { problems: [{ networkId: null, code: 'clock_off', message: '' }] }],
])('%s lets through what is so, and nothing else', (state, changes) => {
  expect(matchesFilter({ ...NODE, ...changes }, '', state)).toBe(true);
  const other: Partial<FilteredNode> = state === 'online' ? { connected: false } : {};
  expect(matchesFilter({ ...NODE, ...other }, '', state)).toBe(false);
});
