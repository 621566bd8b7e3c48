/** HTTP requests over a unix socket: how `loom` asks the agent of its host. */
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import type { Send } from '@etherloom/api';
import { exchange } from './http-exchange.ts';
import { CONNECT_TIMEOUT_MS } from './limits.ts';
import { TransportError, fromUnixError } from './transport-error.ts';

/** A sender whose `url` is a path such as /v1/status. Rejects with TransportError. */
export function createUnixSender(
  socketPath: string,
  options: { readonly timeoutMs: number },
): Send {
  return async (request) => {
    try {
      const socket = await connectUnix(socketPath);
      return await exchange(request, {
        socket,
        path: request.url,
        host: 'localhost',
        target: `the agent at ${socketPath}`,
        timeoutMs: options.timeoutMs,
      });
    } catch (error) {
      throw fromUnixError(error, socketPath);
    }
  };
}

function connectUnix(socketPath: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path: socketPath });
    const timer = setTimeout(() => {
      socket.destroy(
        new TransportError(
          'timeout',
          `the agent at ${socketPath} takes no connection: is it stopped?`,
        ),
      );
    }, CONNECT_TIMEOUT_MS);
    socket.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.removeAllListeners('error');
      resolve(socket);
    });
  });
}
