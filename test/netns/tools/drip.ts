/**
 * A TCP stream that never rests, and the longest silence of it: ten bytes every 10 ms, counted up,
 * so that a byte that is lost or comes twice is seen.
 *
 *   node drip.ts receive ADDRESS PORT   prints {"bytes", "silenceMs"} every 100 ms: bytes so far,
 *                                       and the longest time without any since the line before
 *   node drip.ts send ADDRESS PORT      until it is killed
 */
import { connect, createServer } from 'node:net';

const PERIOD_MS = 10;
const CHUNK_BYTES = 10;
const REPORT_MS = 100;

function receive(address: string, port: number): void {
  let bytes = 0;
  let lastAt = performance.now();
  let silenceMs = 0;
  const server = createServer((socket) => {
    lastAt = performance.now();
    socket.on('data', (chunk) => {
      const now = performance.now();
      silenceMs = Math.max(silenceMs, now - lastAt);
      lastAt = now;
      for (const byte of chunk) {
        if (byte !== bytes % 256) throw new Error(`byte ${bytes} of the stream is ${byte}`);
        bytes += 1;
      }
    });
    setInterval(() => {
      const soFar = Math.max(silenceMs, performance.now() - lastAt);
      process.stdout.write(`${JSON.stringify({ bytes, silenceMs: Math.round(soFar) })}\n`);
      silenceMs = 0;
    }, REPORT_MS);
  });
  server.listen(port, address, () => process.stdout.write('ready\n'));
}

function send(address: string, port: number): void {
  let sent = 0;
  const socket = connect(port, address, () => {
    socket.setNoDelay(true);
    setInterval(() => {
      socket.write(Uint8Array.from({ length: CHUNK_BYTES }, (_, at) => (sent + at) % 256));
      sent += CHUNK_BYTES;
    }, PERIOD_MS);
  });
}

const [word, address = '', port = '0'] = process.argv.slice(2);
if (word === 'receive') receive(address, Number(port));
else send(address, Number(port));
