/**
 * A TLS connection to a server whose certificate is known by its SHA-256 fingerprint.
 *
 * The socket is handed out only after the fingerprint was compared, so that not one byte of a
 * request, and with it no token, can reach another server. Certificate authorities play no part:
 * the pin came with the join token or from the operator.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { connect } from 'node:tls';
import { TransportError, fromTcpError } from './transport-error.ts';

export interface PinnedConnectOptions {
  /** SHA-256 of the server certificate (DER), 64 lower-case hex digits. */
  readonly tlsFingerprint: string;
  readonly timeoutMs: number;
  /** Connects to this unix socket; the URL's host is not looked up. */
  readonly socketPath?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Connects and compares the pin; rejects with TransportError. The caller owns the socket. */
export function connectPinned(url: URL, options: PinnedConnectOptions): Promise<TLSSocket> {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = Number(url.port === '' ? 443 : url.port);
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...(options.socketPath === undefined ? { host, port } : { path: options.socketPath }),
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ALPNProtocols: ['http/1.1'],
      minVersion: 'TLSv1.3',
      rejectUnauthorized: false, // the fingerprint below is the authority
    });
    const fail = (error: unknown) => {
      settle();
      socket.on('error', () => {}); // A late error of a socket that is given up has no reader.
      socket.destroy();
      reject(fromTcpError(error, options.socketPath ?? url.host));
    };
    const onAbort = () =>
      fail(new TransportError('aborted', `the request to ${url.host} was cancelled`));
    const onClose = () =>
      fail(
        new TransportError(
          'connection_lost',
          `${url.host} closed the connection during the TLS handshake`,
        ),
      );
    const timer = setTimeout(() => {
      fail(
        new TransportError(
          'timeout',
          `${url.host} did not complete a TLS handshake in ${options.timeoutMs} ms`,
        ),
      );
    }, options.timeoutMs);
    const settle = () => {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', onAbort);
      socket.off('error', fail).off('close', onClose);
    };
    socket.once('error', fail).once('close', onClose);
    socket.once('secureConnect', () => {
      const mismatch = comparePin(socket, options.tlsFingerprint, url.host);
      if (mismatch) return fail(mismatch);
      settle();
      resolve(socket);
    });
    if (options.signal?.aborted) onAbort();
    else options.signal?.addEventListener('abort', onAbort, { once: true });
  });
}

function comparePin(socket: TLSSocket, pin: string, target: string): TransportError | null {
  const certificate = socket.getPeerX509Certificate();
  if (!certificate) return new TransportError('tls_failed', `${target} showed no certificate`);
  const found = createHash('sha256').update(certificate.raw).digest();
  const expected = Buffer.from(pin, 'hex');
  if (expected.length === found.length && timingSafeEqual(found, expected)) return null;
  return new TransportError(
    'tls_fingerprint_mismatch',
    `${target} showed certificate ${found.toString('hex')}, but ${pin} is pinned: nothing was sent. Another server answers ` +
      'there, or the controller got a new certificate: compare with the fingerprint that the controller prints at its start, ' +
      'then log in again with --tls-fingerprint or use a join token made since',
  );
}
