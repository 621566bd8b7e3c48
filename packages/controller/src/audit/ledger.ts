/**
 * Writes what a transaction recorded into the chains of its organizations, at its end: the head row
 * is locked from there to the commit. Organizations are taken in the order of their ids, so that
 * two transactions never wait for each other.
 */
import { createHash } from 'node:crypto';
import {
  AUDIT_DAYS_DEFAULT,
  LEDGER_BEGIN,
  canonicalJson,
  checkpointSigningText,
  ledgerHashText,
  toBase64url,
} from '@etherloom/api';
import type { LedgerEntry } from '@etherloom/api';
import type { Signer } from '@etherloom/core';
import type { Kysely } from 'kysely';
import { LEDGER_CHECKPOINT_ENTRIES } from '../limits.ts';
import { CONTROLLER_ORIGIN } from '../access/principal.ts';
import type { LedgerHeadRow, LedgerKeyRow } from '../store/ledger-schema.ts';
import type { Schema } from '../store/schema.ts';
import type { Tx } from '../store/store.ts';
import type { LedgerDraft } from './record.ts';

type Head = { -readonly [K in keyof LedgerHeadRow]: LedgerHeadRow[K] };

/** Writes the entries of a transaction. */
export async function writeLedger(tx: Tx): Promise<void> {
  if (tx.drafts.length === 0) return;
  const byOrganization = Map.groupBy(tx.drafts, (draft) => draft.organizationId);
  for (const organizationId of [...byOrganization.keys()].toSorted()) {
    const head = (await lockHead(tx, organizationId)) ?? (await openLedger(tx, organizationId));
    for (const draft of byOrganization.get(organizationId) ?? [])
      await appendEntry(tx, head, draft);
    if (head.number - head.checkpoint_number >= LEDGER_CHECKPOINT_ENTRIES)
      await addCheckpoint(tx, head);
    await saveHead(tx, head);
    tx.changes.ledger.set(organizationId, head.number);
  }
  tx.drafts.length = 0;
}

/** The head of a ledger, locked until the end of the transaction; undefined: nothing is written. */
export async function lockHead(tx: Tx, organizationId: string): Promise<Head | undefined> {
  const query = tx.db
    .selectFrom('ledger_heads')
    .selectAll()
    .where('organization_id', '=', organizationId);
  return await tx.engine.lockRows(query).executeTakeFirst();
}

/** The first entry names the key that signs checkpoints. */
export async function openLedger(tx: Tx, organizationId: string): Promise<Head> {
  const head: Head = {
    organization_id: organizationId,
    number: 0,
    hash: LEDGER_BEGIN,
    first_number: 1,
    checkpoint_number: 0,
    checkpoint_at: tx.now.toISOString(),
    audit_days: AUDIT_DAYS_DEFAULT,
  };
  await tx.db.insertInto('ledger_heads').values(head).execute();
  const signer = await makeLedgerKey(tx, organizationId);
  await appendEntry(tx, head, keyDraft(organizationId, signer, 'ledger.open'));
  return head;
}

function keyDraft(organizationId: string, { key }: Signer, action: string): LedgerDraft {
  return {
    organizationId,
    action,
    target: { noun: 'ledger', id: organizationId, name: null },
    actor: CONTROLLER_ORIGIN.actor,
    before: null,
    after: { key },
  };
}

/** As much of a transaction as an entry needs. */
export interface LedgerTx extends Pick<Tx, 'now' | 'origin'> {
  readonly db: Kysely<Schema>;
}

