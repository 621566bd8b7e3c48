/**
 * Address prefixes as 128-bit numbers, IPv4 as ::ffff:a.b.c.d, so that one arithmetic serves both
 * families and a fixed-width key sorts in a database like the address it stands for.
 */
import { formatIpv6, parseIp } from '@etherloom/core';
import { invalidField } from '../request-error.ts';

export type Family = 4 | 6;

export interface Prefix {
  readonly family: Family;
  /** Canonical text, for example 10.1.0.0/24. */
  readonly text: string;
  /** Lowest and highest address of the prefix. */
  readonly first: bigint;
  readonly last: bigint;
}

const IPV4_BASE = 0xffff_0000_0000n;
/**
 * Pools that members can be numbered from. Below /8 (IPv4) no prefix is private; above, too few
 * addresses are left.
 */
const LENGTHS = { 4: { min: 8, max: 30 }, 6: { min: 16, max: 126 } } as const;
/**
 * Ranges with a meaning of their own (RFC 6890): hosts refuse or misread members numbered from
 * them.
 */
const UNUSABLE = [
  '0.0.0.0/8',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '224.0.0.0/3',
  '::/8',
  'fe80::/10',
  'ff00::/8',
].map(parseRange);

/** Number of an address; for text that a schema has passed. */
export function addressNumber(text: string): bigint {
  const bytes = parseIp(text);
  if (bytes === undefined) throw new TypeError(`"${text}" is no IP address`);
  return bytes.reduce((number, byte) => (number << 8n) | BigInt(byte), 0n);
}

/** Text of a number, canonical: dotted quad, or IPv6 as RFC 5952 writes it. */
export function addressText(number: bigint): string {
  const bytes = Uint8Array.from({ length: 16 }, (_, i) =>
    Number((number >> BigInt(8 * (15 - i))) & 0xffn),
  );
  return familyOf(number) === 4 ? bytes.subarray(12).join('.') : formatIpv6(bytes);
}

/** Sortable text of fixed width: 32 hex digits. */
export function addressKey(number: bigint): string {
  return number.toString(16).padStart(32, '0');
}

export function numberOfKey(key: string): bigint {
  return BigInt(`0x${key}`);
}

export function familyOf(number: bigint): Family {
  return number >> 32n === 0xffffn ? 4 : 6;
}

export function contains(prefix: Prefix, number: bigint): boolean {
  return number >= prefix.first && number <= prefix.last;
}

export function overlaps(a: Prefix, b: Prefix): boolean {
  return a.family === b.family && a.first <= b.last && b.first <= a.last;
}

/**
 * Lowest and highest address that a member may have: without network and broadcast address (IPv4),
 * without the subnet-router anycast address (IPv6, RFC 4291, 2.6.1).
 */
export function memberRange(prefix: Prefix): { readonly first: bigint; readonly last: bigint } {
  return { first: prefix.first + 1n, last: prefix.family === 4 ? prefix.last - 1n : prefix.last };
}

/** A prefix that the controller stored, or made: known to be right. */
export function parsePrefix(text: string): Prefix {
  return parseRange(text);
}

/** A prefix that a user gave. Throws RequestError that names the field and what would be right. */
export function parseGivenPrefix(text: string, field: string): Prefix {
  const [address = '', length = ''] = text.split('/');
  const family: Family = address.includes(':') ? 6 : 4;
  const bits = Number(length);
  const limits = LENGTHS[family];
  if (bits < limits.min || bits > limits.max) {
    throw invalidField(
      field,
      `${text} has a length of /${bits}; a pool has /${limits.min} to /${limits.max}`,
    );
  }
  const prefix = parseRange(text);
  if (prefix.first !== addressNumber(address)) {
    throw invalidField(
      field,
      `${text} has bits set behind its length; the prefix is ${prefix.text}`,
    );
  }
  const unusable = UNUSABLE.find((range) => overlaps(range, prefix));
  if (unusable) {
    throw invalidField(
      field,
      `${text} lies in ${unusable.text}, which cannot number members; use a private prefix such as ${family === 4 ? '10.1.0.0/24' : 'fd12:3456:789a::/64'}`,
    );
  }
  return prefix;
}

function parseRange(text: string): Prefix {
  const [address = '', length = ''] = text.split('/');
  const number = addressNumber(address);
  const family: Family = address.includes(':') ? 6 : 4;
  const hostBits = BigInt((family === 4 ? 32 : 128) - Number(length));
  const first = (number >> hostBits) << hostBits;
  const last = first + (1n << hostBits) - 1n;
  return { family, text: `${addressText(first)}/${length}`, first, last };
}

/** The n-th /24 of 10.0.0.0/8. */
export function tenSlash24(index: number): Prefix {
  return parseRange(`${addressText(IPV4_BASE + (10n << 24n) + (BigInt(index) << 8n))}/24`);
}

/** A /64 of fd00::/8 with 56 random bits (RFC 4193 asks for 40 and leaves 16 to the site). */
export function uniqueLocalSlash64(random: Uint8Array): Prefix {
  const bits = random.subarray(0, 7).reduce((number, byte) => (number << 8n) | BigInt(byte), 0xfdn);
  return parseRange(`${addressText(bits << 64n)}/64`);
}
