/** The MAC of a node in a network: everybody derives the same one. */
import { createHash } from 'node:crypto';

/**
 * A locally administered unicast MAC. Drawn from SHA-256 over ids that are random, so that a node
 * that leaves and joins again has the same one; `attempt` gives another when it is taken.
 */
export function memberMac(networkId: string, nodeId: string, attempt: number): string {
  const digest = createHash('sha256')
    .update(`etherloom mac 1\n${networkId}\n${nodeId}\n${attempt}`)
    .digest();
  const bytes = Array.from(digest.subarray(0, 6));
  bytes[0] = ((bytes[0] ?? 0) & 0xfc) | 0x02;
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}
