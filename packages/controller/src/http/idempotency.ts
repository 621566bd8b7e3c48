/**
 * Idempotency keys: what the transactions of a request gave is kept, sealed, in those transactions
 * themselves. The same request under the same key runs none of them again; its reply is made of
 * what they gave the first time. A request that was refused left nothing behind, and may be made
 * again.
 */
import { createHash } from 'node:crypto';
import { canonicalJson } from '@etherloom/api';
import {
  IDEMPOTENCY_KEYS_MAX,
  IDEMPOTENCY_KEY_CHARS_MAX,
  IDEMPOTENCY_KEY_KEPT_MS,
} from '../limits.ts';
import { RequestError, invalidField } from '../request-error.ts';
import type { Tx } from '../store/store.ts';

/** A key as a request shows it. */
export interface IdempotencyKey {
  /** Whose it is. */
  readonly principal: string;
  readonly key: string;
  /** Hash of all that the request asks for. */
  readonly requestHash: string;
}

/** What a step gave, and what was asked for. */
interface Kept {
  readonly requestHash: string;
  readonly value?: unknown;
}

const KEY_FORM = new RegExp(`^[A-Za-z0-9_-]{1,${IDEMPOTENCY_KEY_CHARS_MAX}}$`);

/** The key of a request; null: it shows none. Throws invalid_request. */
export function readIdempotencyKey(
  header: string | string[] | undefined,
  principal: string,
  request: Readonly<Record<string, unknown>>,
): IdempotencyKey | null {
  if (header === undefined) return null;
  if (typeof header !== 'string' || !KEY_FORM.test(header))
    throw invalidField(
      'idempotency-key',
      `it has 1 to ${IDEMPOTENCY_KEY_CHARS_MAX} letters, digits, hyphens or underscores`,
    );
  const requestHash = createHash('sha256').update(canonicalJson(request)).digest('hex');
  return { principal, key: header, requestHash };
}

/** Runs `work`, the transaction number `step` of a request, unless it ran under this key before. */
export async function once<T>(
  tx: Tx,
  given: IdempotencyKey,
  step: number,
  work: () => Promise<T>,
): Promise<T> {
  const kept = await readKept(tx, given, step);
  if (kept !== undefined) return kept.value as T; // what this very step gave
  const value = await work();
  const organizationId = tx.origin.organizationId ?? '';
  await tx.db
    .insertInto('idempotency_keys')
    .values({
      principal: given.principal,
      key: given.key,
      step,
      organization_id: organizationId,
      request_hash: '', // in what is sealed: a hash of a password is a way to guess it
      result: tx.keyring.sealSecret(
        contextOf(given, step),
        JSON.stringify({ requestHash: given.requestHash, value }),
        tx.random,
      ),
      created_at: tx.now.toISOString(),
    })
    .execute();
  await dropOld(tx, organizationId);
  return value;
}

async function readKept(tx: Tx, given: IdempotencyKey, step: number): Promise<Kept | undefined> {
  const row = await tx.db
    .selectFrom('idempotency_keys')
    .selectAll()
    .where('principal', '=', given.principal)
    .where('key', '=', given.key)
    .where('step', '=', step)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  if (row.created_at <= keptSince(tx)) {
    await tx.db
      .deleteFrom('idempotency_keys')
      .where('principal', '=', given.principal)
      .where('key', '=', given.key)
      .execute();
    return undefined;
  }
  const text = tx.keyring.openSecret(contextOf(given, step), row.result);
  const kept = text === null ? null : (JSON.parse(text) as Kept); // as written above
  if (kept?.requestHash !== given.requestHash)
    throw new RequestError(
      'idempotency_mismatch',
      `the key "${given.key}" was used at ${row.created_at} for another request`,
    );
  return kept;
}

async function dropOld(tx: Tx, organizationId: string): Promise<void> {
  await tx.db
    .deleteFrom('idempotency_keys')
    .where('organization_id', '=', organizationId)
    .where('created_at', '<=', keptSince(tx))
    .execute();
  const beyond = await tx.db
    .selectFrom('idempotency_keys')
    .select('created_at')
    .where('organization_id', '=', organizationId)
    .orderBy('created_at', 'desc')
    .offset(IDEMPOTENCY_KEYS_MAX)
    .limit(1)
    .executeTakeFirst();
  if (beyond === undefined) return;
  await tx.db
    .deleteFrom('idempotency_keys')
    .where('organization_id', '=', organizationId)
    .where('created_at', '<=', beyond.created_at)
    .execute();
}

function keptSince(tx: Tx): string {
  return new Date(tx.now.getTime() - IDEMPOTENCY_KEY_KEPT_MS).toISOString();
}

function contextOf({ principal, key }: IdempotencyKey, step: number): string {
  return ['etherloom reply 1', principal, key, step].join('\n');
}
