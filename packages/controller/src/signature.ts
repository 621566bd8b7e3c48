/** Ed25519 signatures of nodes. */
import { createPublicKey, verify } from 'node:crypto';
import { fromBase64url } from '@etherloom/api';

/** Verifies a signature; key and signature in base64url of the right length. */
export function verifyEd25519(signKey: string, text: string, signature: string): boolean {
  try {
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: signKey }, format: 'jwk' });
    return verify(null, Buffer.from(text, 'utf8'), key, fromBase64url(signature));
  } catch {
    return false; // 32 bytes that are no point of the curve
  }
}
