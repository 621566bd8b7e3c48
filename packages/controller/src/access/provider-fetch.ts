/**
 * Requests to identity providers. An issuer is named by an administrator of a tenant, and what it
 * says of its endpoints by the issuer, so that neither may turn the controller against its own
 * network: https alone (http for a loopback issuer of a system administrator), no redirects, no
 * private address but where a system administrator named the issuer, judged on the address that is
 * connected to; a time for each answer, and a size.
 */
import type { IncomingMessage, RequestOptions } from 'node:http';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { LookupFunction } from 'node:net';
import { BlockList, isIP } from 'node:net';
import { lookup } from 'node:dns';
import type { CustomFetch } from 'openid-client';
import { PROVIDER_REPLY_BYTES_MAX, PROVIDER_REQUESTS_MAX, PROVIDER_TIMEOUT_MS } from '../limits.ts';
import { isLoopbackName } from './identity-providers.ts';

const PRIVATE = new BlockList();
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
] as const)
  PRIVATE.addSubnet(network, bits, 'ipv4');
for (const [network, bits] of [
  ['::', 96],
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['2002::', 16],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
] as const)
  PRIVATE.addSubnet(network, bits, 'ipv6');

/** Whether an address is one of this host or of a network that is not public. */
export function isPrivateAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 0) return true;
  return PRIVATE.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

export interface ProviderFetchOptions {
  /** Private addresses may be asked. */
  readonly reachesPrivate: boolean;
  /** The issuer is an http one on loopback: its endpoints may be as well. */
  readonly isPlain: boolean;
}

let running = 0;

/** A fetch for openid-client. */
export function createProviderFetch(options: ProviderFetchOptions): CustomFetch {
  return async (text, { method, headers, body }) => {
    const url = new URL(text);
    const isPlain = url.protocol === 'http:' && options.isPlain && isLoopbackName(url.hostname);
    if (url.protocol !== 'https:' && !isPlain)
      throw new TypeError(`${url.protocol} is no way to an identity provider`);
    const literal = url.hostname.replace(/^\[|\]$/g, '');
    if (!options.reachesPrivate && isIP(literal) !== 0 && isPrivateAddress(literal))
      throw new TypeError('the identity provider is at a private address');
    if (running >= PROVIDER_REQUESTS_MAX)
      throw new TypeError('too many requests to identity providers at one time');
    running += 1;
    try {
      return await exchange(url, {
        method,
        headers,
        body: toText(body),
        ...(options.reachesPrivate ? {} : { lookup: publicLookup }),
      });
    } finally {
      running -= 1;
    }
  };
}

function toText(body: unknown): string | undefined {
  if (body === undefined || body === null) return undefined;
  if (typeof body === 'string') return body;
  if (body instanceof URLSearchParams) return body.toString();
  throw new TypeError('a body of a request to a provider must be text');
}

/** Resolves to public addresses alone; the socket connects to what was judged. */
const publicLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    const open =
      error === null ? addresses.filter(({ address }) => !isPrivateAddress(address)) : [];
    const [first] = open;
    if (first === undefined)
      return callback(error ?? new Error(`${hostname} is at a private address`), '', 0);
    if (options.all === true) return callback(null, open);
    callback(null, first.address, first.family);
  });
};

function exchange(
  url: URL,
  given: {
    readonly method: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string | undefined;
    readonly lookup?: LookupFunction;
  },
): Promise<Response> {
  const { promise, resolve, reject } = Promise.withResolvers<Response>();
  const options: RequestOptions = {
    method: given.method,
    headers: { ...given.headers, 'accept-encoding': 'identity' },
    agent: false,
    signal: AbortSignal.timeout(PROVIDER_TIMEOUT_MS),
    ...(given.lookup === undefined ? {} : { lookup: given.lookup }),
  };
  const request = (url.protocol === 'http:' ? requestHttp : requestHttps)(url, options);
  request.once('error', reject);
  request.once('response', (message: IncomingMessage) => {
    readAll(message).then((body) => resolve(toResponse(message, body)), reject);
  });
  request.end(given.body);
  return promise;
}

async function readAll(message: IncomingMessage): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const part of message) {
    const chunk = part as Buffer; // no encoding is set
    size += chunk.length;
    if (size > PROVIDER_REPLY_BYTES_MAX) {
      message.destroy();
      throw new Error(`the identity provider sent more than ${PROVIDER_REPLY_BYTES_MAX} bytes`);
    }
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

function toResponse(message: IncomingMessage, body: Uint8Array): Response {
  const status = message.statusCode ?? 0;
  const type = message.headers['content-type'];
  const hasBody = status !== 204 && status !== 304 && status >= 200;
  if (status < 200 || status > 599) throw new Error(`the identity provider answered ${status}`);
  return new Response(hasBody ? Buffer.from(body) : null, {
    status,
    headers: {
      ...(type === undefined ? {} : { 'content-type': type }),
      ...(message.headers['www-authenticate'] === undefined
        ? {}
        : { 'www-authenticate': message.headers['www-authenticate'] }),
      ...(message.headers.date === undefined ? {} : { date: message.headers.date }),
    },
  });
}
