/**
 * The world of the demonstration. Addresses are those set aside for documentation (RFC 5737, RFC
 * 3849): they exist in the namespaces
 * alone.
 */
import type { Namespace } from '../namespaces.ts';
import type { World } from '../world.ts';

/** A subnet of the underlay: its router has .1 and ::1. */
interface Subnet {
  readonly cloud: string;
  readonly ipv4: string;
  readonly ipv6: string;
}

const EAST: Subnet = { cloud: 'east', ipv4: '198.51.100', ipv6: '2001:db8:e' };
const WEST: Subnet = { cloud: 'west', ipv4: '203.0.113', ipv6: '2001:db8:f' };
const SERVICE: Subnet = { cloud: 'service', ipv4: '192.0.2', ipv6: '2001:db8:5' };

/** Underlay address of west1. */
export const WEST1_ADDRESS = `${WEST.ipv4}.11`;
/** Where the controller listens, as hosts see it. */
export const CONTROLLER_LISTEN = `${SERVICE.ipv4}.10:8443`;

export const PICTURE = [
  '  cloud east 198.51.100.0/24, 2001:db8:e::/64          cloud west 203.0.113.0/24, 2001:db8:f::/64',
  '    east1 .11 ──┐                                        ┌── west1 .11',
  '    east2 .12 ──┴────────────── router ──────────────────┘',
  '                                  └── controller 192.0.2.10',
];

export interface Topology {
  readonly hosts: readonly Namespace[];
  readonly controller: Namespace;
  readonly router: Namespace;
}

/** Makes namespaces, a switch for each cloud and a router between, dual-stack. */
export async function makeTopology(world: World): Promise<Topology> {
  const router = await world.addNamespace('router');
  await world.enableForwarding(router);
  for (const subnet of [EAST, WEST, SERVICE]) {
    await world.addBridge(router, subnet.cloud, { addresses: addresses(subnet, 1) });
  }
  const controller = await addMachine(world, router, {
    label: 'controller',
    subnet: SERVICE,
    number: 10,
  });
  const east1 = await addMachine(world, router, { label: 'east1', subnet: EAST, number: 11 });
  const east2 = await addMachine(world, router, { label: 'east2', subnet: EAST, number: 12 });
  const west1 = await addMachine(world, router, { label: 'west1', subnet: WEST, number: 11 });
  return { hosts: [east1, east2, west1], controller, router };
}

async function addMachine(
  world: World,
  router: Namespace,
  machine: { readonly label: string; readonly subnet: Subnet; readonly number: number },
): Promise<Namespace> {
  const namespace = await world.addNamespace(machine.label);
  await world.link(
    { namespace, device: 'eth0', addresses: addresses(machine.subnet, machine.number) },
    { namespace: router, device: `to-${machine.label}`, bridge: machine.subnet.cloud },
  );
  await world.addRoute(namespace, 'default', `${machine.subnet.ipv4}.1`);
  await world.addRoute(namespace, 'default', `${machine.subnet.ipv6}::1`);
  return namespace;
}

function addresses(subnet: Subnet, number: number): readonly string[] {
  return [`${subnet.ipv4}.${number}/24`, `${subnet.ipv6}::${number}/64`];
}
