/**
 * The node's networks: takes the controller's messages, verifies them through core, stores them,
 * and only then says that something changed. It knows nothing of the link or the host.
 */
import { NODE_NETWORKS_MAX } from '@etherloom/api';
import type { ControllerMessage, Delta, JoinReply, NetworkState } from '@etherloom/api';
import { applyDelta, applySnapshot, needsResync } from '@etherloom/core';
import type { Applied } from '@etherloom/core';
import type { ControllerRecord, MembershipRecord, StateDirectory } from './disk/state-directory.ts';
import { defaultInterfaceName } from './interfaces/plan.ts';

/** Messages of the controller that change networks. */
export type NetworkMessage = Extract<ControllerMessage, { type: 'snapshot' | 'delta' | 'removed' }>;

export type NetworkOutcome =
  | { readonly kind: 'changed'; readonly networkId: string; readonly what: 'updated' | 'removed' }
  | { readonly kind: 'ignored'; readonly networkId: string; readonly reason: string }
  | { readonly kind: 'resync'; readonly networkId: string; readonly reason: string };

/** Removes a membership and its state, for good. */
export function forgetNetwork(directory: StateDirectory, networkId: string): void {
  const { memberships } = directory;
  directory.saveMemberships({
    ...memberships,
    networks: memberships.networks.filter((m) => m.networkId !== networkId),
  });
  directory.deleteNetwork(networkId);
}

/** A network of which the controller holds an older revision than this host. */
export interface RevisionBack {
  readonly networkId: string;
  readonly held: number;
  readonly given: number;
}

/**
 * Networks whose revision the controller has taken back, which only a restored database does:
 * nothing older is taken from it, as that could bring removed members back.
 */
export function findRevisionsBack(
  directory: StateDirectory,
  revisions: Readonly<Record<string, number>>,
): RevisionBack[] {
  return [...directory.networks].flatMap(([networkId, { state }]) => {
    const given = revisions[networkId];
    const held = state.revision;
    return given === undefined || given >= held ? [] : [{ networkId, held, given }];
  });
}

/** Verifies and stores one message. */
export function takeNetworkMessage(
  directory: StateDirectory,
  message: NetworkMessage,
): NetworkOutcome {
  if (message.type === 'snapshot') return takeSnapshot(directory, message.state, message.digest);
  if (message.type === 'delta') return takeDelta(directory, message);
  const { memberships } = directory;
  if (memberships.leaving.includes(message.networkId)) {
    directory.saveMemberships({
      ...memberships,
      leaving: memberships.leaving.filter((id) => id !== message.networkId),
    });
  }
  forgetNetwork(directory, message.networkId);
  return { kind: 'changed', networkId: message.networkId, what: 'removed' };
}

/**
 * Records a membership that the controller has granted; joining again keeps the interface unless
 * another is asked for.
 */
export function recordJoin(
  directory: StateDirectory,
  joined: { controller: ControllerRecord; reply: JoinReply; interfaceName: string | undefined },
): MembershipRecord {
  const { memberships } = directory;
  const { networkId, networkName, nodeName } = joined.reply;
  const others = memberships.networks.filter((m) => m.networkId !== networkId);
  const held = memberships.networks.find((m) => m.networkId === networkId);
  const name = joined.interfaceName ?? held?.interface ?? freeInterfaceName(networkName, others);
  const record = { networkId, networkName, interface: name };
  directory.saveMemberships({
    controller: joined.controller,
    nodeName,
    networks: [...others, record],
    leaving: memberships.leaving.filter((id) => id !== networkId),
  });
  return record;
}

function takeSnapshot(
  directory: StateDirectory,
  state: NetworkState,
  digest: string,
): NetworkOutcome {
  const networkId = state.config.id;
  const { memberships } = directory;
  if (memberships.leaving.includes(networkId))
    return { kind: 'ignored', networkId, reason: 'the network is being left' };
  const held = directory.networks.get(networkId)?.state;
  const applied = applySnapshot(held, { state, digest });
  if (!memberships.networks.some((m) => m.networkId === networkId)) {
    // The agent died between the controller's grant and its own record of it.
    if (memberships.networks.length >= NODE_NETWORKS_MAX) {
      return {
        kind: 'ignored',
        networkId,
        reason: `a node has ${NODE_NETWORKS_MAX} networks at most`,
      };
    }
    const { name: networkName } = state.config;
    const record = {
      networkId,
      networkName,
      interface: freeInterfaceName(networkName, memberships.networks),
    };
    if (applied.ok)
      directory.saveMemberships({ ...memberships, networks: [...memberships.networks, record] });
  }
  return store(directory, networkId, applied, digest);
}

function takeDelta(directory: StateDirectory, delta: Delta): NetworkOutcome {
  const { networkId } = delta;
  if (directory.memberships.leaving.includes(networkId))
    return { kind: 'ignored', networkId, reason: 'the network is being left' };
  const held = directory.networks.get(networkId)?.state;
  if (held === undefined) return { kind: 'resync', networkId, reason: 'no state is held' };
  return store(directory, networkId, applyDelta(held, delta), delta.digest);
}

function store(
  directory: StateDirectory,
  networkId: string,
  applied: Applied,
  digest: string,
): NetworkOutcome {
  if (!applied.ok) {
    const reason = JSON.stringify(applied.refusal);
    return { kind: needsResync(applied.refusal) ? 'resync' : 'ignored', networkId, reason };
  }
  directory.saveNetwork({ state: applied.state, digest });
  return { kind: 'changed', networkId, what: 'updated' };
}

function freeInterfaceName(networkName: string, others: readonly MembershipRecord[]): string {
  return defaultInterfaceName(networkName, new Set(others.map((m) => m.interface)));
}
