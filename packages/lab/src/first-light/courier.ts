/**
 * Moves a file over TCP, or one datagram over UDP, between two namespaces. A program of its own
 * because a socket belongs to the
 * namespace of its process.
 *
 *   courier.ts receive HOST PORT             prints "ready", then {"bytes","sha256","ms"} of the
 *   one connection it takes
 *   courier.ts send HOST PORT FILE
 *   courier.ts udp-receive HOST PORT         prints "ready", then the datagram's text; answers
 *   nothing
 *   courier.ts udp-send HOST PORT TEXT
 */
import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { createReadStream } from 'node:fs';
import { connect, createServer } from 'node:net';
import { pipeline } from 'node:stream/promises';

/** Large reads: the file moves faster than the overlay. */
const READ_BYTES = 1_048_576;

const [mode, host = '', portText = '', last = ''] = process.argv.slice(2);
const port = Number(portText);
const family = host.includes(':') ? 'udp6' : 'udp4';

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function receive(): void {
  const server = createServer((socket) => {
    server.close();
    const began = performance.now();
    const hash = createHash('sha256');
    let bytes = 0;
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      hash.update(chunk);
    });
    socket.on('end', () => {
      print(JSON.stringify({ bytes, sha256: hash.digest('hex'), ms: performance.now() - began }));
    });
  });
  server.listen(port, host, () => print('ready'));
}

async function send(): Promise<void> {
  const socket = connect({ host, port });
  await pipeline(createReadStream(last, { highWaterMark: READ_BYTES }), socket);
}

function udpReceive(): void {
  const socket = createSocket(family);
  socket.on('message', (message) => {
    print(message.toString('utf8'));
    socket.close();
  });
  socket.bind(port, host, () => print('ready'));
}

function udpSend(): void {
  const socket = createSocket(family);
  socket.send(last, port, host, () => socket.close());
}

switch (mode) {
  case 'receive':
    receive();
    break;
  case 'send':
    await send();
    break;
  case 'udp-receive':
    udpReceive();
    break;
  case 'udp-send':
    udpSend();
    break;
  default:
    process.stderr.write(
      'usage: courier.ts receive|send|udp-receive|udp-send HOST PORT [FILE|TEXT]\n',
    );
    process.exitCode = 2;
}
