/**
 * HTTPS requests to a server with a pinned certificate. A connection a request: callers ask rarely,
 * and then want the pin checked.
 */
import type { Send } from '@etherloom/api';
import { exchange } from './http-exchange.ts';
import { connectPinned } from './pinned-tls.ts';
import { TransportError, fromTcpError } from './transport-error.ts';

export interface PinnedSenderOptions {
  /** SHA-256 of the server certificate (DER), 64 lower-case hex digits. */
  readonly tlsFingerprint: string;
  /** For connecting, and again for the reply. */
  readonly timeoutMs: number;
  readonly socketPath?: string;
}

/**
 * A sender that compares the pin before a byte of a request is sent. Rejects with TransportError.
 */
export function createPinnedSender(options: PinnedSenderOptions): Send {
  return async (request) => {
    const url = parseHttpsUrl(request.url);
    const socket = await connectPinned(url, { ...options, signal: request.signal });
    try {
      return await exchange(request, {
        socket,
        path: url.pathname + url.search,
        host: url.host,
        target: url.host,
        timeoutMs: options.timeoutMs,
      });
    } catch (error) {
      throw fromTcpError(error, url.host);
    }
  };
}

/** Throws TransportError for what is no URL of a controller. */
export function parseHttpsUrl(text: string): URL {
  const url = URL.parse(text);
  if (url?.protocol === 'https:') return url;
  throw new TransportError(
    'failed',
    `${JSON.stringify(text)} is no controller URL: one looks like https://192.0.2.1:8443`,
  );
}
