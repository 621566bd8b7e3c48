/**
 * What a flood costs: one TCP stream from alpha to beta through the overlay, while a stranger
 * floods beta's port, compared with the same generator at the same rate against a closed port of
 * beta. The generator takes its share of the two cores in both, so the ratio is what beta pays for
 * looking at the datagrams. Measurements alternate; medians count.
 *
 *   make flood ARGS='[--rounds N] [--seconds S] [--rate R] [--only KIND,...] [--json FILE]'
 *
 * Exit status 1 when a ratio is below 0.8.
 */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { LabAgent } from '@etherloom/lab';
import { startCapture } from '../netns/capture.ts';
import { FLOOD_KINDS, buildFlood, sessionKeyOf, startFlood } from '../netns/flood.ts';
import type { FloodKind, FloodOptions } from '../netns/flood.ts';
import { buildScenario, ipv4Of, joinNetwork, pick } from '../netns/scenario.ts';
import type { Membership, Scenario } from '../netns/scenario.ts';

const RATIO_MIN = 0.8;
const PORT = 8002;
const CLOSED_PORT = 9009;
const GRACE_MS = 20_000;
const IPERF_PORT = 5201;

interface Case {
  readonly name: string;
  readonly kind: FloodKind;
  readonly isSpoofed: boolean;
}

interface Measured {
  readonly name: string;
  readonly quietGbps: number;
  readonly closedGbps: number;
  readonly floodedGbps: number;
  readonly ratio: number;
  readonly sentPerSecond: number;
  readonly datapathCpuPercent: number;
  readonly agentCpuPercent: number;
  readonly statusMs: number;
}

const CASES: readonly Case[] = [
  ...FLOOD_KINDS.map((kind) => ({ name: kind, kind, isSpoofed: false })),
  { name: 'part-spoofed', kind: 'part', isSpoofed: true },
  { name: 'initiation-spoofed', kind: 'initiation', isSpoofed: true },
  { name: 'guess-spoofed', kind: 'guess', isSpoofed: true },
  { name: 'response-spoofed', kind: 'response', isSpoofed: true },
  { name: 'handshake-spoofed', kind: 'handshake', isSpoofed: true },
];

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    rate: { type: 'string', default: '0' },
    only: { type: 'string' },
    json: { type: 'string' },
  },
});
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);
const rate = Number(values.rate);
const cases = CASES.filter(({ name }) => values.only?.split(',').includes(name) ?? true);

process.exitCode = await main();

async function main(): Promise<number> {
  await buildFlood();
  const scenario = await buildScenario({ underlay: 'ipv4' });
  const stop = (): void => void scenario.world.dispose();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, stop);
  try {
    const { agents, world } = scenario;
    const capture = await startCapture(
      world,
      pick(scenario.namespaces, 'beta'),
      'eth0',
      `udp port ${PORT} and src host ${ipv4Of('alpha')}`,
    );
    const { members } = await joinNetwork(scenario, { name: 'demo' }, [agents.alpha, agents.beta]);
    const [, beta] = members as [Membership, Membership]; // one for each agent given
    const captured = await capture.stop();
    await world.spawn({
      label: 'iperf3',
      namespace: agents.beta.namespace,
      argv: ['iperf3', '--server', '--port', String(IPERF_PORT)],
    });
    const results: Measured[] = [];
    for (const one of cases) {
      results.push(await measureCase(scenario, one, { beta, captured }));
      show(results.at(-1));
    }
    if (values.json !== undefined)
      writeFileSync(
        values.json,
        `${JSON.stringify({ rate, rounds, seconds, results }, null, 2)}\n`,
      );
    return results.every(({ ratio }) => ratio >= RATIO_MIN) ? 0 : 1;
  } finally {
    await scenario.world.dispose();
  }
}

