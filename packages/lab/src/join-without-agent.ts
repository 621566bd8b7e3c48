/** Members that have keys and addresses and no host: an API's load, and large networks. */
import type { KeyObject } from 'node:crypto';
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import type { Client } from '@etherloom/api';
import { decodeJoinToken, joinSigningText, toBase64url } from '@etherloom/api';

/** A node of which there is no host. */
export interface Nobody {
  readonly nodeId: string;
  readonly sign: (text: string) => string;
}

/**
 * Makes a member of which there is no host; without a name one that is made of its id. Rejects with
 * ApiError when the controller does not take it.
 */
export async function joinWithoutAgent(
  client: Client,
  token: string,
  name?: string,
): Promise<Nobody> {
  const { nodeId, body, sign: signText } = makeJoin(token, name);
  await client.call('join', { body });
  return { nodeId, sign: signText };
}

/** The request of such a node, with its keys. */
export function makeJoin(token: string, name?: string) {
  const { tokenId, secret, networkName } = decodeJoinToken(token);
  const signing = generateKeyPairSync('ed25519');
  const nodeId = randomBytes(16).toString('hex');
  const unsigned = {
    tokenId,
    network: networkName,
    secret,
    nodeId,
    name: name ?? `n-${nodeId.slice(0, 12)}`,
    nameIsSuggestion: false,
    signKey: publicText(signing.publicKey),
    sessionKey: publicText(generateKeyPairSync('x25519').publicKey),
  };
  const signText = (text: string): string =>
    toBase64url(sign(null, Buffer.from(text), signing.privateKey));
  const body = { ...unsigned, signature: signText(joinSigningText(unsigned)) };
  return { nodeId, body, sign: signText };
}

function publicText(key: KeyObject): string {
  return key.export({ format: 'jwk' }).x ?? '';
}
