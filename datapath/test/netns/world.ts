/**
 * Two hosts with a data path each, in network namespaces, for tests and measurements:
 *
 *   ldpN-a: lm0 10.9.0.1, fd09::1 -- data path -- u0 172.31.7.1
 *                                                  | veth
 *   ldpN-b: lm0 10.9.0.2, fd09::2 -- data path -- u0 172.31.7.2
 */
import { execFileSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { attach, endpointOf, ipBytes, macBytes, startProcess } from './client.ts';
import type { Client } from './client.ts';

export const VNI = 4242;

export interface WorldOptions {
  readonly program: string;
  readonly underlayMtu?: number;
  readonly innerMtu?: number;
  readonly ipv6Underlay?: boolean;
  readonly arguments?: readonly string[];
}

export interface Host {
  readonly name: 'a' | 'b';
  readonly namespace: string;
  readonly socketPath: string;
  readonly mac: string;
  readonly ipv4: string;
  readonly ipv6: string;
  readonly underlay: string;
  process?: ChildProcess;
  client?: Client;
}

export interface World {
  readonly a: Host;
  readonly b: Host;
  /** Installs keys for another session; ids start at `id`. */
  rekey(id: number): Promise<void>;
  close(): void;
}

export function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

export function inHost(host: Host, command: string, ...args: string[]): string {
  return run('ip', 'netns', 'exec', host.namespace, command, ...args);
}

const keyOf = (label: string): Uint8Array =>
  new Uint8Array(createHash('sha256').update(label).digest());

function makeHost(name: 'a' | 'b', directory: string, ipv6: boolean): Host {
  const n = name === 'a' ? 1 : 2;
  return {
    name,
    namespace: `ldp${process.pid}-${name}`,
    socketPath: join(directory, `${name}.sock`),
    mac: `02:00:00:00:09:0${n}`,
    ipv4: `10.9.0.${n}`,
    ipv6: `fd09::${n}`,
    underlay: ipv6 ? `fd31:7::${n}` : `172.31.7.${n}`,
  };
}

function wire(a: Host, b: Host, mtu: number): void {
  for (const host of [a, b]) {
    run('ip', 'netns', 'add', host.namespace);
    run('ip', '-n', host.namespace, 'link', 'set', 'lo', 'up');
  }
  run(
    'ip',
    '-n',
    a.namespace,
    'link',
    'add',
    'u0',
    'type',
    'veth',
    'peer',
    'name',
    'u0',
    'netns',
    b.namespace,
  );
  for (const host of [a, b]) {
    const n = host.name === 'a' ? 1 : 2;
    run('ip', '-n', host.namespace, 'addr', 'add', `172.31.7.${n}/24`, 'dev', 'u0');
    run('ip', '-n', host.namespace, 'addr', 'add', `fd31:7::${n}/64`, 'dev', 'u0', 'nodad');
    run('ip', '-n', host.namespace, 'link', 'set', 'u0', 'mtu', String(mtu), 'up');
  }
}

/** Makes the persistent TAP device and its addresses, as an agent would. */
export function makeTap(host: Host, mtu: number): void {
  const ns = host.namespace;
  run(
    'ip',
    '-n',
    ns,
    'tuntap',
    'add',
    'dev',
    'lm0',
    'mode',
    'tap',
    'multi_queue',
    'vnet_hdr',
    'user',
    '0',
  );
  run('ip', '-n', ns, 'link', 'set', 'lm0', 'address', host.mac, 'mtu', String(mtu), 'up');
  run('ip', '-n', ns, 'addr', 'add', `${host.ipv4}/24`, 'dev', 'lm0');
  run('ip', '-n', ns, 'addr', 'add', `${host.ipv6}/64`, 'dev', 'lm0', 'nodad');
}

export async function setPort(host: Host, mtu: number): Promise<void> {
  const name = new Uint8Array(16);
  name.set(new TextEncoder().encode('lm0'));
  await host.client?.request('portSet', {
    generation: 1,
    vni: VNI,
    name,
    mac: macBytes(host.mac),
    mtu,
  });
}

async function setTables(host: Host, other: Host, mtu: number): Promise<void> {
  const client = host.client;
  if (client === undefined) throw new Error('not attached');
  const entry = { generation: 1, vni: VNI, peer: 1 };
  await setPort(host, mtu);
  await client.request('peerSet', {
    generation: 1,
    peer: 1,
    endpoint: endpointOf(other.underlay, 8002),
  });
  await client.request('floodSet', entry);
  await client.request('fdbSet', { ...entry, mac: macBytes(other.mac) });
  for (const ip of [other.ipv4, other.ipv6])
    await client.request('neighbourSet', { ...entry, ip: ipBytes(ip), mac: macBytes(other.mac) });
}

async function setSession(host: Host, id: number, lifetimeMs = 600_000): Promise<void> {
  const isA = host.name === 'a';
  await host.client?.request('sessionSet', {
    localId: isA ? id : id + 1,
    remoteId: isA ? id + 1 : id,
    peer: 1,
    activation: isA ? 1 : 2,
    initiator: isA ? 1 : 0,
    receiveLanes: 16,
    lifetimeMs,
    sendKey: keyOf(`${id} ${isA ? 'a to b' : 'b to a'}`),
    receiveKey: keyOf(`${id} ${isA ? 'b to a' : 'a to b'}`),
  });
}

async function startHost(host: Host, options: WorldOptions): Promise<void> {
  host.process = await startProcess({
    program: options.program,
    namespace: host.namespace,
    socketPath: host.socketPath,
    arguments: options.arguments ?? [],
  });
  host.client = await attach(host.socketPath);
}

/** Builds the world; the responder's session becomes active with the first datagram. */
export async function makeWorld(options: WorldOptions): Promise<World> {
  const directory = mkdtempSync(join(tmpdir(), 'ldp-'));
  const underlayMtu = options.underlayMtu ?? 1500;
  const innerMtu = options.innerMtu ?? underlayMtu - 102;
  const a = makeHost('a', directory, options.ipv6Underlay ?? false);
  const b = makeHost('b', directory, options.ipv6Underlay ?? false);
  const close = (): void => {
    for (const host of [a, b]) {
      host.client?.close();
      host.process?.kill('SIGTERM');
      try {
        run('ip', 'netns', 'del', host.namespace);
      } catch {
        // It was not made yet.
      }
    }
    rmSync(directory, { recursive: true, force: true });
  };
  const rekey = async (id: number): Promise<void> => {
    await setSession(b, id);
    await setSession(a, id);
  };
  try {
    wire(a, b, underlayMtu);
    for (const host of [a, b]) {
      makeTap(host, innerMtu);
      await startHost(host, options);
    }
    await setTables(a, b, innerMtu);
    await setTables(b, a, innerMtu);
    await rekey(0x1000);
    await a.client?.request('sendControl', {
      peer: 1,
      endpoint: new Uint8Array(18),
      bytes: new Uint8Array(0),
    });
  } catch (error) {
    close();
    throw error;
  }
  return { a, b, rekey, close };
}
