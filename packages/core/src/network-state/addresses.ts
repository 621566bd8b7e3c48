/**
 * Reads and writes the text forms of MAC and IP addresses, and derives the link-local address that
 * a MAC binds (RFC 4291, appendix A).
 */
import { parseIpv4, parseIpv6 } from '../endpoint.ts';

/** Six bytes of "02:00:5e:10:00:01"; undefined for other text. */
export function parseMac(text: string): Uint8Array | undefined {
  if (!/^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$/.test(text)) return undefined;
  return Uint8Array.from(text.split(':'), (pair) => parseInt(pair, 16));
}

/** 16 bytes of an IPv4 (as ::ffff:a.b.c.d) or IPv6 address; undefined for other text. */
export function parseIp(text: string): Uint8Array | undefined {
  const v4 = parseIpv4(text);
  if (v4 === undefined) return parseIpv6(text);
  return Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...v4);
}

/**
 * fe80::/64 with the modified EUI-64 of the MAC: the universal/local bit turned, ff:fe in the
 * middle.
 */
export function linkLocalOfMac(mac: Uint8Array): Uint8Array {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = mac;
  return Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f);
}
