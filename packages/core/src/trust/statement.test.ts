import { createPublicKey, verify } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  STATEMENT_CHARS_MAX,
  authorityStatementSchema,
  fromBase64url,
  renewalStatementSchema,
} from '@etherloom/api';
import type { SignedStatement } from '@etherloom/api';
import { hexOf } from '../network-state/canonical.ts';
import { signerOf } from './ed25519.ts';
import {
  addSignature,
  hashStatement,
  isSigned,
  readStatement,
  signStatement,
} from './statement.ts';
import { ISSUED_AT, NETWORK_ID, ORGANIZATION_ID, nodeIdOf, signerNumber } from './trust-fixture.ts';

const [a, b, c] = [signerNumber(1), signerNumber(2), signerNumber(3)];
const BODY = {
  type: 'revocation',
  organizationId: ORGANIZATION_ID,
  networkId: NETWORK_ID,
  nodeId: nodeIdOf(1),
  serial: 3,
  reason: 'lost \u00e9\ufffd',
  issuedAt: ISSUED_AT,
} as const;
const SIGNED = signStatement(BODY, [a]);

describe('signStatement', () => {
  it('signs the label, a line feed and the exact text, so that others can verify it', () => {
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: a.key }, format: 'jwk' });
    const bytes = new TextEncoder().encode(`etherloom statement 1\n${SIGNED.statement}`);
    const signature = fromBase64url(SIGNED.signatures[0]?.signature ?? '');
    expect(verify(null, bytes, key, signature)).toBe(true);
    expect(JSON.parse(SIGNED.statement)).toEqual(BODY);
  });

  it('refuses what nobody would take', () => {
    const body = { ...BODY, reason: 'x'.repeat(STATEMENT_CHARS_MAX) };
    expect(() => signStatement(body, [a])).toThrow(RangeError);
  });

  it('makes the key of a signer from its private bytes alone (RFC 8032, 7.1, test 1)', () => {
    expect(hexOf(fromBase64url(signerOfHex(RFC8032_SECRET).key))).toBe(RFC8032_PUBLIC);
    expect(hexOf(signerOfHex(RFC8032_SECRET).sign(new Uint8Array(0)))).toBe(RFC8032_SIGNATURE);
  });
});

describe('isSigned', () => {
  it('counts as many keys as the threshold asks for, wherever they stand', () => {
    const subset = fc.subarray([a, b, c]);
    fc.assert(
      fc.property(subset, fc.integer({ min: 1, max: 3 }), fc.boolean(), (who, threshold, turn) => {
        if (who.length === 0) return;
        const signed = signStatement(BODY, turn ? who.toReversed() : who);
        const keys = [a.key, b.key, c.key];
        expect(isSigned(signed, keys, threshold)).toBe(who.length >= threshold);
      }),
      { numRuns: 40 },
    );
  });

  it('counts a key once, however often it signed and is named', () => {
    const twice = { ...SIGNED, signatures: [...SIGNED.signatures, ...SIGNED.signatures] };
    expect(isSigned(twice, [a.key, b.key], 2)).toBe(false);
    expect(isSigned(twice, [a.key, a.key], 2)).toBe(false);
  });

  it('passes over keys that do not count and signatures that are wrong', () => {
    const other = {
      key: a.key,
      signature: signStatement(BODY, [b]).signatures[0]?.signature ?? '',
    };
    const signed = { ...SIGNED, signatures: [other, ...signStatement(BODY, [c, a]).signatures] };
    expect(isSigned(signed, [a.key], 1)).toBe(true);
    expect(isSigned({ ...SIGNED, signatures: [other] }, [a.key], 1)).toBe(false);
  });

  it('takes nothing for a threshold below one, or without keys', () => {
    expect(isSigned(SIGNED, [a.key], 0)).toBe(false);
    expect(isSigned(SIGNED, [], 1)).toBe(false);
  });

  it('notices any change of the text, the key and the signature', () => {
    const at = fc.nat({ max: SIGNED.statement.length - 1 });
    fc.assert(
      fc.property(at, fc.integer({ min: 1, max: 0xff }), (index, mask) => {
        const { statement } = SIGNED;
        const changed = String.fromCharCode(statement.charCodeAt(index) ^ mask);
        const text = statement.slice(0, index) + changed + statement.slice(index + 1);
        expect(isSigned({ ...SIGNED, statement: text }, [a.key], 1)).toBe(false);
      }),
    );
    for (let index = 0; index < 86; index++)
      expect(
        isSigned(
          withSignature((s) => flipped(s, index)),
          [a.key],
          1,
        ),
      ).toBe(false);
    expect(isSigned({ ...SIGNED, statement: `${SIGNED.statement} ` }, [a.key], 1)).toBe(false);
  });

  it('refuses a text with a lone surrogate, which UTF-8 writes as another character', () => {
    const statement = SIGNED.statement.replace('\ufffd', '\ud800');
    expect(hashStatement(statement)).toBe(hashStatement(SIGNED.statement));
    expect(isSigned({ ...SIGNED, statement }, [a.key], 1)).toBe(false);
  });

  it('never throws for keys and signatures that are none', () => {
    for (const key of ['', 'A'.repeat(43), '_'.repeat(43), '!'])
      for (const signature of ['', 'A', '!', 'A'.repeat(86)])
        expect(isSigned({ ...SIGNED, signatures: [{ key, signature }] }, [key], 1)).toBe(false);
  });
});

