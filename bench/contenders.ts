/**
 * Who is measured. Each contender connects the same two namespaces over the same veth pair in its
 * own way and with its own inner subnet, so that rounds can go from one to the next without
 * building anything. A contender that cannot run says why, and the others go on.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand, startAgent, startController, tryCommand, waitFor } from '@etherloom/lab';
import type { ContenderName } from './arguments.ts';
import { driveDataPaths } from './drive-datapath.ts';
import { UNDERLAY_DEVICE, UNDERLAY_MTU_BYTES } from './underlay.ts';
import type { SetUp, Underlay } from './underlay.ts';

/** How each contender is set up. */
export const CONTENDERS: Readonly<Record<ContenderName, (underlay: Underlay) => Promise<SetUp>>> = {
  veth: (underlay) => Promise.resolve({ target: underlay.b.address }),
  vxlan: setUpVxlan,
  etherloom: setUpEtherloom,
  datapath: driveDataPaths,
  'wireguard-go': setUpWireguardGo,
};

/** 50 bytes of overhead: outer IPv4 20, UDP 8, VXLAN 8, inner Ethernet 14. */
const VXLAN_MTU_BYTES = UNDERLAY_MTU_BYTES - 50;

async function setUpVxlan({ world, a, b }: Underlay): Promise<SetUp> {
  const sides = [
    { own: a, other: b, address: '10.91.0.1/24' },
    { own: b, other: a, address: '10.91.0.2/24' },
  ];
  for (const { own, other, address } of sides) {
    const device = [
      'ip',
      'link',
      'add',
      'vx0',
      'mtu',
      String(VXLAN_MTU_BYTES),
      'type',
      'vxlan',
      'id',
      '4242',
    ];
    const ends = [
      'local',
      own.address,
      'remote',
      other.address,
      'dstport',
      '4789',
      'dev',
      UNDERLAY_DEVICE,
    ];
    const made = await world.tryExec(own.namespace, [...device, ...ends]);
    if (made.status !== 0)
      return { reason: `the kernel refused a VXLAN device: ${made.stderr.trim()}` };
    await world.exec(own.namespace, ['ip', 'address', 'add', address, 'dev', 'vx0']);
    await world.exec(own.namespace, ['ip', 'link', 'set', 'dev', 'vx0', 'up']);
  }
  return { target: '10.91.0.2' };
}

/**
 * The whole product as a user runs it: a controller, an agent on each host, one network with its
 * default MTU.
 */
async function setUpEtherloom({ world, a, b }: Underlay): Promise<SetUp> {
  const controller = await startController(world, {
    namespace: a.namespace,
    listen: `${a.address}:8443`,
  });
  await controller.client.call('networkCreate', {
    body: { name: 'bench', ipv4: '10.92.0.0/24', ipv6: null },
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
  return { target: address };
}

/** 80 bytes of overhead with room for an IPv6 underlay: the default of wg-quick. */
const WIREGUARD_MTU_BYTES = UNDERLAY_MTU_BYTES - 80;
const WIREGUARD_PORT = 51_820;
const WIREGUARD_SOCKET = '/run/wireguard/wg0.sock';

/**
 * `ip netns exec` gives a process mounts of its own; a fresh /run/wireguard there keeps the control
 * sockets of the two sides, and of this machine's own tunnels, apart. The script has no arguments
 * from outside.
 */
const WIREGUARD_SCRIPT =
  'mkdir -p /run/wireguard && mount -t tmpfs tmpfs /run/wireguard && exec wireguard-go --foreground wg0';

async function setUpWireguardGo({ world, a, b }: Underlay): Promise<SetUp> {
  for (const program of ['wireguard-go', 'wg']) {
    const found = await isInstalled(program);
    if (!found)
      return {
        reason: `${program} is not installed (apt-get install wireguard-go wireguard-tools)`,
      };
  }
  if (!existsSync('/dev/net/tun')) return { reason: '/dev/net/tun is missing (modprobe tun)' };
  const sides = [
    {
      own: a,
      other: b,
      address: '10.93.0.1/24',
      otherInside: '10.93.0.2',
      key: await privateKey(),
    },
    {
      own: b,
      other: a,
      address: '10.93.0.2/24',
      otherInside: '10.93.0.1',
      key: await privateKey(),
    },
  ];
  const publicKeys = await Promise.all(sides.map(({ key }) => publicKey(key)));
  for (const [index, { own, other, address, otherInside, key }] of sides.entries()) {
    const { namespace } = own;
    const running = await world.spawn({
      label: `wireguard-go-${namespace.label}`,
      namespace,
      argv: ['sh', '-c', WIREGUARD_SCRIPT],
      env: { LOG_LEVEL: 'error', WG_PROCESS_FOREGROUND: '1' },
    });
    const inside = ['nsenter', '--target', String(running.identity.pid), '--mount', '--net'];
    await waitFor(`wireguard-go of ${namespace.label}`, async () => {
      running.assertRunning();
      return (await tryCommand([...inside, 'test', '-S', WIREGUARD_SOCKET])).status === 0;
    });
    const text = wireguardConfig({
      key,
      peer: publicKeys[1 - index] ?? '',
      endpoint: `${other.address}:${WIREGUARD_PORT}`,
      inside: `${otherInside}/32`,
    });
    const path = join(world.directory, `wireguard-${namespace.label}.conf`);
    writeFileSync(path, text, { mode: 0o600 });
    await runCommand([...inside, 'wg', 'setconf', 'wg0', path]);
    await world.exec(namespace, ['ip', 'address', 'add', address, 'dev', 'wg0']);
    await world.exec(namespace, [
      'ip',
      'link',
      'set',
      'dev',
      'wg0',
      'mtu',
      String(WIREGUARD_MTU_BYTES),
      'up',
    ]);
  }
  return { target: '10.93.0.2' };
}

interface WireguardSide {
  readonly key: string;
  readonly peer: string;
  readonly endpoint: string;
  readonly inside: string;
}

const wireguardConfig = (side: WireguardSide): string => `[Interface]
PrivateKey = ${side.key}
ListenPort = ${WIREGUARD_PORT}
[Peer]
PublicKey = ${side.peer}
Endpoint = ${side.endpoint}
AllowedIPs = ${side.inside}
`;

const privateKey = async (): Promise<string> => (await runCommand(['wg', 'genkey'])).stdout.trim();

const publicKey = async (key: string): Promise<string> =>
  (await runCommand(['wg', 'pubkey'], { input: key })).stdout.trim();

async function isInstalled(program: string): Promise<boolean> {
  return (await tryCommand(['sh', '-c', 'command -v "$0"', program])).status === 0;
}
