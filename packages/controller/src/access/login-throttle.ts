/**
 * Slows guessing of passwords down. Each attempt counts before it is judged, so that many at once
 * gain nothing; a right password clears its count. Counted are
 *
 *   a user name from one source: after a few attempts the wait doubles up to a quarter of an hour,
 *     for the right password too; nobody elsewhere waits, so that nobody is locked out by others;
 *   one source, whatever names it tries: with more room, for many people behind one address; names
 *     that logged in from there before do not wait for it.
 *
 * Guessing from very many sources is bounded by the work of argon2 (password.ts) alone.
 *
 * Controllers of one database tell each other what they count, as hashes, so that many of them give
 * nobody more tries. What is lost on the way, or comes a moment late, is a few tries more.
 */
import { createHash } from 'node:crypto';
import { sourceOf } from '../http/token-bucket.ts';
import {
  LOGIN_ATTEMPTS_FREE,
  LOGIN_FORGET_MS,
  LOGIN_SOURCE_ATTEMPTS_FREE,
  LOGIN_WAIT_MS_MAX,
  RATE_SOURCES_MAX,
} from '../limits.ts';
import { RequestError } from '../request-error.ts';

interface Count {
  readonly attempts: number;
  readonly nextAtMs: number;
}

/** An attempt as controllers tell it to each other. */
export interface SharedAttempt {
  /** Hash of the source and the user name. */
  readonly name: string;
  /** Hash of the source. */
  readonly source: string;
  /** The password was right: what the attempt counted is taken back. */
  readonly isRight: boolean;
}

/** An attempt that was let through. */
export interface Attempt {
  /** The password was right. */
  succeed(): void;
}

/** Counts attempts to log in. */
export class LoginThrottle {
  readonly #now: () => number;
  readonly #byName = new Map<string, Count>();
  readonly #bySource = new Map<string, Count>();
  /** When a name last logged in from a source. */
  readonly #known = new Map<string, number>();

  readonly #share: (attempt: SharedAttempt) => void;

  /** `share` tells the other controllers, if there are any. */
  constructor(now: () => number, share: (attempt: SharedAttempt) => void = () => undefined) {
    this.#now = now;
    this.#share = share;
  }

  /** Notes an attempt. Throws too_many_requests when it has to wait. */
  begin(user: string, address: string): Attempt {
    const place = sourceOf(address);
    const name = hashOf(`${place}\n${user}`);
    const source = hashOf(place);
    this.#check(this.#byName.get(name), 'for this user from this address');
    const seenMs = this.#known.get(name);
    if (seenMs === undefined || this.#now() - seenMs > LOGIN_FORGET_MS)
      this.#check(this.#bySource.get(source), 'from this address');
    this.#note({ name, source, isRight: false });
    return { succeed: () => this.#note({ name, source, isRight: true }) };
  }

  #note(attempt: SharedAttempt): void {
    this.take(attempt);
    this.#share(attempt);
  }

  /** Counts what was let through here or at another controller. */
  take({ name, source, isRight }: SharedAttempt): void {
    if (isRight) {
      this.#byName.delete(name);
      this.#takeBack(source);
      put(this.#known, name, this.#now());
      return;
    }
    this.#count(this.#byName, name, LOGIN_ATTEMPTS_FREE);
    this.#count(this.#bySource, source, LOGIN_SOURCE_ATTEMPTS_FREE);
  }

  #check(count: Count | undefined, what: string): void {
    if (count === undefined) return;
    const waitMs = count.nextAtMs - this.#now();
    if (waitMs <= 0) return;
    const waitSeconds = Math.ceil(waitMs / 1_000);
    throw new RequestError(
      'too_many_requests',
      `too many attempts to log in ${what}: wait ${waitSeconds} s`,
      { retryAfterSeconds: waitSeconds },
    );
  }

  #count(counts: Map<string, Count>, key: string, free: number): void {
    const nowMs = this.#now();
    const before = counts.get(key);
    const isOld = before === undefined || nowMs - before.nextAtMs > LOGIN_FORGET_MS;
    const attempts = isOld ? 1 : before.attempts + 1;
    const over = attempts - free;
    const waitMs = over < 0 ? 0 : Math.min(LOGIN_WAIT_MS_MAX, 1_000 * 2 ** Math.min(over, 20));
    put(counts, key, { attempts, nextAtMs: nowMs + waitMs });
  }

  #takeBack(source: string): void {
    const count = this.#bySource.get(source);
    if (count === undefined) return;
    const attempts = count.attempts - 1;
    const nextAtMs = attempts < LOGIN_SOURCE_ATTEMPTS_FREE ? this.#now() : count.nextAtMs;
    this.#bySource.set(source, { attempts, nextAtMs });
  }
}

/** The form that messages.ts takes. */
function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

/** Sets an entry as the newest; above the limit the oldest goes. */
function put<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= RATE_SOURCES_MAX) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}
