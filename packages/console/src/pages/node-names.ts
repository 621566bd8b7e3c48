/** Names of nodes that are known by their ids: of those on the page, not of all there are. */
import { NODE_IDS_MAX } from '@etherloom/api';
import { useList } from '../api/calls.ts';
import { useSession } from '../session.tsx';

/** Names by id; of those that were removed, or may not be read, there is none. */
export function useNodeNames(ids: readonly string[]): ReadonlyMap<string, string> {
  const { can } = useSession();
  // In one order, so that the same nodes are the same request.
  const asked = [...new Set(ids)].toSorted().slice(0, NODE_IDS_MAX);
  const isNeeded = asked.length > 0 && can('node:read');
  const nodes = useList(
    'nodeList',
    { query: { ids: asked.join() } },
    { isNeeded, limit: NODE_IDS_MAX, isFiltered: true },
  );
  return new Map((nodes.items ?? []).map(({ id, name }) => [id, name]));
}
