/**
 * The benchmark: two namespaces, one veth pair at MTU 1500, every contender over it, and one table.
 * Rounds go over all contenders before the next begins, so that a machine that gets slower does so
 * for all alike. Writes nothing but the file of --json; what it made is removed when it ends, also
 * by a signal, and by the next run after a kill -9 (the lab's manifest).
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { createWorld, tryCommand } from '@etherloom/lab';
import type { World } from '@etherloom/lab';
import { USAGE, UsageError, parseArguments } from './arguments.ts';
import type { BenchArguments, ContenderName } from './arguments.ts';
import { CONTENDERS } from './contenders.ts';
import { measure } from './measure.ts';
import { formatTable, rowOf } from './result.ts';
import type { Machine, Result, Sample, Skipped } from './result.ts';
import { UNDERLAY_MTU_BYTES, createUnderlay } from './underlay.ts';

/** Progress goes to stderr, so that the table alone can be piped. */
const say = (text: string): void => console.error(text);

interface Ready {
  readonly name: ContenderName;
  readonly target: string;
  readonly samples: Sample[];
}

async function bench(world: World, args: BenchArguments, stop: AbortSignal): Promise<Result> {
  const underlay = await createUnderlay(world);
  await world.spawn({
    label: 'iperf3',
    namespace: underlay.b.namespace,
    argv: ['iperf3', '--server'],
  });
  const ready: Ready[] = [];
  const skipped: Skipped[] = [];
  for (const name of args.only) {
    stop.throwIfAborted();
    const setUp = await CONTENDERS[name](underlay).catch((error: unknown) => ({
      reason: reasonOf(error),
    }));
    if ('reason' in setUp) skipped.push({ name, reason: setUp.reason });
    else ready.push({ name, target: setUp.target, samples: [] });
    say('reason' in setUp ? `${name}: left out, ${setUp.reason}` : `${name}: ready`);
  }
  const broken = new Set<ContenderName>();
  for (let round = 1; round <= args.rounds; round++) {
    for (const { name, target, samples } of ready.filter(
      (contender) => !broken.has(contender.name),
    )) {
      say(`round ${round} of ${args.rounds}: ${name}`);
      const pair = {
        world,
        a: underlay.a.namespace,
        b: underlay.b.namespace,
        target,
        seconds: args.seconds,
      };
      try {
        samples.push(await measure(pair));
      } catch (error) {
        stop.throwIfAborted();
        broken.add(name);
        skipped.push({ name, reason: `round ${round} failed: ${reasonOf(error)}` });
      }
    }
  }
  const measured = ready.filter(({ name }) => !broken.has(name));
  return {
    machine: machine(args),
    rows: measured.map(({ name, samples }) => rowOf(name, samples)),
    skipped,
  };
}

const reasonOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

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

async function missingProgram(): Promise<string | null> {
  for (const program of ['ip', 'iperf3', 'ping']) {
    const { status } = await tryCommand(['sh', '-c', 'command -v "$0"', program]);
    if (status !== 0) return program;
  }
  return null;
}

async function main(argv: readonly string[]): Promise<number> {
  const args = parseArguments(argv);
  const missing = await missingProgram();
  if (missing !== null) {
    say(
      `bench: "${missing}" is missing; npm run bench installs it, or: apt-get install iproute2 iperf3 iputils-ping`,
    );
    return 1;
  }
  const world = await createWorld();
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      stop.abort(new Error(`${signal}: what was made is removed`));
      // Ends the programs that are measured; main waits for the same disposal.
      world.dispose().catch(() => undefined);
    });
  }
  try {
    const result = await bench(world, args, stop.signal);
    console.log(formatTable(result));
    if (args.json !== null) writeFileSync(args.json, `${JSON.stringify(result, null, 2)}\n`);
    return result.rows.length === 0 ? 1 : 0;
  } finally {
    await world.dispose();
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  say(
    error instanceof UsageError ? `bench: ${error.message}\n${USAGE}` : `bench: ${reasonOf(error)}`,
  );
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
