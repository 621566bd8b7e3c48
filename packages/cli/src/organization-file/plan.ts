/**
 * What has to be done so that an organization is as a file says. A pure comparison: the same plan
 * is shown by --plan and carried out without it, and against what it made it is empty.
 */
import type { Membership, Network, NetworkSettings, Node, Reservation } from '@etherloom/api';
import type { NetworkWanted, OrganizationFile, ReservationWanted } from './schema.ts';
import { sameAddress, samePrefix } from './same-address.ts';

/** An organization as the API shows it. */
export interface Actual {
  readonly networks: readonly Network[];
  readonly nodes: readonly Node[];
  /** By network id. */
  readonly reservations: ReadonlyMap<string, readonly Reservation[]>;
}

/** A field that differs. */
export interface Difference {
  readonly field: string;
  readonly from: string;
  readonly to: string;
}

export type Step =
  | { readonly kind: 'network.create'; readonly name: string; readonly wanted: NetworkWanted }
  | {
      readonly kind: 'network.set';
      readonly name: string;
      readonly network: Network;
      readonly settings: NonNullable<NetworkWanted['settings']>;
      readonly differences: readonly Difference[];
    }
  | { readonly kind: 'network.delete'; readonly name: string; readonly network: Network }
  | {
      readonly kind: 'reservation.create';
      readonly networkName: string;
      readonly wanted: ReservationWanted;
      readonly nodeId: string | undefined;
    }
  | {
      readonly kind: 'reservation.delete';
      readonly networkName: string;
      readonly reservation: Reservation;
    }
  | { readonly kind: 'node.approve'; readonly name: string; readonly node: Node }
  | { readonly kind: 'node.delete'; readonly name: string; readonly node: Node }
  | { readonly kind: 'member.delete'; readonly name: string; readonly membership: Membership };

export interface Plan {
  /** In the order in which they are to be done. */
  readonly steps: readonly Step[];
  /** What is not as the file says and only a host can change, as joining. */
  readonly waits: readonly string[];
  /** What cannot be done: the file has to change. */
  readonly refusals: readonly string[];
}

interface Draft {
  readonly steps: Step[];
  readonly waits: string[];
  readonly refusals: string[];
}

/** Compares; with `isPruning` what a section does not name goes. */
export function planChanges(wanted: OrganizationFile, actual: Actual, isPruning: boolean): Plan {
  const draft: Draft = { steps: [], waits: [], refusals: [] };
  const networks = new Map(actual.networks.map((network) => [network.name, network]));
  for (const [name, network] of Object.entries(wanted.networks ?? {}))
    planNetwork(draft, { name, wanted: network, held: networks.get(name), actual, isPruning });
  planNodes(draft, wanted, actual, isPruning);
  if (isPruning && wanted.networks !== undefined) {
    const kept = new Set(Object.keys(wanted.networks));
    for (const network of actual.networks)
      if (!kept.has(network.name))
        draft.steps.push({ kind: 'network.delete', name: network.name, network });
  }
  return draft;
}

interface NetworkCase {
  readonly name: string;
  readonly wanted: NetworkWanted;
  readonly held: Network | undefined;
  readonly actual: Actual;
  readonly isPruning: boolean;
}

function planNetwork(draft: Draft, given: NetworkCase): void {
  const { name, wanted, held } = given;
  if (held === undefined) draft.steps.push({ kind: 'network.create', name, wanted });
  else {
    refuseFixed(draft, name, wanted, held);
    const differences = settingsDiffer(wanted, held);
    if (differences.length > 0)
      draft.steps.push({
        kind: 'network.set',
        name,
        network: held,
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
  const there = held === undefined ? [] : (actual.reservations.get(held.id) ?? []);
  const nodes = new Map(actual.nodes.map((node) => [node.name, node.id]));
  const taken = new Set<string>();
  for (const reservation of wanted.reservations) {
    const same = there.find(({ address }) => sameAddress(address, reservation.address));
    if (same !== undefined) taken.add(same.id);
    const nodeId = reservation.node === undefined ? undefined : nodes.get(reservation.node);
    if (reservation.node !== undefined && nodeId === undefined) {
      draft.waits.push(
        `${reservation.address} in network "${name}" is for node "${reservation.node}", which has not joined`,
      );
      continue;
    }
    const isAsWanted =
      same !== undefined && same.nodeId === (nodeId ?? null) && same.note === reservation.note;
    if (isAsWanted) continue;
    if (same !== undefined)
      draft.steps.push({ kind: 'reservation.delete', networkName: name, reservation: same });
    draft.steps.push({
      kind: 'reservation.create',
      networkName: name,
      wanted: reservation,
      nodeId,
    });
  }
  if (!isPruning) return;
  for (const reservation of there)
    if (!taken.has(reservation.id))
      draft.steps.push({ kind: 'reservation.delete', networkName: name, reservation });
}

function planNodes(
  draft: Draft,
  wanted: OrganizationFile,
  actual: Actual,
  isPruning: boolean,
): void {
  if (wanted.nodes === undefined) return;
  const nodes = new Map(actual.nodes.map((node) => [node.name, node]));
  for (const [name, { networks }] of Object.entries(wanted.nodes)) {
    const node = nodes.get(name);
    if (node?.state === 'pending') draft.steps.push({ kind: 'node.approve', name, node });
    const memberships = node?.memberships ?? [];
    for (const networkName of networks ?? [])
      if (!memberships.some((membership) => membership.networkName === networkName))
        if (node?.state !== 'pending')
          draft.waits.push(
            `node "${name}" has not joined network "${networkName}": loom token create --network ${networkName}`,
          );
    if (!isPruning || networks === undefined) continue;
    for (const membership of memberships)
      if (!networks.includes(membership.networkName))
        draft.steps.push({ kind: 'member.delete', name, membership });
  }
  if (!isPruning) return;
  for (const node of actual.nodes)
    // A clone that waits is nobody's decision yet.
    if (wanted.nodes[node.name] === undefined && node.state !== 'pending')
      draft.steps.push({ kind: 'node.delete', name: node.name, node });
}
