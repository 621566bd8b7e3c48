/**
 * HTTPS requests whose replies go on: the watch stream, exports. The same pin as for any request;
 * the time limit counts to the head of the reply alone.
 */
import { request as httpRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { SendStream, StreamReply } from '@etherloom/api';
import { parseHttpsUrl } from './pinned-sender.ts';
import type { PinnedSenderOptions } from './pinned-sender.ts';
import { connectPinned } from './pinned-tls.ts';
import { TransportError, fromTcpError } from './transport-error.ts';

/** A sender of such requests. Rejects with TransportError. */
export function createPinnedStreamer(options: PinnedSenderOptions): SendStream {
  return async (request) => {
    const url = parseHttpsUrl(request.url);
    const socket = await connectPinned(url, { ...options, signal: request.signal });
    try {
      const incoming = await begin(socket, url, request, options.timeoutMs);
      return toReply(incoming, socket, url.host);
    } catch (error) {
      socket.destroy();
      throw fromTcpError(error, url.host);
    }
  };
}

function begin(
  socket: Socket,
  url: URL,
  request: Parameters<SendStream>[0],
  timeoutMs: number,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({
      createConnection: () => socket,
      method: request.method,
      path: url.pathname + url.search,
      headers: { ...request.headers, host: url.host },
    });
    const timer = setTimeout(() => {
      outgoing.destroy(
        new TransportError('timeout', `${url.host} gave no reply in ${timeoutMs} ms`),
      );
    }, timeoutMs);
    const onAbort = (): void =>
      void outgoing.destroy(
        new TransportError('aborted', `the request to ${url.host} was cancelled`),
      );
    outgoing.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    outgoing.once('response', (incoming) => {
      clearTimeout(timer);
      incoming.once('close', () => request.signal?.removeEventListener('abort', onAbort));
      resolve(incoming);
    });
    if (request.signal?.aborted) return onAbort();
    request.signal?.addEventListener('abort', onAbort, { once: true });
    outgoing.end(request.body);
  });
}

function toReply(incoming: IncomingMessage, socket: Socket, target: string): StreamReply {
  incoming.setEncoding('utf8');
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(incoming.headers))
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  return { status: incoming.statusCode ?? 0, headers, chunks: chunksOf(incoming, socket, target) };
}

async function* chunksOf(
  incoming: IncomingMessage,
  socket: Socket,
  target: string,
): AsyncGenerator<string> {
  try {
    for await (const chunk of incoming) yield chunk as string; // its encoding is set
    if (!incoming.complete)
      throw new TransportError('failed', `${target} broke off in the middle of its reply`);
  } catch (error) {
    throw fromTcpError(error, target);
  } finally {
    socket.destroy();
  }
}
