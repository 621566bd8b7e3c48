/** Before and after, field by field. */
import { expect, test } from 'vitest';
import { diffResources } from './resource-diff.ts';

test('only what differs shows, by its path', () => {
  const before = { name: 'blue', settings: { clones: 'split', stalenessDays: 30 } };
  const after = { name: 'blue', settings: { clones: 'reject', stalenessDays: 30 } };
  expect(diffResources(before, after)).toEqual([
    { field: 'settings.clones', was: 'split', is: 'reject' },
  ]);
});

test('of what is made everything shows, and of what is removed', () => {
  expect(diffResources(null, { name: 'blue', vni: 7 })).toEqual([
    { field: 'name', was: null, is: 'blue' },
    { field: 'vni', was: null, is: '7' },
  ]);
  expect(diffResources({ name: 'blue' }, null)).toEqual([{ field: 'name', was: 'blue', is: null }]);
});

test('null is a value, and not the same as absent', () => {
  expect(diffResources({ ipv4: '10.0.0.0/24' }, { ipv4: null })).toEqual([
    { field: 'ipv4', was: '10.0.0.0/24', is: 'null' },
  ]);
});

test('a list of words is read as one, any other as JSON', () => {
  expect(
    diffResources({ roles: ['a'], rows: [{ x: 1 }] }, { roles: ['a', 'b'], rows: [] }),
  ).toEqual([
    { field: 'roles', was: 'a', is: 'a, b' },
    { field: 'rows', was: '[{"x":1}]', is: '' },
  ]);
});
