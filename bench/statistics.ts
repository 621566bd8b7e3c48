/** Arithmetic of few, noisy values. Pure. */

/**
 * Middle value; the mean of the two middle ones of an even count. Throws without values: there is
 * no honest answer.
 */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('a median needs a value');
  return quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  );
}

/** Four significant places are more than a short run can know. */
export const rounded = (value: number): number => Number(value.toPrecision(4));

/** Quartiles of a normal distribution are 1.349 standard deviations apart. */
const QUARTILES_PER_DEVIATION = 1.349;
/** A median of n values varies by 1.2533 (root of pi / 2) times what their mean varies by. */
const MEDIAN_OVER_MEAN = Math.sqrt(Math.PI / 2);

/**
 * Standard error of the median, relative to it. The deviation is taken from the quartiles, so that
 * a round in which the machine did something else does not count. 0 where nothing can be said: of
 * a single value.
 */
export function relativeError(values: readonly number[]): number {
  const middle = median(values);
  if (values.length < 2 || middle === 0) return 0;
  const sorted = values.toSorted((a, b) => a - b);
  const deviation = (quantile(sorted, 0.75) - quantile(sorted, 0.25)) / QUARTILES_PER_DEVIATION;
  return (MEDIAN_OVER_MEAN * deviation) / Math.sqrt(values.length) / Math.abs(middle);
}

/** Linear between the two nearest values. */
function quantile(sorted: readonly number[], part: number): number {
  const at = (sorted.length - 1) * part;
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (above - below) * (at - Math.floor(at));
}
