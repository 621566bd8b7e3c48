/**
 * Two hosts with a data path each and no agents; the test is the agent of both.
 *
 *   a: lm0 10.9.0.1, fd09::1 -- data path -- u0 172.31.7.1, fd31:7::1
 *                                             | veth
 *   b: lm0 10.9.0.2, fd09::2 -- data path -- u0 172.31.7.2, fd31:7::2
 *
 * MACs and addresses are those of test/differential/frames.ts.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import {
  CHECKOUT,
  createWorld,
  readTail,
  waitFor,
  type Background,
  type Namespace,
  type World,
} from '@etherloom/lab';
import {
  attach,
  endpointOf,
  ipBytes,
  macBytes,
  readCounters,
  type ControlClient,
} from './control-client.ts';

export const PAIR_VNI = 4242;
export const PAIR_PORT = 8002;
/** The only peer of each. */
export const PAIR_PEER = 1;
/** What surrounds an inner IP packet over IPv6: docs/design.md, "The default MTU". */
const OVERHEAD_BYTES = 102;
const FIRST_SESSION = 0x1000;

export interface PairOptions {
  readonly underlay?: 'ipv4' | 'ipv6';
  readonly underlayMtuBytes?: number;
  /** Default: what the underlay carries unfragmented. */
  readonly mtuBytes?: number;
  readonly arguments?: readonly string[];
}

export interface PairHost {
  readonly name: 'a' | 'b';
  readonly label: string;
  readonly namespace: Namespace;
  readonly socketPath: string;
  readonly mac: string;
  readonly ipv4: string;
  readonly ipv6: string;
  readonly underlay: string;
  dataPath: Background;
  client: ControlClient;
}

export interface DataPathPair {
  readonly world: World;
  readonly a: PairHost;
  readonly b: PairHost;
  readonly mtuBytes: number;
  /** Sets another session on both; ids start at `id`. */
  rekey(id: number): Promise<void>;
  /** Sends a control body, by which the responder's session becomes active. */
  activate(): Promise<void>;
  dispose(): Promise<void>;
}

export async function makePair(options: PairOptions = {}): Promise<DataPathPair> {
  const world = await createWorld();
  try {
    return await makeIn(world, options);
  } catch (error) {
    await world.dispose();
    throw error;
  }
}

async function makeIn(world: World, options: PairOptions): Promise<DataPathPair> {
  const { underlay = 'ipv4', underlayMtuBytes = 1_500 } = options;
  const mtuBytes = options.mtuBytes ?? underlayMtuBytes - OVERHEAD_BYTES;
  const spaces = { a: await world.addNamespace('a'), b: await world.addNamespace('b') };
  const end = (name: 'a' | 'b') => {
    const n = numberOf(name);
    return {
      namespace: spaces[name],
      device: 'u0',
      addresses: [`172.31.7.${n}/24`, `fd31:7::${n}/64`],
    };
  };
  await world.link(end('a'), end('b'), { mtuBytes: underlayMtuBytes });
  const start = (name: 'a' | 'b') => startHost(world, spaces[name], { name, underlay, ...options });
  for (const name of ['a', 'b'] as const) await makeTap(world, spaces[name], name, mtuBytes);
  const a = await start('a');
  const b = await start('b');
  await setTables(a, b, mtuBytes);
  await setTables(b, a, mtuBytes);
  const rekey = async (id: number): Promise<void> => {
    await setSession(b, id);
    await setSession(a, id);
  };
  const activate = async (): Promise<void> => {
    const before = (await readCounters(b.client))['receivedDatagrams'] ?? 0;
    await a.client.request('sendControl', {
      peer: PAIR_PEER,
      endpoint: new Uint8Array(18),
      bytes: new Uint8Array(0),
    });
    await waitFor('b to get a control body', async () => {
      return ((await readCounters(b.client))['receivedDatagrams'] ?? 0) > before;
    });
  };
  await rekey(FIRST_SESSION);
  await activate();
  const dispose = (): Promise<void> => {
    a.client.close();
    b.client.close();
    return world.dispose();
  };
  return { world, a, b, mtuBytes, rekey, activate, dispose };
}

