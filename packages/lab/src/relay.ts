/**
 * Carries TCP connections from a port of the machine's loopback into a namespace, so that a
 * controller in a namespace can be reached by
 * a browser or `loom` outside of it while the machine gets no device, address or route.
 *
 * The parent makes the listening socket and hands it over: a socket keeps the network namespace it
 * was made in, while what this process
 * connects lies in its own. TLS passes through unopened. Run by startRelay() in relay-start.ts;
 * ends when its parent does.
 *
 *   relay.ts HOST PORT
 */
import type { Server } from 'node:net';
import { connect } from 'node:net';

/** Far above what a browser and some commands open. */
const CONNECTIONS_MAX = 256;

const [host, port] = process.argv.slice(2);

process.once('message', (_: unknown, handle: unknown) => {
  const server = handle as Server; // startRelay sends a server
  server.maxConnections = CONNECTIONS_MAX;
  server.on('connection', (inside) => {
    const onward = connect({ host: String(host), port: Number(port) });
    inside.on('error', () => onward.destroy());
    onward.on('error', () => inside.destroy());
    inside.on('close', () => onward.destroy());
    onward.on('close', () => inside.destroy());
    inside.pipe(onward);
    onward.pipe(inside);
  });
  process.send?.('ready');
});
process.once('disconnect', () => process.exit(0));
