/**
 * The soak: four hosts under churn, loss, reordering and rekeys every few seconds, for as long as
 * is wished. Streams and packets that check themselves run all the while; memory and drops are
 * watched.
 *
 *   npm run soak -- [--minutes N] [--seed N] [--json FILE] [--datapath PROGRAM]
 *
 * Exit status 0 when every byte was right, everything healed in time, memory stayed flat and
 * nothing was dropped for an unexpected reason. The seed is printed: the same one does the same
 * things in the same order (when they happen differs, as the machine does).
 */
import { randomInt } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CHECKOUT, runCommand } from '@etherloom/lab';
import { buildScenario } from '../netns/scenario.ts';
import type { Scenario } from '../netns/scenario.ts';
import { chanceOf } from './chance.ts';
import { enter, impairLine, setLoss, startCourier, untilWhole } from './hosts.ts';
import type { Courier, CourierStats, SoakHost } from './hosts.ts';
import { come, nextOperation } from './operations.ts';
import type { Soak } from './operations.ts';
import { Watch } from './watch.ts';

const REKEY_MS = 2_000;
const SEED_LIMIT = 1 << 30;
/** Of frames on gamma's line, in a million. */
const BAD_LINE = { loss: 5_000, reorder: 20_000, duplicate: 10_000 };
const DWELL_MS_MAX = 3_000;
const HEAL_DEADLINE_MS = 60_000;
/** Restarts of the controller happen in this part of the run. */
const EARLY_PART = 0.4;
/** Growth over the watched time that a heap may have found for itself. */
const AGENT_GROWTH_MB_MAX = 24;
const DATAPATH_GROWTH_MB_MAX = 4;
const PEAK_MB_MAX = 400;
const IMPAIR_SOURCE = fileURLToPath(new URL('../netns/tools/impair.c', import.meta.url));

interface Done {
  readonly name: string;
  readonly healMs: number;
}

interface Traffic {
  streamBytes: number;
  packets: number;
  packetsLost: number;
  packetsLate: number;
  packetsRepeated: number;
}

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string', default: String(randomInt(1, 2 ** 31)) },
    json: { type: 'string' },
    datapath: { type: 'string' },
  },
});
const minutes = Number(values.minutes);
const seed = Number(values.seed);
const say = (text: string): void => void process.stderr.write(`${text}\n`);

if (!(minutes > 0) || !Number.isSafeInteger(seed)) {
  say('usage: npm run soak -- [--minutes N] [--seed N] [--json FILE] [--datapath PROGRAM]');
  process.exitCode = 2;
} else {
  process.exitCode = await main();
}

async function main(): Promise<number> {
  say(`soak: ${minutes} minutes, --seed ${seed}`);
  await buildImpair();
  const agentOptions = {
    env: { LOOM_REKEY_MS: String(REKEY_MS) },
    ...(values.datapath === undefined ? {} : { datapathProgram: resolve(values.datapath) }),
  };
  const scenario = await buildScenario({
    underlay: 'ipv4',
    hosts: ['alpha', 'beta', 'gamma', 'delta'],
    agent: agentOptions,
  });
  const end = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => end.abort());
  try {
    return await soakIn(scenario, agentOptions, end.signal);
  } finally {
    await scenario.world.dispose();
  }
}

async function buildImpair(): Promise<void> {
  const program = join(CHECKOUT.root, '.cache/test/impair');
  mkdirSync(dirname(program), { recursive: true });
  const flags = ['-std=gnu11', '-D_GNU_SOURCE', '-O2', '-Wall', '-Wextra', '-Werror'];
  await runCommand(['cc', ...flags, '-o', program, IMPAIR_SOURCE]);
}

async function soakIn(
  scenario: Scenario,
  agentOptions: Soak['agentOptions'],
  signal: AbortSignal,
): Promise<number> {
  const { agents, controller } = scenario;
  const hosts = Object.entries(agents).map(
    ([label, agent]) => ({ label, agent, address: null }) as SoakHost, // keys are labels
  );
  await controller.client.call('networkCreate', { body: { name: 'soak' } });
  const line = await impairLine(scenario, 'gamma', BAD_LINE, seed);
  const residents = hosts.slice(0, 2) as [SoakHost, SoakHost]; // of four
  for (const host of residents) await enter(scenario, host);
  for (const { label } of hosts) await setLoss(scenario, label, 2);
  await untilWhole(hosts, HEAL_DEADLINE_MS);
  const [alpha, beta] = residents;
  const constant = [
    await startCourier(scenario, alpha, beta, seed),
    await startCourier(scenario, beta, alpha, seed + 1),
  ];
  const chance = chanceOf(seed);
  const soak: Soak = {
    scenario,
    chance,
    hosts,
    agentOptions,
    controller,
    visits: new Map(),
    finished: [],
  };
  for (const visitor of hosts.slice(2)) await come(soak, visitor, chance.below(SEED_LIMIT));
  const watch = new Watch();
  const began = performance.now();
  const done: Done[] = [];
  const problems: string[] = [];
  try {
    await churn({ soak, watch, constant, done, began, signal });
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
  }
  const ranMs = performance.now() - began;
  line.kill('SIGTERM');
  await line.exited;
  const couriers = [...constant, ...soak.finished, ...[...soak.visits.values()].flat()];
  problems.push(...judge(watch, couriers, ranMs));
  const traffic = trafficOf(couriers.map((courier) => courier.stats()));
  const report = {
    seed,
    minutes: Math.round(ranMs / 6_000) / 10,
    operations: summarize(done),
    traffic,
    connectionsOfResidents: constant.map((courier) => courier.stats().connections),
    handshakesOfAlpha: await handshakesOf(alpha),
    line: JSON.parse(readFileSync(line.outputPath, 'utf8').trim().split('\n').at(-1) ?? '{}'),
    memory: watch.verdicts(ranMs),
    peaksMb: watch.peaksMb(),
    drops: watch.drops(),
    refusals: Object.fromEntries(watch.refusals),
    problems,
  };
  process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
  say(
    problems.length === 0
      ? 'soak: passed'
      : `soak: FAILED, --seed ${seed}\n  ${problems.join('\n  ')}`,
  );
  return problems.length === 0 ? 0 : 1;
}

