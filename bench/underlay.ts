/**
 * The two hosts of the benchmark and what connects them: one veth pair, or a router that loses
 * datagrams. Every contender is built on this.
 */
import type { Namespace, World } from '@etherloom/lab';

/** Two hosts and what connects them. */
export interface Underlay {
  readonly world: World;
  readonly mtuBytes: number;
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

/** MTU of the internet, and so of the main table. */
export const UNDERLAY_MTU_BYTES = 1_500;
/** Jumbo frames as data centers run them. */
export const JUMBO_MTU_BYTES = 9_000;
/** The end of the veth pair in each host. */
export const UNDERLAY_DEVICE = 'eth0';

/** Makes two hosts on one veth pair. */
export async function createUnderlay(world: World, mtuBytes: number): Promise<Underlay> {
  const a = { namespace: await world.addNamespace('a'), address: '198.18.0.1' };
  const b = { namespace: await world.addNamespace('b'), address: '198.18.0.2' };
  const endOf = (host: Host) => ({
    namespace: host.namespace,
    device: UNDERLAY_DEVICE,
    addresses: [`${host.address}/24`],
  });
  await world.link(endOf(a), endOf(b), { mtuBytes });
  return { world, mtuBytes, a, b };
}

/** Two hosts with a router between them. */
export interface LossyUnderlay extends Underlay {
  /** Makes the router drop so many of a thousand datagrams, each by itself, both ways. */
  setLoss(perThousand: number): Promise<void>;
  /** Makes the router forward 1 Gbit/s at most, each way, and queue what is more for 8 ms. */
  limitRate(): Promise<void>;
}

/**
 * Makes two hosts and a router that drops at random.
 *
 * What is dropped must be one datagram of the wire. A veth hands on whole super-packets: 64 KB of
 * a VXLAN's TCP, or a train of ours, and a loss would take it all, for either. So the hosts' ends
 * segment before they send (`gso_max_segs 1`, as a network card without offloads), the router's
 * ends never join, and the receiving ends join again what is left (GRO), as a network card's
 * driver does. Both contenders pay the same for it: one more hop, one packet at a time. (A kernel
 * with netem would not help: it too drops what it is handed, whole.)
 */
export async function createLossyUnderlay(world: World): Promise<LossyUnderlay> {
  const router = await world.addNamespace('router');
  await world.enableForwarding(router);
  const hosts: Host[] = [];
  for (const [index, label] of ['a', 'b'].entries()) {
    const namespace = await world.addNamespace(label);
    const host = { namespace, address: `198.18.${index}.2` };
    const own = { namespace, device: UNDERLAY_DEVICE, addresses: [`${host.address}/24`] };
    const gateway = `198.18.${index}.1`;
    const far = { namespace: router, device: `to-${label}`, addresses: [`${gateway}/24`] };
    await world.link(own, far, { mtuBytes: UNDERLAY_MTU_BYTES });
    await world.addRoute(namespace, 'default', gateway);
    const segment = ['ip', 'link', 'set', 'dev', UNDERLAY_DEVICE, 'gso_max_segs', '1'];
    await world.exec(namespace, segment);
    await world.exec(namespace, ['ethtool', '-K', UNDERLAY_DEVICE, 'gro', 'on']);
    // A veth leaves joining out for a sender that could have sent whole super-packets.
    await world.exec(router, ['ethtool', '-K', far.device, 'tso', 'off']);
    hosts.push(host);
  }
  const [a, b] = hosts as [Host, Host]; // one for each of two labels
  const setLoss = async (perThousand: number): Promise<void> => {
    await world.exec(router, ['nft', '-f', '-'], { input: lossRules(perThousand) });
  };
  const limitRate = async (): Promise<void> => {
    for (const device of ['to-a', 'to-b'])
      await world.exec(router, ['tc', 'qdisc', 'add', 'dev', device, 'root', ...RATE_LIMIT]);
  };
  return { world, mtuBytes: UNDERLAY_MTU_BYTES, a, b, setLoss, limitRate };
}

const RATE_LIMIT = ['tbf', 'rate', '1gbit', 'burst', '256kb', 'limit', '1mb'] as const;

const lossRules = (perThousand: number): string =>
  [
    'table ip loss',
    'delete table ip loss',
    'table ip loss {',
    '  chain forward {',
    '    type filter hook forward priority 0;',
    ...(perThousand === 0 ? [] : [`    numgen random mod 1000 < ${perThousand} drop`]),
    '  }',
    '}',
    '',
  ].join('\n');
