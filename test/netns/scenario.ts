/**
 * The world that most tests in namespaces use: a controller, hosts and a stranger on one switch.
 *
 *      controller .10     alpha .11      beta .12   gamma .13, delta .14   stranger .66
 *          |                 |              |              |               |
 *   -------+-----------------+--------------+--------------+---------------+-------  switch
 *          198.51.100.0/24 (TEST-NET-2, RFC 5737), 2001:db8:51::/64 (RFC 3849)
 *
 * Every host has an agent; the stranger has none.
 */
import type { Network, NetworkSettings } from '@etherloom/api';
import {
  createWorld,
  startAgent,
  startController,
  waitFor,
  type AgentOptions,
  type LabAgent,
  type LabController,
  type Namespace,
  type World,
} from '@etherloom/lab';
import { ping } from './ping.ts';

export const HOST_NUMBERS = {
  controller: 10,
  alpha: 11,
  beta: 12,
  gamma: 13,
  delta: 14,
  stranger: 66,
} as const;
export type HostLabel = 'alpha' | 'beta' | 'gamma' | 'delta';

export type Underlay = 'ipv4' | 'ipv6' | 'both';

export interface Scenario {
  readonly world: World;
  readonly underlay: Underlay;
  readonly switchNamespace: Namespace;
  readonly namespaces: Readonly<Record<string, Namespace>>;
  readonly controller: LabController;
  readonly agents: Readonly<Record<HostLabel, LabAgent>>;
}

/** Underlay address of a host, without prefix length. */
export const ipv4Of = (label: keyof typeof HOST_NUMBERS): string =>
  `198.51.100.${HOST_NUMBERS[label]}`;
export const ipv6Of = (label: keyof typeof HOST_NUMBERS): string =>
  `2001:db8:51::${HOST_NUMBERS[label]}`;

export interface ScenarioOptions {
  /** Default: alpha and beta. */
  readonly hosts?: readonly HostLabel[];
  readonly underlay?: Underlay;
  /** How every agent is started. */
  readonly agent?: Pick<AgentOptions, 'datapathProgram' | 'workers' | 'env'>;
  /** Further arguments of the controller. */
  readonly controllerArgs?: readonly string[];
}

/** Builds the world and starts its controller and agents; nobody has joined anything. */
export async function buildScenario(options: ScenarioOptions = {}): Promise<Scenario> {
  const world = await createWorld();
  try {
    return await buildIn(world, options);
  } catch (error) {
    await world.dispose();
    throw error;
  }
}

async function buildIn(
  world: World,
  {
    hosts = ['alpha', 'beta'],
    underlay = 'both',
    agent = {},
    controllerArgs = [],
  }: ScenarioOptions,
): Promise<Scenario> {
  const switchNamespace = await world.addNamespace('switch');
  await world.addBridge(switchNamespace, 'br0');
  const namespaces: Record<string, Namespace> = {};
  for (const label of ['controller', ...hosts, 'stranger'] as const) {
    const namespace = await world.addNamespace(label);
    namespaces[label] = namespace;
    const addresses = [
      ...(underlay === 'ipv6' ? [] : [`${ipv4Of(label)}/24`]),
      ...(underlay === 'ipv4' ? [] : [`${ipv6Of(label)}/64`]),
    ];
    await world.link(
      { namespace, device: 'eth0', addresses },
      { namespace: switchNamespace, device: `p-${label}`, bridge: 'br0' },
    );
  }
  const host = underlay === 'ipv6' ? `[${ipv6Of('controller')}]` : ipv4Of('controller');
  const controller = await startController(world, {
    namespace: pick(namespaces, 'controller'),
    listen: `${host}:8443`,
    args: controllerArgs,
  });
  const agents: Partial<Record<HostLabel, LabAgent>> = {};
  for (const label of hosts) {
    agents[label] = await startAgent(world, pick(namespaces, label), agent);
  }
  return {
    world,
    underlay,
    switchNamespace,
    namespaces,
    controller,
    agents: agents as Record<HostLabel, LabAgent>, // a test names only hosts that it asked for
  };
}

