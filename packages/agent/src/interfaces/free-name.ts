/** Whether a network's device can be had on this host, before a use of a token is spent on it. */
import type { StateDirectory } from '../disk/state-directory.ts';
import { AgentError } from '../errors.ts';
import { assertTapDevices, listInterfaces } from './iproute.ts';
import { defaultInterfaceName, planInterfaces } from './plan.ts';

/** The name must be free and the host able to make the device. Rejects with AgentError. */
export async function assertInterfaceFree(
  directory: StateDirectory,
  wished: string | undefined,
  networkName: string,
): Promise<void> {
  const { identity } = directory;
  const { networks } = directory.memberships;
  const held = networks.find((m) => m.networkName === networkName);
  const others = networks.filter((m) => m !== held);
  const name =
    wished ??
    held?.interface ??
    defaultInterfaceName(networkName, new Set(others.map((m) => m.interface)));
  const taken = others.find((m) => m.interface === name);
  if (taken !== undefined) {
    throw new AgentError(
      'interface_taken',
      `the interface ${name} is that of the network ${taken.networkName}; choose another one with --interface`,
    );
  }
  if (held?.interface === name) return;
  assertTapDevices();
  const want = { networkId: '', name, mac: '', mtuBytes: 0, addresses: [] };
  const [conflict] = planInterfaces(identity.nodeId, [want], await listInterfaces()).conflicts;
  if (conflict !== undefined) throw new AgentError('interface_taken', conflict.message);
}
