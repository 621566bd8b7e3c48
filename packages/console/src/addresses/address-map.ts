/**
 * What the picture of an address pool shows: cells in order, each one address or, in a large pool,
 * a range of equal size. IPv4 alone: an IPv6 pool is too wide for a picture.
 */
import { MAP_CELLS_MAX } from '../limits.ts';

/** An address in use or reserved. */
export interface Taken {
  readonly address: string;
  /** Node of the address; null: a reservation for nobody. */
  readonly nodeName: string | null;
  readonly isReserved: boolean;
}

export interface Cell {
  readonly first: string;
  readonly last: string;
  /** Addresses of the cell that a member could have. */
  readonly size: number;
  readonly taken: readonly Taken[];
  /** Network and broadcast address of the pool: nobody gets them. */
  readonly isFixed: boolean;
}

export interface AddressMap {
  readonly cells: readonly Cell[];
  readonly cellSize: number;
  /** Addresses that members can have. */
  readonly size: number;
  readonly usedCount: number;
  readonly reservedCount: number;
}

/** 32-bit number of an IPv4 address; null for what is none. */
export function ipv4Number(address: string): number | null {
  const parts = address.split('.');
  if (parts.length !== 4) return null;
  let number = 0;
  for (const part of parts) {
    const value = Number(part);
    if (!/^\d{1,3}$/.test(part) || value > 255) return null;
    number = number * 256 + value;
  }
  return number;
}

/** Dotted text of a 32-bit number. */
export function ipv4Text(number: number): string {
  return [24, 16, 8, 0].map((bits) => Math.floor(number / 2 ** bits) % 256).join('.');
}

/** Lays out a pool such as `10.1.0.0/24`; null when it is no IPv4 prefix. */
export function mapAddresses(
  pool: string,
  taken: readonly Taken[],
  cellsMax: number = MAP_CELLS_MAX,
): AddressMap | null {
  const [base = '', bits = ''] = pool.split('/');
  const number = ipv4Number(base);
  const length = Number(bits);
  if (number === null || !/^\d{1,2}$/.test(bits) || length > 32) return null;
  const size = 2 ** (32 - length);
  const first = Math.floor(number / size) * size;
  const cellSize = Math.max(1, size / cellsMax);
  const byCell = new Map<number, Taken[]>();
  for (const item of taken) {
    const at = ipv4Number(item.address);
    if (at === null || at < first || at >= first + size) continue;
    const cell = Math.floor((at - first) / cellSize);
    byCell.set(cell, [...(byCell.get(cell) ?? []), item]);
  }
  const cells = Array.from({ length: size / cellSize }, (_, index): Cell => {
    const from = first + index * cellSize;
    const fixed = fixedIn(from, cellSize, first, size);
    return {
      first: ipv4Text(from),
      last: ipv4Text(from + cellSize - 1),
      size: cellSize - fixed,
      taken: byCell.get(index) ?? [],
      isFixed: fixed === cellSize,
    };
  });
  const inside = cells.flatMap((cell) => cell.taken);
  return {
    cells,
    cellSize,
    size: size - (size > 2 ? 2 : 0),
    usedCount: inside.filter((item) => !item.isReserved).length,
    reservedCount: inside.filter((item) => item.isReserved).length,
  };
}

/** How many addresses of a cell nobody gets: the pool's first and last. */
function fixedIn(from: number, cellSize: number, first: number, size: number): number {
  if (size <= 2) return 0;
  const last = first + size - 1;
  return Number(from <= first) + Number(from + cellSize - 1 >= last);
}

/** What a cell is, in words, for readers who do not see it. */
export function describeCell(cell: Cell): string {
  const range = cell.first === cell.last ? cell.first : `${cell.first} to ${cell.last}`;
  if (cell.isFixed) return `${range}: not for members`;
  if (cell.taken.length === 0) return `${range}: free`;
  if (cell.size > 1) return `${range}: ${cell.taken.length} of ${cell.size} taken`;
  return `${range}: ${cell.taken.map(describeTaken).join(', ')}`;
}

function describeTaken(item: Taken): string {
  if (!item.isReserved) return item.nodeName ?? 'in use';
  return item.nodeName === null ? 'reserved' : `reserved for ${item.nodeName}`;
}
