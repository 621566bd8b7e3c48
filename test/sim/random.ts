/**
 * Random numbers that one seed decides (xorshift128 over a hashed seed). For simulations: not for
 * keys of real hosts.
 */
import { createHash } from 'node:crypto';

export class Random {
  #state: Uint32Array;

  constructor(seed: number) {
    const digest = createHash('sha256').update(`seed ${seed}`).digest();
    this.#state = new Uint32Array([0, 4, 8, 12].map((at) => digest.readUInt32LE(at)));
  }

  u32(): number {
    const [a = 1, b = 0, c = 0, d = 0] = this.#state;
    let t = a ^ (a << 11);
    t ^= t >>> 8;
    const next = (d ^ (d >>> 19) ^ t) >>> 0;
    this.#state = Uint32Array.of(b, c, d, next);
    return next;
  }

  /** A whole number from `min` to `max`. */
  between(min: number, max: number): number {
    return min + (this.u32() % (max - min + 1));
  }

  chance(part: number): boolean {
    return this.u32() / 2 ** 32 < part;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.between(0, items.length - 1)];
    if (item === undefined) throw new RangeError('nothing to pick from');
    return item;
  }

  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.u32() & 0xff);
  }
}
