/** Frames that went to and came from each node since the data path was started. */
import { COUNTER_SCOPE } from '@etherloom/core';
import { AgentError } from '../errors.ts';
import type { Host } from '../host.ts';

/** By node id; undefined while there is no data path to ask. */
export async function frameCounts(
  host: Pick<Host, 'keeper' | 'plan'>,
): Promise<ReadonlyMap<string, number> | undefined> {
  const client = host.keeper.attached?.client;
  if (client === undefined) return undefined;
  try {
    const frames = new Map<number, number>();
    for (const row of await client.request('counters', {}))
      if (row.name === 'counterEntry' && row.values.scope === COUNTER_SCOPE.peer)
        frames.set(row.values.id, Number(row.values.sentFrames + row.values.receivedFrames));
    const ids = Object.entries(host.plan.peerIds.ids);
    return new Map(ids.map(([nodeId, peer]) => [nodeId, frames.get(peer) ?? 0]));
  } catch (error) {
    if (error instanceof AgentError && error.code === 'datapath_closed') return undefined;
    throw error;
  }
}
