/** Reads a ledger: entries by filter, checkpoints, its head, and what an export consists of. */
import type { Ledger, LedgerCheckpoint, LedgerEntry } from '@etherloom/api';
import { AUDIT_DAYS_DEFAULT, LEDGER_BEGIN } from '@etherloom/api';
import { sql } from 'kysely';
import { findNetwork } from '../store/networks.ts';
import type { LedgerCheckpointRow, LedgerEntryRow } from '../store/ledger-schema.ts';
import { organizationIdFor } from '../store/organizations.ts';
import type { Page, PageGiven } from '../store/page.ts';
import { afterCursor, toPage } from '../store/page.ts';
import type { Tx } from '../store/store.ts';
import { ledgerKeys, lockHead, openLedger } from './ledger.ts';
import { record } from './record.ts';

/** The organization whose ledger is meant: the scope's, or "default" where all are in scope. */
export async function ledgerOrganization(tx: Tx): Promise<string> {
  return tx.origin.organizationId ?? (await organizationIdFor(tx, undefined));
}

export interface LedgerFilter {
  readonly actor?: string | undefined;
  readonly action?: string | undefined;
  readonly target?: string | undefined;
  readonly network?: string | undefined;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
}

const NUMBER = { expression: sql.ref<number>('number'), kind: 'number' } as const;

export async function listEntries(
  tx: Tx,
  given: PageGiven & LedgerFilter,
): Promise<Page<LedgerEntry>> {
  let query = tx.db
    .selectFrom('ledger_entries')
    .selectAll()
    .where('organization_id', '=', await ledgerOrganization(tx));
  if (given.actor !== undefined) query = query.where('actor', '=', given.actor);
  if (given.action !== undefined) query = query.where('action', '=', given.action);
  if (given.target !== undefined) query = query.where('target_id', '=', given.target);
  if (given.network !== undefined)
    query = query.where('network_id', '=', await networkIdOf(tx, given.network));
  if (given.since !== undefined) query = query.where('at', '>=', toStored(given.since));
  if (given.until !== undefined) query = query.where('at', '<=', toStored(given.until));
  const rows = await afterCursor(query, [NUMBER], given, 'desc').execute();
  return toPage(rows, given, (row) => [Number(row.number)], toEntry);
}

/** A time as entries have it, with milliseconds: text of two forms does not sort like time. */
function toStored(time: string): string {
  return new Date(time).toISOString();
}

/** A network that was deleted is in the ledger yet: its id is taken as it is. */
async function networkIdOf(tx: Tx, idOrName: string): Promise<string> {
  return /^net_[0-9a-z]{20}$/.test(idOrName) ? idOrName : (await findNetwork(tx, idOrName)).id;
}

export async function listCheckpoints(tx: Tx, given: PageGiven): Promise<Page<LedgerCheckpoint>> {
  const query = tx.db
    .selectFrom('ledger_checkpoints')
    .selectAll()
    .where('organization_id', '=', await ledgerOrganization(tx));
  const rows = await afterCursor(query, [NUMBER], given, 'desc').execute();
  return toPage(rows, given, (row) => [Number(row.number)], toCheckpoint);
}

export async function showLedger(tx: Tx, organizationId: string): Promise<Ledger> {
  const head = await tx.db
    .selectFrom('ledger_heads')
    .selectAll()
    .where('organization_id', '=', organizationId)
    .executeTakeFirst();
  const keys = await ledgerKeys(tx, organizationId);
  return {
    organizationId,
    head: {
      firstNumber: Number(head?.first_number ?? 1),
      number: Number(head?.number ?? 0),
      hash: head?.hash ?? LEDGER_BEGIN,
    },
    keys: keys.map((row) => row.public_key),
    auditDays: Number(head?.audit_days ?? AUDIT_DAYS_DEFAULT),
  };
}

export async function changeLedger(tx: Tx, given: { readonly auditDays: number }): Promise<Ledger> {
  const organizationId = await ledgerOrganization(tx);
  const before = await showLedger(tx, organizationId);
  if ((await lockHead(tx, organizationId)) === undefined) await openLedger(tx, organizationId);
  await tx.db
    .updateTable('ledger_heads')
    .set({ audit_days: given.auditDays })
    .where('organization_id', '=', organizationId)
    .execute();
  const after = await showLedger(tx, organizationId);
  record(tx, {
    organizationId,
    action: 'ledger.retention',
    target: { noun: 'ledger', id: organizationId, name: null },
    before,
    after,
  });
  return after;
}

/** Numbers of the newest entries of all ledgers, added up. */
export async function countLedgerEntries(tx: Tx): Promise<number> {
  const { sum } = await tx.db
    .selectFrom('ledger_heads')
    .select((eb) => eb.fn.sum<number | string | bigint | null>('number').as('sum'))
    .executeTakeFirstOrThrow();
  return Number(sum ?? 0);
}

/** Entries after a number, in order, at most `limit`. */
export async function entriesAfter(
  tx: Tx,
  organizationId: string,
  range: { readonly after: number; readonly until: number; readonly limit: number },
): Promise<LedgerEntryRow[]> {
  return await tx.db
    .selectFrom('ledger_entries')
    .selectAll()
    .where('organization_id', '=', organizationId)
    .where('number', '>', range.after)
    .where('number', '<=', range.until)
    .orderBy('number')
    .limit(range.limit)
    .execute();
}

/** Checkpoints of entries in [from, to], in order. */
export async function checkpointsBetween(
  tx: Tx,
  organizationId: string,
  from: number,
  to: number,
): Promise<LedgerCheckpoint[]> {
  const rows = await tx.db
    .selectFrom('ledger_checkpoints')
    .selectAll()
    .where('organization_id', '=', organizationId)
    .where('number', '>=', from)
    .where('number', '<=', to)
    .orderBy('number')
    .execute();
  return rows.map(toCheckpoint);
}

/** Hash of an entry, or of the checkpoint that stands for it where it is dropped. */
export async function hashAt(
  tx: Tx,
  organizationId: string,
  number: number,
): Promise<string | undefined> {
  if (number === 0) return LEDGER_BEGIN;
  for (const table of ['ledger_entries', 'ledger_checkpoints'] as const) {
    const row = await tx.db
      .selectFrom(table)
      .select('hash')
      .where('organization_id', '=', organizationId)
      .where('number', '=', number)
      .executeTakeFirst();
    if (row) return row.hash;
  }
  return undefined;
}

export function toEntry(row: LedgerEntryRow): LedgerEntry {
  const entry = JSON.parse(row.entry) as Omit<LedgerEntry, 'hash'>; // written by append()
  return { ...entry, hash: row.hash };
}

function toCheckpoint(row: LedgerCheckpointRow): LedgerCheckpoint {
  return {
    organizationId: row.organization_id,
    number: Number(row.number),
    hash: row.hash,
    at: row.at,
    key: row.key,
    signature: row.signature,
  };
}
