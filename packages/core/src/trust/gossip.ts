/**
 * What a roster or a revocation that came from a peer says about what a controller sent
 * (docs/trust.md 4, 6). A peer can make none of them; it can only pass on what the authority
 * signed.
 */
import { revocationStatementSchema, rosterStatementSchema } from '@etherloom/api';
import type { RevocationStatement, SignedStatement } from '@etherloom/api';
import { signedByAuthority } from './authority.ts';
import type { Authority } from './authority.ts';
import { hashStatement, readStatement } from './statement.ts';
import type { VersionMarks } from './verify-network.ts';

export type RosterVerdict =
  | { readonly verdict: 'same' }
  | { readonly verdict: 'older' }
  /** The controller withholds what this peer has. */
  | { readonly verdict: 'newer'; readonly version: number }
  | { readonly verdict: 'forked'; readonly version: number }
  | { readonly verdict: 'refused' };

/** Compares a peer's roster of a network with the marks of what is held. */
export function judgePeerRoster(
  signed: SignedStatement,
  authority: Authority,
  held: { readonly networkId: string; readonly marks: VersionMarks },
): RosterVerdict {
  const { networkId, marks } = held;
  const hash = hashStatement(signed.statement);
  if (hash === marks.rosterHash) return { verdict: 'same' };
  if (signedByAuthority(authority, signed) === undefined) return { verdict: 'refused' };
  const read = readStatement(signed, rosterStatementSchema);
  if (!read.ok || read.statement.networkId !== networkId) return { verdict: 'refused' };
  if (read.statement.organizationId !== authority.statement.organizationId)
    return { verdict: 'refused' };
  const { version } = read.statement;
  if (version === marks.rosterVersion) return { verdict: 'forked', version };
  return version < marks.rosterVersion ? { verdict: 'older' } : { verdict: 'newer', version };
}

/**
 * The revocation that a peer passed on; undefined: the authority has not signed it, or it is of
 * another network than the one asked for.
 */
export function readPeerRevocation(
  signed: SignedStatement,
  authority: Authority,
  networkId?: string,
): RevocationStatement | undefined {
  if (signedByAuthority(authority, signed) === undefined) return undefined;
  const read = readStatement(signed, revocationStatementSchema);
  if (!read.ok) return undefined;
  if (networkId !== undefined && read.statement.networkId !== networkId) return undefined;
  return read.statement.organizationId === authority.statement.organizationId
    ? read.statement
    : undefined;
}
