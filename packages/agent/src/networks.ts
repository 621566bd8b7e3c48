/**
 * The node's networks: takes the controller's messages, verifies them through core, stores them,
 * and only then says that something changed. It knows nothing of the link or the host.
 */
import { INTEREST_MAX, NODE_NETWORKS_MAX, rosterStatementSchema } from '@etherloom/api';
import type {
  ControllerMessage,
  Delta,
  JoinReply,
  NetworkProof,
  PartialUpdate,
  SignedStatement,
} from '@etherloom/api';
import {
  applyDelta,
  applyPartial,
  applyProofDelta,
  applySnapshot,
  namedBy,
  needsResync,
  networkDigest,
  readStatement,
  toPartial,
  withoutMembers,
} from '@etherloom/core';
import type { Applied } from '@etherloom/core';
import type { ControllerRecord, MembershipRecord, StateDirectory } from './disk/state-directory.ts';
import { defaultInterfaceName } from './interfaces/plan.ts';
import type { AgentTrust } from './trust/agent-trust.ts';
import { hasOwnEnded, noteUnsignedRemoval, readRevocations } from './trust/own-end.ts';

/** Messages of the controller that change networks. */
export type NetworkMessage = Extract<
  ControllerMessage,
  { type: 'snapshot' | 'delta' | 'partial' | 'removed' }
>;
type SnapshotMessage = Extract<ControllerMessage, { type: 'snapshot' }>;
type RemovedMessage = Extract<ControllerMessage, { type: 'removed' }>;

/** True for what changes a network. */
export function isNetworkMessage(message: ControllerMessage): message is NetworkMessage {
  return ['snapshot', 'delta', 'partial', 'removed'].includes(message.type);
}

export type NetworkOutcome =
  | { readonly kind: 'changed'; readonly networkId: string; readonly what: 'updated' | 'removed' }
  | { readonly kind: 'ignored'; readonly networkId: string; readonly reason: string }
  /** It is not proved; what is held stays in use. */
  | { readonly kind: 'refused'; readonly networkId: string; readonly reason: string }
  | { readonly kind: 'resync'; readonly networkId: string; readonly reason: string };

/** Where networks are kept, and who says what of them is true. */
export interface NetworkStore {
  readonly directory: StateDirectory;
  readonly trust: AgentTrust;
}

