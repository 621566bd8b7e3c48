/**
 * wireguard-go: the user-space WireGuard that others build on. Layer 3, so it forwards less than
 * an Ethernet does.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand, tryCommand, waitFor } from '@etherloom/lab';
import { isInstalled } from './installed.ts';
import type { SetUp, Underlay } from './underlay.ts';

/** Overhead with room for an IPv6 underlay: the default of wg-quick. */
const OVERHEAD_BYTES = 80;
const WIREGUARD_PORT = 51_820;
const WIREGUARD_SOCKET = '/run/wireguard/wg0.sock';

/**
 * `ip netns exec` gives a process mounts of its own; a fresh /run/wireguard there keeps the control
 * sockets of the two sides, and of this machine's own tunnels, apart. The script has no arguments
 * from outside.
 */
const WIREGUARD_SCRIPT =
  'mkdir -p /run/wireguard && mount -t tmpfs tmpfs /run/wireguard && exec wireguard-go --foreground wg0';

/** Starts it on both hosts. */
export async function setUpWireguardGo({ world, mtuBytes, a, b }: Underlay): Promise<SetUp> {
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
      String(mtuBytes - OVERHEAD_BYTES),
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
