/**
 * Keeps one source address from taking all connections: those that it holds beside the links of
 * agents that have proved themselves are few. Connections above are closed before anything is read.
 */
import type { Server } from 'node:net';
import { CONNECTIONS_PER_SOURCE_MAX } from '../limits.ts';
import { plainAddress, sourceOf } from './token-bucket.ts';

/** `openLinks` counts the proved links of a source. */
export function limitConnections(server: Server, openLinks: (source: string) => number): void {
  const counts = new Map<string, number>(); // as many entries as there are connections, at most
  server.prependListener('connection', (socket) => {
    const source = sourceOf(plainAddress(socket.remoteAddress));
    const count = (counts.get(source) ?? 0) + 1;
    counts.set(source, count);
    socket.once('close', () => {
      const left = (counts.get(source) ?? 1) - 1;
      if (left === 0) counts.delete(source);
      else counts.set(source, left);
    });
    if (count - openLinks(source) > CONNECTIONS_PER_SOURCE_MAX) socket.destroy();
  });
}
