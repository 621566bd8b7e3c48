/**
 * Sessions under a bad network. Every test prints its seed when it fails; set SIM_SEED to play one
 * again, SIM_RUNS for more runs.
 */
import { describe, expect, it } from 'vitest';
import { FAIR, World } from './world.ts';
import type { Host, Weather } from './world.ts';

const BAD: Weather = { loss: 0.2, repeat: 0.1, delayMsMin: 1, delayMsMax: 400 };
const SLOW: Weather = { loss: 0.1, repeat: 0.1, delayMsMin: 10, delayMsMax: 900 };
const ROUGH: Weather = { loss: 0, repeat: 0.2, delayMsMin: 1, delayMsMax: 200 };
/** Silence (25 s), the longest retry (12 s) and a few lost tries. */
const HEAL_MS = 60_000;

const firstSeed = Number(process.env['SIM_SEED'] ?? 1);
const runs = process.env['SIM_SEED'] === undefined ? Number(process.env['SIM_RUNS'] ?? 5) : 1;
const seeds = Array.from({ length: runs }, (_, index) => firstSeed + index);

describe('a pair', () => {
  it.each(seeds)('settles on one session when both initiate at once (seed %i)', (seed) => {
    const world = new World(seed, 2);
    world.runUntil(3_000);
    expect(world.faults()).toEqual([]);
    const [a, b] = pairOf(world);
    expect(a.datapath.sessions.size, 'sessions at a').toBeLessThanOrEqual(2);
    const atSettled = activeOf(a, b);
    world.runUntil(60_000);
    expect(activeOf(a, b), 'no flapping').toBe(atSettled);
    expect(a.datapath.sessions.size).toBe(1);
    expect(b.datapath.sessions.size).toBe(1);
  });

  it.each(seeds)('loses no frame to rekeys, also when both rekey at once (seed %i)', (seed) => {
    const world = new World(seed, 2);
    world.runUntil(3_000);
    const [a, b] = pairOf(world);
    world.weather = ROUGH;
    let isSending = true;
    everyMs(world, 20, () => {
      if (!isSending) return;
      expect(world.sendFrame(a, b)).toBe(true);
      expect(world.sendFrame(b, a)).toBe(true);
    });
    for (let at = 5_000; at < 100_000; at += world.random.between(1_500, 12_000)) {
      const [first, second] = world.random.chance(0.5) ? [a, b] : [b, a];
      world.at(at, () => rekey(world, first));
      if (world.random.chance(0.5))
        world.at(at + world.random.between(0, 400), () => rekey(world, second));
    }
    world.runUntil(100_000);
    isSending = false;
    world.runUntil(100_500);
    expect(world.faults()).toEqual([]);
    expect(b.framesReceived.get(0)).toBe(a.framesSent.get(1));
    expect(a.framesReceived.get(1)).toBe(b.framesSent.get(0));
    expect(a.events.filter(({ type }) => type === 'peerDown')).toEqual([]);
    const status = a.mesh?.status(world.now)[0];
    expect(status?.handshakeCount).toBeGreaterThan(10);
  });
});

describe('a pair that both start anew at about the same time', () => {
  it.each(seeds)('talks soon on a slow and lossy network (seed %i)', (seed) => {
    const world = new World(seed, 2);
    world.runUntil(5_000);
    const [a, b] = pairOf(world);
    world.weather = SLOW;
    for (let round = 0; round < 10; round++) {
      world.at(world.now, () => world.restartDatapath(a));
      world.at(world.now + world.random.between(0, 1_500), () => world.restartDatapath(b));
      world.runUntil(world.now + HEAL_MS);
      expect(world.faults(), `round ${round}`).toEqual([]);
    }
  });
});

