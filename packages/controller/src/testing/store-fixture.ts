/** For tests of the store without a controller: a store on either engine, and members in it. */
import { createHash, randomBytes } from 'node:crypto';
import type { JoinRequest } from '@etherloom/api';
import { Keyring } from '../authority/keyring.ts';
import { settle } from '../authority/settle.ts';
import type { Engine } from '../store/engine.ts';
import { createJoinToken } from '../store/join-tokens.ts';
import { join } from '../store/join.ts';
import { createNetwork } from '../store/networks.ts';
import { ensureDefaultOrganization } from '../store/organizations.ts';
import { Store } from '../store/store.ts';

/** Seals the keys of all stores of a test file. */
const SEALING_KEY = randomBytes(32);

/** A store with the default organization. */
export async function openStoreOn(engine: Engine, now: () => number = Date.now): Promise<Store> {
  const keyring = new Keyring(SEALING_KEY);
  const store = new Store(engine, { now, random: randomBytes, keyring, settle });
  await store.transact(ensureDefaultOrganization);
  return store;
}

/** Makes a network with a pool of both families. */
export async function makeNetwork(store: Store, name: string): Promise<string> {
  const given = { name, ipv4: '10.1.0.0/16', ipv6: 'fd00:1::/64', mtuBytes: 1_370 };
  return (await store.transact((tx) => createNetwork(tx, given))).id;
}

/** The id of the node that a test calls by a name. */
export function nodeIdOf(name: string): string {
  return createHash('sha256').update(name).digest('hex').slice(0, 32);
}

/** A node joins a network, by the name of which its id is made. */
export async function joinAs(store: Store, network: string, name: string): Promise<void> {
  await store.transact(async (tx) => {
    const given = { network, uses: 1, lifetimeSeconds: 60 };
    const { row, secret } = await createJoinToken(tx, given);
    await join(tx, { ...joinRequest(name), tokenId: row.id, network, secret });
  });
}

function joinRequest(name: string): JoinRequest {
  const nodeId = nodeIdOf(name);
  const key = (kind: string) => createHash('sha256').update(`${kind}${nodeId}`).digest('base64url');
  return {
    tokenId: '',
    network: '',
    secret: '',
    nodeId,
    name,
    nameIsSuggestion: false,
    signKey: key('s'),
    sessionKey: key('x'),
    signature: '',
  };
}
