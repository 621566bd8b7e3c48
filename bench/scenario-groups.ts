/**
 * The scenarios that need a setting of their own. Each group has a world to itself, so that
 * nothing of the others runs beside it; in a group the rounds alternate between what is measured
 * and its reference.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { waitFor } from '@etherloom/lab';
import type { World } from '@etherloom/lab';
import type { ScenarioGroup } from './arguments.ts';
import { setUpVxlan, startEtherloom } from './contenders.ts';
import { missingDataPath, startPair } from './drive-datapath.ts';
import type { DataPathPair } from './drive-datapath.ts';
import { FDB_ENTRIES, PEERS, fillNeighbours, fillPeersAndFdb } from './full-tables.ts';
import { isInstalled } from './installed.ts';
import { pairOf, startReceiver } from './main-table.ts';
import type { Course } from './main-table.ts';
import { measureTcp } from './measure.ts';
import { processorSeconds, residentMib } from './process-cost.ts';
import { scenarioOf } from './scenario.ts';
import type { RoundValues, Scenario, ScenarioPlan } from './scenario.ts';
import { JUMBO_MTU_BYTES, UNDERLAY_MTU_BYTES } from './underlay.ts';
import { createLossyUnderlay, createUnderlay } from './underlay.ts';
import type { LossyUnderlay, Underlay } from './underlay.ts';

/** What a group found; throws a reason to leave it out. */
type Group = (world: World, course: Course) => Promise<Scenario[]>;

/** All groups. */
export const GROUPS: Readonly<Record<ScenarioGroup, Group>> = {
  jumbo: measureJumbo,
  loss: measureLoss,
  tables: measureTables,
  idle: measureIdle,
};

const ONE_STREAM = { unit: 'Gbit/s', better: 'more' } as const;

async function measureJumbo(world: World, course: Course): Promise<Scenario[]> {
  const underlay = await createUnderlay(world, JUMBO_MTU_BYTES);
  const targets = await setUpBoth(underlay);
  const rounds: RoundValues[] = [];
  for (let round = 1; round <= course.rounds; round++) {
    course.say(`round ${round} of ${course.rounds}: jumbo underlay`);
    rounds.push(await besideVxlan(underlay, targets, course));
  }
  const name = 'one stream, jumbo underlay / vxlan';
  const bounds = { wanted: 0.5, aim: 0.65 };
  return [scenarioOf({ ...ONE_STREAM, name, reference: 'vxlan', ...bounds }, rounds)];
}

/** Thousandths that are lost, by a router that forwards as fast as the processors let it. */
const LOSSES = [
  // What the router and single packets cost alone, with which the others are read.
  { perThousand: 0, name: 'one stream, routed / vxlan', wanted: null, aim: null },
  { perThousand: 1, name: 'one stream, 0.1 % lost / vxlan', wanted: 0.9, aim: 1 },
  { perThousand: 10, name: 'one stream, 1 % lost / vxlan', wanted: 0.9, aim: 1 },
] as const;
/** The same over a line that is slower than either: what is left is how a loss is borne. */
const LINE_LOSSES = [
  { perThousand: 1, name: 'one stream, 0.1 % lost of 1 Gbit/s / vxlan', wanted: 0.9, aim: 1 },
  { perThousand: 10, name: 'one stream, 1 % lost of 1 Gbit/s / vxlan', wanted: 0.9, aim: 1 },
] as const;
type Loss = (typeof LOSSES)[number] | (typeof LINE_LOSSES)[number];

async function measureLoss(world: World, course: Course): Promise<Scenario[]> {
  for (const program of ['nft', 'ethtool', 'tc']) {
    if (!(await isInstalled(program)))
      throw new Error(`${program} is not installed (apt-get install nftables ethtool iproute2)`);
  }
  const underlay = await createLossyUnderlay(world);
  const targets = await setUpBoth(underlay);
  const fast = await measureLosses(underlay, { losses: LOSSES, targets, course });
  await underlay.limitRate();
  const slow = await measureLosses(underlay, { losses: LINE_LOSSES, targets, course });
  return [...fast, ...slow];
}

async function measureLosses(
  underlay: LossyUnderlay,
  about: { readonly losses: readonly Loss[]; readonly targets: Targets; readonly course: Course },
): Promise<Scenario[]> {
  const { losses, targets, course } = about;
  const rounds = losses.map((): RoundValues[] => []);
  for (let round = 1; round <= course.rounds; round++) {
    for (const [index, { perThousand, name }] of losses.entries()) {
      course.say(`round ${round} of ${course.rounds}: ${name}`);
      await underlay.setLoss(perThousand);
      rounds[index]?.push(await besideVxlan(underlay, targets, course));
    }
  }
  return losses.map(({ name, wanted, aim }, index) =>
    scenarioOf({ ...ONE_STREAM, name, reference: 'vxlan', wanted, aim }, rounds[index] ?? []),
  );
}

interface Targets {
  readonly etherloom: string;
  readonly vxlan: string;
}

async function setUpBoth(underlay: Underlay): Promise<Targets> {
  await startReceiver(underlay);
  const vxlan = await setUpVxlan(underlay);
  if ('reason' in vxlan) throw new Error(vxlan.reason);
  const etherloom = await startEtherloom(underlay);
  return { etherloom: etherloom.target, vxlan: vxlan.target };
}

