/**
 * One HTTP request and its whole reply over a connection that is already made, with a time limit
 * and a size limit.
 */
import type { ClientRequest, IncomingMessage } from 'node:http';
import { request as httpRequest } from 'node:http';
import type { Socket } from 'node:net';
import type { SendReply, SendRequest } from '@etherloom/api';
import { REPLY_BYTES_MAX } from './limits.ts';
import { TransportError } from './transport-error.ts';

export interface Exchange {
  readonly socket: Socket;
  /** Path and query. */
  readonly path: string;
  readonly host: string;
  /** For error sentences. */
  readonly target: string;
  readonly timeoutMs: number;
}

/**
 * Sends and reads; closes the socket in the end. Rejects with TransportError or the socket's own
 * error.
 */
export function exchange(request: SendRequest, over: Exchange): Promise<SendReply> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({
      createConnection: () => over.socket,
      method: request.method,
      path: over.path,
      headers: { ...request.headers, host: over.host, ...lengthOf(request.body) },
    });
    const timer = setTimeout(() => {
      fail(
        new TransportError('timeout', `${over.target} gave no whole reply in ${over.timeoutMs} ms`),
      );
    }, over.timeoutMs);
    const onAbort = () =>
      fail(new TransportError('aborted', `the request to ${over.target} was cancelled`));
    const settle = () => {
      clearTimeout(timer);
      request.signal?.removeEventListener('abort', onAbort);
    };
    const fail = (error: unknown) => {
      settle();
      outgoing.destroy();
      over.socket.destroy();
      reject(error);
    };
    outgoing.on('error', fail);
    outgoing.once('response', (incoming) => {
      readReply(outgoing, incoming, over.target).then((reply) => {
        settle();
        over.socket.destroy();
        resolve(reply);
      }, fail);
    });
    if (request.signal?.aborted) return onAbort();
    request.signal?.addEventListener('abort', onAbort, { once: true });
    outgoing.end(request.body);
  });
}

function lengthOf(body: string | undefined): Record<string, string> {
  return body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
}

async function readReply(
  outgoing: ClientRequest,
  incoming: IncomingMessage,
  target: string,
): Promise<SendReply> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of incoming) {
    const bytes = chunk as Buffer; // no encoding is set, so chunks are buffers
    length += bytes.length;
    if (length > REPLY_BYTES_MAX) {
      outgoing.destroy();
      throw new TransportError(
        'reply_too_large',
        `${target} answered with more than ${REPLY_BYTES_MAX} bytes`,
      );
    }
    chunks.push(bytes);
  }
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return {
    status: incoming.statusCode ?? 0,
    headers,
    body: Buffer.concat(chunks).toString('utf8'),
  };
}
