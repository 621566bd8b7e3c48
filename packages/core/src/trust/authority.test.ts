import { describe, expect, it } from 'vitest';
import type { AuthorityStatement, SignedStatement } from '@etherloom/api';
import {
  advanceAuthority,
  followAuthority,
  formerEndMs,
  openAuthority,
  signedByAuthority,
} from './authority.ts';
import type { Authority, AuthorityResult } from './authority.ts';
import { hashStatement, signStatement } from './statement.ts';
import {
  ISSUED_AT,
  ISSUED_MS,
  KEY,
  ORGANIZATION_ID,
  afterDays,
  authorityVersion,
  opened,
  signerNumber,
} from './trust-fixture.ts';
import type { AuthorityWish } from './trust-fixture.ts';

const HOLDER = signerNumber(KEY.authority);
const NEXT = signerNumber(KEY.next);
const RECOVERY = signerNumber(KEY.recovery);
const STRANGER = signerNumber(KEY.stranger);
const FIRST = authorityVersion();
const HELD = opened([FIRST]);

describe('openAuthority', () => {
  it('opens the version that is pinned and follows the chain to its end', () => {
    const second = rotation(FIRST);
    const third = rotation(second, { signers: [NEXT] });
    const authority = opened([FIRST, second, third]);
    expect(authority.statement.version).toBe(3);
    expect(authority.former?.statement.version).toBe(2);
  });

  it('knows the former keys of a pinned version from the link before it', () => {
    const second = rotation(FIRST);
    const result = openAuthority(hashStatement(second.statement), [FIRST, second]);
    expect(result.ok && result.authority.former?.statement.version).toBe(1);
    const stranger = authorityVersion({ keys: [STRANGER.key], signers: [STRANGER] });
    const other = openAuthority(hashStatement(second.statement), [stranger, second]);
    expect(other.ok && other.authority.former).toBe(undefined);
  });

  it('refuses a chain without the pinned version, whatever signed it', () => {
    const other = authorityVersion({ issuedAt: afterDays(1) });
    expect(codeOf(openAuthority(HELD.hash, [other]))).toBe('authority_unknown');
    expect(codeOf(openAuthority(HELD.hash, []))).toBe('authority_unknown');
  });

  it('refuses a pinned version whose own keys have not signed', () => {
    const unproved = authorityVersion({ signers: [STRANGER] });
    const result = openAuthority(hashStatement(unproved.statement), [unproved]);
    expect(codeOf(result)).toBe('authority_unproved');
  });

  it.each<[string, AuthorityWish]>([
    ['a threshold above its keys', { threshold: 2 }],
    ['a key twice', { keys: [HOLDER.key, HOLDER.key], threshold: 2 }],
    ['a recovery threshold above its keys', { recoveryThreshold: 2 }],
    ['a first version that follows another', { previous: '0'.repeat(64) }],
    ['a later version that follows none', { version: 2 }],
  ])('refuses %s', (_name, wish) => {
    const bad = authorityVersion(wish);
    expect(codeOf(openAuthority(hashStatement(bad.statement), [bad]))).toBe('authority_malformed');
  });
});

