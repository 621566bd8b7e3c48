import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { CONNECTIONS_PER_SOURCE_MAX, HANDSHAKES_PER_SOURCE_MAX } from '../limits.ts';
import { limitConnections, limitHandshakes } from './connection-limit.ts';

const sockets: Socket[] = [];
const server = createServer((socket) => void socket.on('error', () => undefined));

afterEach(() => {
  for (const socket of sockets) socket.destroy();
  server.close();
});

test('a source has so many connections beside its links, and others when some end', async () => {
  const links = 2;
  limitConnections(server, (source) => (source === '127.0.0.1' ? links : 0));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const allowed = CONNECTIONS_PER_SOURCE_MAX + links;
  while (sockets.length < allowed) await open();
  await expect.poll(connections).toBe(allowed);
  const excess = await open();
  await once(excess, 'close');
  expect(await connections()).toBe(allowed);
  sockets[0]?.destroy();
  await expect.poll(connections).toBe(allowed - 1);
  const next = await open();
  await expect.poll(connections).toBe(allowed);
  expect(next.destroyed).toBe(false);
});

async function open(): Promise<Socket> {
  const { port } = server.address() as AddressInfo; // it listens on TCP
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.resume();
  sockets.push(socket);
  await once(socket, 'connect');
  return socket;
}

function connections(): Promise<number> {
  return new Promise((resolve, reject) =>
    server.getConnections((error, count) => (error === null ? resolve(count) : reject(error))),
  );
}

test('a source has so many handshakes under way, and others when some end', async () => {
  const quiet = createServer((socket) => void socket.on('error', () => undefined));
  limitHandshakes(quiet);
  await new Promise<void>((resolve) => quiet.listen(0, '127.0.0.1', resolve));
  const { port } = quiet.address() as AddressInfo; // it listens on TCP
  const begin = async (): Promise<Socket> => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.resume();
    sockets.push(socket);
    await once(socket, 'connect');
    return socket;
  };
  const begun: Socket[] = [];
  for (let n = 0; n < HANDSHAKES_PER_SOURCE_MAX; n++) begun.push(await begin());
  await once(await begin(), 'close');
  // As TLS says it when a handshake is done: from the server's side of the connection.
  const { localAddress: remoteAddress, localPort: remotePort } = begun[0] ?? {};
  quiet.emit('secureConnection', { remoteAddress, remotePort });
  const next = await begin();
  await once(await begin(), 'close');
  expect(next.destroyed).toBe(false);
  quiet.close();
});
