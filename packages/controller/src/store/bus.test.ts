/** How changes travel between controllers as texts. */
import { expect, test } from 'vitest';
import { changesText, fillChanges } from './bus.ts';
import type { Changes } from './store.ts';

const none = (): Changes => ({
  networkIds: new Set(),
  nodeIds: new Set(),
  removedNodeIds: new Set(),
  organizationIds: new Set(),
  ledger: new Map(),
});

test('what was changed comes back whole', () => {
  const changes: Changes = {
    ...none(),
    networkIds: new Set(['net_a', 'net_b']),
    removedNodeIds: new Set(['n']),
    ledger: new Map([['org_a', 7]]),
  };
  const { lists } = JSON.parse(changesText(changes) ?? '') as { lists: Record<string, unknown[]> };
  expect(fillChanges(none(), lists)).toEqual(changes);
});

test('a transaction that changed nothing says nothing', () => {
  expect(changesText(none())).toBe(null);
});

test('what a later version tells and this one does not know is passed over', () => {
  expect(fillChanges(none(), { stars: ['x'], networkIds: ['net_a'] })).toEqual({
    ...none(),
    networkIds: new Set(['net_a']),
  });
});