async function measureCase(
  scenario: Scenario,
  { name, kind, isSpoofed }: Case,
  about: { readonly beta: Membership; readonly captured: readonly Uint8Array[] },
): Promise<Measured> {
  const { agents, world } = scenario;
  const options: Omit<FloodOptions, 'port'> = {
    kind,
    isSpoofed,
    rate,
    from: pick(scenario.namespaces, 'stranger'),
    address: ipv4Of('beta'),
    key: await sessionKeyOf(scenario, 'beta'),
    datagrams: about.captured,
  };
  const quiet: number[] = [];
  const closed: number[] = [];
  const open: number[] = [];
  const rates: number[] = [];
  const use = { datapath: 0, agent: 0, seconds: 0, statusMs: 0 };
  for (let round = 0; round < rounds; round++) {
    quiet.push(await throughput(scenario, about.beta));
    const atClosed = await startFlood(world, { ...options, port: CLOSED_PORT });
    closed.push(await throughput(scenario, about.beta));
    await atClosed.stop();
    const before = await useOf(agents.beta);
    const atOpen = await startFlood(world, { ...options, port: PORT });
    open.push(await throughput(scenario, about.beta));
    const asked = performance.now();
    await agents.beta.status();
    use.statusMs = Math.max(use.statusMs, performance.now() - asked);
    const sent = await atOpen.stop();
    const after = await useOf(agents.beta);
    rates.push(sent.sent / sent.seconds);
    use.datapath += after.datapath - before.datapath;
    use.agent += after.agent - before.agent;
    use.seconds += after.at - before.at;
  }
  const floodedGbps = median(open);
  const closedGbps = median(closed);
  return {
    name,
    quietGbps: median(quiet),
    closedGbps,
    floodedGbps,
    ratio: floodedGbps / closedGbps,
    sentPerSecond: Math.round(median(rates)),
    datapathCpuPercent: (100 * use.datapath) / use.seconds,
    agentCpuPercent: (100 * use.agent) / use.seconds,
    statusMs: use.statusMs,
  };
}

async function throughput({ world, agents }: Scenario, beta: Membership): Promise<number> {
  const argv = ['iperf3', '--client', beta.ipv4, '--port', String(IPERF_PORT), '--json'];
  const { stdout } = await world.exec(
    agents.alpha.namespace,
    [...argv, '--time', String(seconds)],
    { timeoutMs: seconds * 1_000 + GRACE_MS },
  );
  // Shape of iperf3's report.
  const report = JSON.parse(stdout) as { end: { sum_received: { bits_per_second: number } } };
  return report.end.sum_received.bits_per_second / 1e9;
}

/** Processor seconds of a host's data path and agent. */
async function useOf(agent: LabAgent): Promise<{ datapath: number; agent: number; at: number }> {
  const pid = (await agent.status()).datapath.pid ?? 0;
  return {
    datapath: cpuSeconds(pid),
    agent: cpuSeconds(agent.process.identity.pid),
    at: performance.now() / 1_000,
  };
}

function cpuSeconds(pid: number): number {
  return readdirSync(`/proc/${pid}/task`)
    .map((task) => readFileSync(join(`/proc/${pid}/task`, task, 'stat'), 'utf8'))
    .map((stat) => stat.slice(stat.lastIndexOf(')') + 2).split(' '))
    .reduce((sum, fields) => sum + (Number(fields[11]) + Number(fields[12])) / 100, 0);
}

function median(values_: readonly number[]): number {
  const sorted = values_.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function show(result: Measured | undefined): void {
  if (result === undefined) return;
  const { name, quietGbps, closedGbps, floodedGbps, ratio, sentPerSecond } = result;
  const gbps = (value: number): string => value.toFixed(2);
  const parts = [
    name.padEnd(20),
    `${Math.round(sentPerSecond / 1_000)} k/s`,
    `quiet ${gbps(quietGbps)}`,
    `closed ${gbps(closedGbps)}`,
    `flooded ${gbps(floodedGbps)} Gbit/s`,
    `ratio ${ratio.toFixed(2)}`,
    `data path ${result.datapathCpuPercent.toFixed(0)} %`,
    `agent ${result.agentCpuPercent.toFixed(0)} %`,
    `status ${result.statusMs.toFixed(0)} ms`,
  ];
  process.stdout.write(`${parts.join('  ')}\n`);
}
