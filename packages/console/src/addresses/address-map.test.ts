/** The picture of an address pool. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { describeCell, ipv4Number, ipv4Text, mapAddresses } from './address-map.ts';
import type { AddressMap, Taken } from './address-map.ts';

const used = (address: string, nodeName = 'alpha'): Taken => ({
  address,
  nodeName,
  isReserved: false,
});

function mapOf(pool: string, taken: readonly Taken[]): AddressMap {
  const map = mapAddresses(pool, taken);
  if (map === null) throw new Error(`${pool} gives no map`);
  return map;
}

describe('a /24', () => {
  const map = mapOf('10.1.0.0/24', [
    used('10.1.0.2'),
    { address: '10.1.0.250', nodeName: null, isReserved: true },
    used('10.2.0.2'),
    used('fd00::2'),
  ]);

  test('has a cell for each address, the first and the last for nobody', () => {
    expect(map.cells).toHaveLength(256);
    expect(map.size).toBe(254);
    expect(map.cells.filter(({ isFixed }) => isFixed).map(({ first }) => first)).toEqual([
      '10.1.0.0',
      '10.1.0.255',
    ]);
  });

  test('counts what is in it, and nothing of other pools', () => {
    expect([map.usedCount, map.reservedCount]).toEqual([1, 1]);
  });

  test('says in words what a cell is', () => {
    const words = [0, 1, 2, 250].map((index) => {
      const cell = map.cells[index];
      return cell === undefined ? '' : describeCell(cell);
    });
    expect(words).toEqual([
      '10.1.0.0: not for members',
      '10.1.0.1: free',
      '10.1.0.2: alpha',
      '10.1.0.250: reserved',
    ]);
  });
});

test('a larger pool has cells of several addresses', () => {
  const map = mapOf('10.0.0.0/16', [used('10.0.1.0'), used('10.0.1.255')]);
  expect(map.cells).toHaveLength(256);
  expect(map.cellSize).toBe(256);
  expect(map.cells[1]?.taken).toHaveLength(2);
  expect(map.cells[0]?.size).toBe(255);
});

test('a point-to-point pool has no address for nobody', () => {
  expect(mapOf('10.0.0.0/31', []).size).toBe(2);
});

test.each(['fd00::/64', '10.0.0.0', '10.0.0/24', '10.0.0.0/33', '10.0.0.256/24', ''])(
  '%j is no IPv4 pool',
  (pool) => {
    expect(mapAddresses(pool, [])).toBeNull();
  },
);

test('an address is the same after it was a number', () => {
  fc.assert(
    fc.property(fc.ipV4(), (address) => {
      expect(ipv4Text(ipv4Number(address) ?? -1)).toBe(address);
    }),
  );
});

test('every address of a pool is in exactly one cell', () => {
  fc.assert(
    fc.property(fc.integer({ min: 8, max: 32 }), fc.nat(), (bits, offset) => {
      const size = 2 ** (32 - bits);
      const address = ipv4Text((ipv4Number('10.0.0.0') ?? 0) + (offset % size));
      const map = mapOf(`10.0.0.0/${bits}`, [used(address)]);
      expect(map.cells.length).toBeLessThanOrEqual(256);
      expect(map.cells.filter(({ taken }) => taken.length === 1)).toHaveLength(1);
    }),
  );
});
