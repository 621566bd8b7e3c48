/**
 * Checks the endpoints that an agent reports: peers will send datagrams there, so only addresses
 * that lead to one host are kept.
 */
import { endpointAddress, formatEndpoint, isIpv4Endpoint, parseEndpoint } from '@etherloom/core';
import { NODE_ENDPOINTS_MAX } from '@etherloom/api';
import { RequestError, invalidField } from '../request-error.ts';

/**
 * Canonical texts in the order given, each once; those that lead nowhere from another host are left
 * out. Throws RequestError.
 */
export function checkEndpoints(given: readonly string[]): string[] {
  if (given.length > NODE_ENDPOINTS_MAX) {
    throw new RequestError(
      'invalid_request',
      `${given.length} endpoints; a node has ${NODE_ENDPOINTS_MAX} at most`,
    );
  }
  const kept = new Set<string>();
  for (const text of given) {
    const endpoint = parse(text);
    if (isReachable(endpointAddress(endpoint), isIpv4Endpoint(endpoint)))
      kept.add(formatEndpoint(endpoint));
  }
  return [...kept];
}

function parse(text: string): Uint8Array {
  try {
    return parseEndpoint(text);
  } catch (error) {
    throw invalidField('endpoints', error instanceof Error ? error.message : 'no endpoint');
  }
}

/**
 * Neither unspecified, loopback, multicast, broadcast nor, for IPv6, link-local, which means
 * nothing without an interface.
 */
function isReachable(address: Uint8Array, isIpv4: boolean): boolean {
  if (isIpv4) {
    const first = address[12] ?? 0;
    return first !== 0 && first !== 127 && first < 224;
  }
  const [first = 0, second = 0] = address;
  const isLowest = address.subarray(0, 15).every((byte) => byte === 0);
  return !isLowest && first !== 0xff && !(first === 0xfe && (second & 0xc0) === 0x80);
}
