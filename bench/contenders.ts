/**
 * Who is measured. Each contender connects the same two namespaces over the same veth pair in its
 * own way and with its own inner subnet, so that rounds can go from one to the next without
 * building anything. A contender that cannot run says why, and the others go on.
 */
import { MTU_BYTES_DEFAULT, MTU_BYTES_MAX } from '@etherloom/api';
import { startAgent, startController, waitFor } from '@etherloom/lab';
import type { LabAgent } from '@etherloom/lab';
import type { ContenderName } from './arguments.ts';
import { driveDataPaths } from './drive-datapath.ts';
import { JUMBO_MTU_BYTES, UNDERLAY_DEVICE } from './underlay.ts';
import type { SetUp, Underlay } from './underlay.ts';
import { setUpWireguardGo } from './wireguard-go.ts';
import { setUpZerotier } from './zerotier.ts';

/** How each contender is set up. */
export const CONTENDERS: Readonly<Record<ContenderName, (underlay: Underlay) => Promise<SetUp>>> = {
  veth: (underlay) => Promise.resolve({ target: underlay.b.address }),
  vxlan: setUpVxlan,
  etherloom: setUpEtherloom,
  datapath: driveDataPaths,
  'wireguard-go': setUpWireguardGo,
  zerotier: setUpZerotier,
};

/** Outer IPv4 20, UDP 8, VXLAN 8, inner Ethernet 14. */
const VXLAN_OVERHEAD_BYTES = 50;

/** The kernel's VXLAN between the two hosts. */
export async function setUpVxlan({ world, mtuBytes, a, b }: Underlay): Promise<SetUp> {
  const mtu = String(mtuBytes - VXLAN_OVERHEAD_BYTES);
  const sides = [
    { own: a, other: b, address: '10.91.0.1/24' },
    { own: b, other: a, address: '10.91.0.2/24' },
  ];
  for (const { own, other, address } of sides) {
    const device = ['ip', 'link', 'add', 'vx0', 'mtu', mtu, 'type', 'vxlan', 'id', '4242'];
    const ends = ['local', own.address, 'remote', other.address, 'dstport', '4789'];
    const argv = [...device, ...ends, 'dev', UNDERLAY_DEVICE];
    const made = await world.tryExec(own.namespace, argv);
    if (made.status !== 0)
      return { reason: `the kernel refused a VXLAN device: ${made.stderr.trim()}` };
    await world.exec(own.namespace, ['ip', 'address', 'add', address, 'dev', 'vx0']);
    await world.exec(own.namespace, ['ip', 'link', 'set', 'dev', 'vx0', 'up']);
  }
  return { target: '10.91.0.2' };
}

async function setUpEtherloom(underlay: Underlay): Promise<SetUp> {
  const { target } = await startEtherloom(underlay);
  return { target };
}

/**
 * The whole product as a user runs it: a controller, an agent on each host, and one network, with
 * the default MTU, or the largest where the underlay has jumbo frames.
 */
export async function startEtherloom(
  underlay: Underlay,
): Promise<{ readonly target: string; readonly agents: readonly LabAgent[] }> {
  const { world, a, b } = underlay;
  const controller = await startController(world, {
    namespace: a.namespace,
    listen: `${a.address}:8443`,
  });
  const mtuBytes = underlay.mtuBytes >= JUMBO_MTU_BYTES ? MTU_BYTES_MAX : MTU_BYTES_DEFAULT;
  await controller.client.call('networkCreate', {
    body: { name: 'bench', ipv4: '10.92.0.0/24', ipv6: null, mtuBytes },
  });
  const { token } = await controller.client.call('tokenCreate', {
    body: { network: 'bench', uses: 2 },
  });
  const agents = [await startAgent(world, a.namespace), await startAgent(world, b.namespace)];
  for (const agent of agents) await agent.join({ token });
  await Promise.all(
    agents.map((agent) =>
      waitFor(
        `${agent.label} to reach its peer`,
        async () => (await agent.status()).peers.up === 1,
      ),
    ),
  );
  const joined = await agents[1]?.status();
  const address = joined?.networks[0]?.addresses[0]?.split('/')[0];
  if (address === undefined) throw new Error('the second host was given no address');
  return { target: address, agents };
}
