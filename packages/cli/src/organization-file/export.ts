/** An organization as the API shows it, written as the file that would make it. */
import type { JoinTokenRow, User, Tagged } from '@etherloom/api';
import { stringify } from 'yaml';
import type { Actual } from './actual.ts';
import { lifetimeSecondsOf } from './plan-join-tokens.ts';
import { givenRoles } from './plan-users.ts';
import type { OrganizationFile } from './schema.ts';

/**
 * The file, without what a later apply could not make: secrets, keys, addresses in use, and join
 * tokens without a label. What was not read has no section.
 */
export function toOrganizationFile(actual: Actual): OrganizationFile {
  const { networks, nodes, reservations, joinTokens, users } = actual;
  const nameOf = new Map(nodes.map(({ item }) => [item.id, item.name]));
  return {
    etherloom: 1,
    networks: Object.fromEntries(
      networks.map(({ item: network }) => [
        network.name,
        {
          ipv4: network.ipv4,
          ipv6: network.ipv6,
          mtuBytes: network.mtuBytes,
          settings: network.settings,
          reservations: (reservations.get(network.id) ?? []).map(({ item }) => {
            const node = item.nodeId === null ? undefined : nameOf.get(item.nodeId);
            return {
              address: item.address,
              ...(node === undefined ? {} : { node }),
              note: item.note,
            };
          }),
          ...(joinTokens === null
            ? {}
            : { joinTokens: toJoinTokens(joinTokens.get(network.id) ?? []) }),
        },
      ]),
    ),
    nodes: Object.fromEntries(
      nodes
        .filter(({ item }) => item.state !== 'pending') // to name one is to approve it
        .map(({ item }) => [
          item.name,
          { networks: item.memberships.map(({ networkName }) => networkName).toSorted() },
        ]),
    ),
    ...(users === null ? {} : { users: toUsers(users) }),
  };
}

function toJoinTokens(tokens: readonly Tagged<JoinTokenRow>[]) {
  const entries = tokens.map(
    ({ item }) =>
      [
        item.label ?? '',
        { uses: item.uses, lifetimeSeconds: lifetimeSecondsOf(item), offlineOk: item.offlineOk },
      ] as const,
  );
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** Users of other organizations may share a name with one of this: no file can tell them apart. */
function toUsers(users: readonly Tagged<User>[]) {
  const byName = Map.groupBy(users, ({ item }) => item.name);
  return Object.fromEntries(
    [...byName].flatMap(([name, [user, other]]) =>
      user === undefined || other !== undefined ? [] : [[name, { roles: givenRoles(user.item) }]],
    ),
  );
}

/** Its text; the same organization always gives the same. */
export function renderOrganizationFile(file: OrganizationFile): string {
  return stringify(file, { lineWidth: 0 });
}
