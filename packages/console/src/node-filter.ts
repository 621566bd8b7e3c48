/** Which nodes a filter of the list of nodes lets through. */
import type { Node } from '@etherloom/api';

/** States that can be asked for, as they are called. */
export const STATE_FILTERS = [
  ['any', 'any'],
  ['online', 'online'],
  ['offline', 'offline'],
  ['pending', 'waits for approval'],
  ['problems', 'has problems'],
] as const;
export type StateFilter = (typeof STATE_FILTERS)[number][0];

/** What of a node a filter looks at. */
export type FilteredNode = Pick<
  Node,
  'id' | 'name' | 'state' | 'connected' | 'problems' | 'endpoints'
> & {
  readonly memberships: readonly { readonly mac: string; readonly addresses: readonly string[] }[];
};

/** Every word of the text must be in the name, the id or an address. */
export function matchesFilter(node: FilteredNode, text: string, state: StateFilter): boolean {
  if (!isInState(node, state)) return false;
  const words = text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  if (words.length === 0) return true;
  const addresses = node.memberships.flatMap(({ mac, addresses: own }) => [mac, ...own]);
  const places = [node.name, node.id, ...node.endpoints, ...addresses];
  return words.every((word) => places.some((place) => place.includes(word)));
}

function isInState(node: FilteredNode, state: StateFilter): boolean {
  switch (state) {
    case 'any':
      return true;
    case 'online':
      return node.connected;
    case 'offline':
      return !node.connected;
    case 'pending':
      return node.state === 'pending';
    case 'problems':
      return node.problems.length > 0;
  }
}
