/** Members that have keys and addresses and no host: they make a network large. */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import type { Client } from '@etherloom/api';
import { decodeJoinToken, joinSigningText, toBase64url } from '@etherloom/api';

/** Joins so many nodes with a token; gives their ids. */
export async function joinFakeMembers(
  client: Client,
  token: string,
  count: number,
): Promise<string[]> {
  const ids: string[] = [];
  for (let at = 0; at < count; at++) ids.push(await joinOne(client, token, `fake-${at}`));
  return ids;
}

async function joinOne(client: Client, token: string, name: string): Promise<string> {
  const { tokenId, secret, networkName } = decodeJoinToken(token);
  const signing = generateKeyPairSync('ed25519');
  const session = generateKeyPairSync('x25519');
  const nodeId = randomBytes(16).toString('hex');
  const unsigned = {
    tokenId,
    network: networkName,
    secret,
    nodeId,
    name,
    nameIsSuggestion: false,
    signKey: signing.publicKey.export({ format: 'jwk' }).x ?? '',
    sessionKey: session.publicKey.export({ format: 'jwk' }).x ?? '',
  };
  const text = Buffer.from(joinSigningText(unsigned));
  const signature = toBase64url(sign(null, text, signing.privateKey));
  await client.call('join', { body: { ...unsigned, signature } });
  return nodeId;
}
