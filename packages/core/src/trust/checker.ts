/**
 * Verifies statements of one network, and remembers by hash which were found good, so that the next
 * delta costs only what it brings. A memory counts for the same authority and the same signatures:
 * a text that comes again with other signatures is looked at again, since it is stored and shown to
 * others as it came.
 */
import type { SignedStatement } from '@etherloom/api';
import { signedByAuthority, signedByRenewalKey } from './authority.ts';
import type { Authority, SignerRank } from './authority.ts';
import { TrustRefused } from './refusal.ts';
import type { TrustCode } from './refusal.ts';
import { hashStatement, readStatement } from './statement.ts';
import type { StatementSchema } from './statement.ts';

/** A statement that was found good. */
export interface Checked<T> {
  readonly hash: string;
  readonly rank: SignerRank;
  readonly statement: T;
}

interface Remembered {
  readonly signed: SignedStatement;
  /** What the text was read with: a text is one type of statement, and no other. */
  readonly schema: unknown;
  readonly checked: Checked<unknown>;
}

/** What one verification found good; plain memory of the next one. */
export interface CheckMemory {
  readonly authorityHash: string;
  readonly isFormerKnown: boolean;
  readonly statements: ReadonlyMap<string, Remembered>;
}

/** What every statement about a network says of where it belongs. */
interface Placed {
  readonly organizationId: string;
  readonly networkId: string;
  readonly issuedAt: string;
}

export interface CheckWish<T extends Placed> {
  readonly schema: StatementSchema<T>;
  readonly unsigned: TrustCode;
  /** For messages: "the credential of web-1". */
  readonly what: string;
  readonly signedBy?: typeof signedByAuthority;
}

/** Checks for one verification. */
export class StatementChecker {
  readonly #authority: Authority;
  readonly #networkId: string;
  readonly #before: ReadonlyMap<string, Remembered>;
  readonly #found = new Map<string, Remembered>();

  constructor(authority: Authority, networkId: string, memory: CheckMemory | undefined) {
    this.#authority = authority;
    this.#networkId = networkId;
    const isSame =
      memory?.authorityHash === authority.hash &&
      memory.isFormerKnown === (authority.former !== undefined);
    this.#before = isSame ? memory.statements : new Map<string, Remembered>();
  }

  get memory(): CheckMemory {
    return {
      authorityHash: this.#authority.hash,
      isFormerKnown: this.#authority.former !== undefined,
      statements: this.#found,
    };
  }

  /** The statement, read; throws TrustRefused. */
  check<T extends Placed>(signed: SignedStatement, wish: CheckWish<T>): Checked<T> {
    const hash = hashStatement(signed.statement);
    const remembered = this.#before.get(hash);
    if (remembered?.schema === wish.schema && isSameSigned(remembered.signed, signed)) {
      this.#found.set(hash, remembered);
      return remembered.checked as Checked<T>; // the same schema has read it
    }
    const rank = (wish.signedBy ?? signedByAuthority)(this.#authority, signed);
    if (rank === undefined) throw new TrustRefused(wish.unsigned, unsignedText(wish.what, this));
    const read = readStatement(signed, wish.schema);
    if (!read.ok)
      throw new TrustRefused('statement_malformed', `${wish.what}: ${read.refusal.code}`);
    const checked = { hash, rank, statement: read.statement };
    this.#assertPlace(checked.statement, wish.what);
    this.#found.set(hash, { signed, schema: wish.schema, checked });
    return checked;
  }

  /** How many must sign, for messages. */
  get threshold(): number {
    return this.#authority.statement.threshold;
  }

  get authorityVersion(): number {
    return this.#authority.statement.version;
  }

  #assertPlace(statement: Placed, what: string): void {
    const { organizationId } = this.#authority.statement;
    if (statement.organizationId !== organizationId)
      throw new TrustRefused(
        'statement_misplaced',
        `${what} is of the organization ${statement.organizationId}, not ${organizationId}`,
      );
    if (statement.networkId !== this.#networkId)
      throw new TrustRefused(
        'statement_misplaced',
        `${what} is of the network ${statement.networkId}, not ${this.#networkId}`,
      );
    if (Number.isNaN(Date.parse(statement.issuedAt)))
      throw new TrustRefused('statement_malformed', `${what} has no time that there is`);
  }
}

/** Renewals are signed by one renewal key. */
export const RENEWAL_SIGNERS: typeof signedByAuthority = signedByRenewalKey;

function unsignedText(what: string, checker: StatementChecker): string {
  return `${what} has not the ${checker.threshold} signatures that version ${checker.authorityVersion} of the authority asks for`;
}

function isSameSigned(a: SignedStatement, b: SignedStatement): boolean {
  if (a === b) return true;
  return (
    a.signatures.length === b.signatures.length &&
    a.signatures.every(
      ({ key, signature }, at) =>
        key === b.signatures[at]?.key && signature === b.signatures[at]?.signature,
    )
  );
}
