/**
 * Traffic that checks itself: a TCP stream of pseudo-random bytes that the receiver computes too
 * and compares byte for byte as they come, and UDP packets with a sequence number and bytes that
 * follow from it. Both ends print one JSON line a second.
 *
 *   node courier.ts receive ADDRESS PORT
 *   node courier.ts send ADDRESS PORT SEED BYTES_PER_SECOND
 *
 * A wrong byte ends the receiver with status 3 and a line that says where.
 */
import { createCipheriv, createHash } from 'node:crypto';
import type { Cipheriv } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

const TICK_MS = 20;
const REPORT_MS = 1_000;
const RECONNECT_MS = 500;
const CHUNK_BYTES_MAX = 256 * 1_024;
const SEED_BYTES = 4;
const UDP_PER_TICK = 4;
/** Sequence number, length of the packet, and at least one byte to compare. */
const UDP_BYTES_MIN = 16;
const UDP_BYTES_SPAN = 1_200;
/** Sequence numbers that are remembered to tell repeated packets from late ones. */
const UDP_WINDOW = 65_536;
const WRONG_BYTES_STATUS = 3;

const stats = {
  tcpBytes: 0,
  connections: 0,
  udpPackets: 0,
  udpLost: 0,
  udpRepeated: 0,
  udpLate: 0,
  wrong: '',
};

function keyStream(seed: number): Cipheriv {
  const key = createHash('sha256').update(`soak ${seed}`).digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
}

const ZEROS = Buffer.alloc(CHUNK_BYTES_MAX);
/** Bytes of UDP packets: one table, from which a packet takes its part by its number. */
const UDP_TABLE = keyStream(0).update(ZEROS);

function packetOf(sequence: number): Buffer {
  const length = UDP_BYTES_MIN + ((sequence * 7_919) % UDP_BYTES_SPAN);
  const packet = Buffer.alloc(length);
  packet.writeDoubleBE(sequence, 0);
  const from = (sequence * 31) % (CHUNK_BYTES_MAX - UDP_BYTES_SPAN - UDP_BYTES_MIN);
  UDP_TABLE.copy(packet, 8, from, from + length - 8);
  return packet;
}

function report(): void {
  process.stdout.write(`${JSON.stringify(stats)}\n`);
}

function fail(what: string): never {
  stats.wrong = what;
  report();
  process.exit(WRONG_BYTES_STATUS);
}

function receiveStream(socket: Socket): void {
  stats.connections++;
  let head = Buffer.alloc(0);
  let expected: Cipheriv | undefined;
  let at = 0;
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    let bytes = chunk;
    if (expected === undefined) {
      head = Buffer.concat([head, bytes]);
      if (head.length < SEED_BYTES) return;
      expected = keyStream(head.readUInt32BE(0));
      bytes = head.subarray(SEED_BYTES);
    }
    for (let from = 0; from < bytes.length; from += CHUNK_BYTES_MAX) {
      const part = bytes.subarray(from, from + CHUNK_BYTES_MAX);
      const wanted = expected.update(ZEROS.subarray(0, part.length));
      if (!part.equals(wanted)) fail(`stream differs after byte ${at}`);
      at += part.length;
      stats.tcpBytes += part.length;
    }
  });
}

function receivePackets(address: string, port: number): void {
  const socket = createSocket('udp4');
  const seen = new Uint8Array(UDP_WINDOW);
  let next = -1;
  socket.on('message', (packet) => {
    const sequence = packet.length >= UDP_BYTES_MIN ? packet.readDoubleBE(0) : -1;
    if (!Number.isSafeInteger(sequence) || sequence < 0 || !packet.equals(packetOf(sequence)))
      fail(`packet ${sequence} differs`);
    stats.udpPackets++;
    if (next < 0 || sequence < next - UDP_WINDOW) next = sequence; // another sender began
    if (sequence >= next) {
      for (let n = next; n <= sequence; n++) seen[n % UDP_WINDOW] = 0;
      stats.udpLost += sequence - next;
      next = sequence + 1;
    } else if (seen[sequence % UDP_WINDOW] === 1) {
      stats.udpRepeated++;
    } else {
      stats.udpLate++;
      stats.udpLost--;
    }
    seen[sequence % UDP_WINDOW] = 1;
  });
  socket.bind(port, address);
}

async function sendStream(
  address: string,
  port: number,
  seed: number,
  bytesPerSecond: number,
): Promise<void> {
  for (let turn = 0; ; turn++) {
    const socket = connect(port, address);
    try {
      await once(socket, 'connect');
      stats.connections++;
      const header = Buffer.alloc(SEED_BYTES);
      header.writeUInt32BE((seed + turn) >>> 0);
      socket.write(header);
      await pump(socket, keyStream((seed + turn) >>> 0), bytesPerSecond);
    } catch {
      socket.destroy();
      await pause(RECONNECT_MS);
    }
  }
}

async function pump(socket: Socket, bytes: Cipheriv, bytesPerSecond: number): Promise<void> {
  let failure: Error | undefined;
  socket.on('error', (error) => (failure = error));
  const perTick = Math.min(CHUNK_BYTES_MAX, Math.ceil((bytesPerSecond * TICK_MS) / 1_000));
  for (;;) {
    if (failure !== undefined || socket.destroyed) throw failure ?? new Error('closed');
    const chunk = bytes.update(ZEROS.subarray(0, perTick));
    const hasRoom = socket.write(chunk);
    stats.tcpBytes += chunk.length;
    if (hasRoom) await pause(TICK_MS);
    else await Promise.race([once(socket, 'drain'), once(socket, 'close')]);
  }
}

async function sendPackets(address: string, port: number): Promise<void> {
  const socket = createSocket('udp4');
  socket.on('error', () => undefined); // no route for a moment is part of the exercise
  for (let sequence = 0; ;) {
    for (let i = 0; i < UDP_PER_TICK; i++, sequence++) {
      socket.send(packetOf(sequence), port, address, () => undefined);
      stats.udpPackets++;
    }
    await pause(TICK_MS);
  }
}

const [word, address = '', port = '0', seed = '0', bytesPerSecond = '0'] = process.argv.slice(2);
setInterval(report, REPORT_MS);
if (word === 'receive') {
  receivePackets(address, Number(port));
  createServer(receiveStream).listen(Number(port), address, () => process.stdout.write('ready\n'));
} else {
  void sendPackets(address, Number(port));
  await sendStream(address, Number(port), Number(seed), Number(bytesPerSecond));
}
