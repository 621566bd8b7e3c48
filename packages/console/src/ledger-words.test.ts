/** Entries of the ledger in words. */
import { expect, test } from 'vitest';
import { describeAction, describeActor, linkOf } from './ledger-words.ts';

const ACTOR = { kind: 'user', id: 'usr_00000000000000000001', name: 'ada' } as const;
const TARGET = { noun: 'network', id: 'net_00000000000000000001', name: 'blue' };

test.each([
  ['network.create', 'created the network blue'],
  ['network.settings', 'changed the rules of the network blue'],
  ['join_token.delete', 'deleted the join token blue'],
  ['network.mend_fences', 'network blue: mend fences'],
])('%s: %s', (action, words) => {
  expect(describeAction({ action, actor: ACTOR, target: TARGET, before: null, after: null })).toBe(
    words,
  );
});

test('a membership names its network', () => {
  const target = { noun: 'member', id: 'ab'.repeat(16), name: 'alpha' };
  const entry = { action: 'member.join', target, before: null, after: { networkName: 'blue' } };
  expect(describeAction({ ...entry, actor: ACTOR })).toBe('let alpha into blue');
  const itself = { kind: 'node', id: target.id, name: 'alpha' } as const;
  expect(describeAction({ ...entry, actor: itself })).toBe('joined blue');
});

test('what has no name is called by its id', () => {
  const target = { ...TARGET, name: null };
  const entry = { action: 'network.create', actor: ACTOR, target, before: null, after: null };
  expect(describeAction(entry)).toContain(target.id);
});

test('what is gone has no link', () => {
  expect(linkOf({ target: TARGET, after: { name: 'blue' } })).toBe('/networks/blue');
  expect(linkOf({ target: TARGET, after: null })).toBeNull();
  expect(linkOf({ target: { ...TARGET, noun: 'user' }, after: {} })).toBeNull();
});

test.each([
  ['controller', 'the controller'],
  ['bootstrap', 'admin.token'],
  ['user', 'ada'],
  ['api_token', 'API token ada'],
  ['node', 'node ada'],
] as const)('%s is called %s', (kind, words) => {
  expect(describeActor({ kind, id: null, name: 'ada' })).toBe(words);
});
