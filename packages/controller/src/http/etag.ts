/**
 * ETags: a hash of a resource without what lives (who is connected, counters, renewals), so that
 * two readings of something that nobody changed have the same one. If-Match is compared where the
 * change is made, in its transaction, with the resource as the ledger is told of it.
 */
import { createHash } from 'node:crypto';
import { canonicalJson } from '@etherloom/api';
import { RequestError } from '../request-error.ts';
import type { Tx } from '../store/store.ts';

/** Fields that change without anybody changing the resource, wherever they stand in it. */
const LIVE_FIELDS: ReadonlySet<string> = new Set([
  'addressesLeft',
  'connected',
  'endpoints',
  'expiresAt',
  'head',
  'isPending',
  'lastLoginAt',
  'lastSeenAt',
  'lastUsedAt',
  'lastUsedFrom',
  'memberCount',
  'pendingCount',
  'problems',
  'revision',
  'unsettledCount',
  'usesLeft',
]);

/** Quoted, as the header has it. */
export function etagOf(resource: unknown): string {
  const text = canonicalJson(withoutLive(resource));
  return `"${createHash('sha256').update(text).digest('base64url').slice(0, 27)}"`;
}

/** True when nobody changed one into the other. */
export function isSameResource(a: unknown, b: unknown): boolean {
  return canonicalJson(withoutLive(a)) === canonicalJson(withoutLive(b));
}

function withoutLive(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutLive);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !LIVE_FIELDS.has(name))
      .map(([name, inner]) => [name, withoutLive(inner)]),
  );
}

/** True when a header If-Match or If-None-Match names this ETag. */
export function namesEtag(header: string, etag: string): boolean {
  const given = header.split(',').map((text) => text.trim());
  return given.includes('*') || given.includes(etag);
}

/** Compares the If-Match of a request with what it is about to change, once. */
export function checkIfMatch(tx: Tx, before: object | null): void {
  const { ifMatch } = tx.origin;
  if (ifMatch === undefined || before === null || tx.precondition.isChecked) return;
  tx.precondition.isChecked = true;
  const etag = etagOf(before);
  if (namesEtag(ifMatch, etag)) return;
  throw new RequestError(
    'precondition_failed',
    `it was changed meanwhile: its ETag is ${etag}, not ${ifMatch.slice(0, 80)}`,
    { etag },
  );
}
