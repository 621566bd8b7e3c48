/**
 * The main table: every contender over one veth pair at MTU 1500. Rounds go over all contenders
 * before the next begins, so that a machine that gets slower does so for all alike.
 */
import type { World } from '@etherloom/lab';
import type { ContenderName } from './arguments.ts';
import { CONTENDERS } from './contenders.ts';
import { mainScenarios } from './main-scenarios.ts';
import { measure } from './measure.ts';
import { rowOf } from './result.ts';
import type { Result, Sample, Skipped } from './result.ts';
import { UNDERLAY_MTU_BYTES, createUnderlay } from './underlay.ts';
import type { Underlay } from './underlay.ts';

/** What every measurement is given. */
export interface Course {
  readonly rounds: number;
  /** Of one measurement. */
  readonly seconds: number;
  /** Aborted when the run has to end. */
  readonly stop: AbortSignal;
  /** Says what is being done. */
  readonly say: (text: string) => void;
}

/** What a part of the run found. */
export type Found = Pick<Result, 'rows' | 'skipped' | 'scenarios'>;

interface Ready {
  readonly name: ContenderName;
  readonly target: string;
  readonly samples: Sample[];
}

/** Measures them; a contender that fails is left out of the table, with its reason. */
export async function measureMainTable(
  world: World,
  names: readonly ContenderName[],
  course: Course,
): Promise<Found> {
  const underlay = await createUnderlay(world, UNDERLAY_MTU_BYTES);
  await startReceiver(underlay);
  const skipped: Skipped[] = [];
  const ready = await setUp(underlay, names, { course, skipped });
  const broken = new Set<ContenderName>();
  for (let round = 1; round <= course.rounds; round++) {
    for (const { name, target, samples } of ready) {
      if (broken.has(name)) continue;
      course.say(`round ${round} of ${course.rounds}: ${name}`);
      try {
        samples.push(await measure(pairOf(underlay, target, course.seconds)));
      } catch (error) {
        course.stop.throwIfAborted();
        broken.add(name);
        skipped.push({ name, reason: `round ${round} failed: ${reasonOf(error)}` });
      }
    }
  }
  const measured = ready.filter(({ name }) => !broken.has(name));
  return {
    rows: measured.map(({ name, samples }) => rowOf(name, samples)),
    skipped,
    scenarios: mainScenarios(new Map(measured.map(({ name, samples }) => [name, samples]))),
  };
}

async function setUp(
  underlay: Underlay,
  names: readonly ContenderName[],
  { course, skipped }: { readonly course: Course; readonly skipped: Skipped[] },
): Promise<Ready[]> {
  const ready: Ready[] = [];
  for (const name of names) {
    course.stop.throwIfAborted();
    const made = await CONTENDERS[name](underlay).catch((error: unknown) => ({
      reason: reasonOf(error),
    }));
    if ('reason' in made) skipped.push({ name, reason: made.reason });
    else ready.push({ name, target: made.target, samples: [] });
    course.say('reason' in made ? `${name}: left out, ${made.reason}` : `${name}: ready`);
  }
  return ready;
}

/** Starts what answers iperf3 in the second host. */
export async function startReceiver({ world, b }: Underlay): Promise<void> {
  await world.spawn({ label: 'iperf3', namespace: b.namespace, argv: ['iperf3', '--server'] });
}

/** Traffic from the first host to an address of the second. */
export const pairOf = ({ world, a, b }: Underlay, target: string, seconds: number) => ({
  world,
  a: a.namespace,
  b: b.namespace,
  target,
  seconds,
});

/** The sentence of whatever was thrown. */
export const reasonOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