/** Adds an entry to the chain; saveHead has to follow. */
export async function appendEntry(tx: LedgerTx, head: Head, draft: LedgerDraft): Promise<void> {
  const { origin } = tx;
  const actor = draft.actor ?? origin.actor;
  const entry: Omit<LedgerEntry, 'hash'> = {
    number: head.number + 1,
    at: tx.now.toISOString(),
    organizationId: head.organization_id,
    actor: { kind: actor.kind, id: actor.id, name: actor.name },
    source: origin.source,
    requestId: origin.requestId,
    action: draft.action,
    target: draft.target,
    networkId: draft.networkId ?? null,
    reason: draft.reason ?? origin.reason,
    before: draft.before as LedgerEntry['before'], // plain data, as the API shows it
    after: draft.after as LedgerEntry['after'], // likewise
  };
  const hash = sha256Hex(ledgerHashText(head.hash, entry));
  await tx.db
    .insertInto('ledger_entries')
    .values({
      organization_id: head.organization_id,
      number: entry.number,
      at: entry.at,
      actor: actor.id ?? actor.kind,
      action: entry.action,
      target_id: entry.target.id,
      network_id: entry.networkId,
      entry: canonicalJson(entry),
      hash,
    })
    .execute();
  head.number = entry.number;
  head.hash = hash;
}

/** Signs the newest entry; saveHead has to follow. */
export async function addCheckpoint(tx: Tx, head: Head): Promise<void> {
  const signer = await ledgerSigner(tx, head);
  const checkpoint = {
    organizationId: head.organization_id,
    number: head.number,
    hash: head.hash,
    at: tx.now.toISOString(),
  };
  await tx.db
    .insertInto('ledger_checkpoints')
    .values({
      organization_id: checkpoint.organizationId,
      number: checkpoint.number,
      hash: checkpoint.hash,
      at: checkpoint.at,
      key: signer.key,
      signature: signText(signer, checkpointSigningText(checkpoint)),
    })
    .execute();
  head.checkpoint_number = checkpoint.number;
  head.checkpoint_at = checkpoint.at;
}

export async function saveHead({ db }: Pick<LedgerTx, 'db'>, head: Head): Promise<void> {
  const { organization_id, ...values } = head;
  await db
    .updateTable('ledger_heads')
    .set(values)
    .where('organization_id', '=', organization_id)
    .execute();
}

/** The newest key that opens. Where the sealing key was lost there is none, and one is made. */
async function ledgerSigner(tx: Tx, head: Head): Promise<Signer> {
  const open = await openLedgerKey(tx, head.organization_id);
  if (open !== null) return open;
  const fresh = await makeLedgerKey(tx, head.organization_id);
  await appendEntry(tx, head, keyDraft(head.organization_id, fresh, 'ledger.key'));
  return fresh;
}

/** The key that signs; null: none opens. */
export async function openLedgerKey(tx: Tx, organizationId: string): Promise<Signer | null> {
  const rows = await ledgerKeys(tx, organizationId);
  for (const row of rows.toReversed()) {
    const signer = tx.keyring.open({ ...row, purpose: 'ledger', lost_at: null });
    if (signer !== null) return signer;
  }
  return null;
}

/** Keys of a ledger, oldest first. */
export function ledgerKeys(tx: Tx, organizationId: string): Promise<LedgerKeyRow[]> {
  return tx.db
    .selectFrom('ledger_keys')
    .selectAll()
    .where('organization_id', '=', organizationId)
    .orderBy('created_at')
    .orderBy('public_key')
    .execute();
}

async function makeLedgerKey(tx: Tx, organizationId: string): Promise<Signer> {
  const { public_key, sealed, created_at } = tx.keyring.make(
    { organization_id: organizationId, purpose: 'ledger', created_at: tx.now.toISOString() },
    tx.random,
  );
  const row = { public_key, organization_id: organizationId, sealed, created_at };
  await tx.db.insertInto('ledger_keys').values(row).execute();
  const signer = tx.keyring.open({ ...row, purpose: 'ledger', lost_at: null });
  if (signer === null) throw new Error('a key that was sealed does not open');
  return signer;
}

/** A signature over a text, base64url. */
export function signText(signer: Signer, text: string): string {
  return toBase64url(signer.sign(new TextEncoder().encode(text)));
}

export function sha256Hex(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
