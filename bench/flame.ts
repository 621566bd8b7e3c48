/**
 * Records where the data paths of both hosts spend their time while one TCP stream runs, and draws
 * it. Data paths are driven without agents: what is looked at is forwarding.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { World } from '@etherloom/lab';
import { missingDataPath, startPair } from './drive-datapath.ts';
import type { DataPathPair } from './drive-datapath.ts';
import { drawFlame } from './flame-svg.ts';
import { isInstalled } from './installed.ts';
import { pairOf, startReceiver } from './main-table.ts';
import type { Course } from './main-table.ts';
import { measureTcp } from './measure.ts';
import { SCRIPT_FIELDS, flameTree, parseSamples } from './stacks.ts';
import { UNDERLAY_MTU_BYTES, createUnderlay } from './underlay.ts';

const PROGRAM = 'loom-datapath';
/** Samples a second and processor; no multiple of the kernel's tick. */
const SAMPLES_PER_SECOND = 499;
/** Bytes of stack kept of each sample, from which callers are found. */
const STACK_BYTES = 16_384;
/** Traffic before and after the recording, seconds. */
const MARGIN_S = 2;
/** Finding the callers of some thousand samples. */
const SCRIPT_TIMEOUT_MS = 240_000;

/** Writes the picture to `path`. */
export async function recordFlame(world: World, path: string, course: Course): Promise<void> {
  if (!(await isInstalled('perf')))
    throw new Error('a flame graph needs perf, which is not installed: apt-get install linux-perf');
  const missing = missingDataPath();
  if (missing !== null) throw new Error(missing);
  const underlay = await createUnderlay(world, UNDERLAY_MTU_BYTES);
  await startReceiver(underlay);
  const pair = await startPair(underlay, 0);
  course.say(`recording ${course.seconds} s of one TCP stream`);
  const traffic = measureTcp(pairOf(underlay, pair.target, course.seconds + MARGIN_S), []);
  // Both are waited for, so that neither goes on when the other has failed.
  const [recorded, moved] = await Promise.allSettled([record(world, pair, course), traffic]);
  if (recorded.status === 'rejected') throw recorded.reason;
  if (moved.status === 'rejected') throw moved.reason;
  course.say('finding the callers of each sample');
  const samples = parseSamples(await script(world, recorded.value), PROGRAM);
  const groups = new Map([
    [pair.a.pid, 'sending host'],
    [pair.b.pid, 'receiving host'],
  ]);
  const tree = flameTree(samples, (pid) => groups.get(pid) ?? null);
  if (tree.samples === 0) throw new Error('perf saw no sample of the data paths');
  const gbps = moved.value.gbps.toFixed(1);
  const title = `Data path, one TCP stream of ${gbps} Gbit/s, ${course.seconds} s, both hosts`;
  writeFileSync(path, drawFlame(tree, title));
  console.log(`${path}: ${tree.samples} samples of one TCP stream at ${gbps} Gbit/s`);
}

async function record(world: World, { a, b }: DataPathPair, course: Course): Promise<string> {
  const path = join(world.directory, 'perf.data');
  const what = ['--pid', `${a.pid},${b.pid}`, '-F', String(SAMPLES_PER_SECOND)];
  const stacks = ['-g', '--call-graph', `dwarf,${STACK_BYTES}`];
  const argv = ['perf', 'record', '--quiet', ...what, ...stacks, '--output', path];
  const timeoutMs = (course.seconds + 30) * 1_000;
  await world.exec(null, [...argv, '--', 'sleep', String(course.seconds)], { timeoutMs });
  return path;
}

/** Text of the samples: through a file, since it is longer than what a command may print. */
async function script(world: World, data: string): Promise<string> {
  const path = join(world.directory, 'perf.txt');
  const shell = 'exec perf script --no-inline --input "$0" -F "$1" >"$2"';
  const argv = ['sh', '-c', shell, data, SCRIPT_FIELDS, path];
  await world.exec(null, argv, { timeoutMs: SCRIPT_TIMEOUT_MS });
  return readFileSync(path, 'utf8');
}
