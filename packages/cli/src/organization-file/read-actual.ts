/** Reads all of an organization that files speak of, through the API. */
import type { Client } from '@etherloom/api';
import { collect } from '@etherloom/api';
import type { Actual } from './plan.ts';

/** What is there; networks and nodes by name. */
export async function readActual(client: Client): Promise<Actual> {
  const networks = await collect(client, 'networkList');
  const nodes = await collect(client, 'nodeList');
  const reservations: [string, Awaited<ReturnType<typeof reservationsOf>>][] = [];
  for (const { id } of networks) reservations.push([id, await reservationsOf(client, id)]);
  return { networks, nodes, reservations: new Map(reservations) };
}

function reservationsOf(client: Client, networkId: string) {
  return collect(client, 'reservationList', { params: { network: networkId } });
}
