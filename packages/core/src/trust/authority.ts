/**
 * The authority of an organization (docs/trust.md 2): pinned by the hash of one version, moved on
 * version by version. Each step is signed by the version before or by its recovery keys, and by the
 * keys that it names, so that nobody is locked out by a key that nobody holds. Nothing is changed
 * in place.
 */
import { authorityStatementSchema } from '@etherloom/api';
import type { AuthorityStatement, SignedStatement } from '@etherloom/api';
import { DAY_MS, FORMER_AUTHORITY_DAYS_MAX } from './limits.ts';
import { hashStatement, isSigned, readStatement } from './statement.ts';

/** The newest version that is held, and the one before it when it is known. */
export interface Authority {
  readonly hash: string;
  readonly statement: AuthorityStatement;
  readonly signed: SignedStatement;
  /** Its keys count for a while (formerEndMs): what it signed has to be signed again. */
  readonly former: FormerAuthority | undefined;
}

export interface FormerAuthority {
  readonly statement: AuthorityStatement;
  readonly signed: SignedStatement;
}

export type AuthorityRefusal =
  | { readonly code: 'authority_unknown'; readonly anchor: string }
  | { readonly code: 'authority_malformed'; readonly detail: string }
  | { readonly code: 'authority_unsigned'; readonly version: number }
  | { readonly code: 'authority_unproved'; readonly version: number }
  | { readonly code: 'authority_gap'; readonly held: number; readonly given: number }
  | { readonly code: 'authority_older'; readonly held: number; readonly given: number }
  | {
      readonly code: 'authority_forked';
      readonly version: number;
      readonly held: string;
      readonly given: string;
    }
  | {
      readonly code: 'authority_other_organization';
      readonly held: string;
      readonly given: string;
    };

export type AuthorityResult =
  | { readonly ok: true; readonly authority: Authority }
  | { readonly ok: false; readonly refusal: AuthorityRefusal };

/** Which version has signed: the newest one, or the one before it. */
export type SignerRank = 'newest' | 'former';

/**
 * Opens a chain at the version that is pinned and follows it to its end. What the chain has before
 * that version is looked at only for the former keys, which the pinned text names by hash.
 */
export function openAuthority(
  anchorHash: string,
  chain: readonly SignedStatement[],
): AuthorityResult {
  const at = chain.findIndex(({ statement }) => hashStatement(statement) === anchorHash);
  const pinned = chain[at];
  if (pinned === undefined) return refused({ code: 'authority_unknown', anchor: anchorHash });
  const read = readVersion(pinned);
  if (!read.ok) return read;
  const { statement } = read;
  if (!isSigned(pinned, statement.keys, statement.threshold))
    return refused({ code: 'authority_unproved', version: statement.version });
  const former = formerOf(statement, chain[at - 1]);
  const authority: Authority = { hash: anchorHash, statement, signed: pinned, former };
  return followAuthority(authority, chain.slice(at + 1));
}

/** Moves on over a chain; what is older than the held version is passed over. */
export function followAuthority(
  held: Authority,
  chain: readonly SignedStatement[],
): AuthorityResult {
  let authority = held;
  for (const next of chain) {
    const result = advanceAuthority(authority, next);
    if (result.ok) authority = result.authority;
    else if (result.refusal.code !== 'authority_older') return result;
  }
  return { ok: true, authority };
}

/**
 * Moves on by one version. The held version itself is taken again, with no effect; everything that
 * does not follow from it is refused, and the held one stays.
 */
export function advanceAuthority(held: Authority, next: SignedStatement): AuthorityResult {
  const hash = hashStatement(next.statement);
  if (hash === held.hash) return { ok: true, authority: held };
  const read = readVersion(next);
  if (!read.ok) return read;
  const { statement } = read;
  const { version, organizationId } = held.statement;
  if (statement.organizationId !== organizationId)
    return refused({
      code: 'authority_other_organization',
      held: organizationId,
      given: statement.organizationId,
    });
  if (statement.version < version || hash === held.statement.previous)
    return refused({ code: 'authority_older', held: version, given: statement.version });
  if (statement.version === version) return refused(refusalOfSibling(held, next, hash));
  if (statement.version > version + 1)
    return refused({ code: 'authority_gap', held: version, given: statement.version });
  if (!mayFollow(held.statement, statement, next))
    return refused({ code: 'authority_unsigned', version: statement.version });
  if (statement.previous !== held.hash)
    return refused({
      code: 'authority_forked',
      version,
      held: held.hash,
      given: statement.previous ?? '',
    });
  if (!isSigned(next, statement.keys, statement.threshold))
    return refused({ code: 'authority_unproved', version: statement.version });
  const former = { statement: held.statement, signed: held.signed };
  return { ok: true, authority: { hash, statement, signed: next, former } };
}

