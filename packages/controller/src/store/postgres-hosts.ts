/**
 * Which of the servers of a database takes writes. A URL may name several, as libpq has it: a
 * primary and its standbys. They are tried in turn, beginning with the one that was right last; a
 * standby is passed over.
 */
import type { Duplex } from 'node:stream';
import type { ClientBase, ClientConfig } from 'pg';
import { Client } from 'pg';
import type { PostgresTarget } from './postgres-target.ts';

/** Remembers which server was right, for all connections of a target. */
export class Hosts {
  readonly #urls: readonly string[];
  #turn = 0;

  constructor(urls: readonly string[]) {
    this.#urls = urls;
  }

  get count(): number {
    return this.#urls.length;
  }

  /** URL of the server that is tried next. */
  get url(): string {
    return this.#urls[this.#turn % this.#urls.length] ?? '';
  }

  /** The server of a URL was not the right one; another one is next, unless that is known. */
  pass(url: string): void {
    if (this.url === url) this.#turn += 1;
  }
}

const hostsOfTargets = new WeakMap<PostgresTarget, Hosts>();

/** The servers of a target. */
export function hostsOf(target: PostgresTarget): Hosts {
  const known = hostsOfTargets.get(target) ?? new Hosts(target.urls);
  hostsOfTargets.set(target, known);
  return known;
}

/** Does nothing on the server that takes writes. Rejects on a standby. */
export async function assertWritable(client: ClientBase): Promise<void> {
  const { rows } = await client.query('select pg_is_in_recovery() as "isStandby"');
  const [row] = rows as { isStandby: boolean }[]; // as the text says
  if (row?.isStandby !== true) return;
  throw Object.assign(new Error('the server is a standby'), { code: '25006' });
}

/** Opens a connection of its own to the server that takes writes. */
export async function connectWriter(
  target: PostgresTarget,
  config: (url: string) => ClientConfig,
): Promise<Client> {
  const hosts = hostsOf(target);
  for (let left = hosts.count; ; left -= 1) {
    const { url } = hosts;
    const client = new Client(config(url));
    // What fails without anybody asking is told by the next query.
    client.on('error', () => undefined);
    try {
      await client.connect();
      await assertWritable(client);
      return client;
    } catch (error) {
      destroyClient(client);
      hosts.pass(url);
      if (left <= 1) throw error;
    }
  }
}

interface WithStream {
  readonly connection?: { readonly stream: Duplex };
}

/** Without a farewell, for which a network that is cut would keep it waiting. */
export function destroyClient(client: ClientBase): void {
  if (client instanceof Client) client.end().catch(() => undefined); // it is gone either way
  const { connection } = client as unknown as WithStream; // what its types leave out
  connection?.stream.destroy();
}