async function besideVxlan(
  underlay: Underlay,
  targets: Targets,
  { seconds }: Course,
): Promise<RoundValues> {
  const reference = (await measureTcp(pairOf(underlay, targets.vxlan, seconds), [])).gbps;
  const value = (await measureTcp(pairOf(underlay, targets.etherloom, seconds), [])).gbps;
  return { value, reference };
}

const TABLES: ScenarioPlan = {
  ...ONE_STREAM,
  name: `one stream, ${PEERS} peers, ${FDB_ENTRIES} FDB entries / one peer`,
  reference: 'one peer',
  wanted: 0.97,
  aim: 1,
};
const MEMORY: ScenarioPlan = {
  name: `memory, ${PEERS} peers, ${FDB_ENTRIES} FDB entries`,
  unit: 'MiB',
  better: 'less',
  reference: null,
  wanted: 64,
  aim: 32,
};
const MEMORY_WITH_NEIGHBOURS: ScenarioPlan = {
  ...MEMORY,
  name: `memory, and ${FDB_ENTRIES} neighbours / without`,
  reference: 'without',
  wanted: null,
  aim: null,
};

/** Two pairs of data paths in the same hosts: one with full tables, one with a single peer. */
async function measureTables(world: World, course: Course): Promise<Scenario[]> {
  const missing = missingDataPath();
  if (missing !== null) throw new Error(missing);
  const underlay = await createUnderlay(world, UNDERLAY_MTU_BYTES);
  await startReceiver(underlay);
  const single = await startPair(underlay, 0);
  const full = await startPair(underlay, 1);
  course.say(`filling tables: ${PEERS} peers, ${FDB_ENTRIES} FDB entries`);
  for (const { control } of [full.a, full.b]) await fillPeersAndFdb(control);
  const rounds: RoundValues[] = [];
  for (let round = 1; round <= course.rounds; round++) {
    course.say(`round ${round} of ${course.rounds}: full tables`);
    rounds.push(await besideSinglePeer(underlay, { full, single }, course));
  }
  const memory = residentMib(full.b.pid);
  await fillNeighbours(full.b.control);
  const more = { value: residentMib(full.b.pid), reference: memory };
  return [
    scenarioOf(TABLES, rounds),
    scenarioOf(MEMORY, [{ value: memory, reference: null }]),
    scenarioOf(MEMORY_WITH_NEIGHBOURS, [more]),
  ];
}

/** A small difference is looked for: each is measured twice, and a drift meets both alike. */
async function besideSinglePeer(
  underlay: Underlay,
  { full, single }: { readonly full: DataPathPair; readonly single: DataPathPair },
  { seconds }: Course,
): Promise<RoundValues> {
  const one = async ({ target }: DataPathPair): Promise<number> =>
    (await measureTcp(pairOf(underlay, target, seconds), [])).gbps;
  const before = await one(single);
  const value = ((await one(full)) + (await one(full))) / 2;
  return { value, reference: (before + (await one(single))) / 2 };
}

/** Pieces of an idle time, to see how much it varies, and the length of each. */
const IDLE_PIECES = 10;
const IDLE_PIECE_MS = 1_500;
/** A host that has joined still does what follows a join. */
const SETTLE_MS = 3_000;

/** Agent and data path of a host that has a session and no traffic but keepalives. */
async function measureIdle(world: World, course: Course): Promise<Scenario[]> {
  const underlay = await createUnderlay(world, UNDERLAY_MTU_BYTES);
  const { agents } = await startEtherloom(underlay);
  const pids: number[] = [];
  for (const agent of agents) {
    const dataPath = await waitFor('the data path to run', () => agent.dataPath());
    pids.push(agent.process.identity.pid, dataPath.pid);
  }
  course.say(`idle: ${(IDLE_PIECES * IDLE_PIECE_MS) / 1_000} s`);
  await sleep(SETTLE_MS, undefined, { signal: course.stop });
  const pieces: RoundValues[] = [];
  for (let piece = 0; piece < IDLE_PIECES; piece++) {
    const began = performance.now();
    const before = sumOf(pids);
    await sleep(IDLE_PIECE_MS, undefined, { signal: course.stop });
    const share = (sumOf(pids) - before) / ((performance.now() - began) / 1_000);
    pieces.push({ value: (100 * share) / agents.length, reference: null });
  }
  const name = 'idle CPU, agent and data path';
  const plan = { name, unit: '% of a core', better: 'less', reference: null } as const;
  return [meanOf({ ...plan, wanted: 1, aim: null }, pieces)];
}

const sumOf = (pids: readonly number[]): number =>
  pids.reduce((sum, pid) => sum + processorSeconds(pid), 0);

/** Work that comes every few seconds is in the mean of pieces, not in their median. */
function meanOf(plan: ScenarioPlan, pieces: readonly RoundValues[]): Scenario {
  const mean = pieces.reduce((sum, { value }) => sum + value, 0) / pieces.length;
  const variance =
    pieces.reduce((sum, { value }) => sum + (value - mean) ** 2, 0) / (pieces.length - 1);
  const error = Math.sqrt(variance / pieces.length) / mean;
  return { ...scenarioOf(plan, [{ value: mean, reference: null }]), error };
}
