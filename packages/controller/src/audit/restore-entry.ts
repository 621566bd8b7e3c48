/**
 * A restored backup takes a ledger back to an older entry, while others may hold later ones: each
 * chain says so itself, in the entry that follows.
 */
import { LEDGER_RESTORE } from '@etherloom/api';
import { CONTROLLER_ORIGIN } from '../access/principal.ts';
import type { LedgerTx } from './ledger.ts';
import { appendEntry, saveHead } from './ledger.ts';

/**
 * Writes it into all ledgers of a database that was put back, which nobody else uses meanwhile.
 * `backupAt`: when the backup was made; null: not known.
 */
export async function writeRestores(tx: LedgerTx, backupAt: string | null): Promise<void> {
  const heads = await tx.db.selectFrom('ledger_heads').selectAll().execute();
  for (const row of heads) {
    const head = { ...row };
    const { number, organization_id: organizationId } = head;
    await appendEntry(tx, head, {
      organizationId,
      action: LEDGER_RESTORE,
      target: { noun: 'ledger', id: organizationId, name: null },
      actor: CONTROLLER_ORIGIN.actor,
      before: null,
      after: { backupAt, number },
      reason: `restored from a backup${backupAt === null ? '' : ` of ${backupAt}`} whose newest entry was ${number}: what had been written after it is gone`,
    });
    await saveHead(tx, head);
  }
}
