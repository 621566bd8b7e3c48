import { expect, test } from 'vitest';
import { ApiError } from '@etherloom/api';
import { cleanText, cleanTexts } from './clean-text.ts';
import { describeFailure } from './failure.ts';

test.each([
  ['\u001b[2Jgone', '\\x1b[2Jgone'],
  ['a\r\nb\tc', 'a\\x0d\\x0ab\\x09c'],
  ['\u009b31m', '\\x9b31m'],
  ['\u202eback', '\\u202eback'],
  ['Grüße, 東京', 'Grüße, 東京'],
])('shows the control characters of %j', (given, shown) => {
  expect(cleanText(given)).toBe(shown);
});

test('reaches every text of a reply, names of members too', () => {
  expect(cleanTexts({ 'a\u0007': [{ b: '\u001b' }, 1, null] })).toEqual({
    'a\\x07': [{ b: '\\x1b' }, 1, null],
  });
});

test('what a controller says of an error cannot write on the terminal', () => {
  const error = new ApiError({
    code: 'not_found',
    message: '\u001b]0;title\u0007',
    status: 404,
    details: [{ field: 'x\u001b', reason: '\u001b[1A' }],
  });
  const { message, details } = describeFailure(error);
  expect(JSON.stringify([message, details])).not.toMatch(/\\u00/);
});
