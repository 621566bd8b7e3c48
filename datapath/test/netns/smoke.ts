/**
 * The data path on real devices: `node smoke.ts [--asan]`. Needs root, iproute2, iperf3, ping, and
 * `make all tools` before. Each check states a rule; the process exits 1 when one fails.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { decodeControl } from '../../../packages/core/src/datapath-control/codec.ts';
import { attach, ipBytes, macBytes, readCounters } from './client.ts';
import type { Client } from './client.ts';
import { VNI, inHost, makeTap, makeWorld, run, setPort } from './world.ts';
import type { Host, World, WorldOptions } from './world.ts';

const isAsan = process.argv.includes('--asan');
const build = new URL('../../build/', import.meta.url).pathname;
const program = `${build}${isAsan ? 'asan/' : ''}loom-datapath`;
const rawframe = `${build}rawframe`;
const base: WorldOptions = { program, arguments: isAsan ? ['--no-sandbox'] : [] };
const DEADLINE_MS = 5_000;

const say = (line: string): void => void process.stdout.write(`${line}\n`);

let passed = 0;
const failures: string[] = [];

async function check(rule: string, body: () => Promise<void> | void): Promise<void> {
  try {
    await body();
    passed++;
    say(`ok    ${rule}`);
  } catch (error) {
    failures.push(rule);
    say(`FAIL  ${rule}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function expect(condition: boolean, message: string): void {
  if (!condition) throw new Error(message);
}

function clientOf(host: Host): Client {
  if (host.client === undefined) throw new Error('not attached');
  return host.client;
}

function ping(host: Host, address: string, ...args: string[]): void {
  const out = inHost(host, 'ping', '-q', '-i', '0.01', '-c', '20', '-W', '1', ...args, address);
  expect(out.includes(' 0% packet loss'), out);
}

/** Waits until a counter of the host has grown by `least`. */
async function grows(host: Host, counter: string, act: () => void, least = 1): Promise<void> {
  const before = (await readCounters(clientOf(host)))[counter] ?? NaN;
  act();
  const end = Date.now() + DEADLINE_MS;
  let grown = 0;
  while (Date.now() < end) {
    grown = ((await readCounters(clientOf(host)))[counter] ?? NaN) - before;
    if (grown >= least) return;
    await wait(20);
  }
  throw new Error(`${counter} grew by ${grown}, not ${least}`);
}

