/**
 * The node's identity: a random node id, an Ed25519 key pair (signs) and an X25519 key pair
 * (sessions), made on this host and never leaving it. Only public keys and signatures come out of
 * here, and the X25519 private key, which the handshake needs.
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { fromBase64url, nodeIdSchema, publicKeySchema, toBase64url } from '@etherloom/api';
import { z } from 'zod';

const keyPairSchema = z.strictObject({ publicKey: publicKeySchema, privateKey: publicKeySchema });

export const identityContentSchema = z
  .strictObject({ nodeId: nodeIdSchema, sign: keyPairSchema, session: keyPairSchema })
  .refine((identity) => publicOf('Ed25519', identity.sign) === identity.sign.publicKey, 'sign')
  .refine(
    (identity) => publicOf('X25519', identity.session) === identity.session.publicKey,
    'session',
  );
export type IdentityContent = z.infer<typeof identityContentSchema>;

type Curve = 'Ed25519' | 'X25519';

export interface Identity {
  readonly nodeId: string;
  readonly nodeIdBytes: Uint8Array;
  /** Public keys, base64url. */
  readonly signKey: string;
  readonly sessionKey: string;
  /** Raw X25519 pair for the handshake. */
  readonly staticKeys: { readonly privateKey: Uint8Array; readonly publicKey: Uint8Array };
  /** Ed25519 signature over UTF-8 text, base64url. */
  readonly sign: (text: string) => string;
  /** The same over bytes, as 64 bytes. */
  readonly signBytes: (bytes: Uint8Array) => Uint8Array;
}

/** Makes a fresh identity. */
export function generateIdentity(): IdentityContent {
  return {
    nodeId: randomBytes(16).toString('hex'),
    sign: generatePair('Ed25519'),
    session: generatePair('X25519'),
  };
}

/** Makes the usable form of what the file holds. */
export function openIdentity(content: IdentityContent): Identity {
  const signing = privateKeyOf('Ed25519', content.sign);
  return {
    nodeId: content.nodeId,
    nodeIdBytes: Uint8Array.from(Buffer.from(content.nodeId, 'hex')),
    signKey: content.sign.publicKey,
    sessionKey: content.session.publicKey,
    staticKeys: {
      privateKey: fromBase64url(content.session.privateKey),
      publicKey: fromBase64url(content.session.publicKey),
    },
    sign: (text) => toBase64url(sign(null, new TextEncoder().encode(text), signing)),
    signBytes: (bytes) => new Uint8Array(sign(null, bytes, signing)),
  };
}

function generatePair(curve: Curve): z.infer<typeof keyPairSchema> {
  const { privateKey } =
    curve === 'Ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('x25519');
  const jwk = privateKey.export({ format: 'jwk' });
  return keyPairSchema.parse({ publicKey: jwk.x, privateKey: jwk.d });
}

function privateKeyOf(curve: Curve, pair: z.infer<typeof keyPairSchema>): KeyObject {
  return createPrivateKey({
    format: 'jwk',
    key: { kty: 'OKP', crv: curve, x: pair.publicKey, d: pair.privateKey },
  });
}

/** The public half that the private key really has: a JWK import does not compare them. */
function publicOf(curve: Curve, pair: z.infer<typeof keyPairSchema>): string | undefined {
  try {
    return createPublicKey(privateKeyOf(curve, pair)).export({ format: 'jwk' }).x;
  } catch {
    return undefined;
  }
}
