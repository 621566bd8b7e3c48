/** All agents of one run, what they have reached, and waits for it. */
import type { AgentEvents } from './agent.ts';
import { SimAgent } from './agent.ts';
import type { Target } from './wire.ts';

/** Agents that are followed message by message and verified. */
const SAMPLES = 8;
/** Tries to join, and to open links, under way at one time. */
const AT_ONCE = 64;
/** As the real agent's: a ping on a quiet link. */
const PING_MS = 15_000;

export class Fleet {
  readonly agents: SimAgent[] = [];
  /** What agents were refused with, and how often. */
  readonly refusals = new Map<string, number>();
  readonly #target: Target;
  readonly #reachedAt = new Map<SimAgent, number>();
  #goal = Number.POSITIVE_INFINITY;
  #pingTimer: NodeJS.Timeout | undefined;
  #pingAt = 0;

  constructor(target: Target) {
    this.#target = target;
  }

  /** Makes agents and joins them, AT_ONCE at a time; rejects when one is refused. */
  async join(count: number, token: string): Promise<void> {
    const agents = Array.from({ length: count }, () => this.#make());
    await each(agents, AT_ONCE, (agent) => agent.join(token));
  }

  /** Opens the links of those that have none; resolves when all hold some state. */
  async link(): Promise<void> {
    const waiting = this.agents.filter(({ state }) => state === 'down');
    const isReady = (agent: SimAgent): boolean => agent.state === 'linked' && agent.revision >= 0;
    await each(waiting, AT_ONCE, async (agent) => {
      agent.start();
      await until(() => isReady(agent), 60_000, `the link of ${agent.name}`);
    });
    this.#startPings();
  }

  get linkedCount(): number {
    return this.agents.filter(({ state }) => state === 'linked').length;
  }

  /** From here on the time at which each agent hears of a change that nobody has yet is kept. */
  watchForChange(): void {
    this.#goal = this.agents.reduce((max, { revision }) => Math.max(max, revision), 0) + 1;
    this.#reachedAt.clear();
  }

  /** The times at which all agents reached the watched revision. */
  async allReached(timeoutMs: number): Promise<number[]> {
    await until(
      () => this.#reachedAt.size === this.agents.length,
      timeoutMs,
      `revision ${this.#goal} at all agents`,
      () => `${this.#reachedAt.size} of ${this.agents.length} have it`,
    );
    return [...this.#reachedAt.values()];
  }

  stop(): void {
    clearInterval(this.#pingTimer);
    for (const agent of this.agents) agent.stop();
  }

  #make(): SimAgent {
    const events: AgentEvents = {
      onRevision: (agent, revision) => {
        if (revision >= this.#goal && !this.#reachedAt.has(agent))
          this.#reachedAt.set(agent, performance.now());
      },
      onRefused: (_, text) => {
        const key = text.replaceAll(/[0-9a-f]{8,}/g, '*').slice(0, 120);
        this.refusals.set(key, (this.refusals.get(key) ?? 0) + 1);
      },
    };
    const index = this.agents.length;
    const agent = new SimAgent(this.#target, index, { isSample: index < SAMPLES, events });
    this.agents.push(agent);
    return agent;
  }

  /** Pings are spread over their time, as those of hosts are. */
  #startPings(): void {
    clearInterval(this.#pingTimer);
    this.#pingTimer = setInterval(() => {
      const share = Math.ceil(this.agents.length / (PING_MS / 100));
      for (let n = 0; n < share; n++) this.agents[this.#pingAt++ % this.agents.length]?.ping();
    }, 100);
  }
}

/** Runs a task for each, some at a time; rejects with the first failure. */
async function each<T>(
  all: readonly T[],
  atOnce: number,
  task: (item: T) => Promise<void>,
): Promise<void> {
  const queue = all.values();
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (const item of queue) await task(item);
    }),
  );
}

/** Waits for a condition; rejects with what was waited for. */
export async function until(
  condition: () => boolean,
  timeoutMs: number,
  what: string,
  detail: () => string = () => '',
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`no ${what} in ${timeoutMs} ms ${detail()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