/** By which version the authority has signed; undefined: by none that counts. */
export function signedByAuthority(
  authority: Authority,
  signed: SignedStatement,
): SignerRank | undefined {
  const { statement, former } = authority;
  if (isSigned(signed, statement.keys, statement.threshold)) return 'newest';
  if (former === undefined) return undefined;
  const { keys, threshold } = former.statement;
  return isSigned(signed, keys, threshold) ? 'former' : undefined;
}

/** By which version's renewal keys a renewal is signed; one signature is enough. */
export function signedByRenewalKey(
  authority: Authority,
  signed: SignedStatement,
): SignerRank | undefined {
  if (isSigned(signed, authority.statement.renewalKeys, 1)) return 'newest';
  const formerKeys = authority.former?.statement.renewalKeys ?? [];
  return isSigned(signed, formerKeys, 1) ? 'former' : undefined;
}

/** When statements of the former version end to count, Unix milliseconds. */
export function formerEndMs(authority: Authority, stalenessDays: number): number {
  const days = Math.min(stalenessDays, FORMER_AUTHORITY_DAYS_MAX);
  return Date.parse(authority.statement.issuedAt) + days * DAY_MS;
}

type VersionRead =
  | { readonly ok: true; readonly statement: AuthorityStatement }
  | { readonly ok: false; readonly refusal: AuthorityRefusal };

function readVersion(signed: SignedStatement): VersionRead {
  const read = readStatement(signed, authorityStatementSchema);
  if (!read.ok) {
    const { refusal } = read;
    const detail = refusal.code === 'statement_malformed' ? refusal.detail : refusal.code;
    return { ok: false, refusal: { code: 'authority_malformed', detail } };
  }
  const detail = faultOf(read.statement);
  if (detail !== undefined) return { ok: false, refusal: { code: 'authority_malformed', detail } };
  return read;
}

/** What the schema cannot say; undefined: nothing is wrong. */
function faultOf(statement: AuthorityStatement): string | undefined {
  const { keys, threshold, recoveryKeys, recoveryThreshold, renewalKeys } = statement;
  for (const [name, list] of Object.entries({ keys, recoveryKeys, renewalKeys }))
    if (new Set(list).size !== list.length) return `${name} names a key twice`;
  if (threshold > keys.length) return `threshold ${threshold} of ${keys.length} keys`;
  if (recoveryThreshold > recoveryKeys.length)
    return `recoveryThreshold ${recoveryThreshold} of ${recoveryKeys.length} keys`;
  if ((statement.version === 1) !== (statement.previous === null))
    return 'the first version, and no other, has no previous one';
  return undefined;
}

/** What a version says of recovery. */
export interface Recovery {
  readonly recoveryKeys: readonly string[];
  readonly recoveryThreshold: number;
}

/**
 * Whether a version replaces recovery keys that the one before it can use. They outrank the
 * ordinary keys: who steals those must not be able to lock out the owner, who recovers with them.
 */
export function changesRecovery(before: Recovery, next: Recovery): boolean {
  if (before.recoveryThreshold === 0) return false;
  const kept = new Set(before.recoveryKeys);
  return (
    next.recoveryThreshold !== before.recoveryThreshold ||
    next.recoveryKeys.length !== kept.size ||
    next.recoveryKeys.some((key) => !kept.has(key))
  );
}

/** Signed by those who may make this very version out of the one before it. */
function mayFollow(
  before: AuthorityStatement,
  next: AuthorityStatement,
  signed: SignedStatement,
): boolean {
  return changesRecovery(before, next)
    ? isSigned(signed, before.recoveryKeys, before.recoveryThreshold)
    : isVouchedFor(before, signed);
}

/** Signed by the keys of a version, or by enough of its recovery keys. */
function isVouchedFor(by: AuthorityStatement, next: SignedStatement): boolean {
  return (
    isSigned(next, by.keys, by.threshold) || isSigned(next, by.recoveryKeys, by.recoveryThreshold)
  );
}

/** Another text under the held version: a fork when those signed it who could have. */
function refusalOfSibling(held: Authority, given: SignedStatement, hash: string): AuthorityRefusal {
  const { version } = held.statement;
  const parents = [held.statement, ...(held.former === undefined ? [] : [held.former.statement])];
  if (!parents.some((parent) => isVouchedFor(parent, given)))
    return { code: 'authority_unsigned', version };
  return { code: 'authority_forked', version, held: held.hash, given: hash };
}

function formerOf(
  pinned: AuthorityStatement,
  before: SignedStatement | undefined,
): FormerAuthority | undefined {
  if (before === undefined || hashStatement(before.statement) !== pinned.previous) return undefined;
  const read = readVersion(before);
  return read.ok ? { statement: read.statement, signed: before } : undefined;
}

function refused(refusal: AuthorityRefusal): { ok: false; refusal: AuthorityRefusal } {
  return { ok: false, refusal };
}
