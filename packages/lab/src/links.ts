/**
 * Links between namespaces. Both ends are made in their namespaces at once, so no device ever shows
 * in the machine's own.
 */
import { runCommand } from './command.ts';
import { LabError } from './lab-error.ts';
import { DEVICE_NAME_BYTES_MAX } from './limits.ts';
import type { Namespace } from './namespaces.ts';
import { ipBatch } from './namespaces.ts';

/** One end of a veth pair. */
export interface LinkEnd {
  readonly namespace: Namespace;
  readonly device: string;
  /** With prefix length, both families: ['198.51.100.11/24', '2001:db8:1::11/64']. */
  readonly addresses?: readonly string[];
  /** Bridge of this namespace that the end becomes a port of. */
  readonly bridge?: string;
  readonly mac?: string;
}

/** Makes a veth pair and brings both ends up. */
export async function addLink(
  a: LinkEnd,
  b: LinkEnd,
  options: { readonly mtuBytes?: number },
): Promise<void> {
  for (const end of [a, b]) assertDeviceName(end.device);
  const mtu = ['mtu', String(options.mtuBytes ?? 1_500)];
  const first = [
    'ip',
    'link',
    'add',
    'name',
    a.device,
    'netns',
    a.namespace.name,
    ...mtu,
    'type',
    'veth',
  ];
  const second = ['peer', 'name', b.device, 'netns', b.namespace.name, ...mtu];
  await runCommand([...first, ...second]);
  for (const end of [a, b]) {
    await ipBatch(end.namespace.name, [
      ...(end.mac === undefined ? [] : [`link set dev ${end.device} address ${end.mac}`]),
      ...(end.bridge === undefined ? [] : [`link set dev ${end.device} master ${end.bridge}`]),
      `link set dev ${end.device} up`,
      ...addressLines(end.device, end.addresses ?? []),
    ]);
  }
}

/** Makes a bridge that forwards at once (no spanning tree, no multicast snooping). */
export async function addBridge(
  namespace: Namespace,
  device: string,
  addresses: readonly string[],
): Promise<void> {
  assertDeviceName(device);
  await ipBatch(namespace.name, [
    `link add name ${device} type bridge forward_delay 0 stp_state 0 mcast_snooping 0`,
    `link set dev ${device} up`,
    ...addressLines(device, addresses),
  ]);
}

/** Takes all global addresses of a device away and gives it others. */
export async function replaceAddresses(
  namespace: Namespace,
  device: string,
  addresses: readonly string[],
): Promise<void> {
  assertDeviceName(device);
  await ipBatch(namespace.name, [
    `address flush dev ${device} scope global`,
    ...addressLines(device, addresses),
  ]);
}

function addressLines(device: string, addresses: readonly string[]): readonly string[] {
  return addresses.map(
    (address) => `address add ${address} dev ${device}${address.includes(':') ? ' nodad' : ''}`,
  );
}

function assertDeviceName(device: string): void {
  if (/^[A-Za-z0-9_.-]+$/.test(device) && device.length <= DEVICE_NAME_BYTES_MAX) return;
  throw new LabError(
    'name_invalid',
    `${JSON.stringify(device)} is no device name: 1 to ${DEVICE_NAME_BYTES_MAX} letters, digits, "_", "." or "-"`,
  );
}
