/**
 * Endpoints: where on the underlay a host is reached. An endpoint is kept as the 18 bytes that the
 * wire and the data path use (docs/protocol.md 1.4): 16 bytes of IPv6 address, IPv4 as
 * ::ffff:a.b.c.d, and a u16 port, so that it passes through every layer without conversion. The
 * text form is "192.0.2.1:8002" or "[2001:db8::1]:8002".
 */

/** 18 bytes: address and port. Never changed in place. */
export type Endpoint = Uint8Array;

export const ENDPOINT_BYTES = 18;

/** All zero: in the data path's language "not known". */
export const UNKNOWN_ENDPOINT: Endpoint = new Uint8Array(ENDPOINT_BYTES);

/**
 * Thrown for text or bytes that are no endpoint; the message says what was given and what would be
 * right.
 */
export class EndpointError extends Error {
  override readonly name = 'EndpointError';
  readonly code = 'endpoint_invalid';
}

const IPV4_PREFIX = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff);

/** Makes an endpoint of a 4 or 16 byte address and a port. */
export function makeEndpoint(address: Uint8Array, port: number): Endpoint {
  if (address.length !== 4 && address.length !== 16) {
    throw new EndpointError(`an address has 4 or 16 bytes, given ${address.length}`);
  }
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new EndpointError(`a port is a number from 1 to 65535, given ${port}`);
  }
  const endpoint = new Uint8Array(ENDPOINT_BYTES);
  if (address.length === 4) {
    endpoint.set(IPV4_PREFIX);
    endpoint.set(address, 12);
  } else {
    endpoint.set(address);
  }
  endpoint[16] = port >> 8;
  endpoint[17] = port & 0xff;
  return endpoint;
}

/** The 16 address bytes. */
export function endpointAddress(endpoint: Endpoint): Uint8Array {
  return endpoint.subarray(0, 16);
}

export function endpointPort(endpoint: Endpoint): number {
  return ((endpoint[16] ?? 0) << 8) | (endpoint[17] ?? 0);
}

/** True for an endpoint whose address is ::ffff:a.b.c.d. */
export function isIpv4Endpoint(endpoint: Endpoint): boolean {
  return IPV4_PREFIX.every((byte, index) => endpoint[index] === byte);
}

export function sameEndpoint(a: Endpoint | undefined, b: Endpoint | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

/**
 * True when what is sent there from another host reaches one host at most: neither unspecified,
 * loopback, multicast, broadcast nor, for IPv6, link-local, which means nothing without an
 * interface.
 */
export function leadsToOneHost(endpoint: Endpoint): boolean {
  if (endpointPort(endpoint) === 0) return false;
  if (isIpv4Endpoint(endpoint)) {
    const first = endpoint[12] ?? 0;
    return first !== 0 && first !== 127 && first < 224;
  }
  const [first = 0, second = 0] = endpoint;
  const isLowest = endpoint.subarray(0, 15).every((byte) => byte === 0);
  return !isLowest && first !== 0xff && !(first === 0xfe && (second & 0xc0) === 0x80);
}

/** Reads "192.0.2.1:8002" or "[2001:db8::1]:8002". Throws EndpointError. */
export function parseEndpoint(text: string): Endpoint {
  const v6 = /^\[([^\]]*)\]:(\d{1,5})$/.exec(text);
  const v4 = /^([0-9.]+):(\d{1,5})$/.exec(text);
  const [, address = '', port = ''] = v6 ?? v4 ?? [];
  if (v6 === null && v4 === null) {
    throw new EndpointError(`"${text}" is no endpoint; write 192.0.2.1:8002 or [2001:db8::1]:8002`);
  }
  if (port.length > 1 && port.startsWith('0')) {
    throw new EndpointError(`port "${port}" in "${text}" has a leading zero`);
  }
  const bytes = v6 === null ? parseIpv4(address) : parseIpv6(address);
  if (bytes === undefined) {
    throw new EndpointError(
      `"${address}" in "${text}" is no ${v6 === null ? 'IPv4' : 'IPv6'} address`,
    );
  }
  return makeEndpoint(bytes, Number(port));
}

/** The text form; IPv6 as RFC 5952 writes it. */
export function formatEndpoint(endpoint: Endpoint): string {
  if (endpoint.length !== ENDPOINT_BYTES) {
    throw new EndpointError(`an endpoint has ${ENDPOINT_BYTES} bytes, given ${endpoint.length}`);
  }
  const port = endpointPort(endpoint);
  if (isIpv4Endpoint(endpoint)) return `${endpoint.subarray(12, 16).join('.')}:${port}`;
  return `[${formatIpv6(endpointAddress(endpoint))}]:${port}`;
}

/** Reads a dotted quad without leading zeros; undefined when it is none. */
export function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  if (!parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255))
    return undefined;
  return Uint8Array.from(parts, Number);
}

/** Reads an IPv6 address without zone; undefined when it is none. */
export function parseIpv6(text: string): Uint8Array | undefined {
  const quad = /^(.*:)([0-9.]+\.[0-9.]+)$/.exec(text);
  if (quad !== null) {
    const v4 = parseIpv4(quad[2] ?? '');
    if (v4 === undefined) return undefined;
    const [a = 0, b = 0, c = 0, d = 0] = v4;
    return parseIpv6(`${quad[1]}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`);
  }
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const groups = halves.map((half) => (half === '' ? [] : half.split(':')));
  if (!groups.flat().every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  const [head = [], tail = []] = groups;
  const gap = 8 - head.length - tail.length;
  if (halves.length === 2 ? gap < 1 : gap !== 0) return undefined;
  const words = [...head, ...Array<string>(gap).fill('0'), ...tail].map((group) =>
    parseInt(group, 16),
  );
  return Uint8Array.from(words.flatMap((word) => [word >> 8, word & 0xff]));
}

/**
 * Writes 16 bytes as RFC 5952 does: lower case, the longest run of two or more zero groups as "::".
 */
export function formatIpv6(address: Uint8Array): string {
  const words = Array.from(
    { length: 8 },
    (_, i) => ((address[2 * i] ?? 0) << 8) | (address[2 * i + 1] ?? 0),
  );
  let best = { at: -1, length: 1 };
  for (let at = 0; at < 8; at++) {
    let length = 0;
    while (at + length < 8 && words[at + length] === 0) length++;
    if (length > best.length) best = { at, length };
  }
  const hex = words.map((word) => word.toString(16));
  if (best.at < 0) return hex.join(':');
  return `${hex.slice(0, best.at).join(':')}::${hex.slice(best.at + best.length).join(':')}`;
}