describe('advanceAuthority', () => {
  it('takes a version that the keys before and its own keys signed', () => {
    const result = advanceAuthority(HELD, rotation(FIRST));
    expect(result.ok && result.authority.statement.version).toBe(2);
  });

  it('takes a version that the recovery keys signed in place of the lost ones', () => {
    const recovered = rotation(FIRST, { signers: [RECOVERY, NEXT] });
    expect(advanceAuthority(HELD, recovered).ok).toBe(true);
  });

  it('asks for as many recovery keys as the version held says', () => {
    const two = authorityVersion({
      recoveryKeys: [RECOVERY.key, signerNumber(KEY.recovery + 1).key],
      recoveryThreshold: 2,
    });
    const one = rotation(two, { signers: [RECOVERY, NEXT] });
    expect(codeOf(advanceAuthority(opened([two]), one))).toBe('authority_unsigned');
    const none = authorityVersion({ recoveryKeys: [], recoveryThreshold: 0 });
    const lost = rotation(none, { signers: [RECOVERY, NEXT] });
    expect(codeOf(advanceAuthority(opened([none]), lost))).toBe('authority_unsigned');
  });

  it.each<[string, AuthorityWish]>([
    ['other recovery keys', { recoveryKeys: [STRANGER.key] }],
    ['a further recovery key', { recoveryKeys: [RECOVERY.key, STRANGER.key] }],
    ['no recovery', { recoveryKeys: [], recoveryThreshold: 0 }],
    ['recovery keys of no use', { recoveryThreshold: 0 }],
  ])(
    'asks the former recovery keys for %s: a thief of the keys locks nobody out',
    (_name, wish) => {
      expect(codeOf(advanceAuthority(HELD, rotation(FIRST, wish)))).toBe('authority_unsigned');
      const both = rotation(FIRST, { ...wish, signers: [HOLDER, RECOVERY, NEXT] });
      expect(advanceAuthority(HELD, both).ok).toBe(true);
      const recovered = rotation(FIRST, { ...wish, signers: [RECOVERY, NEXT] });
      expect(advanceAuthority(HELD, recovered).ok).toBe(true);
    },
  );

  it('asks for all the recovery signatures that the version held says, to replace them', () => {
    const other = signerNumber(KEY.recovery + 1);
    const two = { recoveryKeys: [RECOVERY.key, other.key], recoveryThreshold: 2 };
    const first = authorityVersion(two);
    const fewer = { ...two, recoveryThreshold: 1 };
    const one = rotation(first, { ...fewer, signers: [HOLDER, RECOVERY, NEXT] });
    expect(codeOf(advanceAuthority(opened([first]), one))).toBe('authority_unsigned');
    const all = rotation(first, { ...fewer, signers: [RECOVERY, other, NEXT] });
    expect(advanceAuthority(opened([first]), all).ok).toBe(true);
    const turned = { ...two, recoveryKeys: [other.key, RECOVERY.key] };
    expect(advanceAuthority(opened([first]), rotation(first, turned)).ok, 'the same keys').toBe(
      true,
    );
  });

  it('takes the first recovery keys from the ordinary keys alone', () => {
    const none = authorityVersion({ recoveryKeys: [], recoveryThreshold: 0 });
    const first = rotation(none, { recoveryKeys: [RECOVERY.key], recoveryThreshold: 1 });
    expect(advanceAuthority(opened([none]), first).ok).toBe(true);
  });

  it('takes the held version again without effect', () => {
    expect(advanceAuthority(HELD, FIRST)).toEqual({ ok: true, authority: HELD });
  });

  it('asks for the threshold of the version held, not for that of the next', () => {
    const three = [1, 2, 3].map((n) => signerNumber(n));
    const keys = three.map(({ key }) => key);
    const first = authorityVersion({ keys, threshold: 2, signers: three });
    const held = opened([first]);
    const [a, b] = three;
    if (a === undefined || b === undefined) throw new Error('three were made');
    const alone = rotation(first, { keys: [a.key], signers: [a] });
    expect(codeOf(advanceAuthority(held, alone))).toBe('authority_unsigned');
    expect(advanceAuthority(held, rotation(first, { keys: [a.key], signers: [a, b] })).ok).toBe(
      true,
    );
  });

  it.each<[string, SignedStatement, string]>([
    [
      'nobody of the version held signed',
      rotation(FIRST, { signers: [NEXT] }),
      'authority_unsigned',
    ],
    ['its own keys did not sign', rotation(FIRST, { signers: [HOLDER] }), 'authority_unproved'],
    ['leaves a version out', rotation(FIRST, { version: 3 }), 'authority_gap'],
    [
      'follows from another first version',
      rotation(authorityVersion({ issuedAt: afterDays(1) })),
      'authority_forked',
    ],
    [
      'is another first version of the same keys',
      authorityVersion({ issuedAt: afterDays(1) }),
      'authority_forked',
    ],
    [
      'is a first version of a stranger',
      authorityVersion({ keys: [STRANGER.key], signers: [STRANGER] }),
      'authority_unsigned',
    ],
    [
      'is of another organization',
      rotation(FIRST, { organizationId: 'org_bbbbbbbbbbbbbbbbbbbb' }),
      'authority_other_organization',
    ],
    ['is no statement', { statement: '[]', signatures: FIRST.signatures }, 'authority_malformed'],
  ])('refuses a version that %s', (_name, next, code) => {
    expect(codeOf(advanceAuthority(HELD, next))).toBe(code);
  });

  it('shows a second, different next version as a fork, and keeps the first', () => {
    const held = advanced(HELD, rotation(FIRST));
    const other = rotation(FIRST, { issuedAt: afterDays(2) });
    const result = advanceAuthority(held, other);
    if (result.ok) throw new Error('taken');
    expect(result.refusal).toEqual({
      code: 'authority_forked',
      version: 2,
      held: held.hash,
      given: hashStatement(other.statement),
    });
  });

  it('never goes back', () => {
    const held = advanced(HELD, rotation(FIRST));
    expect(codeOf(advanceAuthority(held, FIRST))).toBe('authority_older');
    const third = advanced(held, rotation(held.signed, { signers: [NEXT] }));
    expect(codeOf(advanceAuthority(third, FIRST))).toBe('authority_older');
  });

  it('refuses a version of which any field was changed after it was signed', () => {
    const second = rotation(FIRST);
    const content: AuthorityStatement = JSON.parse(second.statement);
    const changes: Partial<AuthorityStatement>[] = [
      { keys: [NEXT.key, STRANGER.key] },
      { keys: [STRANGER.key] },
      { recoveryKeys: [STRANGER.key] },
      { recoveryKeys: [], recoveryThreshold: 0 },
      { renewalKeys: [STRANGER.key] },
      { issuedAt: afterDays(9) },
      { previous: '0'.repeat(64) },
    ];
    for (const change of changes) {
      const statement = JSON.stringify({ ...content, ...change });
      expect(advanceAuthority(HELD, { ...second, statement }).ok, JSON.stringify(change)).toBe(
        false,
      );
    }
  });
});