interface Course {
  readonly soak: Soak;
  readonly watch: Watch;
  readonly constant: readonly Courier[];
  readonly done: Done[];
  readonly began: number;
  readonly signal: AbortSignal;
}

async function churn({ soak, watch, constant, done, began, signal }: Course): Promise<void> {
  const { chance, hosts } = soak;
  const totalMs = minutes * 60_000;
  for (;;) {
    const ranMs = performance.now() - began;
    if (ranMs >= totalMs || signal.aborted) return;
    const operation = nextOperation(chance, ranMs < totalMs * EARLY_PART);
    const startedAt = performance.now();
    const what = await operation.run(soak);
    await untilWhole(hosts, HEAL_DEADLINE_MS);
    const healMs = Math.round(performance.now() - startedAt);
    for (const courier of [...constant, ...[...soak.visits.values()].flat()])
      await courier.progress();
    done.push({ name: operation.name, healMs });
    const at = (ranMs / 1_000).toFixed(0).padStart(5);
    say(`${at} s  ${operation.name}: ${what}; whole after ${healMs} ms`);
    await watch.look(hosts, soak.controller, performance.now());
    await pause(chance.below(DWELL_MS_MAX), undefined, { signal }).catch(() => undefined);
  }
}

function judge(watch: Watch, couriers: readonly Courier[], ranMs: number): string[] {
  const problems = watch.unexpectedDrops().map((drop) => `unexpected drop: ${drop}`);
  for (const courier of couriers) {
    const { wrong, udpRepeated } = courier.stats();
    if (wrong !== '') problems.push(`${courier.name}: ${wrong}`);
    if (udpRepeated > 0) problems.push(`${courier.name}: ${udpRepeated} packets came twice`);
  }
  for (const { name, growthMb } of watch.verdicts(ranMs)) {
    const most = name.startsWith('data path') ? DATAPATH_GROWTH_MB_MAX : AGENT_GROWTH_MB_MAX;
    if (growthMb > most) problems.push(`${name} grew by ${growthMb} MB, at most ${most}`);
  }
  for (const [kind, peak] of Object.entries(watch.peaksMb()))
    if (peak > PEAK_MB_MAX) problems.push(`${kind}: ${peak} MB, at most ${PEAK_MB_MAX}`);
  return problems;
}

function trafficOf(all: readonly CourierStats[]): Traffic {
  const sum: Traffic = {
    streamBytes: 0,
    packets: 0,
    packetsLost: 0,
    packetsLate: 0,
    packetsRepeated: 0,
  };
  for (const stats of all) {
    sum.streamBytes += stats.tcpBytes;
    sum.packets += stats.udpPackets;
    sum.packetsLost += stats.udpLost;
    sum.packetsLate += stats.udpLate;
    sum.packetsRepeated += stats.udpRepeated;
  }
  return sum;
}

/** Count, median and longest heal time of each operation. */
function summarize(done: readonly Done[]): Record<string, unknown> {
  const names = [...new Set(done.map(({ name }) => name))];
  return Object.fromEntries(
    names.map((name) => {
      const times = done
        .filter((one) => one.name === name)
        .map(({ healMs }) => healMs)
        .toSorted((a, b) => a - b);
      const medianMs = times[Math.floor(times.length / 2)];
      return [name, { count: times.length, medianMs, longestMs: times.at(-1) }];
    }),
  );
}

async function handshakesOf({ agent }: SoakHost): Promise<Record<string, number>> {
  const { peers } = (await agent.loomJson(['peers'])) as {
    peers: readonly { name: string; handshakes: number }[];
  }; // peerRowSchema
  return Object.fromEntries(peers.map(({ name, handshakes }) => [name, handshakes]));
}