const numberOf = (name: 'a' | 'b'): number => (name === 'a' ? 1 : 2);

async function startHost(
  world: World,
  namespace: Namespace,
  options: PairOptions & { readonly name: 'a' | 'b'; readonly underlay: 'ipv4' | 'ipv6' },
): Promise<PairHost> {
  const { name, underlay } = options;
  const n = numberOf(name);
  const socketPath = join(world.directory, `${name}.sock`);
  const dataPath = await world.spawn({
    label: `data-path-${name}`,
    namespace,
    argv: [
      `${CHECKOUT.root}/datapath/build/loom-datapath`,
      '--control',
      socketPath,
      ...(options.arguments ?? []),
    ],
  });
  await waitFor('the data path', () => readTail(dataPath.outputPath).includes('ready'), {
    logs: [dataPath.outputPath, dataPath.logPath],
  });
  return {
    name,
    label: name,
    namespace,
    socketPath,
    mac: `02:00:00:00:00:0${n}`,
    ipv4: `10.9.0.${n}`,
    ipv6: `fd09::${n}`,
    underlay: underlay === 'ipv6' ? `fd31:7::${n}` : `172.31.7.${n}`,
    dataPath,
    client: await attach(socketPath),
  };
}

/** Makes the persistent TAP device and its addresses, as an agent would. */
export async function makeTap(
  world: World,
  namespace: Namespace,
  name: 'a' | 'b',
  mtuBytes: number,
): Promise<void> {
  const n = numberOf(name);
  const ip = (text: string) => world.exec(namespace, ['ip', ...text.split(' ')]);
  await ip('tuntap add dev lm0 mode tap multi_queue vnet_hdr user 0');
  await ip(`link set lm0 address 02:00:00:00:00:0${n} mtu ${mtuBytes} up`);
  await ip(`addr add 10.9.0.${n}/24 dev lm0`);
  await ip(`addr add fd09::${n}/64 dev lm0 nodad`);
}

export async function setPort(host: PairHost, mtuBytes: number): Promise<void> {
  const name = new Uint8Array(16);
  name.set(new TextEncoder().encode('lm0'));
  await host.client.request('portSet', {
    generation: 1,
    vni: PAIR_VNI,
    name,
    mac: macBytes(host.mac),
    mtu: mtuBytes,
  });
}

async function setTables(host: PairHost, other: PairHost, mtuBytes: number): Promise<void> {
  const { client } = host;
  const entry = { generation: 1, vni: PAIR_VNI, peer: PAIR_PEER };
  const endpoint = endpointOf(other.underlay, PAIR_PORT);
  await setPort(host, mtuBytes);
  await client.request('peerSet', { generation: 1, peer: PAIR_PEER, endpoint });
  await client.request('floodSet', entry);
  await client.request('fdbSet', { ...entry, mac: macBytes(other.mac) });
  for (const ip of [other.ipv4, other.ipv6])
    await client.request('neighbourSet', { ...entry, ip: ipBytes(ip), mac: macBytes(other.mac) });
}

const keyOf = (label: string): Uint8Array =>
  new Uint8Array(createHash('sha256').update(label).digest());

async function setSession(host: PairHost, id: number): Promise<void> {
  const isA = host.name === 'a';
  await host.client.request('sessionSet', {
    localId: isA ? id : id + 1,
    remoteId: isA ? id + 1 : id,
    peer: PAIR_PEER,
    activation: isA ? 1 : 2,
    initiator: isA ? 1 : 0,
    receiveLanes: 16,
    lifetimeMs: 600_000,
    sendKey: keyOf(`${id} ${isA ? 'a to b' : 'b to a'}`),
    receiveKey: keyOf(`${id} ${isA ? 'b to a' : 'a to b'}`),
  });
}
