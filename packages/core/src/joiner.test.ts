import { describe, expect, it } from 'vitest';
import { Joiner } from './joiner.ts';
import type { Piece } from './joiner.ts';

const LIMITS = { entriesMax: 3, bytesMax: 100, messageBytesMax: 50, waitMs: 2_000 };

describe('joining', () => {
  it('gives the whole in the order of the indexes, once, in whatever order the pieces come', () => {
    const joiner = new Joiner(LIMITS);
    expect(joiner.take('a', piece(2, 3), 0)).toBe('waiting');
    expect(joiner.take('a', piece(0, 3), 0)).toBe('waiting');
    expect(joiner.take('a', piece(1, 3), 0)).toEqual(Uint8Array.of(0, 0, 1, 1, 2, 2));
    expect(joiner.held).toEqual({ entries: 0, bytes: 0 });
    expect(joiner.take('a', piece(1, 3), 0)).toBe('waiting');
  });

  it('refuses what repeats, disagrees or grows too long, and keeps what it has', () => {
    const joiner = new Joiner(LIMITS);
    joiner.take('a', piece(0, 3), 0);
    expect(joiner.take('a', piece(0, 3), 0)).toBe('repeated');
    expect(joiner.take('a', piece(0, 4), 0)).toBe('invalid');
    expect(joiner.take('a', piece(1, 4), 0)).toBe('invalid');
    expect(joiner.take('a', { ...piece(1, 3), bytes: new Uint8Array(49) }, 0)).toBe('invalid');
    expect(joiner.held).toEqual({ entries: 1, bytes: 2 });
  });

  it('begins anew with another tag under the same key', () => {
    const joiner = new Joiner(LIMITS);
    joiner.take('a', piece(0, 2), 0);
    expect(joiner.take('a', { ...piece(1, 2), tag: 2 }, 0)).toBe('waiting');
    expect(joiner.held).toEqual({ entries: 1, bytes: 2 });
  });

  it('forgets pieces after their time', () => {
    const joiner = new Joiner(LIMITS);
    joiner.take('a', piece(0, 2), 0);
    expect(joiner.take('a', piece(1, 2), 2_000)).toBe('waiting');
    expect(joiner.held.entries).toBe(1);
  });

  it('lets the oldest go for want of entries or bytes', () => {
    const joiner = new Joiner(LIMITS);
    for (const key of ['a', 'b', 'c', 'd']) joiner.take(key, piece(0, 2), 0);
    expect(joiner.held.entries).toBe(3);
    expect(joiner.take('a', piece(1, 2), 0), 'the first one has gone').toBe('waiting');
    const large = { ...piece(0, 2), bytes: new Uint8Array(48) };
    for (const key of ['x', 'y', 'z']) joiner.take(key, large, 0);
    expect(joiner.held).toEqual({ entries: 2, bytes: 96 });
  });

  it('stays flat under a flood of pieces', () => {
    const joiner = new Joiner(LIMITS);
    for (let count = 0; count < 100_000; count++) joiner.take(`${count}`, piece(0, 2), count / 10);
    expect(joiner.held).toEqual({ entries: 3, bytes: 6 });
  });
});

function piece(index: number, count: number): Piece {
  return { tag: 1, index, count, bytes: new Uint8Array(2).fill(index) };
}
