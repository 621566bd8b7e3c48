/** What a join token carries of several controllers. */
import { expect, test } from 'vitest';
import { tokenUrls } from './token-urls.ts';

test('the own URLs alternate with those of the others, each once, up to the limit', () => {
  const others = [{ urls: ['b1', 'b2'] }, { urls: ['c1', 'a1'] }];
  expect(tokenUrls(['a1', 'a2', 'a3'], others, 8)).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3']);
  expect(tokenUrls(['a1', 'a2', 'a3'], others, 3)).toEqual(['a1', 'b1', 'c1']);
});

test('a controller that is alone carries its own', () => {
  expect(tokenUrls(['a1', 'a2'], [], 8)).toEqual(['a1', 'a2']);
});
