import { describe, expect, test } from 'vitest';
import {
  parseControllerUrl,
  parseCount,
  parseDuration,
  parseFingerprint,
  parseIpv4Pool,
  parseIpv6Pool,
  parseMtu,
} from './arguments.ts';

describe('durations', () => {
  test.each([
    ['90s', 90],
    ['30m', 1_800],
    ['1h', 3_600],
    ['7d', 604_800],
    ['1h30m', 5_400],
    ['365d', 31_536_000],
  ])('%s is %d seconds', (text, seconds) => {
    expect(parseDuration(text)).toBe(seconds);
  });

  test.each(['', '10', 'h', '-1h', '1.5h', '1y', '1h 30m', '0m', '366d', '999999999999h'])(
    'refuses %j',
    (text) => {
      expect(() => parseDuration(text)).toThrow(/duration looks like|longest life/);
    },
  );
});

describe('numbers', () => {
  test('takes the ends of the range and refuses what lies beyond', () => {
    expect(parseMtu('1280')).toBe(1_280);
    expect(parseMtu('8898')).toBe(8_898);
    expect(() => parseMtu('1279')).toThrow('from 1280 to 8898');
    expect(() => parseMtu('8899')).toThrow('from 1280 to 8898');
  });

  test.each(['', '1.5', '1e3', ' 4', '0x10', '-1', 'NaN'])('refuses %j as a count', (text) => {
    expect(() => parseCount(text)).toThrow('whole number');
  });
});

describe('pools', () => {
  test('"none" stands for no pool', () => {
    expect(parseIpv4Pool('none')).toBe('none');
    expect(parseIpv6Pool('none')).toBe('none');
  });

  test('refuses a pool of the other family', () => {
    expect(() => parseIpv4Pool('fd00::/64')).toThrow('10.1.0.0/24');
    expect(() => parseIpv6Pool('10.1.0.0/24')).toThrow('fd00:1::/64');
  });
});

describe('fingerprints', () => {
  const hex = 'ab'.repeat(32);

  test.each([
    hex,
    hex.toUpperCase(),
    hex.replace(/..(?=.)/g, '$&:'),
    `sha256 Fingerprint=${hex.toUpperCase().replace(/..(?=.)/g, '$&:')}`,
  ])('takes %s', (text) => {
    expect(parseFingerprint(text)).toBe(hex);
  });

  test.each(['', hex.slice(2), `${hex}00`, hex.replace('a', 'g')])('refuses %j', (text) => {
    expect(() => parseFingerprint(text)).toThrow('64 hex digits');
  });
});

describe('controller URLs', () => {
  test('loses trailing slashes', () => {
    expect(parseControllerUrl('https://192.0.2.1:8443/')).toBe('https://192.0.2.1:8443');
    expect(parseControllerUrl('https://[2001:db8::1]:8443')).toBe('https://[2001:db8::1]:8443');
  });

  test.each(['http://192.0.2.1', '192.0.2.1:8443', 'https://me@192.0.2.1', 'https://a/?b=c', ''])(
    'refuses %j',
    (text) => {
      expect(() => parseControllerUrl(text)).toThrow('looks like https://');
    },
  );
});
