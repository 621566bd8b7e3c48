/**
 * Reads an organization through the API: what is asked for and no more, so that whoever applies a
 * file needs the permissions for what the file speaks of, and no others.
 */
import type { Client } from '@etherloom/api';
import { collectTagged, isVoucherNote } from '@etherloom/api';
import type { Actual } from './actual.ts';
import { memberKey } from './actual.ts';

/** What is to be read beside networks and nodes. */
export interface Wish {
  /** Names of networks; null: all of them. */
  readonly reservationsOf: ReadonlySet<string> | null;
  readonly joinTokens: boolean;
  readonly users: boolean;
  /** ETags of memberships, to end some. */
  readonly memberEtags: boolean;
}

/** What is there. */
export async function readActual(client: Client, wish: Wish, nowMs: number): Promise<Actual> {
  const networks = await collectTagged(client, 'networkList');
  const nodes = await collectTagged(client, 'nodeList');
  const ids = networks.map(({ item }) => item.id);
  return {
    networks,
    nodes,
    reservations: await readReservations(
      client,
      networks
        .filter(({ item }) => wish.reservationsOf?.has(item.name) ?? true)
        .map(({ item }) => item.id),
    ),
    memberEtags: wish.memberEtags ? await readMemberEtags(client, ids) : new Map(),
    joinTokens: wish.joinTokens ? await readJoinTokens(client) : null,
    users: wish.users ? await collectTagged(client, 'userList') : null,
    selfId: wish.users ? (await client.call('sessionShow')).userId : null,
    nowMs,
  };
}

async function readReservations(
  client: Client,
  networkIds: readonly string[],
): Promise<Actual['reservations']> {
  const found = new Map<string, Awaited<ReturnType<typeof listOne>>>();
  const listOne = (network: string) =>
    collectTagged(client, 'reservationList', { params: { network } });
  for (const id of networkIds)
    found.set(
      id,
      (await listOne(id)).filter(({ item }) => !isVoucherNote(item.note)),
    );
  return found;
}

async function readMemberEtags(
  client: Client,
  networkIds: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const etags = new Map<string, string>();
  for (const network of networkIds)
    for (const { item, etag } of await collectTagged(client, 'memberList', { params: { network } }))
      etags.set(memberKey(item), etag);
  return etags;
}

async function readJoinTokens(client: Client): Promise<NonNullable<Actual['joinTokens']>> {
  const tokens = await collectTagged(client, 'tokenList');
  return Map.groupBy(
    tokens.filter(({ item }) => item.label !== null),
    ({ item }) => item.networkId,
  );
}
