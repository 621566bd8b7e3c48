/** Signs what waits with the keys at hand, and brings the signatures to the controller. */
import type { Client } from '@etherloom/api';
import { SIGNATURES_PER_REQUEST_MAX } from '@etherloom/api';
import type { Authority } from '@etherloom/core';
import { addSignature } from '@etherloom/core';
import type { Described } from './describe.ts';
import type { KeyFile } from './key-file.ts';

export interface SignatureToSend {
  readonly hash: string;
  readonly key: string;
  readonly signature: string;
}

/** The statements that a key may sign and has not yet signed. */
export function signableBy(
  key: KeyFile,
  described: readonly Described[],
  authority: Authority,
): Described[] {
  const { keys, recoveryKeys } = authority.statement;
  return described.filter(({ item, statement }) => {
    if (item.signedBy.includes(key.signer.key)) return false;
    const isOwn = statement.type === 'authority' && statement.keys.includes(key.signer.key);
    const isRecovery = statement.type === 'authority' && recoveryKeys.includes(key.signer.key);
    return keys.includes(key.signer.key) || isOwn || isRecovery;
  });
}

/** Signatures of keys over what they may sign. */
export function signaturesOf(
  keys: readonly KeyFile[],
  described: readonly Described[],
  authority: Authority,
): SignatureToSend[] {
  return keys.flatMap((key) =>
    signableBy(key, described, authority).flatMap(({ item }) =>
      addSignature({ statement: item.statement, signatures: [] }, key.signer).signatures.map(
        (signature) => ({ hash: item.hash, ...signature }),
      ),
    ),
  );
}

/** Sends signatures in requests of a bounded size; gives what came of it. */
export async function sendSignatures(
  client: Client,
  organizationId: string,
  signatures: readonly SignatureToSend[],
): Promise<{ readonly taken: number; readonly published: number; readonly pendingCount: number }> {
  let total = { taken: 0, published: 0, pendingCount: 0 };
  for (let i = 0; i < signatures.length; i += SIGNATURES_PER_REQUEST_MAX) {
    const reply = await client.call('authoritySign', {
      params: { organization: organizationId },
      body: { signatures: signatures.slice(i, i + SIGNATURES_PER_REQUEST_MAX) },
    });
    total = {
      taken: total.taken + reply.taken,
      published: total.published + reply.published,
      pendingCount: reply.pendingCount,
    };
  }
  return total;
}