/** Value of a record that must have the key. */
export function pick<T>(record: Readonly<Record<string, T>>, key: string): T {
  const value = record[key];
  if (value === undefined)
    throw new Error(`${key} is not one of ${Object.keys(record).join(', ')}`);
  return value;
}

export interface Membership {
  readonly agent: LabAgent;
  readonly interface: string;
  readonly mac: string;
  readonly ipv4: string;
  readonly ipv6: string;
}

/** Creates a network and joins agents to it; resolves when the first one reaches all others. */
export async function joinNetwork(
  scenario: Scenario,
  body: {
    readonly name: string;
    readonly ipv4?: string;
    readonly ipv6?: string;
    readonly settings?: Partial<NetworkSettings>;
  },
  agents: readonly LabAgent[],
): Promise<{ readonly network: Network; readonly members: readonly Membership[] }> {
  const network = await scenario.controller.client.call('networkCreate', { body });
  const token = await createToken(scenario, { network: network.name, uses: agents.length });
  const members: Membership[] = [];
  for (const agent of agents) members.push(await joinWith(agent, token, network.name));
  await waitForMembers(agents, network.name);
  await waitForPeers(agents);
  const [first, ...others] = members;
  for (const other of others) if (first) await waitForPing(scenario.world, first, other);
  return { network, members };
}

async function waitForPing(world: World, from: Membership, to: Membership): Promise<void> {
  await waitFor(`${from.agent.label} to reach ${to.agent.label}`, async () => {
    const options = { count: 1, interface: from.interface };
    return (await ping(world, from.agent, to.ipv4, options)).received === 1;
  });
}

/** Waits until every agent knows all of them as members. */
async function waitForMembers(agents: readonly LabAgent[], networkName: string): Promise<void> {
  for (const agent of agents) {
    await waitFor(`${agent.label} to know the members of ${networkName}`, async () => {
      const { networks } = await agent.status();
      return networks.find(({ name }) => name === networkName)?.members === agents.length;
    });
  }
}

export async function createToken(
  scenario: Scenario,
  body: {
    readonly network: string;
    readonly uses?: number;
    readonly lifetimeSeconds?: number;
    readonly offlineOk?: boolean;
  },
): Promise<string> {
  const { token } = await scenario.controller.client.call('tokenCreate', { body });
  return token;
}

/** Joins and reads back what the host got. */
export async function joinWith(
  agent: LabAgent,
  token: string,
  networkName: string,
): Promise<Membership> {
  await agent.join({ token, name: agent.label });
  const { networks } = await agent.status();
  const joined = networks.find(({ name }) => name === networkName);
  if (joined === undefined) throw new Error(`${agent.label} does not list ${networkName}`);
  const bare = joined.addresses.map((address) => address.replace(/\/.*$/, ''));
  return {
    agent,
    interface: joined.interface,
    mac: joined.mac,
    ipv4: bare.find((address) => address.includes('.')) ?? '',
    ipv6: bare.find((address) => address.includes(':')) ?? '',
  };
}

/** Waits until every agent has sessions with all others that it shares a network with. */
export async function waitForPeers(
  agents: readonly LabAgent[],
  deadlineMs = 20_000,
): Promise<void> {
  for (const agent of agents) {
    await waitFor(
      `${agent.label} to have its peers up`,
      async () => {
        const { peers } = await agent.status();
        return peers.total >= agents.length - 1 && peers.up === peers.total;
      },
      { deadlineMs, logs: [agent.process.logPath] },
    );
  }
}

/** Drops of a network on a host, by reason; 0 for what never happened. */
export async function networkDrops(
  agent: LabAgent,
  networkName: string,
): Promise<(reason: string) => number> {
  const { networks } = await agent.status();
  const drops = networks.find(({ name }) => name === networkName)?.drops ?? {};
  return (reason) => drops[reason] ?? 0;
}

/** Drops of a host as a whole, by reason. */
export async function hostDrops(agent: LabAgent): Promise<(reason: string) => number> {
  const { drops } = await agent.status();
  return (reason) => drops[reason] ?? 0;
}
