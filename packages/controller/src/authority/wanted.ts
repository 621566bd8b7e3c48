/**
 * What the rows that operators change want to be said: the content of a network's statement and of
 * its members' credentials, without numbers and times.
 */
import type { CredentialStatement, NetworkSettings, NetworkStatement } from '@etherloom/api';
import type { NetworkRow } from '../store/schema.ts';
import type { Tx } from '../store/store.ts';

export type NetworkContent = Omit<NetworkStatement, 'version' | 'issuedAt'>;
export type CredentialContent = Omit<
  CredentialStatement,
  'serial' | 'issuedAt' | 'expiresAt' | 'renewableUntil'
>;

/** Settings as they are stored. */
export function parseSettings(stored: string): NetworkSettings {
  return JSON.parse(stored) as NetworkSettings; // written by this program from checked values
}

/** What the statement of a network has to say. */
export function wantedNetwork(network: NetworkRow): NetworkContent {
  return {
    type: 'network',
    organizationId: network.organization_id,
    networkId: network.id,
    name: network.name,
    vni: network.vni,
    mtuBytes: network.mtu_bytes,
    ipv4: network.ipv4,
    ipv6: network.ipv6,
    settings: parseSettings(network.settings),
  };
}

/** What the credentials of these members have to say; nodes that are no members are left out. */
export async function wantedCredentials(
  tx: Tx,
  network: NetworkRow,
  nodeIds: ReadonlySet<string> | 'all',
): Promise<Map<string, CredentialContent>> {
  let members = tx.db
    .selectFrom('memberships')
    .innerJoin('nodes', 'nodes.id', 'memberships.node_id')
    .select(['nodes.id', 'nodes.name', 'nodes.sign_key', 'nodes.session_key', 'memberships.mac'])
    .where('memberships.network_id', '=', network.id);
  let addresses = tx.db
    .selectFrom('addresses')
    .select(['node_id', 'address'])
    .where('network_id', '=', network.id)
    .where('released_at', 'is', null)
    .orderBy('family')
    .orderBy('address_key');
  if (nodeIds !== 'all') {
    members = members.where('memberships.node_id', 'in', [...nodeIds]);
    addresses = addresses.where('node_id', 'in', [...nodeIds]);
  }
  const addressesOf = Map.groupBy(await addresses.execute(), (row) => row.node_id);
  const rows = await members.execute();
  return new Map(
    rows.map((row) => [
      row.id,
      {
        type: 'credential',
        organizationId: network.organization_id,
        networkId: network.id,
        vni: network.vni,
        nodeId: row.id,
        name: row.name,
        signKey: row.sign_key,
        sessionKey: row.session_key,
        mac: row.mac,
        addresses: (addressesOf.get(row.id) ?? []).map(({ address }) => address),
        groups: [],
      },
    ]),
  );
}

/** True when a statement's text says all of the content. */
export function saysSame(text: string, content: NetworkContent | CredentialContent): boolean {
  const said = JSON.parse(text) as Record<string, unknown>; // an object, as all statements are
  return Object.entries(content).every(
    ([name, value]) => JSON.stringify(said[name]) === JSON.stringify(value),
  );
}
