/** Leases of nodes as they are stored; how they are judged is lease/judge.ts. */
import type { HostHints } from '@etherloom/api';
import type { HostMarks, LeaseRecord } from '@etherloom/core';
import { RETIRED_LEASES_MAX } from '../limits.ts';
import type { Tx } from './store.ts';

/** The newest lease of a node, and the marks of its holder. */
export interface StoredLease {
  readonly record: LeaseRecord;
  readonly marks: HostMarks;
}

export async function readLease(tx: Tx, nodeId: string): Promise<StoredLease | undefined> {
  const row = await tx.db
    .selectFrom('leases')
    .selectAll()
    .where('node_id', '=', nodeId)
    .executeTakeFirst();
  if (!row) return undefined;
  return {
    record: {
      epoch: row.epoch,
      hash: row.hash,
      previousEpoch: row.previous_epoch,
      previousHash: row.previous_hash,
    },
    marks: {
      instance: row.instance,
      hints: JSON.parse(row.hints) as HostHints, // written by saveLease
    },
  };
}

export async function saveLease(tx: Tx, nodeId: string, lease: StoredLease): Promise<void> {
  const { record, marks } = lease;
  const values = {
    epoch: record.epoch,
    hash: record.hash,
    previous_epoch: record.previousEpoch,
    previous_hash: record.previousHash,
    instance: marks.instance,
    hints: JSON.stringify(marks.hints),
  };
  await tx.db
    .insertInto('leases')
    .values({ node_id: nodeId, ...values })
    .onConflict((conflict) => conflict.column('node_id').doUpdateSet(values))
    .execute();
}

/** Whether `replace` took this lease from its holder. */
export async function isRetiredLease(
  tx: Tx,
  nodeId: string,
  lease: Pick<LeaseRecord, 'epoch' | 'hash'>,
): Promise<boolean> {
  const row = await tx.db
    .selectFrom('retired_leases')
    .select('epoch')
    .where('node_id', '=', nodeId)
    .where('epoch', '=', lease.epoch)
    .where('hash', '=', lease.hash)
    .executeTakeFirst();
  return row !== undefined;
}

/** Remembers a lease as taken away, and forgets the oldest above the limit. */
export async function retireLease(
  tx: Tx,
  nodeId: string,
  { epoch, hash }: Pick<LeaseRecord, 'epoch' | 'hash'>,
): Promise<void> {
  await tx.db
    .insertInto('retired_leases')
    .values({ node_id: nodeId, epoch, hash })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  const beyond = await tx.db
    .selectFrom('retired_leases')
    .select('epoch')
    .where('node_id', '=', nodeId)
    .orderBy('epoch', 'desc')
    .offset(RETIRED_LEASES_MAX)
    .limit(1)
    .executeTakeFirst();
  if (!beyond) return;
  await tx.db
    .deleteFrom('retired_leases')
    .where('node_id', '=', nodeId)
    .where('epoch', '<=', beyond.epoch)
    .execute();
}