describe('hosts under chaos', () => {
  it.each(seeds)('heal after restarts, moves and loss (seed %i)', (seed) => {
    const world = new World(seed, 4);
    const chaosMs = 240_000;
    world.weather = BAD;
    everyMs(world, 500, () => {
      const [a, b] = twoOf(world);
      world.sendFrame(a, b);
    });
    for (let at = 2_000; at < chaosMs; at += world.random.between(2_000, 15_000)) {
      world.at(at, () => disturb(world));
    }
    world.runUntil(chaosMs);
    world.weather = { ...FAIR, loss: 0.02 };
    world.runUntil(chaosMs + HEAL_MS);
    expect(world.faults(), `seed ${seed}, ${world.steps} steps`).toEqual([]);
    expect(world.steps).toBeGreaterThan(5_000);
    for (const host of world.hosts) {
      expect(host.datapath.sessions.size).toBeLessThanOrEqual(3 * 4);
    }
    const before = world.hosts.map((host) => sum(host.framesReceived));
    world.weather = FAIR;
    for (const a of world.hosts)
      for (const b of world.hosts) if (a !== b) expect(world.sendFrame(a, b)).toBe(true);
    world.runUntil(world.now + 100);
    for (const [index, host] of world.hosts.entries()) {
      expect(sum(host.framesReceived) - (before[index] ?? 0)).toBeGreaterThanOrEqual(3);
    }
  });

  it.each(seeds)('talk again within 2 s after a data path restarts (seed %i)', (seed) => {
    const world = new World(seed, 3);
    world.runUntil(20_000 + world.random.between(0, 300_000));
    const host = world.random.pick(world.hosts);
    world.restartDatapath(host);
    world.runUntil(world.now + 2_000);
    expect(world.faults()).toEqual([]);
  });

  it.each(seeds)('keep their sessions while an agent is away (seed %i)', (seed) => {
    const world = new World(seed, 3);
    world.runUntil(10_000);
    const [a, b] = pairOf(world);
    const before = activeOf(a, b);
    world.restartAgent(a, 15_000);
    everyMs(world, 100, () => expect(world.sendFrame(a, b) && world.sendFrame(b, a)).toBe(true));
    world.runUntil(40_000);
    expect(activeOf(a, b)).toBe(before);
    expect(world.faults()).toEqual([]);
    expect(a.datapath.drops.size + b.datapath.drops.size).toBe(0);
    world.runUntil(200_000);
    expect(activeOf(a, b), 'rekeyed at its age').not.toBe(before);
  });

  it.each(seeds)(
    'follow a host that moves and notices it, without a controller (seed %i)',
    (seed) => {
      const world = new World(seed, 3);
      world.runUntil(10_000);
      world.changeAddress(world.random.pick(world.hosts), {
        isNoticed: true,
        announcedAfterMs: 1e9,
      });
      world.runUntil(10_500);
      expect(world.faults()).toEqual([]);
    },
  );

  it.each(seeds)('follow a host whose address translation moved unnoticed (seed %i)', (seed) => {
    const world = new World(seed, 3);
    world.runUntil(10_000);
    world.changeAddress(world.random.pick(world.hosts), {
      isNoticed: false,
      announcedAfterMs: 1e9,
    });
    world.runUntil(21_000);
    expect(world.faults()).toEqual([]);
  });

  it.each(seeds)('heal after a path that passed one way only (seed %i)', (seed) => {
    const world = new World(seed, 3);
    world.runUntil(10_000);
    world.cut.add('0>1');
    world.runUntil(10_000 + world.random.between(1_000, 200_000));
    world.cut.clear();
    world.runUntil(world.now + HEAL_MS);
    expect(world.faults()).toEqual([]);
  });
});

function disturb(world: World): void {
  const host = world.random.pick(world.hosts);
  const kind = world.random.between(0, 5);
  if (kind === 0) world.restartAgent(host, world.random.between(10, 20_000));
  else if (kind === 1) world.restartDatapath(host);
  else if (kind === 2) {
    const isNoticed = world.random.chance(0.7);
    world.changeAddress(host, { isNoticed, announcedAfterMs: world.random.between(0, 20_000) });
  } else if (kind === 3) {
    const [a, b] = twoOf(world);
    const pair = `${a.index}>${b.index}`;
    world.cut.add(pair);
    world.at(world.now + world.random.between(100, 40_000), () => world.cut.delete(pair));
  } else {
    rekey(world, host);
  }
}

function rekey(world: World, host: Host): void {
  for (const row of host.mesh?.status(world.now) ?? []) {
    if (row.session !== undefined) host.mesh?.handleSessionSpent(row.session.localId, world.now);
  }
  world.settle(host);
}

function everyMs(world: World, periodMs: number, run: () => void): void {
  const again = () => {
    run();
    world.at(world.now + periodMs, again);
  };
  world.at(world.now + periodMs, again);
}

function pairOf(world: World): [Host, Host] {
  const [a, b] = world.hosts;
  if (a === undefined || b === undefined) throw new RangeError('a pair takes two hosts');
  return [a, b];
}

function twoOf(world: World): [Host, Host] {
  const a = world.random.pick(world.hosts);
  return [a, world.random.pick(world.hosts.filter((host) => host !== a))];
}

function activeOf(a: Host, b: Host): number | undefined {
  return a.datapath.peers.get(b.index + 1)?.active?.set.localId;
}

function sum(counts: ReadonlyMap<number, number>): number {
  return [...counts.values()].reduce((total, count) => total + count, 0);
}
