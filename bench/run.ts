/**
 * The benchmark: the main table, the scenarios beside it, a comparison with another result, or a
 * flame graph. Writes nothing but the files of --json and --flame; what it made is removed when it
 * ends, also by a signal, and by the next run after a kill -9 (the lab's manifest).
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { createWorld } from '@etherloom/lab';
import type { World } from '@etherloom/lab';
import { USAGE, UsageError, parseArguments } from './arguments.ts';
import type { BenchArguments } from './arguments.ts';
import { readBaseline } from './baseline.ts';
import { compareScenarios, formatComparison, hasWorse } from './compare.ts';
import { recordFlame } from './flame.ts';
import { isInstalled } from './installed.ts';
import { measureMainTable, reasonOf } from './main-table.ts';
import type { Course, Found } from './main-table.ts';
import { formatTable } from './result.ts';
import type { Machine, Result } from './result.ts';
import { GROUPS } from './scenario-groups.ts';
import { UNDERLAY_MTU_BYTES } from './underlay.ts';

/** Progress goes to stderr, so that the tables alone can be piped. */
const say = (text: string): void => console.error(text);

/** Runs a part in a world of its own, which is removed whatever happens. */
async function inWorld<T>(stop: AbortSignal, part: (world: World) => Promise<T>): Promise<T> {
  stop.throwIfAborted();
  const world = await createWorld({ signal: stop });
  try {
    return await part(world);
  } finally {
    await world.dispose();
  }
}

async function bench(args: BenchArguments, course: Course): Promise<Result> {
  const found: Found[] = [];
  if (args.isMain)
    found.push(await inWorld(course.stop, (world) => measureMainTable(world, args.only, course)));
  for (const group of args.groups) {
    try {
      const scenarios = await inWorld(course.stop, (world) => GROUPS[group](world, course));
      found.push({ rows: [], skipped: [], scenarios });
    } catch (error) {
      course.stop.throwIfAborted();
      say(`${group}: left out, ${reasonOf(error)}`);
      found.push({ rows: [], skipped: [{ name: group, reason: reasonOf(error) }], scenarios: [] });
    }
  }
  return {
    machine: machine(args),
    rows: found.flatMap(({ rows }) => rows),
    skipped: found.flatMap(({ skipped }) => skipped),
    scenarios: found.flatMap(({ scenarios }) => scenarios),
  };
}

function machine(args: BenchArguments): Machine {
  const processors = cpus();
  return {
    cpu: processors[0]?.model ?? 'unknown',
    cores: processors.length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    congestionControl: readFileSync('/proc/sys/net/ipv4/tcp_congestion_control', 'utf8').trim(),
    underlay: `veth, MTU ${UNDERLAY_MTU_BYTES}`,
    rounds: args.rounds,
    secondsPerMeasurement: args.seconds,
  };
}

async function assertPrograms(): Promise<void> {
  for (const program of ['ip', 'iperf3', 'ping']) {
    if (await isInstalled(program)) continue;
    throw new Error(
      `"${program}" is missing; npm run bench installs it, or: apt-get install iproute2 iperf3 iputils-ping`,
    );
  }
}

async function main(argv: readonly string[]): Promise<number> {
  const args = parseArguments(argv);
  if (args.isHelp) {
    console.log(USAGE);
    return 0;
  }
  // Before minutes are spent on a result that cannot be compared.
  const base = args.compare === null ? null : readBaseline(args.compare);
  await assertPrograms();
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => stop.abort(new Error(`${signal}: what was made is removed`)));
  }
  const course = { rounds: args.rounds, seconds: args.seconds, stop: stop.signal, say };
  const { flame } = args;
  if (flame !== null) {
    await inWorld(stop.signal, (world) => recordFlame(world, flame, course));
    return 0;
  }
  const result = await bench(args, course);
  console.log(formatTable(result));
  if (args.json !== null) writeFileSync(args.json, `${JSON.stringify(result, null, 2)}\n`);
  const comparisons = base === null ? [] : compareScenarios(base, result.scenarios);
  if (base !== null) console.log(`\n${formatComparison(comparisons)}`);
  const isEmpty = result.rows.length === 0 && result.scenarios.length === 0;
  return isEmpty || hasWorse(comparisons) ? 1 : 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  say(
    error instanceof UsageError ? `bench: ${error.message}\n${USAGE}` : `bench: ${reasonOf(error)}`,
  );
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
