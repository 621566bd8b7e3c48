/** What a run of agents measures, one phase after the other, against one controller process. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from '@etherloom/api';
import { createClient } from '@etherloom/api';
import { createPinnedSender } from '@etherloom/transport';
import type { ControllerProcess } from './controller-process.ts';
import { cpuMsOf, startControllerProcess } from './controller-process.ts';
import { Fleet, until } from './fleet.ts';
import { verifySamples } from './sample.ts';

export interface Options {
  readonly agents: number;
  /** Numbers of members at which the cost of a join is looked at; each at most `agents`. */
  readonly sizes: readonly number[];
  readonly idleMs: number;
  readonly nodeFlags: readonly string[];
  readonly say: (text: string) => void;
}

/** Joins of which the cost at one size is the mean. */
const WINDOW = 100;
const NETWORK = 'fleet';

export interface JoinCost {
  readonly members: number;
  readonly cpuMsPerJoin: number;
  readonly joinsPerSecond: number;
}

export interface Figures {
  readonly agents: number;
  readonly joins: readonly JoinCost[];
  /** d log(CPU) / d log(members) over `joins`. */
  readonly joinExponent: number;
  /** Joins while all others are linked, each with its link. */
  readonly joinsAmongLinked: JoinCost;
  readonly links: {
    readonly cpuMsPerLink: number;
    readonly linksPerSecond: number;
    readonly rssBytesPerAgent: number;
    readonly rssBytes: number;
  };
  readonly change: { readonly p50Ms: number; readonly p99Ms: number; readonly maxMs: number };
  readonly idleCpuShare: number;
  readonly storm: {
    readonly startMs: number;
    readonly steadyMs: number;
    readonly controllerCpuMs: number;
    readonly refusals: Readonly<Record<string, number>>;
  };
  readonly verifiedSamples: number;
  /** What the agents' side cost meanwhile: on the same machine. */
  readonly fleetCpuMs: number;
}

/** Runs all phases. */
export async function measure(options: Options): Promise<Figures> {
  const directory = mkdtempSync(join(tmpdir(), 'etherloom-sim-agents-'));
  const begun = cpuMsOf('self');
  let controller = await startControllerProcess(directory, 0, options.nodeFlags);
  const fleet = new Fleet({ host: '127.0.0.1', ...controller });
  try {
    const client = clientOf(controller);
    const token = await makeNetwork(client);
    const joins = await growAndMeasure(options, controller, fleet, token);
    const links = await linkAll(options, controller, fleet);
    const joinsAmongLinked = await joinAmongLinked(options, controller, fleet, token);
    const change = await changeAll(options, client, fleet);
    const idleCpuShare = await idle(options, controller);
    const storm = await stormBy(options, fleet, async () => {
      await controller.kill();
      controller = await startControllerProcess(directory, controller.port, options.nodeFlags);
      return controller;
    });
    const verifiedSamples = verifySamples(fleet.agents);
    options.say(`${verifiedSamples} samples hold a state that is proved`);
    return {
      agents: fleet.agents.length,
      joins,
      joinExponent: exponentOf(joins),
      joinsAmongLinked,
      links,
      change,
      idleCpuShare,
      storm,
      verifiedSamples,
      fleetCpuMs: cpuMsOf('self') - begun,
    };
  } finally {
    fleet.stop();
    await controller.kill();
    rmSync(directory, { recursive: true, force: true });
  }
}

function clientOf(controller: ControllerProcess): Client {
  const { url, tlsFingerprint, adminToken } = controller;
  return createClient({
    baseUrl: url,
    send: createPinnedSender({ tlsFingerprint, timeoutMs: 60_000 }),
    token: adminToken,
  });
}

async function makeNetwork(client: Client): Promise<string> {
  await client.call('networkCreate', { body: { name: NETWORK, ipv4: '10.0.0.0/16' } });
  const body = { network: NETWORK, uses: 1_000_000 };
  return (await client.call('tokenCreate', { body })).token;
}

async function growAndMeasure(
  { sizes, agents, say }: Options,
  controller: ControllerProcess,
  fleet: Fleet,
  token: string,
): Promise<JoinCost[]> {
  const costs: JoinCost[] = [];
  for (const size of sizes) {
    const window = Math.min(WINDOW, Math.ceil(size / 2));
    await fleet.join(size - window - fleet.agents.length, token);
    const cost = await costOf(controller, window, () => fleet.join(window, token));
    costs.push({ members: size, ...cost });
    say(
      `${size} members: ${cost.cpuMsPerJoin.toFixed(2)} ms of CPU a join, ${cost.joinsPerSecond.toFixed(0)} a second`,
    );
  }
  await fleet.join(agents - fleet.agents.length, token);
  return costs;
}

async function costOf(
  controller: ControllerProcess,
  count: number,
  work: () => Promise<void>,
): Promise<{ readonly cpuMsPerJoin: number; readonly joinsPerSecond: number }> {
  const [cpuMs, atMs] = [controller.cpuMs(), performance.now()];
  await work();
  return {
    cpuMsPerJoin: (controller.cpuMs() - cpuMs) / count,
    joinsPerSecond: (count * 1_000) / (performance.now() - atMs),
  };
}

