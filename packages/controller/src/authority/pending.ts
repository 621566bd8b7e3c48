/**
 * Statements that wait for signatures: at most one for each subject. What this controller can sign
 * is signed as it is put there, so that where it holds the keys nothing ever waits.
 */
import type { SignedStatement } from '@etherloom/api';
import type { Authority, Signer } from '@etherloom/core';
import { addSignature, hashStatement } from '@etherloom/core';
import { RENEWALS_PER_STEP } from '../limits.ts';
import type { PendingKind, PendingStatementRow } from '../store/schema.ts';
import type { Tx } from '../store/store.ts';
import { touchMember } from '../store/store.ts';

/** An organization's authority, and what this controller holds of it. */
export interface Signatory {
  readonly authority: Authority;
  readonly signers: readonly Signer[];
  /** This controller alone can sign. */
  readonly isHeld: boolean;
}

/** What a pending statement is about. */
export interface Subject {
  readonly organizationId: string;
  readonly networkId: string | null;
  readonly nodeId: string | null;
  readonly kind: PendingKind;
}

/** A text to be signed. */
export interface Wish {
  readonly subject: Subject;
  readonly text: string;
  /** Afterwards a signature would come too late; null: never. */
  readonly goodUntil: string | null;
}

/** Key of a subject. */
export function subjectKey({ organizationId, networkId, nodeId, kind }: Subject): string {
  return [networkId ?? organizationId, kind, ...(nodeId === null ? [] : [nodeId])].join('/');
}

type Signatures = SignedStatement['signatures'];

/** Signatures as they are stored; all were verified. */
export function readSignatures(stored: string): Signatures {
  return JSON.parse(stored) as Signatures; // written by this program from checked values
}

/** A pending row as a signed statement. */
export function toSigned(row: PendingStatementRow): SignedStatement {
  return { statement: row.statement, signatures: readSignatures(row.signatures) };
}

/**
 * Lets a text wait in place of any other about the same subject. Signatures that the same text has
 * already stay; those of this controller's keys are added.
 */
export async function putPending(
  tx: Tx,
  signatory: Signatory,
  { subject, text, goodUntil }: Wish,
): Promise<PendingStatementRow> {
  const key = subjectKey(subject);
  const before = await tx.db
    .selectFrom('pending_statements')
    .selectAll()
    .where('subject', '=', key)
    .executeTakeFirst();
  const isSame = before?.statement === text;
  let signed: SignedStatement = {
    statement: text,
    signatures: isSame ? readSignatures(before.signatures) : [],
  };
  for (const signer of signatory.signers) {
    if (!signed.signatures.some((signature) => signature.key === signer.key))
      signed = addSignature(signed, signer);
  }
  const row: PendingStatementRow = {
    subject: key,
    organization_id: subject.organizationId,
    network_id: subject.networkId,
    node_id: subject.nodeId,
    kind: subject.kind,
    statement: text,
    hash: isSame ? before.hash : hashStatement(text),
    good_until: goodUntil,
    signatures: JSON.stringify(signed.signatures),
    created_at: isSame ? before.created_at : tx.now.toISOString(),
  };
  await tx.db
    .insertInto('pending_statements')
    .values(row)
    .onConflict((conflict) => conflict.column('subject').doUpdateSet(row))
    .execute();
  return row;
}

/** True when a pending statement has the signatures that it needs. */
export function isComplete(row: PendingStatementRow, authority: Authority): boolean {
  const { keys, threshold } = authority.statement;
  return readSignatures(row.signatures).filter(({ key }) => keys.includes(key)).length >= threshold;
}

/** Pending statements of a network. */
export function pendingOf(tx: Tx, networkId: string): Promise<PendingStatementRow[]> {
  return tx.db
    .selectFrom('pending_statements')
    .selectAll()
    .where('network_id', '=', networkId)
    .orderBy('subject')
    .execute();
}

/** Has credentials made anew that ran out while they waited. */
export async function refreshPending(tx: Tx): Promise<void> {
  const outdated = await tx.db
    .selectFrom('pending_statements')
    .select(['network_id', 'node_id'])
    .where('good_until', '<=', tx.now.toISOString())
    .limit(RENEWALS_PER_STEP)
    .execute();
  for (const { network_id, node_id } of outdated)
    if (network_id !== null && node_id !== null) touchMember(tx, network_id, node_id);
}

export async function dropPending(tx: Tx, subjects: readonly string[]): Promise<void> {
  if (subjects.length === 0) return;
  await tx.db.deleteFrom('pending_statements').where('subject', 'in', subjects).execute();
}
