/**
 * How an agent's copy of a network moves from one revision to the next. Nothing is changed in
 * place; what does not fit is refused with a code that says whether the agent has to ask for a
 * snapshot (needsResync).
 */
import type { Delta, Member, NetworkState } from '@etherloom/api';
import { compareText, networkDigest } from './canonical.ts';

/** What of a snapshot message is applied. */
export interface Snapshot {
  readonly state: NetworkState;
  readonly digest: string;
}

export type NetworkStateRefusal =
  | { readonly code: 'revision_older'; readonly held: number; readonly given: number }
  | { readonly code: 'revision_gap'; readonly held: number; readonly given: number }
  | { readonly code: 'revision_backward'; readonly from: number; readonly to: number }
  | { readonly code: 'digest_mismatch'; readonly expected: string; readonly actual: string }
  | { readonly code: 'network_mismatch'; readonly held: string; readonly given: string }
  | { readonly code: 'member_repeated'; readonly nodeId: string }
  | { readonly code: 'member_missing'; readonly nodeId: string };

/** The result of applying: the next state, or why not. */
export type Applied =
  | { readonly ok: true; readonly state: NetworkState }
  | { readonly ok: false; readonly refusal: NetworkStateRefusal };

/** True when a snapshot from the controller is the cure. What is merely old needs none. */
export function needsResync(refusal: NetworkStateRefusal): boolean {
  return refusal.code !== 'revision_older';
}

/**
 * Replaces the state. The same revision is taken again (it may heal a digest); an older one is
 * refused.
 */
export function applySnapshot(held: NetworkState | undefined, snapshot: Snapshot): Applied {
  const { state, digest } = snapshot;
  if (held !== undefined) {
    if (held.config.id !== state.config.id) return refused(mismatch(held, state.config.id));
    if (state.revision < held.revision) {
      return refused({ code: 'revision_older', held: held.revision, given: state.revision });
    }
  }
  const repeated = firstRepeated(state.members.map((member) => member.nodeId));
  if (repeated !== undefined) return refused({ code: 'member_repeated', nodeId: repeated });
  return checked({ ...state, members: sorted(state.members) }, digest);
}

/** Moves the state on by one delta. A removal names a member that is held; an upsert is whole. */
export function applyDelta(held: NetworkState, delta: Delta): Applied {
  const refusal = refusalOfDelta(held, delta);
  if (refusal !== undefined) return refused(refusal);
  const members = new Map(held.members.map((member) => [member.nodeId, member]));
  for (const nodeId of delta.removals) {
    if (!members.delete(nodeId)) return refused({ code: 'member_missing', nodeId });
  }
  for (const member of delta.upserts) members.set(member.nodeId, member);
  const state = {
    config: delta.config ?? held.config,
    revision: delta.toRevision,
    members: sorted([...members.values()]),
  };
  return checked(state, delta.digest);
}

function refusalOfDelta(held: NetworkState, delta: Delta): NetworkStateRefusal | undefined {
  const { fromRevision: from, toRevision: to } = delta;
  if (delta.networkId !== held.config.id) return mismatch(held, delta.networkId);
  if (delta.config !== undefined && delta.config.id !== held.config.id)
    return mismatch(held, delta.config.id);
  if (to <= from) return { code: 'revision_backward', from, to };
  if (to <= held.revision) return { code: 'revision_older', held: held.revision, given: to };
  if (from !== held.revision) return { code: 'revision_gap', held: held.revision, given: from };
  const repeated = firstRepeated([
    ...delta.removals,
    ...delta.upserts.map((member) => member.nodeId),
  ]);
  return repeated === undefined ? undefined : { code: 'member_repeated', nodeId: repeated };
}

function checked(state: NetworkState, expected: string): Applied {
  const actual = networkDigest(state);
  if (actual !== expected) return refused({ code: 'digest_mismatch', expected, actual });
  return { ok: true, state };
}

function refused(refusal: NetworkStateRefusal): Applied {
  return { ok: false, refusal };
}

function mismatch(held: NetworkState, given: string): NetworkStateRefusal {
  return { code: 'network_mismatch', held: held.config.id, given };
}

function sorted(members: readonly Member[]): Member[] {
  return members.toSorted((a, b) => compareText(a.nodeId, b.nodeId));
}

function firstRepeated(nodeIds: readonly string[]): string | undefined {
  const seen = new Set<string>();
  return nodeIds.find((nodeId) => seen.size === seen.add(nodeId).size);
}
