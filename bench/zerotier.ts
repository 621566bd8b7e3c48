/**
 * ZeroTier between the two hosts, where it is installed. Nothing here reaches its root servers: the
 * first host is a root of its own (a "moon") and the controller of the network.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand, waitFor } from '@etherloom/lab';
import type { Background, World } from '@etherloom/lab';
import { isInstalled } from './installed.ts';
import type { Host, SetUp, Underlay } from './underlay.ts';

const PORT = 9_993;
/** Any 24 bits: the number of the network at its controller. */
const NETWORK_NUMBER = '000001';
const DEVICE = 'zt0';
/** Finding each other takes it some rounds of its own timers. */
const DEADLINE_MS = 60_000;

/** Starts it on both hosts. */
export async function setUpZerotier(underlay: Underlay): Promise<SetUp> {
  for (const program of ['zerotier-one', 'zerotier-idtool']) {
    if (!(await isInstalled(program)))
      return { reason: `${program} is not installed (Debian does not have it)` };
  }
  const { world, a, b } = underlay;
  const homes = { a: await makeHome(world, a), b: await makeHome(world, b) };
  const node = identityOf(homes.a);
  const moon = await makeMoon(homes.a, a);
  const network = `${node}${NETWORK_NUMBER}`;
  writeNetwork(homes.a, node, network);
  const started: Background[] = [];
  for (const [home, host] of [
    [homes.a, a],
    [homes.b, b],
  ] as const) {
    mkdirSync(join(home, 'moons.d'));
    writeFileSync(join(home, 'moons.d', moon.name), moon.bytes);
    mkdirSync(join(home, 'networks.d'));
    writeFileSync(join(home, 'networks.d', `${network}.conf`), '');
    writeFileSync(join(home, 'devicemap'), `${network}=${DEVICE}\n`);
    started.push(await startNode(world, host, home));
  }
  const [, address] = await Promise.all(
    [a, b].map((host, index) => addressInside(world, host, started[index])),
  );
  if (address === undefined) throw new Error('ZeroTier gave no address');
  const ping = ['ping', '-n', '-c', '1', '-W', '1', address];
  await waitFor('ZeroTier to connect', () => world.exec(a.namespace, ping).then(() => true), {
    deadlineMs: DEADLINE_MS,
  });
  return { target: address };
}

async function makeHome(world: World, host: Host): Promise<string> {
  const home = join(world.directory, `zerotier-${host.namespace.label}`);
  mkdirSync(home, { mode: 0o700 });
  const identity = [join(home, 'identity.secret'), join(home, 'identity.public')];
  await runCommand(['zerotier-idtool', 'generate', ...identity]);
  const settings = { primaryPort: PORT, portMappingEnabled: false, allowTcpFallbackRelay: false };
  writeFileSync(join(home, 'local.conf'), JSON.stringify({ settings }));
  return home;
}

const identityOf = (home: string): string =>
  readFileSync(join(home, 'identity.public'), 'utf8').split(':')[0] ?? '';

/** Makes the first host a root that the other finds by its address. */
async function makeMoon(
  home: string,
  host: Host,
): Promise<{ readonly name: string; readonly bytes: Uint8Array }> {
  const plan = await runCommand(['zerotier-idtool', 'initmoon', join(home, 'identity.public')]);
  // Shape of the program's own output.
  const moon = JSON.parse(plan.stdout) as { id: string; roots: { stableEndpoints: string[] }[] };
  for (const root of moon.roots) root.stableEndpoints = [`${host.address}/${PORT}`];
  const path = join(home, 'moon.json');
  writeFileSync(path, JSON.stringify(moon), { mode: 0o600 });
  await runCommand(['zerotier-idtool', 'genmoon', path], { cwd: home });
  const name = `${moon.id.padStart(16, '0')}.moon`;
  return { name, bytes: readFileSync(join(home, name)) };
}

/** The controller of a node reads its networks from files when it starts. */
function writeNetwork(home: string, node: string, network: string): void {
  const directory = join(home, 'controller.d', 'network');
  mkdirSync(directory, { recursive: true });
  const settings = {
    id: network,
    nwid: network,
    objtype: 'network',
    name: 'bench',
    private: false,
    creationTime: 1,
    revision: 1,
    v4AssignMode: { zt: true },
    ipAssignmentPools: [{ ipRangeStart: '10.96.0.1', ipRangeEnd: '10.96.0.9' }],
    routes: [{ target: '10.96.0.0/24', via: null }],
    rules: [{ type: 'ACTION_ACCEPT' }],
    controllerId: node,
  };
  writeFileSync(join(directory, `${network}.json`), JSON.stringify(settings));
}

function startNode(world: World, host: Host, home: string): Promise<Background> {
  const { namespace } = host;
  const argv = ['zerotier-one', `-p${PORT}`, home];
  return world.spawn({ label: `zerotier-${namespace.label}`, namespace, argv });
}

function addressInside(world: World, host: Host, running: Background | undefined): Promise<string> {
  const look = async (): Promise<string | null> => {
    running?.assertRunning();
    const argv = ['ip', '-o', '-4', 'address', 'show', 'dev', DEVICE];
    const { stdout } = await world.exec(host.namespace, argv);
    return / inet ([\d.]+)\//.exec(stdout)?.[1] ?? null;
  };
  return waitFor(`ZeroTier of ${host.namespace.label} to give an address`, look, {
    deadlineMs: DEADLINE_MS,
  });
}
