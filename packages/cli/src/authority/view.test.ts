/** A controller that shows an authority of its own making beside the one that is pinned. */
import type { AuthorityStatement, AuthorityView, SignedStatement } from '@etherloom/api';
import { hashStatement, signStatement, signerOf } from '@etherloom/core';
import type { Signer } from '@etherloom/core';
import { expect, test } from 'vitest';
import type { KeyFile } from './key-file.ts';
import { readPinnedAuthority } from './view.ts';

const ORGANIZATION_ID = 'org_00000000000000000000';
const [OWN, NEXT, LIAR] = [1, 2, 3].map((number) => signerOf(new Uint8Array(32).fill(number))) as [
  Signer,
  Signer,
  Signer,
]; // three in, three out

const FIRST = version({ keys: [OWN.key] }, [OWN]);
const SECOND = version(
  { version: 2, keys: [OWN.key, NEXT.key], previous: hashStatement(FIRST.statement) },
  [OWN],
);
const KEY: KeyFile = {
  path: 'own.key',
  purpose: 'authority',
  organizationId: ORGANIZATION_ID,
  organizationName: 'acme',
  anchor: hashStatement(FIRST.statement),
  signer: OWN,
};

test('the authority that counts is the end of the line that the key file pins', () => {
  const authority = readPinnedAuthority(viewOf([FIRST, SECOND]), [KEY]);
  expect(authority.hash).toBe(hashStatement(SECOND.statement));
});

test('a version of a liar behind that line is refused, also as an older one', () => {
  const lies = [
    version({ keys: [OWN.key, LIAR.key] }, [LIAR]),
    version({ version: 2, keys: [OWN.key, LIAR.key], previous: KEY.anchor }, [LIAR]),
    version({ version: 3, keys: [OWN.key, LIAR.key], previous: KEY.anchor }, [LIAR]),
  ];
  for (const lie of lies)
    expect(() => readPinnedAuthority(viewOf([FIRST, SECOND, lie]), [KEY])).toThrow(
      /does not follow/,
    );
});

function version(change: Partial<AuthorityStatement>, signers: readonly Signer[]): SignedStatement {
  return signStatement(
    {
      type: 'authority',
      organizationId: ORGANIZATION_ID,
      version: 1,
      keys: [],
      threshold: 1,
      recoveryKeys: [],
      recoveryThreshold: 0,
      renewalKeys: [],
      previous: null,
      issuedAt: '2026-11-20T00:00:00.000Z',
      ...change,
    },
    signers,
  );
}

function viewOf(chain: SignedStatement[]): AuthorityView {
  return {
    organizationId: ORGANIZATION_ID,
    organizationName: 'acme',
    custody: 'offline',
    version: chain.length,
    hash: '',
    chain,
    heldKeys: [],
    renewalKey: null,
    pendingCount: 0,
    unsettledCount: 0,
  };
}
