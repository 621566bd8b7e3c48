/** The URLs that a join token carries: of each controller that is up the best first. */
import type { ControllerView } from './registry.ts';

/** Begins with the own ones, of which the first comes before all others; each once. */
export function tokenUrls(
  own: readonly string[],
  others: readonly Pick<ControllerView, 'urls'>[],
  max: number,
): string[] {
  const lists = [own, ...others.map(({ urls }) => urls)];
  const rounds = Math.max(0, ...lists.map(({ length }) => length));
  const inTurns = Array.from({ length: rounds }, (_, round) =>
    lists.flatMap((urls) => urls.slice(round, round + 1)),
  );
  return [...new Set(inTurns.flat())].slice(0, max);
}
