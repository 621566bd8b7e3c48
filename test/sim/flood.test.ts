/**
 * Floods: whoever sends a million datagrams gets counters, not memory, and does not keep peers from
 * each other for long.
 */
import { describe, expect, it } from 'vitest';
import { makeEndpoint } from '@etherloom/core';
import { appendMacs, mac1Key } from '../../packages/core/src/handshake/macs.ts';
import { World } from './world.ts';
import type { Host } from './world.ts';

const KINDS = [0xe0, 0xe1, 0xe2, 0xe3, 0x00, 0xff];
const SIZES = [0, 1, 4, 52, 132, 176, 400, 1_400];

describe('a host under a flood', () => {
  it('of random bytes from random sources keeps its sessions and its state small', () => {
    const world = new World(1, 2);
    world.runUntil(5_000);
    const [victim] = world.hosts;
    if (victim === undefined) throw new Error('there is a host');
    const before = victim.mesh
      ?.status(0)
      .map(({ session, sessionCount }) => [session?.localId, sessionCount]);
    for (let count = 0; count < 10_000; count++) {
      const bytes = world.random.bytes(world.random.pick(SIZES));
      bytes.set([world.random.pick(KINDS), 2, 0, 0].slice(0, bytes.length));
      victim.mesh?.handleDatagram(anywhere(world), bytes, world.now);
    }
    expect(victim.mesh?.drainActions(), 'answers nothing').toEqual([]);
    const after = victim.mesh
      ?.status(0)
      .map(({ session, sessionCount }) => [session?.localId, sessionCount]);
    expect(after).toEqual(before);
    expect(world.faults()).toEqual([]);
  });

  it('of initiations with a valid mac1 from spoofed sources still lets its peers in', () => {
    const world = new World(2, 3);
    world.runUntil(5_000);
    const [victim, ...others] = world.hosts;
    if (victim === undefined) throw new Error('there is a host');
    flood(world, victim, 20_000, () => forgedInitiation(world, victim));
    world.runUntil(10_000);
    const restartedAt = world.now;
    for (const host of others) world.restartDatapath(host);
    world.runUntil(restartedAt + 9_000);
    expect(world.faults()).toEqual([]);
    expect(victim.mesh?.status(0).every(({ sessionCount }) => sessionCount <= 4)).toBe(true);
    expect(world.collectRefusals().get('cookie_required')).toBeGreaterThan(1_000);
  });
});

/** 1,000 datagrams a second until a time. */
function flood(world: World, victim: Host, untilMs: number, make: () => Uint8Array): void {
  const again = () => {
    for (let count = 0; count < 10; count++)
      victim.mesh?.handleDatagram(anywhere(world), make(), world.now);
    world.settle(victim);
    if (world.now < untilMs) world.at(world.now + 10, again);
  };
  world.at(world.now, again);
}

function forgedInitiation(world: World, victim: Host): Uint8Array {
  const body = world.random.bytes(144);
  body.set([0xe1, 2, 0, 0]);
  return appendMacs(body, mac1Key(victim.publicKey), undefined);
}

function anywhere(world: World) {
  return makeEndpoint(world.random.bytes(4), world.random.between(1, 65_535));
}
