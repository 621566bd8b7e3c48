/**
 * A node's lease: an epoch and a secret that only its holder has, moved on with every link
 * (docs/trust.md, section 5). Here are both sides of the move as pure functions: what the agent
 * keeps on disk, and what the controller compares and stores.
 *
 *   agent:       { epoch, secret }  -- withNext, stored -->  { epoch, secret, next }
 *                                   -- welcome, takeEpoch, stored -->  { epoch + 1, next }
 *   controller:  { epoch, hash of the secret }  -- advance -->  { epoch + 1, hash of the next }
 *
 * The next secret is kept until the controller is known to have it, so that an agent that died in
 * between, or whose answer was lost, repeats itself and does not look like a second holder.
 */
import type { Lease } from '@etherloom/api';
import { hexOf } from '../network-state/canonical.ts';
import { sha256 } from '../noise/symmetric-state.ts';
import { EPOCH_JUMP_MAX } from './limits.ts';

/** What an agent keeps on disk. */
export interface HeldLease {
  readonly epoch: number;
  readonly secret: string;
  /** The secret that was, or is about to be, offered as the next one; null: none is made. */
  readonly next: string | null;
}

/** What a controller keeps of a node. */
export interface LeaseRecord {
  readonly epoch: number;
  /** Hash of the secret of this epoch. */
  readonly hash: string;
  /** What was presented to get this epoch: the same again means that the answer was lost. */
  readonly previousEpoch: number;
  readonly previousHash: string;
}

/**
 * How a presented lease stands to the record:
 *
 *   first      nothing is recorded: trust on first use
 *   current    the newest
 *   repeated   the one before, with the same next secret as then
 *   ahead      of a later epoch than the record, as after a restored backup of the controller; by
 *              no more than EPOCH_JUMP_MAX, so that a copy cannot name the last one that there is
 *   retired    was taken from its holder by the rule `replace`
 *   older      anything else: a second use of an epoch
 */
export type LeaseUse = 'first' | 'current' | 'repeated' | 'ahead' | 'retired' | 'older';

/** SHA-256 of the text of a secret, 64 lower-case hex digits. */
export function leaseHash(secret: string): string {
  return hexOf(sha256(new TextEncoder().encode(secret)));
}

/** The lease of a node that never had one. */
export function firstLease(secret: string): HeldLease {
  return { epoch: 0, secret, next: null };
}

/** With a next secret to offer: the one that was offered before, else `secret`. */
export function withNext(held: HeldLease, secret: string): HeldLease {
  return held.next === null ? { ...held, next: secret } : held;
}

/** What `authenticate` carries; to be sent once `held` is on disk. */
export function presentLease(held: HeldLease & { readonly next: string }): Lease {
  return { epoch: held.epoch, secret: held.secret, nextHash: leaseHash(held.next) };
}

/**
 * The lease after a welcome, to be stored before the link is used. The same epoch means that the
 * controller could not move it on; undefined: an answer that no controller gives.
 */
export function takeEpoch(held: HeldLease, epoch: number): HeldLease | undefined {
  if (epoch === held.epoch) return held;
  if (epoch < held.epoch || held.next === null) return undefined;
  if (epoch - held.epoch > EPOCH_JUMP_MAX) return undefined;
  return { epoch, secret: held.next, next: null };
}

/** Compares what an agent presents with what is recorded. */
export function compareLease(
  record: LeaseRecord | undefined,
  isRetired: boolean,
  lease: Lease,
): LeaseUse {
  if (record === undefined) return 'first';
  const hash = leaseHash(lease.secret);
  if (lease.epoch === record.epoch && hash === record.hash) return 'current';
  const isPrevious = lease.epoch === record.previousEpoch && hash === record.previousHash;
  if (isPrevious && lease.nextHash === record.hash) return 'repeated';
  if (isRetired) return 'retired';
  return lease.epoch > record.epoch && isNear(record, lease) ? 'ahead' : 'older';
}

/** The record after an accepted lease. */
export function advance(record: LeaseRecord | undefined, lease: Lease, use: LeaseUse): LeaseRecord {
  if (record !== undefined && use === 'repeated') return record;
  return passOn(record, lease);
}

/** The record after a lease went to another holder, whatever that one presented. */
export function passOn(record: LeaseRecord | undefined, lease: Lease): LeaseRecord {
  return {
    epoch: Math.max(record?.epoch ?? 0, isNear(record, lease) ? lease.epoch : 0) + 1,
    hash: lease.nextHash,
    previousEpoch: lease.epoch,
    previousHash: leaseHash(lease.secret),
  };
}

/** Not so far ahead that one who names the last epoch that there is could end the ratchet. */
function isNear(record: LeaseRecord | undefined, lease: Lease): boolean {
  return lease.epoch - (record?.epoch ?? 0) <= EPOCH_JUMP_MAX;
}