describe('addSignature', () => {
  it('adds to the same text, and replaces one of its own key', () => {
    const spoiled = withSignature((s) => flipped(s, 3));
    const both = addSignature(addSignature(spoiled, b), a);
    expect(both.signatures).toHaveLength(2);
    expect(isSigned(both, [a.key, b.key], 2)).toBe(true);
  });
});

describe('readStatement', () => {
  it.each([
    ['no JSON', '{', 'statement_malformed'],
    ['another type', SIGNED.statement, 'statement_malformed'],
    ['a field too many', JSON.stringify({ ...renewal(), extra: 1 }), 'statement_malformed'],
    ['a text that is too long', ' '.repeat(STATEMENT_CHARS_MAX + 1), 'statement_too_long'],
  ])('refuses %s', (_name, statement, code) => {
    const read = readStatement({ statement, signatures: [] }, renewalStatementSchema);
    expect(!read.ok && read.refusal.code).toBe(code);
  });

  it('gives what was written', () => {
    const statement = JSON.stringify(renewal());
    const read = readStatement({ statement, signatures: [] }, renewalStatementSchema);
    expect(read).toEqual({ ok: true, statement: renewal() });
    expect(readStatement({ statement, signatures: [] }, authorityStatementSchema).ok).toBe(false);
  });
});

describe('hashStatement', () => {
  it('is SHA-256 of the text in UTF-8', () => {
    expect(hashStatement('abc')).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    );
    expect(hashStatement('\u00e9')).toBe(
      '4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c',
    );
  });
});

const RFC8032_SECRET = '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60';
const RFC8032_PUBLIC = 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a';
const RFC8032_SIGNATURE =
  'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b';

function signerOfHex(text: string): ReturnType<typeof signerOf> {
  return signerOf(Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16)));
}

function renewal() {
  const { reason: _, serial: __, ...place } = BODY;
  return {
    ...place,
    type: 'renewal' as const,
    credential: '0'.repeat(64),
    expiresAt: ISSUED_AT,
  };
}

function withSignature(change: (signature: string) => string): SignedStatement {
  const signatures = SIGNED.signatures.map((s) => ({ ...s, signature: change(s.signature) }));
  return { ...SIGNED, signatures };
}

/** Another letter at one place; the last letter holds four bits that count. */
function flipped(text: string, index: number): string {
  const letter = text[index] === 'A' ? 'Q' : 'A';
  return text.slice(0, index) + letter + text.slice(index + 1);
}
