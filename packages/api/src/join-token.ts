/**
 * The join token: one string that a boot script can carry. `loom1.` and base64url of JSON with the
 * controllers' URLs, the pinned SHA-256 fingerprint of their TLS certificate, the network's name,
 * the token's id and its secret.
 */
import { z } from 'zod';
import { fromBase64url, toBase64url } from './base64url.ts';
import { idSchema, nameSchema } from './values.ts';

export const fingerprintSchema = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'must be SHA-256 as 64 lower-case hex digits');

const contentSchema = z.strictObject({
  u: z
    .array(z.url({ protocol: /^https$/ }))
    .min(1)
    .max(8),
  f: fingerprintSchema,
  n: nameSchema,
  i: idSchema,
  s: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
});

export interface JoinToken {
  readonly urls: readonly string[];
  /** SHA-256 of the controller's TLS certificate (DER), hex. */
  readonly tlsFingerprint: string;
  readonly networkName: string;
  readonly tokenId: string;
  readonly secret: string;
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
  };
  return PREFIX + toBase64url(new TextEncoder().encode(JSON.stringify(content)));
}

export function decodeJoinToken(text: string): JoinToken {
  const given = text.trim();
  if (!given.startsWith(PREFIX))
    throw new JoinTokenError(
      `a join token starts with "${PREFIX}"; this text of ${given.length} characters does not`,
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
  };
}