async function iperf(
  world: World,
  address: string,
  ...args: string[]
): Promise<{ bytes: number; lost: number }> {
  const server = spawn(
    'ip',
    ['netns', 'exec', world.b.namespace, 'iperf3', '-s', '-1', '--forceflush'],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  await once(server.stdout, 'data');
  try {
    const text = inHost(world.a, 'iperf3', '-c', address, '-J', ...args);
    const end = (
      JSON.parse(text) as {
        end: { sum_received?: { bytes: number }; sum?: { bytes: number; lost_percent: number } };
      }
    ).end; // iperf3's format
    return {
      bytes: end.sum_received?.bytes ?? end.sum?.bytes ?? 0,
      lost: end.sum?.lost_percent ?? 0,
    };
  } finally {
    server.kill('SIGTERM');
  }
}

/** Sends a frame from one host and returns what arrives at the other. */
async function passFrame(from: Host, to: Host, frame: string, protocol: string): Promise<string> {
  const receiver = spawn(
    'ip',
    ['netns', 'exec', to.namespace, rawframe, 'receive', 'lm0', protocol, '3000'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let out = '';
  receiver.stdout.on('data', (chunk: Uint8Array) => (out += new TextDecoder().decode(chunk)));
  await once(receiver.stdout, 'data');
  inHost(from, rawframe, 'send', 'lm0', frame);
  await once(receiver, 'close');
  return out.split('\n')[1] ?? '';
}

const hexOfMac = (mac: string): string => mac.replaceAll(':', '');

function cpuTicks(host: Host): number {
  const fields =
    readFileSync(`/proc/${host.process?.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return Number(fields[11]) + Number(fields[12]);
}

async function expectQuiet(host: Host): Promise<void> {
  const before = cpuTicks(host);
  await wait(500);
  const used = cpuTicks(host) - before;
  expect(used <= 5, `used ${used} of 50 ticks while nothing happened`);
}

/** Waits until duplicate address detection is over. */
async function settled(host: Host): Promise<void> {
  const end = Date.now() + DEADLINE_MS;
  while (
    Date.now() < end &&
    inHost(host, 'ip', '-6', 'addr', 'show', 'dev', 'lm0').includes('tentative')
  )
    await wait(50);
}

async function traffic(world: World): Promise<void> {
  const { a, b } = world;
  await check('pings IPv4 both ways', () => {
    ping(a, b.ipv4);
    ping(b, a.ipv4);
  });
  await check('pings IPv6 both ways', () => {
    ping(a, b.ipv6);
    ping(b, a.ipv6);
  });
  await check('pings link-local addresses, resolved from the FDB', async () => {
    await settled(a);
    await settled(b);
    const own =
      inHost(b, 'ip', '-6', '-o', 'addr', 'show', 'dev', 'lm0', 'scope', 'link')
        .split(/\s+/)[3]
        ?.split('/')[0] ?? '';
    ping(a, `${own}%lm0`);
  });
  await check('passes datagrams that must be fragmented inside', () =>
    ping(a, b.ipv4, '-s', '20000'),
  );
  await check('moves a gigabyte over TCP', async () => {
    const { bytes } = await iperf(world, b.ipv4, '-n', '1G');
    expect(bytes >= 1e9, `${bytes} bytes`);
  });
  await check('moves a gigabyte over TCP on IPv6, in four streams', async () => {
    const { bytes } = await iperf(world, b.ipv6, '-n', '1G', '-P', '4');
    expect(bytes >= 1e9 * 0.95, `${bytes} bytes`);
  });
  await check('moves UDP of 1000 and 64 bytes', async () => {
    expect(
      (await iperf(world, b.ipv4, '-u', '-b', '50M', '-l', '1000', '-t', '1')).lost < 50,
      'lost',
    );
    expect((await iperf(world, b.ipv6, '-u', '-b', '5M', '-l', '64', '-t', '1')).lost < 50, 'lost');
  });
}

async function frames(world: World): Promise<void> {
  const { a, b } = world;
  const macs = hexOfMac(b.mac) + hexOfMac(a.mac);
  await check('passes an EtherType of our own unchanged', async () => {
    const frame = `${macs}88b5${'0123456789abcdef'.repeat(20)}`;
    expect((await passFrame(a, b, frame, '88b5')) === frame, 'the frame changed');
  });
  await check('passes frames with one and two VLAN tags unchanged', async () => {
    for (const tags of ['81000007', '88a8000281000007']) {
      const frame = `${macs}${tags}0800${'45'.repeat(60)}`;
      expect((await passFrame(a, b, frame, tags)) === frame, `the frame with ${tags} changed`);
    }
  });
  await check('replicates broadcast', async () => {
    const frame = `ffffffffffff${hexOfMac(a.mac)}88b5${'aa'.repeat(46)}`;
    expect((await passFrame(a, b, frame, '88b5')) === frame, 'the frame changed');
  });
  await check('answers ARP and ND locally', async () => {
    await grows(a, 'answeredLocally', () => {
      inHost(a, 'ip', 'neigh', 'flush', 'dev', 'lm0');
      ping(a, b.ipv4);
    });
  });
  await check('drops requests for unknown neighbours and frames to unknown MACs', async () => {
    await grows(a, 'neighbour_unknown', () => {
      inHost(a, 'sh', '-c', 'ping -c 1 -W 1 10.9.0.99 || true');
    });
    await grows(a, 'unicast_unknown', () => {
      inHost(a, rawframe, 'send', 'lm0', `020000000077${hexOfMac(a.mac)}88b5${'aa'.repeat(46)}`);
    });
  });
}

async function spoofing(world: World): Promise<void> {
  const { a, b } = world;
  const payload = 'aa'.repeat(46);
  await check('drops a source MAC that is not bound to the peer', () =>
    grows(b, 'source_mac_denied', () => {
      inHost(a, rawframe, 'send', 'lm0', `${hexOfMac(b.mac)}02000000007788b5${payload}`);
    }),
  );
  await check('drops a source IP that is not bound to the peer', () =>
    grows(b, 'source_ip_denied', () => {
      inHost(
        a,
        'sh',
        '-c',
        'ip addr add 10.9.0.66/24 dev lm0; ping -c 1 -W 1 -I 10.9.0.66 10.9.0.2; ip addr del 10.9.0.66/24 dev lm0',
      );
    }),
  );
  await check('drops a lie about another address in ARP', () =>
    grows(b, 'source_ip_denied', () => {
      const arp = `0001080006040001${hexOfMac(a.mac)}0a090042${'00'.repeat(6)}0a090042`;
      inHost(
        a,
        rawframe,
        'send',
        'lm0',
        `ffffffffffff${hexOfMac(a.mac)}0806${arp}${'00'.repeat(18)}`,
      );
    }),
  );
  await check('drops what is not for this host', () =>
    grows(b, 'destination_unknown', () => {
      void clientOf(a).request('fdbSet', {
        generation: 1,
        vni: VNI,
        mac: macBytes('02:00:00:00:09:55'),
        peer: 1,
      });
      inHost(a, 'sleep', '0.05');
      inHost(a, rawframe, 'send', 'lm0', `020000000955${hexOfMac(a.mac)}88b5${payload}`, '3');
    }),
  );
}

async function captureDatagram(world: World): Promise<string> {
  const receiver = spawn(
    'ip',
    ['netns', 'exec', world.b.namespace, rawframe, 'receive', 'u0', '080045', '3000'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let out = '';
  receiver.stdout.on('data', (chunk: Uint8Array) => (out += new TextDecoder().decode(chunk)));
  await once(receiver.stdout, 'data');
  inHost(
    world.a,
    rawframe,
    'send',
    'lm0',
    `${hexOfMac(world.b.mac)}${hexOfMac(world.a.mac)}88b5${'cc'.repeat(46)}`,
  );
  await once(receiver, 'close');
  return (out.split('\n')[1] ?? '').slice((14 + 20 + 8) * 2);
}

async function hostility(world: World): Promise<void> {
  const { a, b } = world;
  const datagram = await captureDatagram(world);
  const send =
    (hex: string, count = '1') =>
    () =>
      void inHost(a, rawframe, 'datagram', b.underlay, '8002', hex, count);
  const flip = (at: number): string => {
    const bytes = Buffer.from(datagram, 'hex');
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    return bytes.toString('hex');
  };
  const future = (() => {
    const bytes = Buffer.from(datagram, 'hex');
    bytes.writeUInt32BE(bytes.readUInt32BE(12) + 100_000, 12);
    return bytes.toString('hex');
  })();
  const before = (await readCounters(clientOf(b)))['receivedFrames'];
  const cases: [string, string, string][] = [
    ['a repeated datagram', 'counter_replayed', datagram],
    ['a forged counter', 'seal_invalid', future],
    [
      'a flipped bit',
      'seal_invalid',
      flip(40).replace(/^(.{24}).{8}/, `$1${future.slice(24, 32)}`),
    ],
    ['a truncated datagram', 'seal_invalid', future.slice(0, -2)],
    ['a stump', 'datagram_too_short', datagram.slice(0, 60)],
    ['an empty datagram', 'datagram_too_short', ''],
    ['an unknown flag', 'header_invalid', flip(1).replace(/^e0../, 'e080')],
    ['an unknown kind', 'header_invalid', `40${datagram.slice(2)}`],
    ['an unknown session', 'session_unknown', flip(5)],
    ['a short initiation', 'datagram_too_short', 'e1010000'],
    ['a misshapen initiation', 'header_invalid', `e1020000${'00'.repeat(200)}`],
  ];
  for (const [what, counter, hex] of cases)
    await check(`drops ${what} (${counter})`, () => grows(b, counter, send(hex)));
  await check('delivers nothing of it', async () => {
    expect((await readCounters(clientOf(b)))['receivedFrames'] === before, 'a frame was delivered');
  });
  await check('punts a handshake and limits a flood of them', async () => {
    clientOf(b).events.length = 0;
    await grows(b, 'punt_limited', send(`e1010000${'00'.repeat(200)}`, '1000'), 100);
    expect(
      clientOf(b).events.some((event) => event.name === 'datagramReceived'),
      'nothing was punted',
    );
    ping(a, b.ipv4);
  });
}

async function life(world: World): Promise<void> {
  const { a, b } = world;
  await check('refuses a second agent with EBUSY', async () => {
    const second = connect(b.socketPath);
    const [chunk] = (await once(second, 'data')) as [Uint8Array]; // one frame
    const message = decodeControl(new Uint8Array(chunk));
    expect(message.name === 'error' && message.values.errno === 16, JSON.stringify(message));
    second.destroy();
  });
  await check('forwards without an agent, and takes another one', async () => {
    clientOf(b).close();
    ping(a, b.ipv4);
    b.client = await attach(b.socketPath);
    const sessions = await clientOf(b).request('dump', { kind: 3 });
    expect(sessions.length > 0, 'no sessions');
    ping(a, b.ipv4);
  });
  await check('changes to another session without loss', async () => {
    const pings = spawn(
      'ip',
      ['netns', 'exec', a.namespace, 'ping', '-q', '-i', '0.002', '-c', '300', b.ipv4],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let out = '';
    pings.stdout.on('data', (chunk: Uint8Array) => (out += new TextDecoder().decode(chunk)));
    await world.rekey(0x2000);
    await once(pings, 'close');
    expect(out.includes(' 0% packet loss'), out);
    const entries = await clientOf(b).request('dump', { kind: 3 });
    const active = entries.find(
      (entry) => entry.name === 'sessionEntry' && entry.values.active === 1,
    );
    expect(
      active?.name === 'sessionEntry' && active.values.localId === 0x2001,
      'the later session is not active',
    );
  });
  await check('does not spin while its device is down', async () => {
    inHost(b, 'ip', 'link', 'set', 'lm0', 'down');
    await expectQuiet(b);
    inHost(b, 'ip', 'link', 'set', 'lm0', 'up');
    inHost(b, 'ip', 'addr', 'replace', `${b.ipv6}/64`, 'dev', 'lm0', 'nodad');
    ping(a, b.ipv4);
  });
  await check('lets go of a deleted device and attaches again', async () => {
    inHost(b, 'ip', 'link', 'del', 'lm0');
    await expectQuiet(b);
    expect(
      (await clientOf(b).request('dump', { kind: 1 })).length === 0,
      'the port is still there',
    );
    makeTap(b, 1398);
    await setPort(b, 1398);
    ping(a, b.ipv4);
  });
  await check('takes 100,000 FDB entries and sweeps them', async () => {
    const client = clientOf(b);
    const requests: Promise<unknown>[] = [];
    for (let i = 0; i < 100_000; i++) {
      const mac = new Uint8Array([2, 1, 0, (i >> 16) & 255, (i >> 8) & 255, i & 255]);
      requests.push(client.request('fdbSet', { generation: 2, vni: 77, mac, peer: 1 }));
    }
    await Promise.all(requests);
    expect((await client.request('dump', { kind: 4 })).length === 100_001, 'not all are there');
    await client.request('sweep', { kind: 4, generation: 1 });
    expect((await client.request('dump', { kind: 4 })).length === 1, 'not all are gone');
    ping(a, b.ipv4);
  });
  await check('asks for a session when it has none, and drops until then', async () => {
    clientOf(a).events.length = 0;
    for (const id of [0x1000, 0x2000]) await clientOf(a).request('sessionDelete', { localId: id });
    await grows(a, 'session_missing', () =>
      inHost(a, 'sh', '-c', `ping -c 1 -W 1 ${b.ipv4} || true`),
    );
    expect(
      clientOf(a).events.some((event) => event.name === 'sessionNeeded'),
      'no event',
    );
    await world.rekey(0x3000);
    ping(a, b.ipv4);
  });
  await check('says what is wrong with a request and changes nothing', async () => {
    const bad = clientOf(a).request('neighbourSet', {
      generation: 1,
      vni: VNI,
      ip: ipBytes('10.9.0.9'),
      mac: macBytes(b.mac),
      peer: 99,
    });
    const text = await bad.then(
      () => '',
      (error: Error) => error.message,
    );
    expect(text.includes('errno 2'), text);
  });
  await check('ends on SIGTERM and removes its socket', async () => {
    const child = a.process;
    if (child === undefined) throw new Error('no process');
    child.kill('SIGTERM');
    const [code] = (await once(child, 'close')) as [number | null]; // exit code
    expect(code === 0, `exit code ${code}`);
    expect(!existsSync(a.socketPath), 'the socket is left');
  });
}

async function inWorld(
  title: string,
  options: WorldOptions,
  body: (world: World) => Promise<void>,
): Promise<void> {
  say(`# ${title}`);
  const world = await makeWorld(options);
  try {
    await body(world);
  } finally {
    world.close();
  }
}

run('ip', '-V');
await inWorld('IPv4 underlay', base, async (world) => {
  await traffic(world);
  await frames(world);
  await spoofing(world);
  await hostility(world);
  await life(world);
});
await inWorld('IPv6 underlay', { ...base, ipv6Underlay: true }, traffic);
await inWorld(
  'jumbo frames, OpenSSL',
  { ...base, underlayMtu: 9000, arguments: [...(base.arguments ?? []), '--aead', 'openssl'] },
  traffic,
);
await inWorld(
  'three workers',
  { ...base, arguments: [...(base.arguments ?? []), '--workers', '3'] },
  traffic,
);
say(`${passed} passed, ${failures.length} failed`);
process.exitCode = failures.length === 0 ? 0 : 1;
