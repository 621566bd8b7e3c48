/**
 * Sends each line of standard input (hex) as one UDP datagram to ADDRESS PORT, from one socket, in
 * order.
 *
 *   node send-datagrams.ts ADDRESS PORT < LINES
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const [address = '', port = '0'] = process.argv.slice(2);
const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
socket.connect(Number(port), address);
await once(socket, 'connect');
for await (const line of createInterface({ input: process.stdin })) {
  await new Promise<void>((resolve, reject) => {
    socket.send(Buffer.from(line.trim(), 'hex'), (error) => (error ? reject(error) : resolve()));
  });
}
socket.close();
