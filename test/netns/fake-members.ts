/** Members that have keys and addresses and no host: they make a network large. */
import type { Client } from '@etherloom/api';
import { joinWithoutAgent } from '@etherloom/lab';

/** Joins so many nodes with a token; gives their ids. */
export async function joinFakeMembers(
  client: Client,
  token: string,
  count: number,
): Promise<string[]> {
  const ids: string[] = [];
  for (let at = 0; at < count; at++)
    ids.push((await joinWithoutAgent(client, token, `fake-${at}`)).nodeId);
  return ids;
}
