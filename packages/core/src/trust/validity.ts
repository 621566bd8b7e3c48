/**
 * When a membership is valid (docs/trust.md 3): from a little before its issue to its end, which
 * renewals move, and which a rotation of the authority bounds. Times are Unix milliseconds of
 * trusted time.
 */
import type { CredentialStatement, RenewalStatement } from '@etherloom/api';
import { CREDENTIAL_BEGIN_SLACK_MS } from './limits.ts';

/** Valid from `beginMs` on, and before `endMs`. */
export interface Validity {
  readonly beginMs: number;
  readonly endMs: number;
}

/**
 * The end of a membership. A renewal moves it later and never earlier: its key may keep members
 * alive and nothing else. `boundsMs` are the ends of what the authority's former version signed.
 */
export function memberEnd(
  credential: CredentialStatement,
  renewal: RenewalStatement | null,
  boundsMs: readonly number[] = [],
): number {
  const expiresAt = Date.parse(credential.expiresAt);
  const renewed = renewal === null ? expiresAt : Date.parse(renewal.expiresAt);
  const end = Math.min(Math.max(expiresAt, renewed), Date.parse(credential.renewableUntil));
  return Math.min(end, ...boundsMs);
}

/** The begin of a membership. */
export function memberBegin(credential: CredentialStatement): number {
  return Date.parse(credential.issuedAt) - CREDENTIAL_BEGIN_SLACK_MS;
}

export function isValidAt({ beginMs, endMs }: Validity, nowMs: number): boolean {
  return beginMs <= nowMs && nowMs < endMs;
}

/** When the next of them begins or ends after `nowMs`; undefined: none ever does. */
export function nextValidityChange(all: Iterable<Validity>, nowMs: number): number | undefined {
  let next: number | undefined;
  for (const { beginMs, endMs } of all)
    for (const at of [beginMs, endMs])
      if (at > nowMs && (next === undefined || at < next)) next = at;
  return next;
}
