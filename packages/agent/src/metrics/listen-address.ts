/**
 * Where `--metrics` serves: a unix socket, or a loopback address. Counters tell who talks to whom
 * and how much, and the endpoint asks nobody for a password, so it is never on a network.
 */
import { isIPv4, isIPv6 } from 'node:net';
import { resolve } from 'node:path';

/** A place to listen at that only this host reaches. */
export type MetricsAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

const EXPECTED =
  '--metrics takes unix:PATH, 127.0.0.1:PORT or [::1]:PORT with a port from 1 to 65535';

/** Parses the option. Throws RangeError that says what was given and what would be right. */
export function parseMetricsAddress(text: string): MetricsAddress {
  if (text.startsWith('unix:') && text.length > 'unix:'.length)
    return { kind: 'unix', path: resolve(text.slice('unix:'.length)) };
  const parts = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text);
  const [, inBrackets, bare] = parts ?? [];
  const host = inBrackets ?? bare ?? '';
  const port = Number(parts?.[3]);
  const isAddress = inBrackets === undefined ? isIPv4(host) : isIPv6(host);
  if (!isAddress || !(port >= 1 && port <= 65_535))
    throw new RangeError(`${EXPECTED}, given "${text}"`);
  if (!isLoopback(host)) {
    throw new RangeError(
      `--metrics ${text}: ${host} is no loopback address, and the metrics are for this host alone; take 127.0.0.1:${port}, [::1]:${port} or unix:PATH and let a collector on this host pass them on`,
    );
  }
  return { kind: 'tcp', host, port };
}

/** Whether an IP literal is 127.0.0.0/8 or ::1. */
function isLoopback(host: string): boolean {
  return isIPv4(host) ? host.startsWith('127.') : /^(?:::1|(?:0{1,4}:){7}0{0,3}1)$/.test(host);
}

/** The address as a person writes it. */
export function formatMetricsAddress(address: MetricsAddress): string {
  if (address.kind === 'unix') return `unix:${address.path}`;
  return isIPv6(address.host)
    ? `[${address.host}]:${address.port}`
    : `${address.host}:${address.port}`;
}

/** Whether a Host header names this host: a web page must not read the metrics by rebinding DNS. */
export function isOwnHostHeader(header: string | undefined): boolean {
  if (header === undefined) return true;
  const host = header.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  return host === 'localhost' || (isIPv4(host) || isIPv6(host) ? isLoopback(host) : false);
}
