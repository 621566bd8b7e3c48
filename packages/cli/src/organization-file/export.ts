/** An organization as the API shows it, written as the file that would make it. */
import { stringify } from 'yaml';
import type { Actual } from './plan.ts';
import type { OrganizationFile } from './schema.ts';

/** The file, without what a later apply could not make: join tokens, keys, addresses in use. */
export function toOrganizationFile({ networks, nodes, reservations }: Actual): OrganizationFile {
  const nameOf = new Map(nodes.map((node) => [node.id, node.name]));
  return {
    etherloom: 1,
    networks: Object.fromEntries(
      networks.map((network) => [
        network.name,
        {
          ipv4: network.ipv4,
          ipv6: network.ipv6,
          mtuBytes: network.mtuBytes,
          settings: network.settings,
          reservations: (reservations.get(network.id) ?? []).map(({ address, nodeId, note }) => {
            const node = nodeId === null ? undefined : nameOf.get(nodeId);
            return { address, ...(node === undefined ? {} : { node }), note };
          }),
        },
      ]),
    ),
    nodes: Object.fromEntries(
      nodes
        .filter(({ state }) => state !== 'pending') // to name one is to approve it
        .map(({ name, memberships }) => [
          name,
          { networks: memberships.map(({ networkName }) => networkName).toSorted() },
        ]),
    ),
  };
}

/** Its text; the same organization always gives the same. */
export function renderOrganizationFile(file: OrganizationFile): string {
  return stringify(file, { lineWidth: 0 });
}
