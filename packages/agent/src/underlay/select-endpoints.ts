/**
 * Which of a host's addresses its peers should try, best first: a pure function. Addresses of the
 * interfaces that default routes leave by come first, then other hardware, then bridges and other
 * virtual devices, whose addresses are often the same on every host. Within each, stable addresses
 * come before temporary ones (RFC 8981), and IPv4 before IPv6.
 */
import { NODE_ENDPOINTS_MAX } from '@etherloom/api';
import { parseIpv4 } from '@etherloom/core';
import type { ActualAddress, ActualInterface } from '../interfaces/actual.ts';
import { isOverlay } from '../interfaces/plan.ts';

/** Endpoints as the link announces them, at most NODE_ENDPOINTS_MAX. */
export function selectEndpoints(
  interfaces: readonly ActualInterface[],
  defaultRouteInterfaces: ReadonlySet<string>,
  port: number,
): string[] {
  const candidates = interfaces
    .filter((device) => device.isUp && !device.isLoopback && !isOverlay(device))
    .flatMap((device) => device.addresses.filter(isUsable).map((address) => ({ device, address })));
  const ranked = candidates
    .map(({ device, address }) => ({
      text: endpointText(address.ip, port),
      rank: rankOf(device, address, defaultRouteInterfaces),
    }))
    .toSorted((a, b) => a.rank - b.rank); // stable: equal ranks keep the kernel's order
  return [...new Set(ranked.map(({ text }) => text))].slice(0, NODE_ENDPOINTS_MAX);
}

/**
 * Adds the address that the controller sees, as the last candidate, unless it is known or no
 * address of a host.
 */
export function withObserved(
  endpoints: readonly string[],
  observed: string | undefined,
  port: number,
): string[] {
  if (observed === undefined || isLoopback(observed)) return [...endpoints];
  const candidates = new Set([
    ...endpoints.slice(0, NODE_ENDPOINTS_MAX - 1),
    endpointText(observed, port),
  ]);
  return [...candidates];
}

function isLoopback(ip: string): boolean {
  return ip === '::1' || ip.startsWith('127.') || ip.startsWith('::ffff:');
}

function isUsable(address: ActualAddress): boolean {
  return address.scope === 'global' && !address.isUnusable && !address.isDeprecated;
}

function rankOf(
  device: ActualInterface,
  address: ActualAddress,
  defaultRouteInterfaces: ReadonlySet<string>,
): number {
  const virtualRank = device.kind === '' || device.kind === 'veth' ? 1 : 2;
  const deviceRank = defaultRouteInterfaces.has(device.name) ? 0 : virtualRank;
  const familyRank = parseIpv4(address.ip) === undefined ? 1 : 0;
  return deviceRank * 4 + (address.isTemporary ? 2 : 0) + familyRank;
}

function endpointText(ip: string, port: number): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
}
