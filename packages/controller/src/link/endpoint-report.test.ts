import { expect, test } from 'vitest';
import { checkEndpoints } from './endpoint-report.ts';

test.each([
  '127.0.0.1:1',
  '0.0.0.0:1',
  '224.0.0.1:1',
  '255.255.255.255:1',
  '[::]:1',
  '[::1]:1',
  '[ff02::1]:1',
  '[fe80::1]:1',
  '[::ffff:127.0.0.1]:1',
])('%s leads nowhere and is left out', (text) => {
  expect(checkEndpoints([text, '192.0.2.1:8002'])).toEqual(['192.0.2.1:8002']);
});

test('what is kept is canonical, in order, once', () => {
  expect(checkEndpoints(['[2001:DB8::0:1]:8002', '10.0.0.1:8002', '[2001:db8::1]:8002'])).toEqual([
    '[2001:db8::1]:8002',
    '10.0.0.1:8002',
  ]);
});

test.each(['', 'host:1', '192.0.2.1', '192.0.2.1:0', '192.0.2.1:70000', '2001:db8::1:8002'])(
  '%j is refused',
  (text) => {
    expect(() => checkEndpoints([text])).toThrow(
      expect.objectContaining({ code: 'invalid_request' }),
    );
  },
);

test('more endpoints than a node may have are refused', () => {
  expect(() => checkEndpoints(Array.from({ length: 17 }, (_, i) => `192.0.2.${i}:8002`))).toThrow(
    /16 at most/,
  );
});
