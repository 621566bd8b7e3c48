/**
 * The two hosts of the benchmark and the veth pair between them: what every contender is built on.
 */
import type { Namespace, World } from '@etherloom/lab';

/** Two hosts and the veth between them. */
export interface Underlay {
  readonly world: World;
  readonly a: Host;
  readonly b: Host;
}

/** One side of the underlay. */
export interface Host {
  readonly namespace: Namespace;
  readonly address: string;
}

/** What a contender became: the address of `b` inside, or why there is none. */
export type SetUp = { readonly target: string } | { readonly reason: string };

/** MTU of the veth pair: the internet's. */
export const UNDERLAY_MTU_BYTES = 1_500;
/** The end of the veth pair in each host. */
export const UNDERLAY_DEVICE = 'eth0';

/** Makes the two hosts. */
export async function createUnderlay(world: World): Promise<Underlay> {
  const a = { namespace: await world.addNamespace('a'), address: '198.18.0.1' };
  const b = { namespace: await world.addNamespace('b'), address: '198.18.0.2' };
  const endOf = (host: Host) => ({
    namespace: host.namespace,
    device: UNDERLAY_DEVICE,
    addresses: [`${host.address}/24`],
  });
  await world.link(endOf(a), endOf(b), { mtuBytes: UNDERLAY_MTU_BYTES });
  return { world, a, b };
}
