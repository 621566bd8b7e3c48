/**
 * Two results compared scenario by scenario. What is compared is the ratio to the reference of the
 * same run, never a figure of one machine against a figure of another; a scenario without a
 * reference is compared as a share of what is wanted of it. Pure.
 */
import { align } from './result.ts';
import type { Scenario } from './scenario.ts';

/**
 * Changes smaller than this are never worse: programs started anew differ from themselves by about
 * half of it, whatever the rounds of one run say (docs/testing.md, The benchmark).
 */
export const TOLERANCE_MIN = 0.08;
/**
 * Standard errors that a change has to be beyond: one comparison in some hundreds without a cause,
 * and a result has a dozen.
 */
const ERRORS_MAX = 3;

export interface Comparison {
  readonly name: string;
  /** Ratio, or share of what is wanted; null when that side has not measured it. */
  readonly base: number | null;
  readonly now: number | null;
  /** Relative, better is positive; null when one side is missing. */
  readonly change: number | null;
  readonly tolerance: number | null;
  /** `unlike`: beside another reference than in the base. */
  readonly outcome: 'same' | 'better' | 'worse' | 'absent' | 'added' | 'unlike';
}

/** In the order of the base; scenarios that it does not have are last. */
export function compareScenarios(
  base: readonly Scenario[],
  now: readonly Scenario[],
): Comparison[] {
  const added = now.filter(({ name }) => !base.some((old) => old.name === name));
  return [
    ...base.map((old) => compareOne(old, now.find(({ name }) => name === old.name) ?? null)),
    ...added.map((scenario) => ({
      name: scenario.name,
      base: null,
      now: comparable(scenario),
      change: null,
      tolerance: null,
      outcome: 'added' as const,
    })),
  ];
}

function compareOne(old: Scenario, scenario: Scenario | null): Comparison {
  const base = comparable(old);
  const about = { name: old.name, base };
  if (scenario === null)
    return { ...about, now: null, change: null, tolerance: null, outcome: 'absent' };
  const now = comparable(scenario);
  if (old.reference?.name !== scenario.reference?.name)
    return { ...about, now, change: null, tolerance: null, outcome: 'unlike' };
  const isShare = old.ratio === null;
  // Of something small a share is compared with the whole that is allowed, not with the small part.
  const grown = isShare ? now - base : now / base - 1;
  const change = old.better === 'more' ? grown : -grown;
  const noise = Math.hypot(
    isShare ? old.error * base : old.error,
    isShare ? scenario.error * now : scenario.error,
  );
  const tolerance = Math.max(TOLERANCE_MIN, ERRORS_MAX * noise);
  const outcome = Math.abs(change) <= tolerance ? 'same' : change > 0 ? 'better' : 'worse';
  return { ...about, now, change, tolerance, outcome };
}

/** With neither reference nor bound there is nothing that another machine could be held against. */
const comparable = ({ ratio, value, wanted }: Scenario): number =>
  ratio ?? value / (wanted ?? value);

/** Whether the run has to fail. */
export const hasWorse = (comparisons: readonly Comparison[]): boolean =>
  comparisons.some(({ outcome }) => outcome === 'worse');

/** The comparison as text. */
export function formatComparison(comparisons: readonly Comparison[]): string {
  const share = (value: number | null): string => (value === null ? '-' : value.toFixed(2));
  const percent = (value: number | null): string =>
    value === null ? '-' : `${value > 0 ? '+' : ''}${(value * 100).toFixed(1)} %`;
  const tolerance = (value: number | null): string =>
    value === null ? '-' : `${(value * 100).toFixed(1)} %`;
  return align([
    ['', 'base', 'now', 'change', 'tolerance', ''],
    ...comparisons.map((one) => [
      one.name,
      share(one.base),
      share(one.now),
      percent(one.change),
      tolerance(one.tolerance),
      WORDS[one.outcome],
    ]),
  ]).join('\n');
}

const WORDS: Readonly<Record<Comparison['outcome'], string>> = {
  same: 'same',
  better: 'better',
  worse: 'WORSE',
  absent: 'not measured',
  added: 'not in the base',
  unlike: 'another reference',
};
