/**
 * What the controller measures of itself, in the words of Prometheus. Names begin with
 * `etherloom_controller_`, say their unit, and end in `_total` when they only rise. Labels are of
 * few values: the names of routes, methods and statuses, never of what a caller chooses.
 */
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import { VERSION } from '../version.ts';
import type { Exposition } from './metrics-server.ts';

/** What is read when somebody looks. */
export interface Sources {
  /** Agents that are connected here. */
  readonly links: () => number;
  readonly pendingLinks: () => number;
  readonly watchers: () => number;
  /** Computations of passwords that run or wait. */
  readonly passwordQueue: () => number;
  readonly transactions: () => {
    readonly done: number;
    readonly runs: number;
    readonly failed: number;
  };
  /** Numbers of the newest entries of all ledgers, added up. */
  readonly ledgerEntries: () => Promise<number>;
  readonly isReady: () => boolean;
}

export interface Metrics extends Exposition {
  /** Notes a request that was answered. */
  observeRequest(
    request: { readonly route: string; readonly method: string; readonly status: number },
    elapsedMs: number,
  ): void;
}

const PREFIX = 'etherloom_controller_';
/** From a reading of a row to a computation of a password, seconds. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

/** Metrics of a controller. */
export function createMetrics(sources: Sources): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry, prefix: PREFIX });
  new Gauge({
    name: `${PREFIX}info`,
    help: '1; the version is a label.',
    labelNames: ['version'],
    registers,
  }).set({ version: VERSION }, 1);
  const requests = new Counter({
    name: `${PREFIX}requests_total`,
    help: 'Requests that were answered, by route, method and status.',
    labelNames: ['route', 'method', 'status'],
    registers,
  });
  const durations = new Histogram({
    name: `${PREFIX}request_seconds`,
    help: 'Time from the head of a request to the end of its reply, by route.',
    labelNames: ['route'],
    buckets: BUCKETS,
    registers,
  });
  addGauges(registers, sources);
  addTransactions(registers, sources);
  return {
    contentType: registry.contentType,
    render: () => registry.metrics(),
    observeRequest({ route, method, status }, elapsedMs) {
      requests.inc({ route, method, status: String(status) });
      durations.observe({ route }, elapsedMs / 1_000);
    },
  };
}

function addGauges(registers: Registry[], sources: Sources): void {
  const gauges: readonly (readonly [string, string, () => number | Promise<number>])[] = [
    ['links', 'Agents that are connected here.', sources.links],
    ['pending_links', 'Links that have not authenticated.', sources.pendingLinks],
    ['watchers', 'Watch streams that are open here.', sources.watchers],
    ['password_queue', 'Computations of passwords that run or wait.', sources.passwordQueue],
    ['ledger_entries', 'Entries that were ever written, of all ledgers.', sources.ledgerEntries],
    ['ready', '1 while requests are taken.', () => Number(sources.isReady())],
  ];
  for (const [name, help, read] of gauges)
    new Gauge({
      name: PREFIX + name,
      help,
      registers,
      async collect() {
        // What cannot be read, as while the database is away, is not shown.
        const value = await Promise.resolve(read()).catch(() => Number.NaN);
        if (Number.isNaN(value)) this.reset();
        else this.set(value);
      },
    });
}

function addTransactions(registers: Registry[], { transactions }: Sources): void {
  const counters = [
    ['transactions_total', 'Transactions that were committed.', 'done'],
    ['transaction_runs_total', 'Runs of transactions: one each, and one for each repeat.', 'runs'],
    ['transactions_failed_total', 'Transactions that were rolled back.', 'failed'],
  ] as const;
  for (const [name, help, field] of counters)
    new Counter({
      name: PREFIX + name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(transactions()[field]);
      },
    });
}
