/** Whether this node itself is a valid member, told as a problem when it is not. */
import { isValidAt } from '@etherloom/core';
import type { VerifiedMember } from '@etherloom/core';
import type { AgentTrust } from './agent-trust.ts';

/** Looks at every verified network, and notes or ends its problem. */
export function noteOwnValidity(trust: AgentTrust, nodeId: string): void {
  const now = trust.nowMs();
  for (const { verified } of trust.networks) {
    if (verified === undefined) continue;
    const networkId = verified.state.config.id;
    const own = verified.members.get(nodeId);
    const isRevoked = trust.isRevoked(networkId, nodeId);
    if (own !== undefined && isValidAt(own, now) && !isRevoked)
      trust.problems.end(networkId, 'validity');
    else if (own !== undefined)
      trust.problems.note(networkId, 'validity', problemOf(own, now, isRevoked));
  }
}

function problemOf(
  own: VerifiedMember,
  nowMs: number,
  isRevoked: boolean,
): { code: string; detail: string } {
  if (isRevoked)
    return {
      code: 'credential_revoked',
      detail: 'the authority has revoked the membership of this node: it has no sessions',
    };
  if (nowMs < own.beginMs)
    return {
      code: 'credential_not_begun',
      detail: `the credential of this node begins at ${textOf(own.beginMs)}, which is not yet: is the clock of this host right? A controller would correct it`,
    };
  return {
    code: 'credential_ended',
    detail: `the credential of this node has ended at ${textOf(own.endMs)}: there are no sessions until a controller renews it, unless the clock of this host is wrong`,
  };
}

function textOf(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? 'a time that there is not' : date.toISOString();
}
