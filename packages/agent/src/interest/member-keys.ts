/** By what a member is looked for: from the bytes of the data path to the words of the link. */
import type { MemberKey, NetworkConfig, NetworkState } from '@etherloom/api';
import { SOUGHT, formatIpv6, parseIp } from '@etherloom/core';

/** What a frame looked for in vain, as the data path tells it. */
export interface Miss {
  readonly vni: number;
  readonly kind: number;
  readonly address: Uint8Array;
}

/**
 * The key of a miss; undefined: no member can have it. An IP has to lie in a pool of the network; a
 * link-local address follows from a MAC.
 */
export function keyOfMiss({ kind, address }: Miss, config: NetworkConfig): MemberKey | undefined {
  if (kind === SOUGHT.mac) return { mac: macText(address.subarray(0, 6)) };
  if (kind !== SOUGHT.ip) return undefined;
  const mac = macOfLinkLocal(address);
  if (mac !== undefined) return { mac };
  const isIpv4 = isMappedIpv4(address);
  const pool = isIpv4 ? config.ipv4 : config.ipv6;
  if (pool === null || !isInPool(address, pool, isIpv4)) return undefined;
  return { ip: isIpv4 ? address.subarray(12).join('.') : formatIpv6(address) };
}

/** One text for each key. */
export function textOfKey(by: MemberKey): string {
  return Object.entries(by).flat().join(' ');
}

/** True when a member that is held has it. */
export function hasMember({ members }: NetworkState, by: MemberKey): boolean {
  if ('ip' in by) return members.some(({ addresses }) => addresses.includes(by.ip));
  if ('mac' in by) return members.some(({ mac }) => mac === by.mac);
  if ('sessionKey' in by) return members.some(({ sessionKey }) => sessionKey === by.sessionKey);
  return members.some(({ nodeId }) => nodeId === by.nodeId);
}

function isMappedIpv4(ip: Uint8Array): boolean {
  return ip.subarray(0, 10).every((byte) => byte === 0) && ip[10] === 0xff && ip[11] === 0xff;
}

/** The MAC of an EUI-64 address of fe80::/64 (RFC 4291 appendix A). */
function macOfLinkLocal(ip: Uint8Array): string | undefined {
  const head = [0xfe, 0x80, 0, 0, 0, 0, 0, 0];
  const isEui64 = head.every((byte, at) => ip[at] === byte) && ip[11] === 0xff && ip[12] === 0xfe;
  if (!isEui64) return undefined;
  const [first = 0, ...rest] = [8, 9, 10, 13, 14, 15].map((at) => ip[at] ?? 0);
  return macText(Uint8Array.of(first ^ 2, ...rest));
}

function macText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}

function isInPool(ip: Uint8Array, pool: string, isIpv4: boolean): boolean {
  const [text = '', length = ''] = pool.split('/');
  const network = parseIp(text);
  if (network === undefined) return false;
  const bits = Number(length) + (isIpv4 ? 96 : 0);
  return ip.every((byte, at) => {
    const left = Math.min(8, Math.max(0, bits - 8 * at));
    const mask = (0xff << (8 - left)) & 0xff;
    return (byte & mask) === ((network[at] ?? 0) & mask);
  });
}
