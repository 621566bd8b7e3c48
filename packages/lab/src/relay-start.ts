/** Starts relay.ts in a namespace. */
import { createServer } from 'node:net';
import { CHECKOUT } from './checkout.ts';
import { LabError } from './lab-error.ts';
import { START_DEADLINE_MS } from './limits.ts';
import type { Namespace } from './namespaces.ts';
import type { World } from './world.ts';

export interface RelayOptions {
  readonly namespace: Namespace;
  /** Where the server listens, as the namespace sees it. */
  readonly host: string;
  readonly port: number;
  readonly label: string;
}

/** Resolves to the port of 127.0.0.1 that leads to the server. */
export async function startRelay(world: World, options: RelayOptions): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string')
    throw new TypeError('a TCP server has an address record');
  const relay = await world.spawn({
    label: options.label,
    namespace: options.namespace,
    argv: [CHECKOUT.node, CHECKOUT.relayMain, options.host, String(options.port)],
    ipc: true,
  });
  const ready = new Promise<void>((resolve) => {
    relay.child.once('message', () => resolve());
  });
  relay.child.send('server', server);
  const late = AbortSignal.timeout(START_DEADLINE_MS);
  const passed = new Promise<never>((_, reject) => {
    late.addEventListener('abort', () =>
      reject(new LabError('deadline_passed', `${options.label} did not start`)),
    );
  });
  await Promise.race([ready, passed, relay.exited.then(() => relay.assertRunning())]);
  server.close();
  // The channel tells the relay when this process ends, but must not keep it from ending.
  relay.child.unref();
  relay.child.channel?.unref();
  return address.port;
}
