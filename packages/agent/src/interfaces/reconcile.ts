/** Brings the host's devices in line with what is wanted, and says for each network how it went. */
import type { AgentError } from '../errors.ts';
import { assertTapDevices, hasIpv6, listInterfaces, runIpBatch } from './iproute.ts';
import { AgentError as Failure, messageOf } from '../errors.ts';
import { planInterfaces, planRemovals } from './plan.ts';
import type { ActualInterface } from './actual.ts';
import type { WantedInterface } from './plan.ts';

export interface ReconciledInterface {
  readonly networkId: string;
  readonly name: string;
  readonly isCreated: boolean;
  /** Set: the device is not usable. */
  readonly error: AgentError | undefined;
}

/** `actual` is a fresh list. Rejects only when what is left cannot be removed. */
export async function reconcileInterfaces(
  nodeId: string,
  wanted: readonly WantedInterface[],
  actual: readonly ActualInterface[],
): Promise<ReconciledInterface[]> {
  const usable = hasIpv6() ? wanted : wanted.map(withoutIpv6);
  const plan = planInterfaces(nodeId, usable, actual);
  await runIpBatch(plan.removals);
  const results: ReconciledInterface[] = plan.conflicts.map(({ networkId, name, message }) => ({
    networkId,
    name,
    isCreated: false,
    error: new Failure('interface_taken', message),
  }));
  for (const { networkId, name, commands, isCreated } of plan.steps) {
    results.push({ networkId, name, isCreated, error: await failureOf(commands, isCreated) });
  }
  return results;
}

function withoutIpv6(want: WantedInterface): WantedInterface {
  return { ...want, addresses: want.addresses.filter(({ ip }) => !ip.includes(':')) };
}

/** Removes every device of this node. */
export async function removeInterfaces(nodeId: string): Promise<void> {
  await runIpBatch(planRemovals(nodeId, await listInterfaces()));
}

async function failureOf(
  commands: readonly (readonly string[])[],
  isCreated: boolean,
): Promise<AgentError | undefined> {
  try {
    if (isCreated) assertTapDevices();
    await runIpBatch(commands);
    return undefined;
  } catch (error) {
    return error instanceof Failure
      ? error
      : new Failure('host_unfit', messageOf(error), { cause: error });
  }
}
