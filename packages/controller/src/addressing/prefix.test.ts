import fc from 'fast-check';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { ipv4PrefixSchema, ipv6PrefixSchema } from '@etherloom/api';
import { RequestError } from '../request-error.ts';
import {
  addressKey,
  addressNumber,
  addressText,
  familyOf,
  memberRange,
  numberOfKey,
  overlaps,
  parseGivenPrefix,
  parsePrefix,
  tenSlash24,
  uniqueLocalSlash64,
} from './prefix.ts';

test('an address survives number and key, and keys sort like addresses', () => {
  const number = fc.oneof(
    fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }),
    fc.bigInt({ min: 0xffff_0000_0000n, max: 0xffff_ffff_ffffn }),
  );
  fc.assert(
    fc.property(number, number, (a, b) => {
      expect(addressNumber(addressText(a))).toBe(a);
      expect(numberOfKey(addressKey(a))).toBe(a);
      expect(addressKey(a) < addressKey(b)).toBe(a < b);
      expect(addressText(a).includes(':')).toBe(familyOf(a) === 6);
    }),
  );
});

test.each([
  ['10.0.0.1/24', '10.0.0.0/24'],
  ['192.168.255.255/16', '192.168.0.0/16'],
  ['fd00::1/64', 'fd00::/64'],
  ['fd00:0:0:1:8000::/64', 'fd00:0:0:1::/64'],
])('%s is refused with the prefix that is meant', (given, right) => {
  expect(() => parseGivenPrefix(given, 'ipv4')).toThrow(`the prefix is ${right}`);
  expect(parseGivenPrefix(right, 'ipv4').text).toBe(right);
});

test.each([
  '0.0.0.0/8',
  '127.1.0.0/16',
  '169.254.3.0/24',
  '224.0.0.0/8',
  '::/16',
  'fe80::/64',
  'ff00::/16',
])('%s cannot number members', (given) => {
  expect(() => parseGivenPrefix(given, 'ipv4')).toThrow('cannot number members');
});

test.each([
  ['10.1.0.0/24', '10.1.0.1', '10.1.0.254'],
  ['10.1.0.0/30', '10.1.0.1', '10.1.0.2'],
  ['fd00::/126', 'fd00::1', 'fd00::3'],
])('members of %s have %s to %s', (prefix, first, last) => {
  const range = memberRange(parsePrefix(prefix));
  expect([addressText(range.first), addressText(range.last)]).toEqual([first, last]);
});

test('whatever a schema lets pass is a prefix or is refused with a reason', () => {
  const text = fc.oneof(
    fc.tuple(fc.ipV4(), fc.nat(32)).map(([address, length]) => `${address}/${length}`),
    fc.tuple(fc.ipV6(), fc.nat(128)).map(([address, length]) => `${address}/${length}`),
    fc.stringMatching(/^[0-9a-f:./]{1,20}$/),
  );
  const schema = z.union([ipv4PrefixSchema, ipv6PrefixSchema]);
  fc.assert(
    fc.property(text, (given) => {
      if (!schema.safeParse(given).success) return;
      try {
        expect(parsePrefix(parseGivenPrefix(given, 'field').text).text).toMatch(/\//);
      } catch (error) {
        expect(error).toBeInstanceOf(RequestError);
      }
    }),
    { numRuns: 2_000 },
  );
});

test('prefixes of two families never overlap', () => {
  expect(overlaps(parsePrefix('10.0.0.0/8'), parsePrefix('::/8'))).toBe(false);
  expect(overlaps(parsePrefix('10.0.0.0/8'), parsePrefix('10.200.0.0/16'))).toBe(true);
});

test('prefixes that are chosen lie where they shall', () => {
  expect(tenSlash24(0).text).toBe('10.0.0.0/24');
  expect(tenSlash24(65_535).text).toBe('10.255.255.0/24');
  expect(uniqueLocalSlash64(Uint8Array.of(1, 2, 3, 4, 5, 6, 7)).text).toBe('fd01:203:405:607::/64');
});
