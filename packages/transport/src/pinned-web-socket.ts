/** A WebSocket to a server with a pinned certificate: the same rule as createPinnedSender. */
import type { ClientRequestArgs } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import { connectPinned } from './pinned-tls.ts';
import { TransportError } from './transport-error.ts';

export interface PinnedWebSocketOptions {
  /** SHA-256 of the server certificate (DER), 64 lower-case hex digits. */
  readonly tlsFingerprint: string;
  readonly maxPayloadBytes: number;
  readonly handshakeTimeoutMs: number;
  readonly socketPath?: string;
  /** Aborting closes the socket at once, whatever its state. */
  readonly signal?: AbortSignal;
}

type OnCreate = (error: Error | null, socket?: Duplex) => void;

/**
 * Opens wss://HOST[:PORT]/PATH. The upgrade request is sent only after the pin was compared;
 * otherwise the socket emits `error` with a TransportError and then `close`. The caller listens for
 * `error`.
 */
export function openPinnedWebSocket(url: string, options: PinnedWebSocketOptions): WebSocket {
  const parsed = URL.parse(url);
  if (parsed?.protocol !== 'wss:') {
    throw new TransportError(
      'failed',
      `${JSON.stringify(url)} is no WebSocket URL: one looks like wss://192.0.2.1:8443/v1/agent`,
    );
  }
  const createConnection = (_: ClientRequestArgs, onCreate: OnCreate): undefined => {
    connectPinned(parsed, {
      tlsFingerprint: options.tlsFingerprint,
      timeoutMs: options.handshakeTimeoutMs,
      socketPath: options.socketPath,
      signal: options.signal,
    }).then(
      (socket) => {
        socket.setNoDelay(true);
        onCreate(null, socket);
      },
      (error: unknown) => onCreate(error as Error), // a TransportError
    );
  };
  const socket = new WebSocket(url, {
    // ws passes this on to node:http, which takes a callback for a connection that comes later.
    createConnection: createConnection as never,
    maxPayload: options.maxPayloadBytes,
    handshakeTimeout: options.handshakeTimeoutMs * 2, // after the connection's own
    perMessageDeflate: false,
    followRedirects: false,
  });
  const onAbort = () => socket.terminate();
  options.signal?.addEventListener('abort', onAbort, { once: true });
  socket.once('close', () => options.signal?.removeEventListener('abort', onAbort));
  return socket;
}
