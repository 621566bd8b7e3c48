/** Where the controller listens, and under which URLs others reach it. */
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { StartupError } from '../startup-error.ts';

export interface ListenAddress {
  readonly host: string;
  /** 0: the system chooses one. */
  readonly port: number;
}

/** Listens at every IPv4 address; [::]:8443 adds IPv6. */
export const LISTEN_DEFAULT = '0.0.0.0:8443';
/** URLs that a join token carries at most. */
const JOIN_URLS_MAX = 8;

/** Reads "192.0.2.1:8443", "[2001:db8::1]:8443" or "name:8443". Throws StartupError. */
export function parseListenAddress(text: string): ListenAddress {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2] ?? '';
  if (match && port <= 65_535 && (match[1] === undefined || isIP(host) === 6))
    return { host, port };
  throw new StartupError(
    'usage',
    `--listen ${JSON.stringify(text)} is no HOST:PORT; write 0.0.0.0:8443 or [::]:8443`,
  );
}

/** Checks a URL that --public-url gives. Throws StartupError. */
export function parsePublicUrl(text: string): string {
  const url = URL.parse(text);
  if (
    url?.protocol === 'https:' &&
    url.pathname === '/' &&
    url.search === '' &&
    url.username === ''
  )
    return url.origin;
  throw new StartupError(
    'usage',
    `--public-url ${JSON.stringify(text)} is no https URL of a host; write https://controller.example.org:8443`,
  );
}

/** URL under which this host itself reaches the controller. */
export function localUrl(listen: ListenAddress): string {
  const loopback = isIP(listen.host) === 6 ? '::1' : '127.0.0.1';
  return toUrl(isWildcard(listen.host) ? loopback : listen.host, listen.port);
}

/**
 * URLs that join tokens carry: the public one, or where it listens; for a wildcard every address of
 * this host that others can reach.
 */
export function joinUrls(listen: ListenAddress, publicUrl: string | undefined): string[] {
  if (publicUrl !== undefined) return [publicUrl];
  if (!isWildcard(listen.host)) return [toUrl(listen.host, listen.port)];
  const reachable = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter((entry) => !entry.internal && !entry.address.startsWith('fe80:'))
    .filter((entry) => entry.family === 'IPv4' || isIP(listen.host) === 6)
    .map((entry) => toUrl(entry.address, listen.port));
  return reachable.length === 0 ? [localUrl(listen)] : reachable.slice(0, JOIN_URLS_MAX);
}

function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || /^[0:]+$/.test(host);
}

function toUrl(host: string, port: number): string {
  return `https://${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}
