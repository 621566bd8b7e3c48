/** For tests: the export of a ledger as a reader far from the controller has and verifies it. */
import { createHash, createPublicKey, verify } from 'node:crypto';
import type { LedgerPlace, LedgerVerdict } from '@etherloom/api';
import { verifyLedger } from '@etherloom/api';
import { createPinnedSender } from '@etherloom/transport';
import type { TestController } from './controller-fixture.ts';

/** The lines of an export. */
export async function exportLedgerOf(test: TestController, query = ''): Promise<string[]> {
  const { url, tlsFingerprint } = test.controller;
  const reply = await createPinnedSender({ tlsFingerprint, timeoutMs: 10_000 })({
    method: 'GET',
    url: `${url}/v1/audit/export${query}`,
    headers: { authorization: `Bearer ${test.adminToken}` },
  });
  const type = reply.headers['content-type'];
  if (reply.status !== 200 || type !== 'application/jsonl')
    throw new Error(`export: ${reply.status} ${type} ${reply.body}`);
  return reply.body.split('\n').filter((line) => line !== '');
}

/** Verifies lines against what the reader knows. */
export function checkLedger(
  lines: readonly string[],
  known: { readonly pinnedKeys?: readonly string[]; readonly known?: readonly LedgerPlace[] } = {},
): Promise<LedgerVerdict> {
  return verifyLedger(lines, {
    sha256: (text) => createHash('sha256').update(text).digest('hex'),
    isSignedBy: (key, text, signature) => {
      const jwk = { kty: 'OKP', crv: 'Ed25519', x: key };
      const publicKey = createPublicKey({ key: jwk, format: 'jwk' });
      return verify(null, Buffer.from(text), publicKey, Buffer.from(signature, 'base64url'));
    },
    ...known,
  });
}
