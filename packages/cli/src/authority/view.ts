/**
 * The authority as the command line knows it: what the controller shows, verified. With a key file
 * from the version that the file pins; without one the controller is believed, as everywhere where
 * only its token is at hand.
 */
import type { AuthorityStatement, AuthorityView, Client } from '@etherloom/api';
import { authorityStatementSchema } from '@etherloom/api';
import type { Authority } from '@etherloom/core';
import { hashStatement, openAuthority, readStatement } from '@etherloom/core';
import { CliError } from '../failure.ts';
import { SETTLE_POLL_MS, SETTLE_POLLS_MAX } from '../limits.ts';
import type { KeyFile } from './key-file.ts';

/** The newest version that the controller shows, from the first that it shows on. */
export function readAuthority(view: AuthorityView): Authority {
  const newest = view.chain.at(-1);
  const hash = newest === undefined ? '' : hashStatement(newest.statement);
  return openFrom(hash, view, 'the controller shows an authority that is not signed as it must be');
}

/** The same, and that it follows from the version that each key file pins. */
export function readPinnedAuthority(view: AuthorityView, keys: readonly KeyFile[]): Authority {
  for (const key of keys) {
    if (key.organizationId !== view.organizationId)
      throw new CliError(
        'authority_refused',
        `${key.path} is a key of organization ${key.organizationName}, ${key.organizationId}; ` +
          `this one is ${view.organizationName}, ${view.organizationId}`,
      );
    openFrom(
      key.anchor,
      view,
      `the authority that the controller shows does not follow from the one that ${key.path} pins`,
    );
  }
  return readAuthority(view);
}

function openFrom(anchor: string, view: AuthorityView, complaint: string): Authority {
  const opened = openAuthority(anchor, view.chain);
  const fault = opened.ok ? faultOf(opened.authority, view) : opened.refusal.code;
  if (opened.ok && fault === undefined) return opened.authority;
  throw new CliError('authority_refused', `${complaint} (${fault}): nothing was signed`);
}

/** Who follows a chain passes over what looks older: the end has to be the last that is shown. */
function faultOf(authority: Authority, view: AuthorityView): string | undefined {
  if (authority.statement.organizationId !== view.organizationId) return 'of another organization';
  const last = hashStatement(view.chain.at(-1)?.statement ?? '');
  return authority.hash === last ? undefined : 'the last one shown is not of its line';
}

/**
 * The newest version and those before it, each named by the hash in the one after it. What is in
 * force may be signed by any of them, while a newer one has not signed it again.
 */
export function readVersions(view: AuthorityView): AuthorityStatement[] {
  const versions: AuthorityStatement[] = [];
  let expected: string | null = readAuthority(view).hash;
  for (const signed of view.chain.toReversed()) {
    if (hashStatement(signed.statement) !== expected) break;
    const read = readStatement(signed, authorityStatementSchema);
    if (!read.ok) break;
    versions.push(read.statement);
    expected = read.statement.previous;
  }
  return versions;
}

/** Waits until the controller has made all statements that the newest version has to sign. */
export async function untilSettled(client: Client, view: AuthorityView): Promise<AuthorityView> {
  let now = view;
  for (let i = 0; now.unsettledCount > 0 && i < SETTLE_POLLS_MAX; i += 1) {
    await new Promise((resolve) => setTimeout(resolve, SETTLE_POLL_MS));
    const params = { organization: view.organizationId };
    now = await client.call('authorityShow', { params });
  }
  return now;
}
