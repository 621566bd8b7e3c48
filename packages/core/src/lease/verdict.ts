/**
 * What becomes of a host that presents a lease: a pure function of how the lease stands, whether
 * its holder lives, and hints. Only the ratchet and a live holder prove a clone; hints tell a
 * machine that was put back to an older disk from another one, and let a holder that still runs
 * come first after an outage of the controller.
 */
import type { CloneRule, HostHints } from '@etherloom/api';
import type { LeaseUse } from './ratchet.ts';
import { LEASE_GRACE_MS } from './limits.ts';

export interface LeaseFacts {
  readonly use: LeaseUse;
  /** A link of another process than the newcomer answered a ping that was sent after it came. */
  readonly isAnswered: boolean;
  /** Since something was heard of the holder, or since it could have come, if that is later. */
  readonly silentMs: number;
  readonly kinship: Kinship;
}

/**
 * What the hints say of newcomer and holder: `process` is the same start of the agent, `boot` the
 * same start of the machine, `machine` the same machine or nothing that speaks against it.
 */
export type Kinship = 'process' | 'boot' | 'machine' | 'other';

export type LeaseVerdict =
  /** It is the holder; `rollback`: of an older disk. */
  | { readonly kind: 'accept'; readonly why: Exclude<LeaseUse, 'retired' | 'older'> | 'rollback' }
  /** It cannot be told yet: the newcomer asks again. */
  | { readonly kind: 'wait'; readonly waitMs: number }
  /** A second machine: the network's rule decides. */
  | { readonly kind: 'clone' }
  /** Its lease was given to another machine. */
  | { readonly kind: 'replaced' };

/** What identifies a running agent to the judge. */
export interface HostMarks {
  readonly instance: string;
  readonly hints: HostHints;
}

/** How two sets of marks belong together. What is not known speaks for nothing. */
export function kinshipOf(a: HostMarks, b: HostMarks): Kinship {
  const differs = (key: keyof HostHints): boolean =>
    a.hints[key] !== null && b.hints[key] !== null && a.hints[key] !== b.hints[key];
  if (differs('machineId') || differs('cloudInstanceId')) return 'other';
  if (differs('bootId') || differs('vmGenerationId')) return 'machine';
  return a.instance === b.instance ? 'process' : 'boot';
}

/** Judges; what a clone gets is the rule's matter. */
export function judgeLease({ use, isAnswered, silentMs, kinship }: LeaseFacts): LeaseVerdict {
  if (use === 'retired') return { kind: 'replaced' };
  if (isAnswered) return { kind: 'clone' };
  const waitMs = LEASE_GRACE_MS - silentMs;
  if (use === 'older') {
    if (waitMs > 0) return { kind: 'wait', waitMs };
    return kinship === 'other' ? { kind: 'clone' } : { kind: 'accept', why: 'rollback' };
  }
  // Two machines can hold the newest lease after a copy: the one that was there is let in first.
  const mayBeCopy = use !== 'first' && (kinship === 'machine' || kinship === 'other');
  if (mayBeCopy && waitMs > 0) return { kind: 'wait', waitMs };
  return { kind: 'accept', why: use };
}

const STRICTNESS: readonly CloneRule[] = ['reject', 'replace', 'split'];

/** The strictest of the rules of a node's networks; undefined: it has none. */
export function strictestRule(rules: readonly CloneRule[]): CloneRule | undefined {
  return STRICTNESS.find((rule) => rules.includes(rule));
}