/** Removes a membership and its state, for good. */
export function forgetNetwork({ directory, trust }: NetworkStore, networkId: string): void {
  const { memberships } = directory;
  directory.saveMemberships({
    ...memberships,
    networks: memberships.networks.filter((m) => m.networkId !== networkId),
  });
  directory.deleteNetwork(networkId);
  trust.forget(networkId);
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
export function takeNetworkMessage(store: NetworkStore, message: NetworkMessage): NetworkOutcome {
  if (message.type === 'snapshot') return takeSnapshot(store, message);
  if (message.type === 'delta') return takeDelta(store, message);
  if (message.type === 'partial') return takePartial(store, message);
  return takeRemoval(store, message);
}

/**
 * Takes down the networks of a node that was removed as far as the authority bears it out; gives
 * their ids. The others go on, and are shown.
 */
export function takeNodeRemoval(
  store: NetworkStore,
  { reason, shown }: { readonly reason: string; readonly shown: readonly SignedStatement[] },
): string[] {
  const { directory, trust } = store;
  const { nodeId } = directory.identity;
  const revocations = readRevocations(trust, shown);
  const all = directory.memberships.networks.map(({ networkId }) => networkId);
  const ended = all.filter((networkId) => hasOwnEnded(trust, { networkId, nodeId }, revocations));
  for (const networkId of all)
    if (ended.includes(networkId)) forgetNetwork(store, networkId);
    else noteUnsignedRemoval(trust, networkId, reason);
  return ended;
}

function takeRemoval(store: NetworkStore, message: RemovedMessage): NetworkOutcome {
  const { directory, trust } = store;
  const { memberships } = directory;
  const { networkId, reason, revocation } = message;
  const own = { networkId, nodeId: directory.identity.nodeId };
  const isLeft = memberships.leaving.includes(networkId);
  if (isLeft)
    directory.saveMemberships({
      ...memberships,
      leaving: memberships.leaving.filter((id) => id !== networkId),
    });
  const revocations = readRevocations(trust, revocation === undefined ? [] : [revocation]);
  if (!isLeft && !hasOwnEnded(trust, own, revocations)) {
    noteUnsignedRemoval(trust, networkId, reason);
    return { kind: 'refused', networkId, reason: 'removal_unsigned' };
  }
  // One that is not here is confirmed all the same, and costs no write.
  if (memberships.networks.some((m) => m.networkId === networkId)) forgetNetwork(store, networkId);
  return { kind: 'changed', networkId, what: 'removed' };
}

/**
 * Records a membership that the controller has granted; joining again keeps the interface unless
 * another is asked for.
 */
export function recordJoin(
  directory: StateDirectory,
  joined: {
    readonly controller: ControllerRecord;
    readonly reply: Pick<JoinReply, 'networkId' | 'networkName' | 'nodeName'> & Partial<JoinReply>;
    readonly interfaceName: string | undefined;
  },
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

function takeSnapshot(store: NetworkStore, message: SnapshotMessage): NetworkOutcome {
  const { directory, trust } = store;
  const { state, digest, proof } = message;
  const networkId = state.config.id;
  if (state.isPartial === true)
    return { kind: 'refused', networkId, reason: 'a snapshot says of itself that it is a part' };
  const unwanted = whyUnwanted(directory, networkId);
  if (unwanted !== undefined) return { kind: 'ignored', networkId, reason: unwanted };
  const held = directory.networks.get(networkId)?.state;
  const base = isRosterAsNew(trust, networkId, proof) ? undefined : held;
  const applied = applySnapshot(base, { state, digest });
  const outcome = keep({ trust, networkId, applied, digest, proof, isWhole: true });
  if (outcome.kind === 'changed') recordFound(directory, networkId, state.config.name);
  return outcome;
}

/** Why the state of a network is not taken at all. */
function whyUnwanted({ memberships }: StateDirectory, networkId: string): string | undefined {
  if (memberships.leaving.includes(networkId)) return 'the network is being left';
  const isRecorded = memberships.networks.some((m) => m.networkId === networkId);
  if (isRecorded || memberships.networks.length < NODE_NETWORKS_MAX) return undefined;
  return `a node has ${NODE_NETWORKS_MAX} networks at most`;
}

/** A network that is held whole goes on with all its members. */
function takePartial({ directory, trust }: NetworkStore, update: PartialUpdate): NetworkOutcome {
  const { networkId } = update;
  if (update.config.id !== networkId)
    return { kind: 'refused', networkId, reason: 'the config is that of another network' };
  const unwanted = whyUnwanted(directory, networkId);
  if (unwanted !== undefined) return { kind: 'ignored', networkId, reason: unwanted };
  const verified = trust.verifiedOf(networkId);
  const isWhole = verified !== undefined && verified.state.isPartial !== true;
  const next = applyPartial(isWhole ? toPartial(verified) : verified, update);
  if (next.state.members.length > INTEREST_MAX + 1)
    return { kind: 'ignored', networkId, reason: `over ${INTEREST_MAX} members of interest` };
  const digest = networkDigest(next.state);
  const refusal = trust.takeNetwork({ ...next, digest }, namedBy(update));
  if (refusal !== undefined)
    return { kind: 'resync', networkId, reason: `${refusal.code}: ${refusal.detail}` };
  recordFound(directory, networkId, update.config.name);
  return { kind: 'changed', networkId, what: 'updated' };
}

/** Lets go of members of interest; they are asked for when they are needed again. */
export function dropMembers(
  trust: AgentTrust,
  networkId: string,
  nodeIds: ReadonlySet<string>,
): void {
  const verified = trust.verifiedOf(networkId);
  if (verified?.state.isPartial !== true) return;
  const next = withoutMembers(verified, nodeIds);
  trust.takeNetwork({ ...next, digest: networkDigest(next.state) });
}

/**
 * Revisions are a controller's own word: one that once named a number too high must not hold up
 * what an honest one sends later. The roster says what is older; it is verified with the state.
 */
function isRosterAsNew(trust: AgentTrust, networkId: string, proof: NetworkProof): boolean {
  const held = trust.verifiedOf(networkId)?.marks.rosterVersion;
  const given = readStatement(proof.roster, rosterStatementSchema);
  return held !== undefined && given.ok && given.statement.version >= held;
}

/** The agent died between the controller's grant and its own record of it. */
function recordFound(directory: StateDirectory, networkId: string, networkName: string): void {
  const { memberships } = directory;
  if (memberships.networks.some((m) => m.networkId === networkId)) return;
  const name = freeInterfaceName(networkName, memberships.networks);
  const record = { networkId, networkName, interface: name };
  directory.saveMemberships({ ...memberships, networks: [...memberships.networks, record] });
}

function takeDelta({ directory, trust }: NetworkStore, delta: Delta): NetworkOutcome {
  const { networkId, digest } = delta;
  if (directory.memberships.leaving.includes(networkId))
    return { kind: 'ignored', networkId, reason: 'the network is being left' };
  const held = directory.networks.get(networkId);
  if (held === undefined) return { kind: 'resync', networkId, reason: 'no state is held' };
  if (held.state.isPartial === true)
    return { kind: 'resync', networkId, reason: 'the network is held in part' };
  if (held.proof === null)
    return { kind: 'resync', networkId, reason: 'the state that is held has no proof' };
  const applied = applyDelta(held.state, delta);
  const proof = applyProofDelta(held.proof, delta);
  return keep({ trust, networkId, applied, digest, proof, isWhole: false });
}

interface Change {
  readonly trust: AgentTrust;
  readonly networkId: string;
  readonly applied: Applied;
  readonly digest: string;
  readonly proof: NetworkProof;
  /** A snapshot: asking for another one would bring the same. */
  readonly isWhole: boolean;
}

function keep({ trust, networkId, applied, digest, proof, isWhole }: Change): NetworkOutcome {
  if (!applied.ok) {
    const reason = JSON.stringify(applied.refusal);
    return { kind: needsResync(applied.refusal) ? 'resync' : 'ignored', networkId, reason };
  }
  const refusal = trust.takeNetwork({ state: applied.state, digest, proof });
  if (refusal === undefined) return { kind: 'changed', networkId, what: 'updated' };
  const reason = `${refusal.code}: ${refusal.detail}`;
  return { kind: isWhole ? 'refused' : 'resync', networkId, reason };
}

function freeInterfaceName(networkName: string, others: readonly MembershipRecord[]): string {
  return defaultInterfaceName(networkName, new Set(others.map((m) => m.interface)));
}
