/** A network that is up on this host, as a person who joined it is told. */
import { AgentError } from './errors.ts';
import type { MembershipRecord, StateDirectory } from './disk/state-directory.ts';
import type { Host } from './host.ts';
import { JOIN_READY_MS } from './limits.ts';

/** A network that is up on this host. */
export interface JoinedNetwork {
  readonly nodeId: string;
  readonly nodeName: string;
  readonly network: string;
  readonly interface: string;
  readonly mac: string;
  readonly addresses: readonly string[];
}

/** A network with its interface and addresses; undefined while its state is not there. */
export function joinedNetwork(
  host: Host,
  directory: StateDirectory,
  networkId: string,
): JoinedNetwork | undefined {
  const state = host.networks.find(({ config }) => config.id === networkId);
  const { nodeId } = directory.identity;
  const own = state?.members.find((member) => member.nodeId === nodeId);
  const record = directory.memberships.networks.find((m) => m.networkId === networkId);
  const port = host.plan.ports.find((planned) => planned.networkId === networkId);
  if (state === undefined || own === undefined || record === undefined || port === undefined)
    return undefined;
  return {
    nodeId,
    nodeName: own.name,
    network: state.config.name,
    interface: record.interface,
    mac: own.mac,
    addresses: port.addresses.map(({ ip, prefixLength }) => `${ip}/${prefixLength}`),
  };
}

/** Waits for the interface of a network. Rejects with AgentError, `why` in it, without one. */
export async function untilUp(
  host: Host,
  directory: StateDirectory,
  { networkId, networkName, interface: name }: MembershipRecord,
  why: () => string | null,
): Promise<JoinedNetwork> {
  const outcome = await host.until(() => {
    const device = host.interfaceOf(networkId);
    if (device?.name !== name) return undefined;
    return device.error ?? joinedNetwork(host, directory, networkId);
  }, JOIN_READY_MS);
  if (outcome instanceof AgentError) throw outcome;
  if (outcome !== undefined) return outcome;
  throw new AgentError(
    'unavailable',
    `joined ${networkName}, but it is not up after ${JOIN_READY_MS / 1_000} s: ${why() ?? 'the controller sent no state'}; the agent goes on trying`,
  );
}

/** The answer to a wish about a network that this host is not in. */
export function notJoined(network: string, networks: readonly MembershipRecord[]): AgentError {
  const names = networks.map((m) => m.networkName).join(', ');
  return new AgentError(
    'not_found',
    `this host is in no network ${JSON.stringify(network)}; it is in ${names === '' ? 'none' : names}`,
  );
}
