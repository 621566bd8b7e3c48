/**
 * Searches with the fuzz targets of datapath/fuzz (built by `make fuzz`, which comes here): each
 * for a time, two at once where there are two cores. It begins with the committed corpora and
 * what earlier searches found, and keeps what it finds under .cache/fuzz. Exit status 1 when an
 * input crashes a target.
 *
 *     node tools/fuzz.ts [--seconds N] [--only TARGET,...]    search
 *     node tools/fuzz.ts --merge                              make the committed corpora anew
 *
 * A merge keeps few inputs that together reach every edge, and all named regression-*.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CACHE = join(ROOT, '.cache/fuzz');
const CRASHES = join(CACHE, 'crashes');
const CORPORA = join(ROOT, 'datapath/fuzz/corpus');
const BINARIES = join(ROOT, 'datapath/build/fuzz');
const TARGETS = ['frame_from_tap', 'datagram_from_udp', 'control_message', 'offload_split_join'];
const SECONDS_DEFAULT = 60;
/** Inputs are compact descriptions; longer ones say nothing else. */
const INPUT_BYTES_MAX = 4096;
/** An input that takes longer has found a loop. */
const INPUT_SECONDS_MAX = 20;
/** The smallest machine that we promise to work on has two cores, and others use it too. */
const PROCESSES_MAX = 2;

interface Search {
  readonly target: string;
  readonly executions: number;
  readonly perSecond: number;
  /** Edges of datapath/src that were reached: libFuzzer's "cov". */
  readonly edges: number;
  readonly found: number;
  readonly crashed: boolean;
}

const running = new Set<ChildProcess>();

/** Runs a target and returns its exit status and what it said. */
function run(target: string, args: readonly string[]): Promise<{ status: number; said: string }> {
  const child = spawn('nice', ['-n', '10', join(BINARIES, target), ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const said: string[] = [];
  running.add(child);
  child.stderr.on('data', (chunk: Buffer) => said.push(chunk.toString()));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => {
      running.delete(child);
      resolve({ status: status ?? 1, said: said.join('') });
    });
  });
}

/** The last number behind a word. */
function numberOf(said: string, word: string): number {
  const matches = [...said.matchAll(new RegExp(`${word}:?\\s+(\\d+)`, 'g'))];
  return Number(matches.at(-1)?.[1] ?? 0);
}

async function search(target: string, seconds: number): Promise<Search> {
  const kept = join(CACHE, target);
  mkdirSync(kept, { recursive: true });
  const before = readdirSync(kept).length;
  const { status, said } = await run(target, [
    `-max_total_time=${seconds}`,
    `-max_len=${INPUT_BYTES_MAX}`,
    `-timeout=${INPUT_SECONDS_MAX}`,
    '-print_final_stats=1',
    `-artifact_prefix=${CRASHES}/${target}-`,
    kept,
    join(CORPORA, target),
  ]);
  if (status !== 0) console.error(said.slice(-6000));
  return {
    target,
    executions: numberOf(said, 'stat::number_of_executed_units'),
    perSecond: numberOf(said, 'stat::average_exec_per_sec'),
    edges: numberOf(said, 'cov'),
    found: readdirSync(kept).length - before,
    crashed: status !== 0,
  };
}

/** Works through the targets, a few at a time. */
async function searchAll(targets: readonly string[], seconds: number): Promise<Search[]> {
  const waiting = [...targets];
  const done: Search[] = [];
  const work = async (): Promise<void> => {
    for (let target = waiting.shift(); target !== undefined; target = waiting.shift()) {
      console.log(`${target}: ${seconds} s ...`);
      done.push(await search(target, seconds));
    }
  };
  const count = Math.min(PROCESSES_MAX, availableParallelism());
  await Promise.all(Array.from({ length: count }, work));
  return done;
}

function print(searches: readonly Search[]): void {
  const row = (cells: readonly (string | number)[]): string =>
    cells
      .map((cell, i) => (i === 0 ? String(cell).padEnd(20) : String(cell).padStart(12)))
      .join('');
  console.log(`\n${row(['target', 'executions', 'a second', 'edges', 'new inputs'])}`);
  for (const { target, executions, perSecond, edges, found, crashed } of searches) {
    const line = row([target, executions, perSecond, edges, found]);
    console.log(crashed ? `${line}  CRASHED` : line);
  }
  if (searches.some(({ crashed }) => crashed)) {
    console.log(`\nthe inputs are in ${CRASHES}; run a target with one to see it again`);
  }
}

/** Replaces a committed corpus by a few of all known inputs that reach the same edges. */
async function merge(target: string, seeds: string): Promise<void> {
  const committed = join(CORPORA, target);
  const fresh = join(CACHE, `${target}-merged`);
  const sources = [join(seeds, target), join(CACHE, target), committed].filter(existsSync);
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  const { status, said } = await run(target, [
    '-set_cover_merge=1',
    '-use_counters=0',
    `-max_len=${INPUT_BYTES_MAX}`,
    fresh,
    ...sources,
  ]);
  if (status !== 0) throw new Error(`merging ${target} failed:\n${said.slice(-2000)}`);
  for (const folder of sources) {
    const regressions = readdirSync(folder).filter((name) => name.startsWith('regression-'));
    for (const name of regressions) copyFileSync(join(folder, name), join(fresh, name));
  }
  rmSync(committed, { recursive: true, force: true });
  mkdirSync(CORPORA, { recursive: true });
  renameSync(fresh, committed);
  console.log(`${target}: ${readdirSync(committed).length} inputs`);
}

async function generateSeeds(): Promise<string> {
  const seeds = join(CACHE, 'seeds');
  const script = join(ROOT, 'test/fuzz/generate-seeds.ts');
  const child = spawn(process.execPath, [script, seeds], { stdio: 'inherit' });
  const status = await new Promise((resolve) => child.once('close', resolve));
  if (status !== 0) throw new Error('the seeds could not be made');
  return seeds;
}

function optionOf(args: readonly string[], name: string): string | undefined {
  const at = args.indexOf(name);
  return at === -1 ? undefined : args[at + 1];
}

async function main(args: readonly string[]): Promise<number> {
  const seconds = Number(optionOf(args, '--seconds') ?? SECONDS_DEFAULT);
  const only = optionOf(args, '--only')?.split(',') ?? TARGETS;
  const unknown = only.filter((target) => !TARGETS.includes(target));
  if (!Number.isInteger(seconds) || seconds < 1 || unknown.length > 0) {
    console.error(
      `usage: npm run fuzz -- [--seconds N] [--only TARGET,...]; targets: ${TARGETS.join(', ')}`,
    );
    return 2;
  }
  mkdirSync(CRASHES, { recursive: true });
  if (args.includes('--merge')) {
    const seeds = await generateSeeds();
    for (const target of only) await merge(target, seeds);
    return 0;
  }
  const searches = await searchAll(only, seconds);
  print(searches);
  return searches.some(({ crashed }) => crashed) ? 1 : 0;
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    for (const child of running) child.kill('SIGINT');
  });
}
process.exitCode = await main(process.argv.slice(2));
