import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  EndpointError,
  endpointAddress,
  endpointPort,
  formatEndpoint,
  isIpv4Endpoint,
  makeEndpoint,
  parseEndpoint,
  sameEndpoint,
  UNKNOWN_ENDPOINT,
} from './endpoint.ts';

describe('endpoint text', () => {
  it.each([
    ['192.0.2.1:8002', '192.0.2.1:8002'],
    ['0.0.0.0:1', '0.0.0.0:1'],
    ['255.255.255.255:65535', '255.255.255.255:65535'],
    ['[2001:db8::1]:8002', '[2001:db8::1]:8002'],
    ['[2001:DB8:0:0:0:0:0:1]:8002', '[2001:db8::1]:8002'],
    ['[::]:1', '[::]:1'],
    ['[::1]:1', '[::1]:1'],
    ['[1::]:1', '[1::]:1'],
    ['[1:0:0:2:0:0:0:3]:1', '[1:0:0:2::3]:1'],
    ['[1:0:2:3:4:5:6:7]:1', '[1:0:2:3:4:5:6:7]:1'],
    ['[1:2:3:4:5:6:7::]:1', '[1:2:3:4:5:6:7:0]:1'],
    ['[::ffff:192.0.2.1]:8002', '192.0.2.1:8002'],
    ['[64:ff9b::192.0.2.1]:8002', '[64:ff9b::c000:201]:8002'],
  ])('reads %s and writes %s', (text, canonical) => {
    const endpoint = parseEndpoint(text);
    expect(formatEndpoint(endpoint)).toBe(canonical);
    expect(sameEndpoint(parseEndpoint(canonical), endpoint)).toBe(true);
  });

  it.each([
    '',
    '192.0.2.1',
    '192.0.2.1:',
    '192.0.2.1:0',
    '192.0.2.1:65536',
    '192.0.2.1:08002',
    '192.0.2.1:8002 ',
    '192.0.2:8002',
    '192.0.2.1.5:8002',
    '192.0.2.256:8002',
    '192.0.2.01:8002',
    '2001:db8::1:8002',
    '[2001:db8::1]',
    '[2001:db8::1]:99999',
    '[2001:db8:::1]:1',
    '[1::2::3]:1',
    '[1:2:3:4:5:6:7]:1',
    '[1:2:3:4:5:6:7:8:9]:1',
    '[1:2:3:4:5:6:7:8::]:1',
    '[12345::]:1',
    '[g::]:1',
    '[fe80::1%eth0]:1',
    '[::ffff:192.0.2.256]:1',
    '[192.0.2.1]:1',
    'example.org:8002',
  ])('refuses "%s"', (text) => {
    expect(() => parseEndpoint(text)).toThrow(EndpointError);
  });

  it('says what was given and what would be right', () => {
    expect(() => parseEndpoint('host')).toThrow(
      '"host" is no endpoint; write 192.0.2.1:8002 or [2001:db8::1]:8002',
    );
    expect(() => parseEndpoint('1.2.3.4:0')).toThrow('a port is a number from 1 to 65535, given 0');
    expect(() => parseEndpoint('1.2.3.400:1')).toThrow(
      '"1.2.3.400" in "1.2.3.400:1" is no IPv4 address',
    );
  });

  it('reads back whatever it writes', () => {
    const address = fc.uint8Array({ minLength: 16, maxLength: 16 });
    const sparse = fc
      .array(fc.constantFrom(0, 0, 0, 1, 255), { minLength: 16, maxLength: 16 })
      .map((b) => Uint8Array.from(b));
    fc.assert(
      fc.property(fc.oneof(address, sparse), fc.integer({ min: 1, max: 65_535 }), (bytes, port) => {
        const endpoint = makeEndpoint(bytes, port);
        expect(parseEndpoint(formatEndpoint(endpoint))).toEqual(endpoint);
        expect(endpointPort(endpoint)).toBe(port);
        expect(endpointAddress(endpoint)).toEqual(bytes);
      }),
    );
  });

  it('never throws anything but EndpointError', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[\d.:[\]a-f]{0,40}$/)), (text) => {
        try {
          parseEndpoint(text);
        } catch (error) {
          expect(error).toBeInstanceOf(EndpointError);
        }
      }),
    );
  });
});

describe('endpoint bytes', () => {
  it('maps IPv4 addresses', () => {
    const endpoint = makeEndpoint(Uint8Array.of(192, 0, 2, 1), 8002);
    expect([...endpoint]).toEqual([
      0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 1, 0x1f, 0x42,
    ]);
    expect(isIpv4Endpoint(endpoint)).toBe(true);
    expect(isIpv4Endpoint(parseEndpoint('[2001:db8::1]:1'))).toBe(false);
  });

  it('refuses addresses and endpoints of other lengths', () => {
    expect(() => makeEndpoint(new Uint8Array(5), 1)).toThrow(
      'an address has 4 or 16 bytes, given 5',
    );
    expect(() => formatEndpoint(new Uint8Array(17))).toThrow('an endpoint has 18 bytes, given 17');
  });

  it('compares endpoints with the unknown', () => {
    expect(sameEndpoint(undefined, undefined)).toBe(true);
    expect(sameEndpoint(UNKNOWN_ENDPOINT, undefined)).toBe(false);
    expect(sameEndpoint(parseEndpoint('1.2.3.4:5'), parseEndpoint('1.2.3.4:6'))).toBe(false);
  });
});
