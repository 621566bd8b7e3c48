/**
 * Asks controllers for changes without a pause, by turns, and records what it asked and was
 * answered (history.ts): networks are made and deleted, nodes join one network that all share, and
 * leave it. A request that nobody answers is never repeated: its outcome stays unknown.
 */
import type { Client } from '@etherloom/api';
import { ApiError, collect } from '@etherloom/api';
import { TransportError } from '@etherloom/transport';
import type { FinalState, Operation, Outcome } from './history.ts';
import { makeJoin } from './join-without-agent.ts';
import { waitFor } from './wait.ts';

export interface LoadOptions {
  /** Begins the names of networks. */
  readonly prefix: string;
  readonly clients: readonly Client[];
  /** Requests in flight. */
  readonly workers: number;
  /** Between two requests of a worker. */
  readonly pauseMs: number;
}

export interface Load {
  readonly history: readonly Operation[];
  /** Resolves when this many more requests were acknowledged. */
  acknowledged(more: number): Promise<void>;
  /** Ends it; resolves when the last request has ended. */
  stop(): Promise<void>;
}

/** Makes the network that nodes share, and begins. */
export async function startLoad(options: LoadOptions): Promise<Load> {
  const run = new Run(options);
  await run.begin();
  const work = Promise.all(Array.from({ length: options.workers }, (_, index) => run.work(index)));
  return {
    history: run.history,
    async acknowledged(more) {
      const count = (): number =>
        run.history.filter(({ outcome }) => outcome.kind === 'acknowledged').length;
      const goal = count() + more;
      await waitFor(`${more} more requests to be acknowledged`, () => count() >= goal, {
        deadlineMs: 60_000,
      });
    },
    async stop() {
      run.isStopped = true;
      await work;
    },
  };
}

/** What a controller shows of the networks of a load. */
export async function readFinalState(client: Client, prefix: string): Promise<FinalState> {
  const all = await collect(client, 'networkList');
  const networks = all.filter(({ name }) => name.startsWith(prefix));
  const pool = `${prefix}pool`;
  const members = await collect(client, 'memberList', { params: { network: pool } });
  return {
    networks: networks.map(({ id, name, vni }) => ({ id, name, vni })),
    members: members.map(({ nodeId, addresses }) => ({ network: pool, nodeId, addresses })),
  };
}

class Run {
  readonly history: Operation[] = [];
  isStopped = false;
  readonly #options: LoadOptions;
  readonly #pool: string;
  #token = '';
  #turn = 0;
  #clock = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#pool = `${options.prefix}pool`;
  }

  async begin(): Promise<void> {
    await this.#create(this.#pool);
    const body = { network: this.#pool, uses: 100_000 };
    ({ token: this.#token } = await this.#client().call('tokenCreate', { body }));
  }

  async work(index: number): Promise<void> {
    const own: { networks: string[]; nodes: string[] } = { networks: [], nodes: [] };
    for (let round = 0; !this.isStopped; round += 1) {
      const name = `${this.#options.prefix}${index}-${round}`;
      if (round % 2 === 0 && (await this.#create(name))) own.networks.push(name);
      if (round % 2 === 1) {
        const node = await this.#join();
        if (node !== undefined) own.nodes.push(node);
      }
      if (round % 7 === 6) await this.#delete(own.networks.shift());
      if (round % 5 === 4) await this.#leave(own.nodes.shift());
      await new Promise((resolve) => setTimeout(resolve, this.#options.pauseMs));
    }
  }

  #client(): Client {
    this.#turn += 1;
    const { clients } = this.#options;
    const client = clients[this.#turn % clients.length];
    if (client === undefined) throw new Error('a load needs a controller');
    return client;
  }

  async #create(name: string): Promise<boolean> {
    const body = { name, ipv4: '10.90.0.0/16' };
    const ended = await this.#ask(() => this.#client().call('networkCreate', { body }));
    this.history.push({ what: 'create', name, ...ended });
    return ended.outcome.kind === 'acknowledged';
  }

  async #delete(name: string | undefined): Promise<void> {
    if (name === undefined) return;
    const params = { network: name };
    const ended = await this.#ask(async () => {
      await this.#client().call('networkDelete', { params });
      return null;
    });
    this.history.push({ what: 'delete', name, ...ended });
  }

  async #join(): Promise<string | undefined> {
    const { nodeId, body } = makeJoin(this.#token);
    const ended = await this.#ask(async () => {
      await this.#client().call('join', { body });
      return { addresses: null };
    });
    const addresses =
      ended.outcome.kind === 'acknowledged' ? await this.#addressesOf(nodeId) : null;
    const outcome: typeof ended.outcome =
      ended.outcome.kind === 'acknowledged'
        ? { kind: 'acknowledged', value: { addresses: null } }
        : ended.outcome;
    const known =
      addresses === null ? outcome : { kind: 'acknowledged' as const, value: { addresses } };
    this.history.push({ what: 'join', nodeId, network: this.#pool, ...ended, outcome: known });
    return outcome.kind === 'acknowledged' ? nodeId : undefined;
  }

  /** null: nobody has answered. */
  async #addressesOf(nodeId: string): Promise<readonly string[] | null> {
    try {
      const { items } = await this.#client().call('memberList', {
        params: { network: this.#pool },
        query: { node: nodeId },
      });
      return items[0]?.addresses ?? null;
    } catch {
      return null; // as good as not asked
    }
  }

  async #leave(nodeId: string | undefined): Promise<void> {
    if (nodeId === undefined) return;
    const params = { network: this.#pool, node: nodeId };
    const ended = await this.#ask(async () => {
      await this.#client().call('memberDelete', { params });
      return null;
    });
    this.history.push({ what: 'leave', nodeId, network: this.#pool, ...ended });
  }

  async #ask<T>(
    request: () => Promise<T>,
  ): Promise<{ beganAt: number; endedAt: number; outcome: Outcome<T> }> {
    const beganAt = (this.#clock += 1);
    const outcome = await outcomeOf(request);
    const endedAt = outcome.kind === 'unknown' ? Number.POSITIVE_INFINITY : (this.#clock += 1);
    return { beganAt, endedAt, outcome };
  }
}

/** Only a refusal for good says that nothing was done. */
async function outcomeOf<T>(request: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { kind: 'acknowledged', value: await request() };
  } catch (error) {
    if (error instanceof TransportError) return { kind: 'unknown' };
    if (!(error instanceof ApiError)) throw error;
    const isForGood = error.status >= 400 && error.status < 500;
    return { kind: isForGood ? 'refused' : 'unknown' };
  }
}
