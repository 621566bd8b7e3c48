/** A failed call in words. */
import { ApiError } from '@etherloom/api';
import { expect, test } from 'vitest';
import { describeError, isLoggedOut, isMissing } from './errors.ts';

const REFUSED = new ApiError({
  code: 'name_taken',
  message: 'the network "blue" exists',
  status: 409,
  requestId: 'req_1',
  details: [{ field: 'name', reason: 'is taken' }],
});

test('a refusal says what, what to do, and under which id', () => {
  expect(describeError(REFUSED)).toEqual({
    message: 'The network "blue" exists',
    action: 'Choose another name.',
    requestId: 'req_1',
    fields: { name: 'is taken' },
  });
});

test('advice for the command line is not given', () => {
  const error = new ApiError({ code: 'token_expired', message: 'late', status: 401 });
  expect(describeError(error).action).toBeNull();
});

test('silence is no refusal', () => {
  expect(describeError(new TypeError('Failed to fetch'))).toMatchObject({
    message: 'The controller does not answer.',
    requestId: null,
  });
});

test('being logged out and being missing are told apart', () => {
  const of = (code: 'unauthenticated' | 'not_found'): ApiError =>
    new ApiError({ code, message: '', status: 400 });
  expect([isLoggedOut(of('unauthenticated')), isMissing(of('unauthenticated'))]).toEqual([
    true,
    false,
  ]);
  expect([isLoggedOut(of('not_found')), isMissing(of('not_found'))]).toEqual([false, true]);
});
