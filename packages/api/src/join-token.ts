/**
 * The join token: one string that a boot script can carry. `loom1.` and base64url of JSON with the
 * controllers' URLs, the pinned SHA-256 fingerprint of their TLS certificate, the network's name,
 * the token's id and its secret, and the hash of the organization's authority, which the node pins.
 */
import { z } from 'zod';
import { fromBase64url, toBase64url } from './base64url.ts';
import type { SignedStatement } from './statements.ts';
import { VOUCHER_CONTACTS_MAX, signedStatementSchema, statementHashSchema } from './statements.ts';
import { endpointRecordSchema, idSchema, nameSchema, publicKeySchema } from './values.ts';

export const fingerprintSchema = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'must be SHA-256 as 64 lower-case hex digits');

const voucherSchema = z.strictObject({
  v: signedStatementSchema,
  k: publicKeySchema,
  h: signedStatementSchema,
  n: signedStatementSchema,
  m: z
    .array(z.strictObject({ c: signedStatementSchema, r: endpointRecordSchema }))
    .min(1)
    .max(VOUCHER_CONTACTS_MAX),
});

const contentSchema = z.strictObject({
  u: z
    .array(z.url({ protocol: /^https$/ }))
    .min(1)
    .max(8),
  f: fingerprintSchema,
  n: nameSchema,
  i: idSchema,
  s: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  a: statementHashSchema.optional(),
  v: voucherSchema.optional(),
});

/** Longest join token that is made or read. */
export const JOIN_TOKEN_CHARS_MAX = 16_000;

/** Note of an address that is kept for who has a token that is good without a controller. */
export function voucherNote(tokenId: string): string {
  return `for the holder of join token ${tokenId}`;
}

/** True of such a note: the reservation comes and goes with its token. */
export function isVoucherNote(note: string): boolean {
  return /^for the holder of join token tok_[0-9a-z]{20}$/.test(note);
}

/** A member that can take in who holds a voucher. */
export interface VoucherContact {
  readonly credential: SignedStatement;
  /** Its signed endpoints, base64url. */
  readonly endpointRecord: string;
}

/** What lets a node join while no controller answers. */
export interface TokenVoucher {
  readonly voucher: SignedStatement;
  /** Ed25519 private key of the voucher, base64url: a secret like the token's own. */
  readonly privateKey: string;
  /** Newest version of the authority. */
  readonly authority: SignedStatement;
  readonly network: SignedStatement;
  readonly contacts: readonly VoucherContact[];
}

export interface JoinToken {
  readonly urls: readonly string[];
  /** SHA-256 of the controller's TLS certificate (DER), hex. */
  readonly tlsFingerprint: string;
  readonly networkName: string;
  readonly tokenId: string;
  readonly secret: string;
  /**
   * Hash of the newest version of the authority when the token was made; null: a token of a former
   * version, whose joiner takes the authority from the controller.
   */
  readonly authorityHash: string | null;
  /** Undefined: good only with a controller. */
  readonly voucher?: TokenVoucher | undefined;
}

/**
 * Thrown for a string that is no join token. The message never repeats the string: it may hold a
 * secret.
 */
export class JoinTokenError extends Error {
  override readonly name = 'JoinTokenError';
  readonly code = 'join_token_malformed';
}

const PREFIX = 'loom1.';

export function encodeJoinToken(token: JoinToken): string {
  const content = {
    u: token.urls,
    f: token.tlsFingerprint,
    n: token.networkName,
    i: token.tokenId,
    s: token.secret,
    ...(token.authorityHash === null ? {} : { a: token.authorityHash }),
    ...(token.voucher === undefined ? {} : { v: shortVoucher(token.voucher) }),
  };
  const text = PREFIX + toBase64url(new TextEncoder().encode(JSON.stringify(content)));
  if (text.length > JOIN_TOKEN_CHARS_MAX)
    throw new RangeError(
      `a join token has ${JOIN_TOKEN_CHARS_MAX} characters at most, this one ${text.length}`,
    );
  return text;
}

function shortVoucher(given: TokenVoucher): z.infer<typeof voucherSchema> {
  const m = given.contacts.map(({ credential: c, endpointRecord: r }) => ({ c, r }));
  return { v: given.voucher, k: given.privateKey, h: given.authority, n: given.network, m };
}

function longVoucher({ v, k, h, n, m }: z.infer<typeof voucherSchema>): TokenVoucher {
  const contacts = m.map(({ c, r }) => ({ credential: c, endpointRecord: r }));
  return { voucher: v, privateKey: k, authority: h, network: n, contacts };
}

export function decodeJoinToken(text: string): JoinToken {
  const given = text.trim();
  if (!given.startsWith(PREFIX))
    throw new JoinTokenError(
      `a join token starts with "${PREFIX}"; this text of ${given.length} characters does not`,
    );
  if (given.length > JOIN_TOKEN_CHARS_MAX)
    throw new JoinTokenError(
      `a join token has ${JOIN_TOKEN_CHARS_MAX} characters at most, this text has ${given.length}`,
    );
  let content: z.infer<typeof contentSchema>;
  try {
    const bytes = fromBase64url(given.slice(PREFIX.length));
    content = contentSchema.parse(
      JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)),
    );
  } catch {
    throw new JoinTokenError('the join token is damaged or cut short: copy it again, whole');
  }
  return {
    urls: content.u,
    tlsFingerprint: content.f,
    networkName: content.n,
    tokenId: content.i,
    secret: content.s,
    authorityHash: content.a ?? null,
    ...(content.v === undefined ? {} : { voucher: longVoucher(content.v) }),
  };
}
