/**
 * Hosts that move, are copied or started anew, and members that gossip, with no controller. Every
 * test prints its seed when it fails; set SIM_SEED to play one again, SIM_RUNS for more runs.
 */
import { describe, expect, it } from 'vitest';
import { encodeOrdinal, signEndpointRecord, signerOf } from '@etherloom/core';
import type { MeshEvent } from '@etherloom/core';
import { FAIR, World } from './world.ts';
import type { Host } from './world.ts';

const UNTOLD = 1e9;
/** The longest retry (12 s) and a few lost tries. */
const HEAL_MS = 45_000;
const firstSeed = Number(process.env['SIM_SEED'] ?? 1);
const runs = process.env['SIM_SEED'] === undefined ? Number(process.env['SIM_RUNS'] ?? 5) : 1;
const seeds = Array.from({ length: runs }, (_, index) => firstSeed + index);

describe('moves without a controller', () => {
  it.each(seeds)('of both ends of a pair at once converge by a third member (seed %i)', (seed) => {
    const world = new World(seed, 3);
    world.runUntil(10_000);
    const [a, b] = threeOf(world);
    move(world, a);
    world.runUntil(world.now + world.random.between(0, 300));
    move(world, b);
    world.runUntil(world.now + 2_000);
    expect(world.faults()).toEqual([]);
  });

  it.each(seeds)('of both ends converge 2 s after the third is reached again (seed %i)', (seed) => {
    const world = new World(seed, 3);
    world.runUntil(10_000);
    const [a, b, third] = threeOf(world);
    for (const host of [a, b])
      for (const pair of [`${host.index}>${third.index}`, `${third.index}>${host.index}`])
        world.cut.add(pair);
    move(world, a);
    move(world, b);
    world.runUntil(world.now + 60_000);
    expect(world.faultOf(a, b), 'nobody could tell them').toBeDefined();
    world.cut.clear();
    const reached = () => world.faultOf(a, third) ?? world.faultOf(b, third);
    while (reached() !== undefined && world.now < 100_000) world.runUntil(world.now + 100);
    world.runUntil(world.now + 2_000);
    expect(world.faults()).toEqual([]);
  });

  it.each(seeds)('of both ends heal on a lossy network (seed %i)', (seed) => {
    const world = new World(seed, 4);
    world.runUntil(10_000);
    world.weather = { ...FAIR, loss: 0.2 };
    const [a, b] = threeOf(world);
    move(world, a);
    move(world, b);
    world.runUntil(world.now + HEAL_MS);
    expect(world.faultOf(a, b) ?? world.faultOf(b, a)).toBeUndefined();
  });

  it.each(seeds)('from IPv4 to IPv6 are followed in a second (seed %i)', (seed) => {
    const world = new World(seed, 3);
    world.runUntil(10_000);
    const [a, b] = threeOf(world);
    move(world, a, true);
    world.runUntil(world.now + 1_000);
    expect(world.faults()).toEqual([]);
    move(world, b, true);
    move(world, a, false);
    world.runUntil(world.now + 2_000);
    expect(world.faults()).toEqual([]);
  });

  it.each(seeds)('by a stop and a start elsewhere are followed in a second (seed %i)', (seed) => {
    const world = new World(seed, 3);
    world.runUntil(10_000);
    const [a, b, third] = threeOf(world);
    world.powerOff(a);
    world.runUntil(world.now + world.random.between(100, 60_000));
    world.powerOn(a);
    world.runUntil(world.now + 1_000);
    expect(world.faultOf(b, a) ?? world.faultOf(a, b)).toBeUndefined();
    expect(world.faultOf(third, a) ?? world.faultOf(a, third)).toBeUndefined();
    expect(doubled(world)).toEqual([]);
  });
});

describe('two holders of one key', () => {
  it.each(seeds)('the first one loses no frame, the newcomer gets no session (seed %i)', (seed) => {
    const world = new World(seed, 3);
    world.runUntil(10_000);
    const [a, b] = threeOf(world);
    let isSending = true;
    everyMs(world, 50, () => {
      if (!isSending) return;
      expect(world.sendFrame(a, b)).toBe(true);
      expect(world.sendFrame(b, a)).toBe(true);
    });
    world.runUntil(12_000);
    const clone = world.startClone(a);
    world.runUntil(180_000);
    isSending = false;
    world.runUntil(181_000);
    expect(world.faults()).toEqual([]);
    expect(b.framesReceived.get(a.index)).toBe(a.framesSent.get(b.index));
    expect(a.framesReceived.get(b.index)).toBe(b.framesSent.get(a.index));
    expect(clone.datapath.sessions.size).toBe(0);
    const others = world.hosts.filter((host) => host !== a);
    expect(doubled(world).map(({ host }) => host.index)).toEqual(
      expect.arrayContaining(others.map(({ index }) => index)),
    );
    expect(downs(b)).toEqual([]);
  });

  it.each(seeds)('a real restart after that is followed in a second (seed %i)', (seed) => {
    const world = new World(seed, 3);
    world.runUntil(10_000);
    const [a, b, third] = threeOf(world);
    const clone = world.startClone(a);
    world.runUntil(30_000);
    world.powerOff(clone);
    world.powerOff(a);
    world.runUntil(30_500);
    world.powerOn(a);
    world.runUntil(31_500);
    expect(world.faultOf(a, b) ?? world.faultOf(b, a)).toBeUndefined();
    expect(world.faultOf(a, third) ?? world.faultOf(third, a)).toBeUndefined();
  });

  it.each(seeds)('the newcomer is let in when the first one has gone (seed %i)', (seed) => {
    const world = new World(seed, 3);
    world.runUntil(10_000);
    const [a, b] = threeOf(world);
    const clone = world.startClone(a);
    world.runUntil(30_000);
    world.powerOff(a);
    world.runUntil(90_000);
    expect(clone.datapath.peers.get(b.index + 1)?.active).toBeDefined();
  });
});

