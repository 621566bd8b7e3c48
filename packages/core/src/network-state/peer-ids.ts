/**
 * Peer ids: the numbers by which agent and data path name peers. A node keeps its id as long as the
 * agent's state lives, and an id is never given to another node: sessions that a running data path
 * still holds under an id could otherwise be taken for the sessions of another node. The agent
 * stores the allocation with its state.
 */
import { compareText } from './canonical.ts';

/** Plain data, to be stored as JSON. */
export interface PeerIds {
  /** Smallest id never given. */
  readonly next: number;
  /** Node id to peer id. */
  readonly ids: Readonly<Record<string, number>>;
}

export const NO_PEER_IDS: PeerIds = { next: 1, ids: {} };

const PEER_ID_MAX = 0xffff_ffff;

/**
 * Gives ids to nodes that have none, in order of node id, and forgets nodes that are not named.
 * Returns `held` itself when nothing differs.
 */
export function allocatePeerIds(held: PeerIds, nodeIds: Iterable<string>): PeerIds {
  const wanted = [...new Set(nodeIds)].toSorted(compareText);
  if (
    wanted.length === Object.keys(held.ids).length &&
    wanted.every((id) => Object.hasOwn(held.ids, id))
  )
    return held;
  let { next } = held;
  const ids: Record<string, number> = {};
  for (const nodeId of wanted) {
    ids[nodeId] = (Object.hasOwn(held.ids, nodeId) ? held.ids[nodeId] : undefined) ?? next++;
  }
  if (next - 1 > PEER_ID_MAX)
    throw new RangeError(`peer ids are used up: ${next - 1} is over ${PEER_ID_MAX}`);
  return { next, ids };
}
