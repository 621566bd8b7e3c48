/**
 * Which `ip` commands turn the interfaces that are into those that are wanted: a pure function.
 * Only devices of this node are touched; they are known by their alias, which is set in the same
 * batch that makes them. A device made a moment before the agent died has no alias yet; it is known
 * by its recorded name, its kind and by being untouched.
 */
import type { ActualInterface } from './actual.ts';

/** A device as the agent wants it. */
export interface WantedInterface {
  readonly networkId: string;
  readonly name: string;
  readonly mac: string;
  readonly mtuBytes: number;
  readonly addresses: readonly { readonly ip: string; readonly prefixLength: number }[];
}

/** The name of a wanted device is taken by one that is not ours. */
export interface InterfaceConflict {
  readonly networkId: string;
  readonly name: string;
  readonly message: string;
}

/** Commands for one device, as words of `ip`, in order. */
export interface InterfaceSteps {
  readonly networkId: string;
  readonly name: string;
  readonly commands: readonly (readonly string[])[];
  /** The device did not exist: the data path has to attach to it anew. */
  readonly isCreated: boolean;
}

export interface InterfacePlan {
  /** Commands that remove devices of networks that are left. */
  readonly removals: readonly (readonly string[])[];
  readonly steps: readonly InterfaceSteps[];
  readonly conflicts: readonly InterfaceConflict[];
}

/** The alias by which this node knows its device of a network. */
export function aliasOf(nodeId: string, networkId: string): string {
  return `${ownPrefix(nodeId)}${networkId}`;
}

/** True for a device that some etherloom agent made. */
export function isOverlay(device: Pick<ActualInterface, 'alias'>): boolean {
  return device.alias.startsWith('etherloom:');
}

/** Plans for the node `nodeId`. */
export function planInterfaces(
  nodeId: string,
  wanted: readonly WantedInterface[],
  actual: readonly ActualInterface[],
): InterfacePlan {
  const byName = new Map(actual.map((device) => [device.name, device]));
  const removals = actual
    .filter((device) => device.alias.startsWith(ownPrefix(nodeId)))
    .filter(
      (device) => !wanted.some((want) => want.name === device.name && fits(nodeId, want, device)),
    )
    .map((device) => ['link', 'delete', 'dev', device.name]);
  const removed = new Set(removals.map((command) => command.at(-1)));
  const steps: InterfaceSteps[] = [];
  const conflicts: InterfaceConflict[] = [];
  for (const want of wanted) {
    const device = removed.has(want.name) ? undefined : byName.get(want.name);
    if (device !== undefined && !fits(nodeId, want, device)) {
      conflicts.push(conflictOf(want));
      continue;
    }
    const commands =
      device === undefined ? createCommands(nodeId, want) : changeCommands(nodeId, want, device);
    steps.push({
      networkId: want.networkId,
      name: want.name,
      commands,
      isCreated: device === undefined,
    });
  }
  return { removals, steps, conflicts };
}

/** Commands that remove all devices of this node. */
export function planRemovals(
  nodeId: string,
  actual: readonly ActualInterface[],
): readonly (readonly string[])[] {
  return planInterfaces(nodeId, [], actual).removals;
}

/**
 * The default name of a network's device, unique among the node's own: loom- and the network's name
 * cut to 15 bytes, with a number in place of its end when it is taken.
 */
export function defaultInterfaceName(networkName: string, taken: ReadonlySet<string>): string {
  const whole = `loom-${networkName}`;
  for (let number = 1; ; number++) {
    const suffix = number === 1 ? '' : `-${number}`;
    const name = whole.slice(0, 15 - suffix.length) + suffix;
    if (!taken.has(name)) return name;
  }
}

function ownPrefix(nodeId: string): string {
  return `etherloom:${nodeId}:`;
}

function fits(nodeId: string, want: WantedInterface, device: ActualInterface): boolean {
  if (!device.isUsableTap) return false;
  if (device.alias === aliasOf(nodeId, want.networkId)) return true;
  return device.alias === '' && !device.isUp && device.addresses.length === 0;
}

function conflictOf(want: WantedInterface): InterfaceConflict {
  return {
    networkId: want.networkId,
    name: want.name,
    message:
      `an interface ${want.name} exists on this host and is not etherloom's; ` +
      'join again with --interface and another name, or remove that interface',
  };
}

function createCommands(nodeId: string, want: WantedInterface): string[][] {
  const { name } = want;
  return [
    // user 0: the data path, which has given up its capabilities, attaches as the owner.
    ['tuntap', 'add', 'dev', name, 'mode', 'tap', 'multi_queue', 'vnet_hdr', 'user', '0'],
    ['link', 'set', 'dev', name, 'alias', aliasOf(nodeId, want.networkId)],
    ['link', 'set', 'dev', name, 'address', want.mac],
    ['link', 'set', 'dev', name, 'mtu', String(want.mtuBytes)],
    ['link', 'set', 'dev', name, 'addrgenmode', 'eui64'],
    ...want.addresses.map((address) => addressCommand('add', name, address)),
    ['link', 'set', 'dev', name, 'up'],
  ];
}

function changeCommands(
  nodeId: string,
  want: WantedInterface,
  device: ActualInterface,
): string[][] {
  const { name } = want;
  const commands: string[][] = [];
  const set = (...words: string[]): number => commands.push(['link', 'set', 'dev', name, ...words]);
  const alias = aliasOf(nodeId, want.networkId);
  if (device.alias !== alias) {
    set('alias', alias);
    set('addrgenmode', 'eui64');
  }
  if (device.mac !== want.mac) set('address', want.mac);
  if (device.mtuBytes !== want.mtuBytes) set('mtu', String(want.mtuBytes));
  const surplus = device.addresses.filter(
    (held) => held.scope === 'global' && !want.addresses.some((a) => sameAddress(a, held)),
  );
  const lacking = want.addresses.filter(
    (address) => !device.addresses.some((held) => sameAddress(address, held)),
  );
  for (const address of surplus) commands.push(addressCommand('delete', name, address));
  for (const address of lacking) commands.push(addressCommand('add', name, address));
  if (!device.isUp) set('up');
  return commands;
}

interface Address {
  readonly ip: string;
  readonly prefixLength: number;
}

function sameAddress(a: Address, b: Address): boolean {
  return a.ip.toLowerCase() === b.ip.toLowerCase() && a.prefixLength === b.prefixLength;
}

function addressCommand(
  verb: 'add' | 'delete',
  name: string,
  { ip, prefixLength }: Address,
): string[] {
  // The controller gives each address once: duplicate detection would only hold it back for a
  // second.
  const isIpv6Add = verb === 'add' && ip.includes(':');
  return ['address', verb, `${ip}/${prefixLength}`, 'dev', name, ...(isIpv6Add ? ['nodad'] : [])];
}