async function linkAll(
  { say }: Options,
  controller: ControllerProcess,
  fleet: Fleet,
): Promise<Figures['links']> {
  const before = controller.rssBytes();
  const { cpuMsPerJoin, joinsPerSecond } = await costOf(controller, fleet.agents.length, () =>
    fleet.link(),
  );
  const rssBytes = await settledRss(controller);
  const rssBytesPerAgent = (rssBytes - before) / fleet.agents.length;
  const cost = `${cpuMsPerJoin.toFixed(2)} ms of CPU a link, ${joinsPerSecond.toFixed(0)} a second`;
  say(`${fleet.agents.length} links: ${cost}, ${(rssBytesPerAgent / 1_024).toFixed(1)} KB each`);
  return {
    cpuMsPerLink: cpuMsPerJoin,
    linksPerSecond: joinsPerSecond,
    rssBytesPerAgent,
    rssBytes,
  };
}

/** After what was there for a moment only is given back. */
async function settledRss(controller: ControllerProcess): Promise<number> {
  let least = controller.rssBytes();
  const untilMs = performance.now() + 5_000;
  while (performance.now() < untilMs) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    least = Math.min(least, controller.rssBytes());
  }
  return least;
}

async function joinAmongLinked(
  { say }: Options,
  controller: ControllerProcess,
  fleet: Fleet,
  token: string,
): Promise<JoinCost> {
  const members = fleet.agents.length;
  const count = Math.min(WINDOW, members);
  const cost = await costOf(controller, count, async () => {
    await fleet.join(count, token);
    await fleet.link();
  });
  say(`${members} members, all linked: ${cost.cpuMsPerJoin.toFixed(2)} ms of CPU a join and link`);
  return { members, ...cost };
}

async function changeAll(
  { say }: Options,
  client: Client,
  fleet: Fleet,
): Promise<Figures['change']> {
  const takenMs: number[] = [];
  for (const clones of ['reject', 'replace', 'split'] as const) {
    // All are current before: what is measured is one change.
    fleet.watchForChange();
    const begun = performance.now();
    await client.call('networkSettings', { params: { network: NETWORK }, body: { clones } });
    takenMs.push(...(await fleet.allReached(120_000)).map((at) => at - begun));
  }
  takenMs.sort((a, b) => a - b);
  const at = (share: number): number => takenMs[Math.ceil(share * takenMs.length) - 1] ?? 0;
  const change = { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
  say(`one change to all: p50 ${change.p50Ms.toFixed(0)} ms, p99 ${change.p99Ms.toFixed(0)} ms`);
  return change;
}

async function idle({ idleMs, say }: Options, controller: ControllerProcess): Promise<number> {
  const before = controller.cpuMs();
  await new Promise((resolve) => setTimeout(resolve, idleMs));
  const share = (controller.cpuMs() - before) / idleMs;
  say(`idle: ${(share * 100).toFixed(1)} % of a core`);
  return share;
}

/** Steady: every agent is linked, and holds a change that was made after the restart. */
async function stormBy(
  { say }: Options,
  fleet: Fleet,
  restart: () => Promise<ControllerProcess>,
): Promise<Figures['storm']> {
  fleet.refusals.clear();
  const begun = performance.now();
  const controller = await restart();
  const startMs = performance.now() - begun;
  const client = clientOf(controller);
  fleet.watchForChange();
  await changeAfterStorm(client);
  await fleet.allReached(300_000);
  await until(() => fleet.linkedCount === fleet.agents.length, 300_000, 'link of every agent');
  const steadyMs = performance.now() - begun;
  const refusals = Object.fromEntries(fleet.refusals);
  say(
    `killed and started again in ${startMs.toFixed(0)} ms, all ${fleet.agents.length} current after ${(steadyMs / 1_000).toFixed(1)} s`,
  );
  return { startMs, steadyMs, controllerCpuMs: controller.cpuMs(), refusals };
}

/** A person who tries until it is done: the controller may be busy with ten thousand handshakes. */
async function changeAfterStorm(client: Client): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      const params = { network: NETWORK };
      await client.call('networkSettings', { params, body: { clones: 'reject' } });
      return;
    } catch (error) {
      if (tries >= 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }
}

/** Slope of the line through the logarithms. */
export function exponentOf(costs: readonly JoinCost[]): number {
  const points = costs.map(({ members, cpuMsPerJoin }) => [
    Math.log(members),
    Math.log(cpuMsPerJoin),
  ]);
  const mean = (at: 0 | 1): number =>
    points.reduce((sum, point) => sum + (point[at] ?? 0), 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  let above = 0;
  let below = 0;
  for (const [px = 0, py = 0] of points) {
    above += (px - x) * (py - y);
    below += (px - x) ** 2;
  }
  return below === 0 ? 0 : above / below;
}
