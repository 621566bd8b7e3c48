/**
 * Passwords: argon2id (RFC 9106), stored in PHC form with the parameters that they were made with.
 * Two computations at a time, and a bounded queue before them: each takes 64 MB and a tenth of a
 * second, so that whoever sends a million passwords gets refusals and not the memory.
 */
import { argon2, timingSafeEqual } from 'node:crypto';
import {
  ARGON2_RUNNING_MAX,
  ARGON2_WAITING_MAX,
  ARGON2_WAITING_PER_SOURCE_MAX,
} from '../limits.ts';
import type { RandomBytes } from '../identifiers.ts';
import { RequestError } from '../request-error.ts';

interface Cost {
  readonly memoryKb: number;
  readonly passes: number;
  readonly lanes: number;
}

/** RFC 9106, 4: the second recommended choice. */
const COST: Cost = { memoryKb: 65_536, passes: 3, lanes: 1 };
const SALT_BYTES = 16;
const HASH_BYTES = 32;
const PHC =
  /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,2})\$([A-Za-z0-9+/]{22})\$([A-Za-z0-9+/]{43})$/;

/** Makes and compares hashes of passwords. */
export class Passwords {
  readonly #random: RandomBytes;
  #running = 0;
  readonly #waiting: { readonly source: string; readonly start: () => void }[] = [];

  /** Computations that run or wait. */
  get queued(): number {
    return this.#running + this.#waiting.length;
  }

  constructor(random: RandomBytes) {
    this.#random = random;
  }

  /** The hash of a password, to be stored. Rejects with unavailable when too many wait. */
  async hash(password: string, source: string): Promise<string> {
    const salt = this.#random(SALT_BYTES);
    const hash = await this.#derive(password, salt, COST, source);
    const cost = `m=${COST.memoryKb},t=${COST.passes},p=${COST.lanes}`;
    return `$argon2id$v=19$${cost}$${toPhc(salt)}$${toPhc(hash)}`;
  }

  /**
   * Whether a password is the one that was stored. Without a stored one it costs the same, and is
   * wrong. Rejects with unavailable when too many wait.
   */
  async verify(password: string, stored: string | null, source: string): Promise<boolean> {
    const parsed = PHC.exec(stored ?? '');
    const [, memory, passes, lanes, salt, expected] = parsed ?? [];
    const cost =
      parsed === null
        ? COST
        : { memoryKb: Number(memory), passes: Number(passes), lanes: Number(lanes) };
    const saltBytes = parsed === null ? new Uint8Array(SALT_BYTES) : fromPhc(salt ?? '');
    const hash = await this.#derive(password, saltBytes, cost, source);
    const wanted = parsed === null ? new Uint8Array(HASH_BYTES) : fromPhc(expected ?? '');
    return timingSafeEqual(hash, wanted) && parsed !== null;
  }

  async #derive(
    password: string,
    salt: Uint8Array,
    cost: Cost,
    source: string,
  ): Promise<Uint8Array> {
    await this.#enter(source);
    try {
      return await compute(password, salt, cost);
    } finally {
      this.#running -= 1;
      this.#waiting.shift()?.start();
    }
  }

  #enter(source: string): Promise<void> | void {
    if (this.#running < ARGON2_RUNNING_MAX) {
      this.#running += 1;
      return;
    }
    const ofSource = this.#waiting.filter((other) => other.source === source).length;
    if (this.#waiting.length >= ARGON2_WAITING_MAX || ofSource >= ARGON2_WAITING_PER_SOURCE_MAX)
      throw new RequestError('unavailable', 'too many logins at one time: try again', {
        retryAfterSeconds: 5,
      });
    return new Promise((resolve) => {
      const start = (): void => {
        this.#running += 1;
        resolve();
      };
      this.#waiting.push({ source, start });
    });
  }
}

/** One form for what keyboards send in several (RFC 8265, 4.2). */
function compute(password: string, salt: Uint8Array, cost: Cost): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    argon2(
      'argon2id',
      {
        message: Buffer.from(password.normalize('NFC'), 'utf8'),
        nonce: salt,
        parallelism: cost.lanes,
        tagLength: HASH_BYTES,
        memory: cost.memoryKb,
        passes: cost.passes,
      },
      (error, hash) => (error === null ? resolve(new Uint8Array(hash)) : reject(error)),
    );
  });
}

function toPhc(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replace(/=+$/, '');
}

function fromPhc(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'));
}
