/** What is shown is read anew after a change. */
import type { Query, QueryClient } from '@tanstack/react-query';

/**
 * Marks readings as old. That does not restart the first reading of something: one that is under
 * way may be older than the change, and is repeated when it has come.
 */
export function invalidate(
  queries: QueryClient,
  predicate: (query: Query) => boolean = () => true,
): void {
  const first = queries
    .getQueryCache()
    .findAll({ predicate, fetchStatus: 'fetching' })
    .filter(({ state }) => state.data === undefined);
  void queries.invalidateQueries({ predicate });
  for (const { promise, queryKey } of first)
    void promise
      ?.catch(() => undefined) // shown where it is read
      .then(() => queries.invalidateQueries({ queryKey, exact: true }));
}
