/**
 * Keeps one source address from taking all connections: those that it holds beside the links of
 * agents that have proved themselves are few. Connections above are closed before anything is read.
 *
 * And keeps a fleet that comes at once, as after an outage, from being served too late: of ten
 * thousand TLS handshakes at a time none would end before its agent gave up, and all of that work
 * would be done again. Who is closed at once comes again with a growing wait.
 */
import type { Server, Socket } from 'node:net';
import {
  CONNECTIONS_PER_SOURCE_MAX,
  HANDSHAKES_MAX,
  HANDSHAKES_PER_SOURCE_MAX,
} from '../limits.ts';
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

/** Bounds the TLS handshakes that are under way at one time, in all and from one source. */
export function limitHandshakes(server: Server): void {
  /** Sources by address and port. */
  const begun = new Map<string, string>();
  const counts = new Map<string, number>();
  const end = (key: string): void => {
    const source = begun.get(key);
    if (source === undefined || !begun.delete(key)) return;
    const left = (counts.get(source) ?? 1) - 1;
    if (left === 0) counts.delete(source);
    else counts.set(source, left);
  };
  server.prependListener('connection', (socket) => {
    const source = sourceOf(plainAddress(socket.remoteAddress));
    const count = counts.get(source) ?? 0;
    if (begun.size >= HANDSHAKES_MAX || count >= HANDSHAKES_PER_SOURCE_MAX) {
      socket.destroy();
      return;
    }
    const key = keyOf(socket);
    begun.set(key, source);
    counts.set(source, count + 1);
    socket.once('close', () => end(key));
  });
  server.on('secureConnection', (socket: Socket) => end(keyOf(socket)));
}

function keyOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
