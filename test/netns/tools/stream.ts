/**
 * A checked TCP stream: pseudo-random bytes from a seed go through one connection, and both ends
 * print {"bytes", "sha256"} of what they sent or received.
 *
 *   node stream.ts receive ADDRESS PORT         prints "ready" first
 *   node stream.ts send ADDRESS PORT BYTES SEED
 */
import { createCipheriv, createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

const CHUNK_BYTES = 256 * 1024;

function report(bytes: number, sha256: string): void {
  process.stdout.write(`${JSON.stringify({ bytes, sha256 })}\n`);
}

function receive(address: string, port: number): void {
  const server = createServer((socket) => {
    const hash = createHash('sha256');
    let bytes = 0;
    socket.on('data', (chunk) => {
      bytes += chunk.length;
      hash.update(chunk);
    });
    socket.on('end', () => {
      report(bytes, hash.digest('hex'));
      socket.end();
      server.close();
    });
  });
  server.listen(port, address, () => process.stdout.write('ready\n'));
}

async function send(address: string, port: number, total: number, seed: number): Promise<void> {
  const key = createHash('sha256').update(`stream ${seed}`).digest();
  const cipher = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  const zeros = Buffer.alloc(CHUNK_BYTES);
  const hash = createHash('sha256');
  const socket = connect(port, address);
  await once(socket, 'connect');
  for (let left = total; left > 0; left -= CHUNK_BYTES) {
    const chunk = cipher.update(left < CHUNK_BYTES ? zeros.subarray(0, left) : zeros);
    hash.update(chunk);
    if (!socket.write(chunk)) await once(socket, 'drain');
  }
  socket.end();
  socket.resume();
  await once(socket, 'close');
  report(total, hash.digest('hex'));
}

const [word, address = '', port = '0', bytes = '0', seed = '0'] = process.argv.slice(2);
if (word === 'receive') receive(address, Number(port));
else await send(address, Number(port), Number(bytes), Number(seed));
