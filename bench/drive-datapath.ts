/**
 * Pairs of data paths driven straight over their control sockets: tables and keys are set once, no
 * agent and no controller runs. They show what the fast path alone can do, and several pairs can
 * stand side by side in the same two hosts.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SESSION_ACTIVATION, parseEndpoint, parseIp, parseMac } from '@etherloom/core';
import { waitFor } from '@etherloom/lab';
import { ControlConnection } from './control-connection.ts';
import type { Host, SetUp, Underlay } from './underlay.ts';

const PROGRAM = fileURLToPath(new URL('../datapath/build/loom-datapath', import.meta.url));
/** Network of a pair, and generation of its entries. */
export const VNI = 0x4c4f4f;
export const GENERATION = 1;
/** UDP port of the first pair. */
const UDP_PORT_FIRST = 8_002;
/** The product's default, so that rows with and without agents compare. */
const MTU_BYTES = 1_370;
/** The peer that has the traffic; the key of every table. */
const PEER = 1;
/**
 * The lifetime of a session of the product (docs/protocol.md, Timers): long enough for a run, and
 * no longer than real ones.
 */
export const SESSION_LIFETIME_MS = 600_000;

/** One of the two data paths of a pair. */
export interface DataPath {
  readonly control: ControlConnection;
  readonly pid: number;
}

/** Two data paths that reach each other. */
export interface DataPathPair {
  readonly a: DataPath;
  readonly b: DataPath;
  /** Address of `b` inside. */
  readonly target: string;
}

interface Side {
  readonly host: Host;
  readonly device: string;
  readonly port: number;
  readonly inside: string;
  readonly mac: string;
  readonly sessionId: number;
}

/** The contender `datapath`. */
export async function driveDataPaths(underlay: Underlay): Promise<SetUp> {
  const missing = missingDataPath();
  return missing === null ? await startPair(underlay, 0) : { reason: missing };
}

/** Why no data path can be started; null when one can. */
export const missingDataPath = (): string | null =>
  existsSync(PROGRAM) ? null : `${PROGRAM} is not there: build it with "make datapath"`;

/** Starts two data paths and connects them; `index` keeps pairs on the same hosts apart. */
export async function startPair(underlay: Underlay, index: number): Promise<DataPathPair> {
  const side = (host: Host, end: number): Side => ({
    host,
    device: `lt${index}`,
    port: UDP_PORT_FIRST + index,
    inside: `10.94.${index}.${end}`,
    mac: `02:4c:4f:00:0${index}:0${end}`,
    sessionId: end * 0x1001,
  });
  const own = side(underlay.a, 1);
  const other = side(underlay.b, 2);
  const sendKey = new Uint8Array(randomBytes(32));
  const receiveKey = new Uint8Array(randomBytes(32));
  const a = await start(underlay, own);
  const b = await start(underlay, other);
  await program(a.control, { own, other, lanes: b.control.lanes, sendKey, receiveKey });
  const turned = { own: other, other: own, sendKey: receiveKey, receiveKey: sendKey };
  await program(b.control, { ...turned, lanes: a.control.lanes });
  return { a, b, target: other.inside };
}

async function start({ world }: Underlay, side: Side): Promise<DataPath> {
  const { namespace } = side.host;
  const { device } = side;
  const tap = ['mode', 'tap', 'multi_queue', 'vnet_hdr', 'user', '0'];
  const link = ['ip', 'link', 'set', 'dev', device];
  await world.exec(namespace, ['ip', 'tuntap', 'add', 'dev', device, ...tap]);
  await world.exec(namespace, [...link, 'address', side.mac, 'mtu', String(MTU_BYTES)]);
  await world.exec(namespace, ['ip', 'address', 'add', `${side.inside}/24`, 'dev', device]);
  await world.exec(namespace, [...link, 'up']);
  const label = `datapath-${namespace.label}-${device}`;
  const path = join(world.directory, `${label}.sock`);
  const argv = [PROGRAM, '--control', path, '--port', String(side.port)];
  const running = await world.spawn({ label, namespace, argv });
  const control = await waitFor(
    `the data path of ${namespace.label}`,
    () => {
      running.assertRunning();
      return existsSync(path) ? ControlConnection.open(path) : null;
    },
    { logs: [running.outputPath, running.logPath] },
  );
  world.defer(`control socket of ${label}`, () => control.close());
  return { control, pid: running.identity.pid };
}

interface Tables {
  readonly own: Side;
  readonly other: Side;
  readonly lanes: number;
  readonly sendKey: Uint8Array;
  readonly receiveKey: Uint8Array;
}

async function program(
  to: ControlConnection,
  { own, other, lanes, sendKey, receiveKey }: Tables,
): Promise<void> {
  const entry = { generation: GENERATION, vni: VNI, peer: PEER };
  const name = new Uint8Array(16);
  name.set(new TextEncoder().encode(own.device));
  const port = { generation: GENERATION, vni: VNI, name, mtu: MTU_BYTES };
  await to.ask('portSet', { ...port, mac: macBytes(own.mac) });
  const endpoint = parseEndpoint(`${other.host.address}:${other.port}`);
  await to.ask('peerSet', { generation: GENERATION, peer: PEER, endpoint });
  await to.ask('floodSet', entry);
  await to.ask('fdbSet', { ...entry, mac: macBytes(other.mac) });
  const ip = ipBytes(other.inside);
  await to.ask('neighbourSet', { ...entry, ip, mac: macBytes(other.mac) });
  await to.ask('sessionSet', {
    localId: own.sessionId,
    remoteId: other.sessionId,
    peer: PEER,
    activation: SESSION_ACTIVATION.now,
    initiator: own.sessionId < other.sessionId ? 1 : 0,
    receiveLanes: lanes,
    lifetimeMs: SESSION_LIFETIME_MS,
    sendKey,
    receiveKey,
  });
}

/** Bytes of a MAC that this program wrote itself. */
export function macBytes(mac: string): Uint8Array {
  const bytes = parseMac(mac);
  if (bytes === undefined) throw new TypeError(`${mac} is no MAC`);
  return bytes;
}

/** Bytes of an address that this program wrote itself. */
export function ipBytes(ip: string): Uint8Array {
  const bytes = parseIp(ip);
  if (bytes === undefined) throw new TypeError(`${ip} is no address`);
  return bytes;
}
