/**
 * A scenario is one line of what the data path promises: something measured, where it can be
 * beside a reference in the same rounds, and what it has to reach. Only the ratio counts then:
 * a machine that is twice as fast is so for both. Pure.
 */
import { median, relativeError, rounded } from './statistics.ts';

/** `at least` and `aim` of a scenario, on its ratio, or on its value without a reference. */
export interface Bounds {
  readonly wanted: number | null;
  readonly aim: number | null;
}

/** `aim`: reached; `enough`: what is wanted at least; `missed`: less than that. */
export type Verdict = 'aim' | 'enough' | 'missed';

/** What is measured, and how it is judged. */
export interface ScenarioPlan extends Bounds {
  /** The key by which two results are compared. */
  readonly name: string;
  readonly unit: string;
  readonly better: 'more' | 'less';
  /** What it is measured beside; null: nothing, the bounds are on the value. */
  readonly reference: string | null;
}

/** What one round found: the value, and that of the reference beside it. */
export interface RoundValues {
  readonly value: number;
  readonly reference: number | null;
}

/** A scenario as it stands in the result. */
export interface Scenario extends Bounds {
  readonly name: string;
  /** Median of the rounds. */
  readonly value: number;
  readonly unit: string;
  readonly better: 'more' | 'less';
  readonly reference: { readonly name: string; readonly value: number } | null;
  /** Median over median; null without a reference. */
  readonly ratio: number | null;
  /** Standard error of the ratio, or of the value, relative to it; 0 when one round was made. */
  readonly error: number;
  /** Null when nothing is wanted. */
  readonly verdict: Verdict | null;
}

/** The scenario from its rounds; throws without rounds. */
export function scenarioOf(plan: ScenarioPlan, rounds: readonly RoundValues[]): Scenario {
  const { name, unit, better, wanted, aim } = plan;
  const value = rounded(median(rounds.map((round) => round.value)));
  const beside = rounds.flatMap(({ reference }) => (reference === null ? [] : [reference]));
  const reference =
    plan.reference === null ? null : { name: plan.reference, value: rounded(median(beside)) };
  const ratio = reference === null ? null : rounded(value / reference.value);
  const single = rounds.map((round) =>
    round.reference === null ? round.value : round.value / round.reference,
  );
  const error = rounded(relativeError(single));
  const judged = ratio ?? value;
  const verdict = verdictOf(judged, better, { wanted, aim });
  return { name, value, unit, better, reference, ratio, error, wanted, aim, verdict };
}

/** Null when nothing is wanted. */
export function verdictOf(
  value: number,
  better: 'more' | 'less',
  { wanted, aim }: Bounds,
): Verdict | null {
  const meets = (bound: number): boolean => (better === 'more' ? value >= bound : value <= bound);
  if (wanted === null) return null;
  if (aim !== null && meets(aim)) return 'aim';
  return meets(wanted) ? 'enough' : 'missed';
}
