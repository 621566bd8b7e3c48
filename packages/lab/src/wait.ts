/** Waiting for a condition with a deadline: never for a time. */
import { setTimeout as sleep } from 'node:timers/promises';
import { LabError } from './lab-error.ts';
import { POLL_INTERVAL_MS, WAIT_DEADLINE_MS } from './limits.ts';
import { describeTails } from './log-tail.ts';

export interface WaitOptions {
  readonly deadlineMs?: number;
  readonly intervalMs?: number;
  /** Logs whose tails the error shows. */
  readonly logs?: readonly string[];
  readonly signal?: AbortSignal;
}

/**
 * Looks until `look` gives something other than undefined, null or false, and resolves to that.
 * What `look` throws counts as "not yet" and
 * is named when the deadline passes.
 *
 * @param what completes "waited for ...", for example "west1 to see 2 peers up"
 */
export async function waitFor<T>(
  what: string,
  look: () => Promise<T> | T,
  options: WaitOptions = {},
): Promise<Exclude<T, undefined | null | false | void>> {
  const deadlineMs = options.deadlineMs ?? WAIT_DEADLINE_MS;
  const end = performance.now() + deadlineMs;
  let last: unknown;
  for (;;) {
    options.signal?.throwIfAborted();
    try {
      const found = await look();
      last = found;
      if (found !== undefined && found !== null && found !== false) {
        return found as Exclude<T, undefined | null | false | void>; // the four were just excluded
      }
    } catch (error) {
      if (error instanceof GiveUp) throw error.reason;
      last = error;
    }
    if (performance.now() >= end)
      throw tooLate(what, last, { deadlineMs, logs: options.logs ?? [] });
    await sleep(options.intervalMs ?? POLL_INTERVAL_MS, undefined, { signal: options.signal });
  }
}

/** Thrown by a `look` that knows that waiting is of no use. */
export class GiveUp extends Error {
  readonly reason: Error;

  constructor(reason: Error) {
    super(reason.message);
    this.reason = reason;
  }
}

function tooLate(
  what: string,
  last: unknown,
  about: { readonly deadlineMs: number; readonly logs: readonly string[] },
): LabError {
  const found = last instanceof Error ? ` (last: ${last.message})` : '';
  const tails = describeTails(about.logs);
  const message = `waited ${about.deadlineMs / 1000} s in vain for ${what}${found}${tails}`;
  return new LabError('deadline_passed', message, last);
}
