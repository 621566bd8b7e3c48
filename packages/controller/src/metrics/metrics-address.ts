/**
 * Where `--metrics-listen` serves: a unix socket, or a loopback address. Metrics tell how large a
 * network is and who asks how often, and the endpoint asks nobody for a password, so it is never on
 * a network.
 */
import { isIPv4, isIPv6 } from 'node:net';
import { resolve } from 'node:path';
import { StartupError } from '../startup-error.ts';

/** A place to listen at that only this host reaches. */
export type MetricsAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

/** Parses the option. Throws StartupError that says what was given and what would be right. */
export function parseMetricsAddress(text: string): MetricsAddress {
  if (text.startsWith('unix:') && text.length > 'unix:'.length)
    return { kind: 'unix', path: resolve(text.slice('unix:'.length)) };
  const [, inBrackets, bare, digits] = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text) ?? [];
  const host = inBrackets ?? bare ?? '';
  const port = Number(digits);
  const isAddress = inBrackets === undefined ? isIPv4(host) : isIPv6(host);
  if (!isAddress || !(port <= 65_535))
    throw new StartupError(
      'usage',
      `--metrics-listen "${text}" is neither unix:PATH nor 127.0.0.1:PORT nor [::1]:PORT`,
    );
  if (!isLoopback(host))
    throw new StartupError(
      'usage',
      `--metrics-listen ${text}: ${host} is no loopback address, and the metrics are for this host alone; take 127.0.0.1:${port} or unix:PATH and let a collector on this host pass them on`,
    );
  return { kind: 'tcp', host, port };
}

/** Whether an IP literal is 127.0.0.0/8 or ::1. */
function isLoopback(host: string): boolean {
  return isIPv4(host) ? host.startsWith('127.') : /^(?:::1|(?:0{1,4}:){7}0{0,3}1)$/.test(host);
}

/** Whether a Host header names this host: a web page must not read the metrics by rebinding DNS. */
export function isOwnHostHeader(header: string | undefined): boolean {
  if (header === undefined) return true;
  const host = header.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  return host === 'localhost' || ((isIPv4(host) || isIPv6(host)) && isLoopback(host));
}