describe('followAuthority', () => {
  it('passes over what is older and stops at what does not follow', () => {
    const second = rotation(FIRST);
    const held = advanced(HELD, second);
    const third = rotation(second, { signers: [NEXT] });
    const result = followAuthority(held, [FIRST, second, third]);
    expect(result.ok && result.authority.statement.version).toBe(3);
    const forged = rotation(second, { signers: [STRANGER] });
    expect(codeOf(followAuthority(HELD, [second, forged]))).toBe('authority_unsigned');
  });
});

describe('signedByAuthority', () => {
  it('counts the newest keys and those of one version before, each for itself', () => {
    const second = rotation(FIRST);
    const held = advanced(HELD, second);
    const sign = (...signers: (typeof HOLDER)[]): SignedStatement =>
      signStatement(JSON.parse(FIRST.statement), signers);
    expect(signedByAuthority(held, sign(NEXT))).toBe('newest');
    expect(signedByAuthority(held, sign(HOLDER))).toBe('former');
    expect(signedByAuthority(held, sign(STRANGER, RECOVERY))).toBe(undefined);
    const third = advanced(held, rotation(second, { signers: [NEXT] }));
    expect(signedByAuthority(third, sign(HOLDER))).toBe(undefined);
  });

  it('does not add signatures of two versions up', () => {
    const keys = [HOLDER.key, NEXT.key];
    const first = authorityVersion({ keys, threshold: 2, signers: [HOLDER, NEXT] });
    const pair = [NEXT, STRANGER];
    const second = rotation(first, {
      keys: pair.map(({ key }) => key),
      threshold: 2,
      signers: [HOLDER, ...pair],
    });
    const held = advanced(opened([first]), second);
    const mixed = signStatement(JSON.parse(FIRST.statement), [HOLDER, STRANGER]);
    expect(signedByAuthority(held, mixed)).toBe(undefined);
  });

  it('ends with the staleness of the network, and with 30 days at most', () => {
    expect(formerEndMs(HELD, 3)).toBe(ISSUED_MS + 3 * 86_400_000);
    expect(formerEndMs(HELD, 3_650)).toBe(ISSUED_MS + 30 * 86_400_000);
  });
});

function codeOf(result: AuthorityResult): string {
  return result.ok ? 'taken' : result.refusal.code;
}

function advanced(held: Authority, next: SignedStatement): Authority {
  const result = advanceAuthority(held, next);
  if (!result.ok) throw new Error(JSON.stringify(result.refusal));
  return result.authority;
}

/** The version after another, to the key NEXT, signed by the holder and by NEXT. */
function rotation(before: SignedStatement, wish: AuthorityWish = {}): SignedStatement {
  const { version }: AuthorityStatement = JSON.parse(before.statement);
  return authorityVersion({
    organizationId: ORGANIZATION_ID,
    version: version + 1,
    keys: [NEXT.key],
    previous: hashStatement(before.statement),
    issuedAt: ISSUED_AT,
    signers: [HOLDER, NEXT],
    ...wish,
  });
}
