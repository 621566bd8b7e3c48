/** Makes the server listen, and closes it. */
import type { AddressInfo } from 'node:net';
import type { ListenAddress } from '../data/listen-address.ts';
import { STOP_TIMEOUT_MS } from '../limits.ts';
import { StartupError, errorText, systemErrorCode } from '../startup-error.ts';
import type { HttpServer } from './http-server.ts';

/** Listens; gives the address with the port that it got. Rejects with StartupError. */
export async function listen(http: HttpServer, address: ListenAddress): Promise<ListenAddress> {
  try {
    await http.listen({ host: address.host, port: address.port });
  } catch (error) {
    throw new StartupError('listen_failed', explainListenError(error, address), error);
  }
  const bound = http.server.address() as AddressInfo; // a TCP server has one
  return { host: address.host, port: bound.port };
}

function explainListenError(error: unknown, { host, port }: ListenAddress): string {
  switch (systemErrorCode(error)) {
    case 'EADDRINUSE':
      return `port ${port} of ${host} is in use by another program: stop it, or choose another port with --listen HOST:PORT`;
    case 'EACCES':
      return `this user may not listen on port ${port}: choose one above 1023 with --listen HOST:PORT`;
    case 'EADDRNOTAVAIL':
    case 'EAFNOSUPPORT':
      return `this host has no address ${host}: choose one of its own with --listen HOST:PORT`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `the name ${host} does not resolve: name an address with --listen HOST:PORT`;
    default:
      return `listening at ${host} port ${port} failed: ${errorText(error)}`;
  }
}

/** Open requests get their time; connections that are idle, or busy beyond it, are cut. */
export async function closeHttp(http: HttpServer): Promise<void> {
  const timer = setTimeout(() => http.server.closeAllConnections(), STOP_TIMEOUT_MS / 2);
  await http.close();
  clearTimeout(timer);
}
