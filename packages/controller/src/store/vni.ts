/** VNI allocation: the lowest that no network has and that is not in quarantine. */
import { VNI_MAX, VNI_MIN, VNI_QUARANTINE_MS } from '../limits.ts';
import { RequestError } from '../request-error.ts';
import type { Tx } from './store.ts';

export interface VniRange {
  readonly min: number;
  readonly max: number;
}

/**
 * A free VNI. The caller stores it in the same transaction; the unique constraint of the table
 * guards it.
 */
export async function allocateVni(
  tx: Tx,
  range: VniRange = { min: VNI_MIN, max: VNI_MAX },
): Promise<number> {
  await tx.db.deleteFrom('vni_quarantine').where('until', '<=', tx.now.toISOString()).execute();
  const used = await tx.db
    .selectFrom('networks')
    .select('vni')
    .union(tx.db.selectFrom('vni_quarantine').select('vni'))
    .orderBy('vni')
    .execute();
  let candidate = range.min;
  for (const { vni } of used) {
    if (vni === candidate) candidate += 1;
    else if (vni > candidate) break;
  }
  if (candidate <= range.max) return candidate;
  throw new RequestError(
    'vni_exhausted',
    `every VNI from ${range.min} to ${range.max} is in use or rests after a deletion`,
  );
}

/** Keeps a freed VNI from being given again while a host could still hold it. */
export async function quarantineVni(tx: Tx, vni: number): Promise<void> {
  const until = new Date(tx.now.getTime() + VNI_QUARANTINE_MS).toISOString();
  await tx.db.insertInto('vni_quarantine').values({ vni, until }).execute();
}
