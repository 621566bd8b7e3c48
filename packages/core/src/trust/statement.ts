/**
 * Statements (docs/trust.md 1): the exact text that somebody signed, and the signatures over it.
 * Who verifies asks isSigned first and readStatement afterwards; the text is never written anew, so
 * two ways of writing JSON cannot differ.
 */
import { hash } from 'node:crypto';
import { STATEMENT_CHARS_MAX, statementSigningText, toBase64url } from '@etherloom/api';
import type { SignedStatement, Statement } from '@etherloom/api';
import { verifyEd25519 } from './ed25519.ts';
import type { Signer } from './ed25519.ts';

/** A schema of the contract, as much of it as reading needs. */
export interface StatementSchema<T> {
  readonly safeParse: (
    value: unknown,
  ) =>
    | { readonly success: true; readonly data: T }
    | { readonly success: false; readonly error: { readonly message: string } };
}

export type StatementRefusal =
  | { readonly code: 'statement_too_long'; readonly chars: number }
  | { readonly code: 'statement_malformed'; readonly detail: string };

export type StatementRead<T> =
  | { readonly ok: true; readonly statement: T }
  | { readonly ok: false; readonly refusal: StatementRefusal };

/** SHA-256 of a statement's text in UTF-8, hex. */
export function hashStatement(text: string): string {
  return hash('sha256', text, 'hex');
}

/** Writes a statement down and signs it. Throws RangeError for one that nobody would take. */
export function signStatement(body: Statement, signers: readonly Signer[]): SignedStatement {
  const statement = JSON.stringify(body);
  if (statement.length > STATEMENT_CHARS_MAX)
    throw new RangeError(
      `a statement has ${STATEMENT_CHARS_MAX} characters at most, this one ${statement.length}`,
    );
  return { statement, signatures: signers.map((signer) => signatureOf(statement, signer)) };
}

/** Adds a signature over the same text; one of that key is replaced. */
export function addSignature(signed: SignedStatement, signer: Signer): SignedStatement {
  const others = signed.signatures.filter(({ key }) => key !== signer.key);
  return {
    statement: signed.statement,
    signatures: [...others, signatureOf(signed.statement, signer)],
  };
}

/**
 * True when at least `threshold` of the keys have signed. A key counts once; signatures of other
 * keys, and wrong ones, are as if they were not there.
 */
export function isSigned(
  signed: SignedStatement,
  keys: readonly string[],
  threshold: number,
): boolean {
  const { statement, signatures } = signed;
  // Lone surrogates all become one character in UTF-8: two texts would have one signature.
  if (threshold < 1 || !statement.isWellFormed()) return false;
  const bytes = new TextEncoder().encode(statementSigningText(statement));
  const waiting = new Set(keys);
  let count = 0;
  for (const { key, signature } of signatures) {
    if (count >= threshold) break;
    if (!waiting.has(key) || !verifyEd25519(key, bytes, signature)) continue;
    waiting.delete(key);
    count++;
  }
  return count >= threshold;
}

/** Parses the text. To be asked after isSigned: what nobody signed is not worth reading. */
export function readStatement<T>(
  signed: SignedStatement,
  schema: StatementSchema<T>,
): StatementRead<T> {
  const { statement } = signed;
  if (statement.length > STATEMENT_CHARS_MAX)
    return refused({ code: 'statement_too_long', chars: statement.length });
  let value: unknown;
  try {
    value = JSON.parse(statement);
  } catch {
    return refused({ code: 'statement_malformed', detail: 'the text is no JSON' });
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success)
    return refused({ code: 'statement_malformed', detail: parsed.error.message.slice(0, 500) });
  return { ok: true, statement: parsed.data };
}

function signatureOf(statement: string, signer: Signer): { key: string; signature: string } {
  const bytes = new TextEncoder().encode(statementSigningText(statement));
  return { key: signer.key, signature: toBase64url(signer.sign(bytes)) };
}

function refused(refusal: StatementRefusal): { ok: false; refusal: StatementRefusal } {
  return { ok: false, refusal };
}
