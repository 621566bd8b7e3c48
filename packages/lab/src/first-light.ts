/**
 * `npm start`: an encrypted Ethernet between hosts, shown live on this machine, and then left
 * running until Ctrl-C.
 *
 *   first-light.ts [--once] [--json]
 *     --once   ends after the last step; exit status 0 when all of them worked, else 1
 *     --json   prints one JSON result to standard output; progress goes to standard error
 *
 * The controller, the hosts and the router are namespaces of a World (world.ts), so everything is
 * removed at the end, and after a kill by
 * the next start. Reached from the machine itself through a relay on 127.0.0.1 (relay.ts): the
 * machine gets no device.
 */
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { printNext, writePrograms } from './first-light/next.ts';
import type { Screen, StepResult } from './first-light/screen.ts';
import { createScreen } from './first-light/screen.ts';
import type { Stage } from './first-light/stage.ts';
import { STEPS } from './first-light/steps.ts';
import { PICTURE } from './first-light/topology.ts';
import { LabError } from './lab-error.ts';
import { describeTails } from './log-tail.ts';
import type { World } from './world.ts';
import { createWorld } from './world.ts';

/** Logs of the last run that failed: the run's own directory is removed. */
const FAILURE_DIRECTORY = '/var/log/etherloom-lab/last-failure';

/** Lines of each log that a failure shows. */
const TAIL_LINES = 8;

interface Options {
  readonly once: boolean;
  readonly json: boolean;
}

interface Result {
  ok: boolean;
  steps: StepResult[];
  throughputGbps: number | null;
  error?: string;
}

async function main(): Promise<number> {
  const options = readOptions();
  if (options === null) return 2;
  const screen = createScreen(options.json ? process.stderr : process.stdout);
  const stop = listenForStop();
  const result: Result = { ok: false, steps: [], throughputGbps: null };
  try {
    await demonstrate({ options, screen, stop, result });
  } catch (error) {
    result.ok = false;
    result.error = error instanceof Error ? error.message : String(error);
    if (!stop.aborted) screen.line(result.error);
  }
  if (options.json && options.once) process.stdout.write(`${JSON.stringify(result)}\n`);
  return result.ok ? 0 : 1;
}

interface Demonstration {
  readonly options: Options;
  readonly screen: Screen;
  readonly stop: AbortSignal;
  readonly result: Result;
}

async function demonstrate({ options, screen, stop, result }: Demonstration): Promise<void> {
  const began = performance.now();
  const world = await createWorld({ signal: stop });
  const stage: Stage = { world };
  try {
    screen.line();
    screen.title(`etherloom: first light (run ${world.run})`);
    screen.line();
    for (const text of PICTURE) screen.dim(text);
    screen.line();
    await runSteps(screen, stage, result);
    if (stop.aborted) return;
    const seconds = ((performance.now() - began) / 1_000).toFixed(1);
    screen.line();
    if (!result.ok) return keepLogs(screen, world, result.steps.at(-1)?.detail ?? '');
    screen.title(`All ${STEPS.length} steps worked, in ${seconds} s.`);
    if (!options.once) await stayUp({ options, screen, stop, result }, stage);
  } finally {
    if (!options.once)
      screen.line(
        stop.aborted
          ? '\nStopping: removing every namespace, process and file of this run ...'
          : '',
      );
    await world.dispose();
    if (stop.aborted) screen.line('Everything is removed.');
  }
}

async function runSteps(screen: Screen, stage: Stage, result: Result): Promise<void> {
  for (const [i, step] of STEPS.entries()) {
    stage.world.signal?.throwIfAborted();
    screen.stepBegins(i + 1, STEPS.length, step.title);
    const began = performance.now();
    const { ok, detail } = await step.run(stage).then(
      (seen) => ({ ok: true, detail: seen }),
      (error: unknown) => ({
        ok: false,
        detail: error instanceof Error ? error.message : String(error),
      }),
    );
    if (stage.world.signal?.aborted) return;
    // The world's directory goes with the world: logs are named where they can be read afterwards.
    const lasting = ok ? detail : detail.replaceAll(stage.world.logDirectory, FAILURE_DIRECTORY);
    const done = {
      name: step.name,
      ok,
      ms: Math.round(performance.now() - began),
      detail: lasting,
    };
    result.steps.push(done);
    screen.stepEnds(i + 1, STEPS.length, step.title, done);
    if (!ok) return;
  }
  result.ok = true;
  result.throughputGbps = stage.throughputGbps ?? null;
}

async function stayUp(
  { options, screen, stop, result }: Demonstration,
  stage: Stage,
): Promise<void> {
  if (stage.controller !== undefined && stage.hosts !== undefined) {
    writePrograms(stage.world, stage.controller, stage.hosts);
  }
  printNext(screen, stage);
  if (options.json)
    process.stdout.write(`${JSON.stringify({ ...result, directory: stage.world.directory })}\n`);
  screen.title('It stays up until Ctrl-C, which removes all of it.');
  // A timer keeps the process alive: waiting for a signal alone does not.
  const alive = setInterval(() => {}, 60_000);
  await new Promise<void>((resolve) => {
    if (stop.aborted) resolve();
    stop.addEventListener('abort', () => resolve(), { once: true });
  });
  clearInterval(alive);
}

function keepLogs(screen: Screen, world: World, shown: string): void {
  rmSync(FAILURE_DIRECTORY, { recursive: true, force: true });
  mkdirSync(FAILURE_DIRECTORY, { recursive: true, mode: 0o700 });
  cpSync(world.logDirectory, FAILURE_DIRECTORY, { recursive: true });
  const tails = shown.includes('--- end of') ? '' : describeTails(world.logs, TAIL_LINES);
  if (tails !== '') {
    screen.line(tails.trimStart().replaceAll(world.logDirectory, FAILURE_DIRECTORY));
    screen.line();
  }
  screen.line(`Whole logs of this run: ${FAILURE_DIRECTORY}`);
}

function readOptions(): Options | null {
  try {
    const { values } = parseArgs({
      options: {
        once: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
      },
    });
    return values;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    process.stderr.write(`${why}\nusage: npm start -- [--once] [--json]\n`);
    return null;
  }
}

/**
 * Aborted by Ctrl-C, by a request to end, or when the process that started this one has ended.
 * Further ones change nothing.
 */
function listenForStop(): AbortSignal {
  const controller = new AbortController();
  const stop = (): void => controller.abort(new LabError('process_ended', 'stopped'));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
  process.on('disconnect', stop);
  // A terminal or pipe that is gone must not keep the world from being removed.
  process.stdout.on('error', stop);
  process.stderr.on('error', stop);
  return controller.signal;
}

const status = await main();
// Not exitCode alone: the channel to the starter would keep the process alive.
process.exit(status);