describe('gossip', () => {
  it('of one change costs members times fan-out messages, and reaches all', () => {
    const world = new World(7, 16);
    world.runUntil(20_000);
    const before = world.hosts.map(({ gossipSent }) => gossipSent);
    const [a] = threeOf(world);
    move(world, a);
    world.runUntil(40_000);
    const sent = world.hosts.reduce(
      (sum, { gossipSent }, index) => sum + gossipSent - (before[index] ?? 0),
      0,
    );
    const [direct, passed, asked] = [15, 15 * 3, 3 * 3 * (2 + 16)];
    expect(sent).toBeLessThanOrEqual(direct + passed + asked);
    for (const host of world.hosts)
      if (host !== a) expect(host.gossip?.records().get(hexOf(a.nodeId))).toBeDefined();
  });

  it('of a member that signs anew all the time stays bounded', () => {
    const world = new World(8, 8);
    world.runUntil(20_000);
    const [a] = threeOf(world);
    const others = world.hosts.filter((host) => host !== a);
    const before = others.reduce((sum, { gossipSent }) => sum + gossipSent, 0);
    let sequence = 1n << 40n;
    everyMs(world, 100, () => {
      if (world.now < 50_000) tellAll(world, a, ++sequence);
    });
    world.runUntil(60_000);
    const passed = others.reduce((sum, { gossipSent }) => sum + gossipSent, 0) - before;
    const seconds = 40;
    expect(passed).toBeLessThanOrEqual(others.length * 3 * (5 + 0.2 * seconds) + 200);
    expect(world.faults()).toEqual([]);
  });

  it('that is malformed, forged or about strangers changes nothing and is counted', () => {
    const world = new World(9, 3);
    world.runUntil(10_000);
    const [a, b, third] = threeOf(world);
    const before = recordsOf(b);
    const ordinal = encodeOrdinal(9, 9n);
    const stranger = signerOf(world.random.bytes(32));
    const forged = (nodeId: Uint8Array) =>
      signEndpointRecord({ nodeId, ordinal, endpoints: [a.address] }, stranger.sign);
    const messages = [
      Uint8Array.of(16),
      Uint8Array.of(16, ...world.random.bytes(500)),
      Uint8Array.of(16, ...forged(third.nodeId)),
      Uint8Array.of(16, ...forged(world.random.bytes(16))),
      Uint8Array.of(16, ...forged(third.nodeId).subarray(0, 90)),
      Uint8Array.of(17, 0, 2, 123, 125),
      Uint8Array.of(17, 0, 2, 123, 125, ...new TextEncoder().encode('[]')),
      Uint8Array.of(18, 1),
      Uint8Array.of(99, 1, 2, 3),
    ];
    for (const message of messages) a.mesh?.sendMessage(b.index + 1, message, world.now);
    for (let count = 0; count < 100; count++)
      a.mesh?.sendMessage(b.index + 1, world.random.bytes(300), world.now);
    world.settle(a);
    world.runUntil(15_000);
    expect(recordsOf(b)).toEqual(before);
    expect(world.faults()).toEqual([]);
    const reasons = [...(b.gossip?.refusals().keys() ?? [])].toSorted();
    expect(reasons).toEqual(
      expect.arrayContaining([
        'gossip_member_unknown',
        'gossip_message_invalid',
        'gossip_record_unsigned',
      ]),
    );
  });

  it('an older record does not replace a later one', () => {
    const world = new World(10, 3);
    world.runUntil(10_000);
    const [a, b] = threeOf(world);
    const before = recordsOf(b);
    tellAll(world, a, 0n, 0);
    world.runUntil(11_000);
    expect(recordsOf(b)).toEqual(before);
  });
});

function move(world: World, host: Host, isIpv6 = false): void {
  world.changeAddress(host, { isNoticed: true, announcedAfterMs: UNTOLD, isIpv6 });
}

/** Sends a record of its own to each peer without further ado. */
function tellAll(world: World, host: Host, sequence: bigint, startCount = 9): void {
  const { nodeId, address, signer } = host;
  const ordinal = encodeOrdinal(startCount, sequence);
  const record = signEndpointRecord({ nodeId, ordinal, endpoints: [address] }, signer.sign);
  for (const other of world.hosts)
    if (other !== host)
      host.mesh?.sendMessage(other.index + 1, Uint8Array.of(16, ...record), world.now);
  world.settle(host);
}

function doubled(world: World): { host: Host; event: MeshEvent }[] {
  return world.hosts.flatMap((host) =>
    host.events.filter(({ type }) => type === 'peerDoubled').map((event) => ({ host, event })),
  );
}

function downs(host: Host): MeshEvent[] {
  return host.events.filter(({ type }) => type === 'peerDown');
}

function recordsOf(host: Host): string[] {
  return [...(host.gossip?.records() ?? [])].map(([nodeId, bytes]) => `${nodeId} ${hexOf(bytes)}`);
}

function threeOf(world: World): [Host, Host, Host] {
  const [a, b, c] = world.hosts;
  if (a === undefined || b === undefined || c === undefined)
    throw new RangeError('three hosts are needed');
  return [a, b, c];
}

function everyMs(world: World, periodMs: number, run: () => void): void {
  const again = () => {
    run();
    world.at(world.now + periodMs, again);
  };
  world.at(world.now + periodMs, again);
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
