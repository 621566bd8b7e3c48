/**
 * Trusted time (docs/trust.md 3): the wall clock as it was at the start, moved on by the monotonic
 * clock, corrected by a controller within bounds, and never before what the authority has signed.
 * It is pure: who asks says what the clocks show.
 *
 * A controller that could set the time could end all credentials, or wake those that have ended. So
 * it leads back no further than what this host has lived through since its clock and a controller
 * agreed, and forward no further than the caller finds borne out.
 */
import { CLOCK_OFFSET_MS_MIN, CLOCK_SEEN_MS } from './limits.ts';

/** What is kept over restarts; milliseconds. */
export interface ClockRecord {
  /** Newest `issuedAt` that the authority signed and that was verified; Unix time. */
  readonly floorMs: number;
  /** What a controller's time was ahead of the wall clock, when it was more than an hour. */
  readonly offsetMs: number;
  /** Latest time of this host's clock that a controller agreed with, moved on; Unix time. */
  readonly seenMs: number;
}

export const NO_CLOCK_RECORD: ClockRecord = { floorMs: 0, offsetMs: 0, seenMs: 0 };

/** What became of a controller's time; refused: the time in use stays. */
export type TimeOutcome = 'same' | 'changed' | 'refused';

export interface ClockStart {
  readonly wallMs: number;
  readonly monotonicMs: number;
  readonly record: ClockRecord;
}

export class TrustedClock {
  /** Unix time of the monotonic clock's zero, as the wall clock had it at the start. */
  readonly #wallZeroMs: number;
  #offsetMs: number;
  #floorMs: number;
  #seenMs: number;
  /** The clocks agreed in this run: what is seen goes on with the host's own clock. */
  #isSeen = false;

  /**
   * An offset of a former run counts only where it helps: of the wall clock alone and the corrected
   * one, the earlier that is not before the floor. So a clock that was set right in the meantime is
   * not corrected again.
   */
  constructor({ wallMs, monotonicMs, record }: ClockStart) {
    this.#wallZeroMs = wallMs - monotonicMs;
    this.#floorMs = record.floorMs;
    this.#seenMs = record.seenMs;
    const earliestMs = Math.max(record.floorMs, record.seenMs - CLOCK_OFFSET_MS_MIN);
    const plausible = [
      ...(wallMs >= record.floorMs ? [0] : []),
      ...(wallMs + record.offsetMs >= earliestMs ? [record.offsetMs] : []),
    ];
    this.#offsetMs = plausible.length === 0 ? 0 : Math.min(...plausible);
  }

  /** Unix milliseconds. */
  nowMs(monotonicMs: number): number {
    return Math.max(this.#floorMs, this.#wallZeroMs + monotonicMs + this.#offsetMs);
  }

  /**
   * Takes what a controller says the time is, Unix milliseconds. A time that is later than the one
   * in use is refused above `latestMs`.
   */
  takeControllerTime(timeMs: number, monotonicMs: number, latestMs = Infinity): TimeOutcome {
    if (!Number.isFinite(timeMs)) return 'refused';
    const isAhead = timeMs - this.nowMs(monotonicMs) > CLOCK_OFFSET_MS_MIN;
    if (isAhead && timeMs > latestMs) return 'refused';
    const difference = timeMs - (this.#wallZeroMs + monotonicMs);
    const offset = Math.abs(difference) > CLOCK_OFFSET_MS_MIN ? difference : 0;
    const earliestMs = this.#seenAt(monotonicMs) - CLOCK_OFFSET_MS_MIN;
    if (offset !== 0 && timeMs < earliestMs) return 'refused';
    if (offset === 0) this.#isSeen = true;
    // Within the hour of what is in use nothing is gained, and the record is not written again.
    if (Math.abs(offset - this.#offsetMs) <= CLOCK_OFFSET_MS_MIN && offset !== 0) return 'same';
    const isChanged = offset !== this.#offsetMs;
    this.#offsetMs = offset;
    return isChanged ? 'changed' : 'same';
  }

  /** Moves on what is kept as seen; true when the record should be stored. */
  moveSeen(monotonicMs: number): boolean {
    const seenMs = this.#seenAt(monotonicMs);
    if (seenMs - this.#seenMs < CLOCK_SEEN_MS) return false;
    this.#seenMs = seenMs;
    return true;
  }

  #seenAt(monotonicMs: number): number {
    return this.#isSeen ? Math.max(this.#seenMs, this.#wallZeroMs + monotonicMs) : this.#seenMs;
  }

  /**
   * Time is not before this from here on, Unix milliseconds; true when the floor rose. It never
   * falls, so a time that is ahead of the one in use does not raise it above `latestMs`: a signer
   * whose clock is a year ahead would end everybody for a year.
   */
  raiseFloor(issuedAtMs: number, monotonicMs: number, latestMs = Infinity): boolean {
    if (!(issuedAtMs > this.#floorMs)) return false;
    const isAhead = issuedAtMs - this.nowMs(monotonicMs) > CLOCK_OFFSET_MS_MIN;
    if (isAhead && issuedAtMs > latestMs) return false;
    this.#floorMs = issuedAtMs;
    return true;
  }

  /** To be kept on disk. */
  get record(): ClockRecord {
    return { floorMs: this.#floorMs, offsetMs: this.#offsetMs, seenMs: this.#seenMs };
  }
}
