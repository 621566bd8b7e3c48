/**
 * Who of a network is valid at a time, for the tables and the mesh: pure. A member whose credential
 * has ended, has not begun or is revoked is left out; when it is this node itself, all others are,
 * and its port stays.
 */
import { isValidAt, nextValidityChange } from '@etherloom/core';
import type { PlanNetwork, VerifiedNetwork, VerifiedMember } from '@etherloom/core';
import type { AgentTrust, TrustedNetwork } from './agent-trust.ts';

const HALF_DAY_MS = 43_200_000;

/** How much longer a network goes on when nobody renews anything. */
export interface NetworkBudget {
  readonly membersValid: number;
  readonly ownSecondsLeft: number;
  readonly firstPeerSecondsLeft: number | null;
  readonly firstPeer: string | null;
}

/** The times that validity is compared with: trusted time, and the clock of the mesh. */
export interface PlanTimes {
  readonly trustedMs: number;
  readonly meshMs: number;
}

/**
 * The networks as they may be programmed at this time. `isVouched` says where a voucher makes this
 * node a member; it is added elsewhere.
 */
export function planNetworks(
  trust: AgentTrust,
  nodeId: string,
  times: PlanTimes,
  isVouched: (networkId: string) => boolean = () => false,
): PlanNetwork[] {
  return trust.networks.map((network) => {
    const { verified, stored } = network;
    if (verified === undefined) return stored.state;
    const valid = validMembers(
      trust,
      network,
      times.trustedMs,
      (all) => all.has(nodeId) || isVouched(stored.state.config.id),
    );
    const isKept = (id: string): boolean => id === nodeId || valid.has(id);
    const endsAt = [...valid].map(
      ([id, { endMs }]) => [id, times.meshMs + endMs - times.trustedMs] as const,
    );
    return {
      ...verified.state,
      members: verified.state.members.filter((member) => isKept(member.nodeId)),
      postQuantum: verified.network.settings.postQuantum,
      endsAt: new Map(endsAt),
    };
  });
}

/** When the plan has to be looked at again, trusted time; undefined: never by itself. */
export function nextPlanChange(trust: AgentTrust, nowMs: number): number | undefined {
  const all = trust.networks.flatMap(({ verified }) =>
    verified === undefined ? [] : [...verified.members.values()],
  );
  return nextValidityChange(all, nowMs);
}

/**
 * The latest time, Unix milliseconds, at which those who are valid now would have half of their
 * network's budget left: a controller renews long before that, so one that names a later time has
 * not renewed, or lies to end them. Infinity: nobody is valid.
 */
export function latestBorneOut(trust: AgentTrust): number {
  const now = trust.nowMs();
  const ends = trust.networks.flatMap(({ verified, isEnded }) => {
    if (verified === undefined || isEnded) return [];
    const halfMs = verified.network.settings.stalenessDays * HALF_DAY_MS;
    const networkId = verified.state.config.id;
    return [...verified.members]
      .filter(([id, member]) => isValidAt(member, now) && !trust.isRevoked(networkId, id))
      .map(([, { endMs }]) => endMs - halfMs);
  });
  return ends.reduce((least, end) => Math.min(least, end), Infinity);
}

/** What is left of a verified network. */
export function budgetOf(
  trust: AgentTrust,
  verified: VerifiedNetwork,
  nodeId: string,
): NetworkBudget {
  const now = trust.nowMs();
  const networkId = verified.state.config.id;
  const own = verified.members.get(nodeId);
  const isOwnValid =
    own !== undefined && isValidAt(own, now) && !trust.isRevoked(networkId, nodeId);
  const peers = [...verified.members].filter(
    ([id, member]) => id !== nodeId && isValidAt(member, now) && !trust.isRevoked(networkId, id),
  );
  const first = peers.reduce<VerifiedMember | undefined>(
    (least, [, member]) => (least === undefined || member.endMs < least.endMs ? member : least),
    undefined,
  );
  return {
    membersValid: peers.length + (isOwnValid ? 1 : 0),
    ownSecondsLeft: own === undefined ? 0 : Math.floor((own.endMs - now) / 1_000),
    firstPeerSecondsLeft: first === undefined ? null : Math.floor((first.endMs - now) / 1_000),
    firstPeer: first?.credential.name ?? null,
  };
}

function validMembers(
  trust: AgentTrust,
  { verified, isEnded }: TrustedNetwork,
  nowMs: number,
  isOwnIn: (valid: ReadonlyMap<string, VerifiedMember>) => boolean,
): ReadonlyMap<string, VerifiedMember> {
  if (verified === undefined || isEnded) return new Map();
  const networkId = verified.state.config.id;
  const valid = new Map(
    [...verified.members].filter(
      ([id, member]) => isValidAt(member, nowMs) && !trust.isRevoked(networkId, id),
    ),
  );
  return isOwnIn(valid) ? valid : new Map();
}
