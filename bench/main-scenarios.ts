/** The scenarios that are columns of the main table: plans, and their rounds from its samples. */
import { REFERENCE } from './result.ts';
import type { Sample } from './result.ts';
import { scenarioOf } from './scenario.ts';
import type { Scenario, ScenarioPlan } from './scenario.ts';
import { median } from './statistics.ts';

/** Samples of each contender, one a round, by name. */
export type SamplesByName = ReadonlyMap<string, readonly Sample[]>;

interface ColumnPlan extends Omit<ScenarioPlan, 'reference'> {
  readonly column: keyof Sample;
  /** The best of those that were measured is the reference. */
  readonly references: readonly string[];
}

/** Who is measured beside the references. */
const OURS = 'etherloom';
/** Programs of others that do alike without the kernel's help. */
const USER_SPACE = ['wireguard-go', 'zerotier'] as const;

const PLANS: readonly ColumnPlan[] = [
  {
    name: 'one stream / vxlan',
    column: 'tcpGbps',
    unit: 'Gbit/s',
    better: 'more',
    references: [REFERENCE],
    wanted: 0.5,
    aim: 0.65,
  },
  {
    name: 'one stream / wireguard-go',
    column: 'tcpGbps',
    unit: 'Gbit/s',
    better: 'more',
    references: ['wireguard-go'],
    wanted: 2.5,
    aim: 4,
  },
  {
    name: 'one stream back / vxlan',
    column: 'tcpReverseGbps',
    unit: 'Gbit/s',
    better: 'more',
    references: [REFERENCE],
    wanted: null,
    aim: null,
  },
  {
    name: 'four streams / vxlan',
    column: 'tcp4Gbps',
    unit: 'Gbit/s',
    better: 'more',
    references: [REFERENCE],
    wanted: 0.3,
    aim: 0.5,
  },
  {
    name: '64-byte UDP / vxlan',
    column: 'udp64Kpps',
    unit: 'kpps',
    better: 'more',
    references: [REFERENCE],
    wanted: 0.7,
    aim: 1,
  },
  {
    name: 'ping / best in user space',
    column: 'pingMs',
    unit: 'ms',
    better: 'less',
    references: USER_SPACE,
    wanted: 1,
    aim: 0.5,
  },
  {
    name: 'CPU per Gbit / vxlan',
    column: 'cpuSecondsPerGbit',
    unit: 's/Gbit',
    better: 'less',
    references: [REFERENCE],
    wanted: null,
    aim: null,
  },
];

/** Scenarios whose reference took part; none without etherloom. */
export function mainScenarios(samples: SamplesByName): Scenario[] {
  const ours = samples.get(OURS);
  if (ours === undefined) return [];
  return PLANS.flatMap((plan) => {
    const reference = bestOf(plan, samples);
    const beside = reference === null ? undefined : samples.get(reference);
    if (beside === undefined) return [];
    const rounds = ours.map((sample, round) => ({
      value: sample[plan.column],
      reference: beside[round]?.[plan.column] ?? null,
    }));
    return [scenarioOf({ ...plan, reference }, rounds)];
  });
}

/** The one whose median is best; null when none was measured. */
function bestOf({ references, column, better }: ColumnPlan, samples: SamplesByName): string | null {
  const middles = references.flatMap((name) => {
    const found = samples.get(name) ?? [];
    return found.length === 0 ? [] : [{ name, middle: median(found.map((s) => s[column])) }];
  });
  const sign = better === 'less' ? 1 : -1;
  return middles.toSorted((a, b) => sign * (a.middle - b.middle))[0]?.name ?? null;
}
