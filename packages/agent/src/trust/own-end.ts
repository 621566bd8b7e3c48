/**
 * Whether the membership of this node has ended. A controller cannot say so: the authority revokes,
 * or the credential runs out. Until then a network goes on, whatever the controller tells.
 */
import type { RevocationStatement, SignedStatement } from '@etherloom/api';
import { isRevokedBy, readPeerRevocation, signedByAuthority } from '@etherloom/core';
import { REASON_CHARS_MAX } from '../limits.ts';
import type { AgentTrust } from './agent-trust.ts';

/**
 * Those that the authority has signed; by its former keys alone only as long as the newest have not
 * signed the network anew.
 */
export function readRevocations(
  trust: AgentTrust,
  shown: readonly SignedStatement[],
): RevocationStatement[] {
  const { authority } = trust;
  if (authority === undefined) return [];
  return shown.flatMap((signed) => {
    const revocation = readPeerRevocation(signed, authority);
    if (revocation === undefined) return [];
    const isResigned = trust.verifiedOf(revocation.networkId)?.isResigned === true;
    const isOutvoted = isResigned && signedByAuthority(authority, signed) !== 'newest';
    return isOutvoted ? [] : [revocation];
  });
}

/** True when nothing is held by which this node could be a member of a network. */
export function hasOwnEnded(
  trust: AgentTrust,
  own: { readonly networkId: string; readonly nodeId: string },
  revocations: readonly RevocationStatement[],
): boolean {
  const member = trust.verifiedOf(own.networkId)?.members.get(own.nodeId);
  if (member === undefined || trust.isRevoked(own.networkId, own.nodeId)) return true;
  if (trust.nowMs() >= member.endMs) return true;
  return revocations.some((revocation) => isRevokedBy(revocation, member.credential));
}

/** Notes that a controller has removed this node from a network without showing that it may. */
export function noteUnsignedRemoval(trust: AgentTrust, networkId: string, reason: string): void {
  const detail = `the controller says: ${reason.slice(0, REASON_CHARS_MAX)}; it shows no revocation that the authority signed, so the network goes on until the credential ends or \`loom leave\``;
  trust.problems.note(networkId, 'removal', { code: 'removal_unsigned', detail });
}
