/**
 * What has to be done so that an organization is as a file says. A pure comparison: the same plan
 * is shown by --plan and carried out without it, and against what it made it is empty.
 */
import type { Network, NetworkSettings, Tagged } from '@etherloom/api';
import type { Actual } from './actual.ts';
import { memberKey } from './actual.ts';
import { planJoinTokens } from './plan-join-tokens.ts';
import { planUsers } from './plan-users.ts';
import type { NetworkWanted, OrganizationFile } from './schema.ts';
import { sameAddress, samePrefix } from './same-address.ts';
import type { Difference, Draft, Plan, PlanOptions } from './step.ts';

/** Compares. */
export function planChanges(wanted: OrganizationFile, actual: Actual, options: PlanOptions): Plan {
  const draft: Draft = { steps: [], waits: [], notes: [], refusals: [] };
  const { isPruning } = options;
  const networks = new Map(actual.networks.map((network) => [network.item.name, network]));
  for (const [name, network] of Object.entries(wanted.networks ?? {}))
    planNetwork(draft, { name, wanted: network, held: networks.get(name), actual, isPruning });
  planNodes(draft, wanted, actual, isPruning);
  planUsers(draft, wanted, actual, isPruning);
  if (isPruning && wanted.networks !== undefined) {
    const kept = new Set(Object.keys(wanted.networks));
    for (const { item, etag } of actual.networks)
      if (!kept.has(item.name))
        draft.steps.push({ kind: 'network.delete', name: item.name, network: item, etag });
  }
  // The last ones: what they give is a secret, shown when everything else is done.
  for (const [name, network] of Object.entries(wanted.networks ?? {}))
    planJoinTokens(draft, { name, wanted: network, held: networks.get(name), actual, options });
  return draft;
}

interface NetworkCase {
  readonly name: string;
  readonly wanted: NetworkWanted;
  readonly held: Tagged<Network> | undefined;
  readonly actual: Actual;
  readonly isPruning: boolean;
}

function planNetwork(draft: Draft, given: NetworkCase): void {
  const { name, wanted, held } = given;
  if (held === undefined) draft.steps.push({ kind: 'network.create', name, wanted });
  else {
    refuseFixed(draft, name, wanted, held.item);
    const differences = settingsDiffer(wanted, held.item);
    if (differences.length > 0)
      draft.steps.push({
        kind: 'network.set',
        name,
        network: held.item,
        etag: held.etag,
        settings: wanted.settings ?? {},
        differences,
      });
  }
  planReservations(draft, given);
}

/** Pools and MTU are fixed when a network is made: every member would have to be told apart. */
function refuseFixed(draft: Draft, name: string, wanted: NetworkWanted, held: Network): void {
  const fixed: (readonly [string, string | null | undefined, string | null, boolean])[] = [
    ['ipv4', wanted.ipv4, held.ipv4, samePrefix(wanted.ipv4, held.ipv4)],
    ['ipv6', wanted.ipv6, held.ipv6, samePrefix(wanted.ipv6, held.ipv6)],
    [
      'mtuBytes',
      wanted.mtuBytes === undefined ? undefined : String(wanted.mtuBytes),
      String(held.mtuBytes),
      wanted.mtuBytes === held.mtuBytes,
    ],
  ];
  for (const [field, to, from, isSame] of fixed)
    if (to !== undefined && !isSame)
      draft.refusals.push(
        `${field} of network "${name}" is ${from ?? 'none'} and cannot become ${to ?? 'none'}: make a network of another name, or leave the field out`,
      );
}

function settingsDiffer({ settings = {} }: NetworkWanted, held: Network): Difference[] {
  return Object.entries(settings).flatMap(([field, to]) => {
    const from = held.settings[field as keyof NetworkSettings]; // the schema allows no others
    return to === undefined || to === from
      ? []
      : [{ field: `settings.${field}`, from: String(from), to: String(to) }];
  });
}

function planReservations(
  draft: Draft,
  { name, wanted, held, actual, isPruning }: NetworkCase,
): void {
  if (wanted.reservations === undefined) return;
  const there = held === undefined ? [] : (actual.reservations.get(held.item.id) ?? []);
  const nodes = new Map(actual.nodes.map(({ item }) => [item.name, item.id]));
  const taken = new Set<string>();
  const release = ({ item, etag }: (typeof there)[number]): void =>
    void draft.steps.push({
      kind: 'reservation.delete',
      networkName: name,
      reservation: item,
      etag,
    });
  for (const reservation of wanted.reservations) {
    const same = there.find(({ item }) => sameAddress(item.address, reservation.address));
    if (same !== undefined) taken.add(same.item.id);
    const nodeId = reservation.node === undefined ? undefined : nodes.get(reservation.node);
    if (reservation.node !== undefined && nodeId === undefined) {
      draft.waits.push(
        `${reservation.address} in network "${name}" is for node "${reservation.node}", which has not joined`,
      );
      continue;
    }
    const isAsWanted =
      same?.item.nodeId === (nodeId ?? null) && same.item.note === reservation.note;
    if (isAsWanted) continue;
    if (same !== undefined) release(same);
    draft.steps.push({
      kind: 'reservation.create',
      networkName: name,
      wanted: reservation,
      nodeId,
    });
  }
  if (!isPruning) return;
  for (const reservation of there) if (!taken.has(reservation.item.id)) release(reservation);
}

function planNodes(
  draft: Draft,
  wanted: OrganizationFile,
  actual: Actual,
  isPruning: boolean,
): void {
  if (wanted.nodes === undefined) return;
  const nodes = new Map(actual.nodes.map((node) => [node.item.name, node]));
  for (const [name, { networks }] of Object.entries(wanted.nodes)) {
    const held = nodes.get(name);
    const isPending = held?.item.state === 'pending';
    if (held !== undefined && isPending)
      draft.steps.push({ kind: 'node.approve', name, node: held.item, etag: held.etag });
    const memberships = held?.item.memberships ?? [];
    for (const networkName of networks ?? [])
      if (!isPending && !memberships.some((membership) => membership.networkName === networkName))
        draft.waits.push(
          `node "${name}" has not joined network "${networkName}": loom token create --network ${networkName}`,
        );
    if (!isPruning || networks === undefined) continue;
    for (const membership of memberships)
      if (!networks.includes(membership.networkName)) {
        const etag = actual.memberEtags.get(memberKey(membership));
        // Without one it was gone by the time that members were read.
        if (etag !== undefined) draft.steps.push({ kind: 'member.delete', name, membership, etag });
      }
  }
  if (!isPruning) return;
  for (const { item, etag } of actual.nodes)
    // A clone that waits is nobody's decision yet.
    if (wanted.nodes[item.name] === undefined && item.state !== 'pending')
      draft.steps.push({ kind: 'node.delete', name: item.name, node: item, etag });
}
