/**
 * Verifies what some agents were told, with the rules by which agents verify it: the authority that
 * the join token pins, the roster, every credential. A figure of a state that nobody would take is
 * worth nothing.
 */
import type { ControllerMessage } from '@etherloom/api';
import { controllerMessageSchema } from '@etherloom/api';
import type { VerifiedNetwork } from '@etherloom/core';
import {
  applyPartial,
  followAuthority,
  hashStatement,
  namedBy,
  openAuthority,
  verifyPartialState,
} from '@etherloom/core';
import { NetworkFollower } from '../../packages/controller/src/testing/network-follower.ts';
import type { SimAgent } from './agent.ts';

type PartialMessage = Extract<ControllerMessage, { type: 'partial' }>;

/** Throws for the first agent whose state is not proved; gives how many were looked at. */
export function verifySamples(agents: readonly SimAgent[]): number {
  const samples = agents.filter(({ isSample }) => isSample);
  for (const agent of samples) verifySample(agent);
  return samples.length;
}

function verifySample(agent: SimAgent): void {
  const pinned = agent.authority.at(-1)?.statement ?? '';
  const follower = new NetworkFollower(hashStatement(pinned));
  let part: VerifiedNetwork | undefined;
  let revision = -1;
  for (const text of agent.received) {
    const message = controllerMessageSchema.parse(JSON.parse(text));
    if (message.type === 'partial') part = takePartial(follower, part, message);
    // Each link begins with the whole history again.
    else if (message.type !== 'authority' || isNews(follower, message.chain))
      follower.take(message);
    revision = Math.max(revision, revisionOf(message));
  }
  const state = (part ?? follower.networks.get(agent.networkId))?.state;
  if (state?.revision !== revision || revision !== agent.revision)
    throw new Error(`${agent.name} holds revision ${state?.revision}, it was told ${revision}`);
  if (!state.members.some(({ nodeId }) => nodeId === agent.nodeId))
    throw new Error(`${agent.name} is no member of what it holds`);
}

function isNews(
  follower: NetworkFollower,
  chain: Extract<ControllerMessage, { type: 'authority' }>['chain'],
): boolean {
  try {
    return followAuthority(follower.authority, chain).ok;
  } catch {
    return openAuthority(hashStatement(chain.at(-1)?.statement ?? ''), chain).ok;
  }
}

function takePartial(
  { authority }: NetworkFollower,
  held: VerifiedNetwork | undefined,
  message: PartialMessage,
): VerifiedNetwork {
  const next = applyPartial(held, message);
  const named = namedBy(message);
  const result = verifyPartialState({ ...next, authority, held, named });
  if (!result.ok) throw new Error(`${result.refusal.code}: ${result.refusal.detail}`);
  return result.verified;
}

function revisionOf(message: ControllerMessage): number {
  switch (message.type) {
    case 'snapshot':
      return message.state.revision;
    case 'delta':
      return message.toRevision;
    case 'partial':
      return message.revision;
    default:
      return -1;
  }
}
