/** Why a network's state, or a statement about it, is not taken (docs/trust.md 4). */

export const TRUST_CODES = [
  /** What is signed by the authority has too few signatures that count. */
  'network_unsigned',
  'roster_unsigned',
  'credential_unsigned',
  'revocation_unsigned',
  'renewal_unsigned',
  /** Signed, and yet nothing that could be read or that is about this. */
  'statement_malformed',
  'statement_misplaced',
  /** An older version than one that was taken before, or another text under the same version. */
  'network_older',
  'network_forked',
  'roster_older',
  'roster_forked',
  /** The roster commits to other statements than the proof has. */
  'roster_mismatch',
  /** A member of a network that is not held whole is not shown to be in its newest roster. */
  'inclusion_unproved',
  /** The state says something else than what is signed. */
  'state_differs',
  'binding_repeated',
  'credential_revoked',
  'endpoints_unsigned',
  /** A peer holds a newer roster than the controller sends. */
  'roster_withheld',
  /** There is no authority, or no proof, by which the state could be judged. */
  'authority_missing',
  'proof_missing',
] as const;
export type TrustCode = (typeof TRUST_CODES)[number];

/** A typed refusal; `detail` says what was given and what would be right. */
export interface TrustRefusal {
  readonly code: TrustCode;
  readonly detail: string;
}

/** Carries a refusal out of a check; never leaves the functions that are exported. */
export class TrustRefused extends Error {
  override readonly name = 'TrustRefused';
  readonly refusal: TrustRefusal;

  constructor(code: TrustCode, detail: string) {
    super(`${code}: ${detail}`);
    this.refusal = { code, detail };
  }
}
