/**
 * How a node comes to its authority: by the hash in a join token, which a person carried; or, with
 * what a former version left, from its controller at the first contact, once. From then on only
 * versions that follow from the pinned one are taken.
 */
import type { SignedStatement } from '@etherloom/api';
import { followAuthority, hashStatement, openAuthority } from '@etherloom/core';
import type { Authority, AuthorityRefusal } from '@etherloom/core';
import type { StateDirectory, TrustRecord } from '../disk/state-directory.ts';
import { AgentError } from '../errors.ts';

export type PinResult =
  | { readonly ok: true; readonly authority: Authority }
  | { readonly ok: false; readonly code: string; readonly detail: string };

/** The authority that is on disk. Throws AgentError when what is there proves nothing. */
export function openStoredAuthority(directory: StateDirectory): Authority | undefined {
  const { authority } = directory.trust;
  if (authority === null) return undefined;
  const opened = openAuthority(authority.hash, authority.chain);
  if (opened.ok) return opened.authority;
  throw new AgentError(
    'state_file_corrupt',
    `trust.json in ${directory.path} holds an authority that is not signed (${opened.refusal.code}). ` +
      'Restore the file from a backup, or move the whole state directory away and join again with a fresh token: the node gets another identity.',
  );
}

/** What of an authority is kept: the newest version, and the one before it. */
export function storedAuthorityOf(authority: Authority): NonNullable<TrustRecord['authority']> {
  const { hash, signed, former } = authority;
  return { hash, chain: former === undefined ? [signed] : [former.signed, signed] };
}

/** Takes a chain at the first contact, from its first version on. */
export function takeFirstAuthority(chain: readonly SignedStatement[]): PinResult {
  return resultOf(openAuthority(hashStatement(chain[0]?.statement ?? ''), chain));
}

/** Follows a chain from the version that is held. */
export function takeNextAuthority(held: Authority, chain: readonly SignedStatement[]): PinResult {
  return resultOf(followAuthority(held, chain));
}

/**
 * Takes what a controller showed for a join token. With an authority held, the version that the
 * token names has to be one of its line.
 */
export function takeTokenAuthority(
  held: Authority | undefined,
  tokenHash: string | null,
  chain: readonly SignedStatement[],
): PinResult {
  if (held === undefined)
    return tokenHash === null
      ? takeFirstAuthority(chain)
      : resultOf(openAuthority(tokenHash, chain));
  const next = takeNextAuthority(held, chain);
  if (!next.ok || tokenHash === null) return next;
  if (lineOf(next.authority, chain).has(tokenHash)) return next;
  return {
    ok: false,
    code: 'authority_other',
    detail: `the token names the authority ${tokenHash.slice(0, 16)}..., which is no version of the one that this node holds (${next.authority.hash.slice(0, 16)}...)`,
  };
}

/** Hashes of the newest version and of those that it follows from, as far as the chain shows. */
function lineOf(newest: Authority, chain: readonly SignedStatement[]): Set<string> {
  const byHash = new Map(chain.map(({ statement }) => [hashStatement(statement), statement]));
  const line = new Set<string>([newest.hash]);
  let previous = newest.statement.previous;
  while (previous !== null && !line.has(previous)) {
    line.add(previous);
    const text = byHash.get(previous);
    previous = text === undefined ? null : previousOf(text);
  }
  return line;
}

/** Of a text whose hash a verified version names. */
function previousOf(statement: string): string | null {
  const { previous }: { previous?: unknown } = JSON.parse(statement);
  return typeof previous === 'string' ? previous : null;
}

function resultOf(
  result:
    | { readonly ok: true; readonly authority: Authority }
    | { readonly ok: false; readonly refusal: AuthorityRefusal },
): PinResult {
  if (result.ok) return result;
  const { code, ...facts } = result.refusal;
  const told = Object.entries(facts).map(([name, value]) => `${name} ${String(value)}`);
  return {
    ok: false,
    code,
    detail: `the controller showed an authority that does not follow from the one that is pinned (${told.join(', ')}); the one held stays in use`,
  };
}
