/**
 * Rates of requests: a bucket for each principal, and one for each address that shows no
 * credentials. What hosts call to join has rates of its own.
 */
import type { RouteName } from '@etherloom/api';
import type { Actor } from '../access/principal.ts';
import { PRINCIPAL_REQUESTS, SOURCE_REQUESTS } from '../limits.ts';
import { RequestError } from '../request-error.ts';
import type { RateOptions } from './token-bucket.ts';
import { SourceRate } from './token-bucket.ts';

/** Routes whose handlers count their callers themselves. */
const OWN_RATES: ReadonlySet<RouteName> = new Set<RouteName>(['join', 'split']);

/** How many requests each may make. */
export interface RequestRateOptions {
  readonly principal?: RateOptions;
  readonly source?: RateOptions;
}

/** Counts requests. Both throw too_many_requests. */
export class RequestRates {
  readonly #byPrincipal: SourceRate;
  readonly #bySource: SourceRate;

  constructor(now: () => number, options: RequestRateOptions = {}) {
    this.#byPrincipal = new SourceRate(options.principal ?? PRINCIPAL_REQUESTS, now);
    this.#bySource = new SourceRate(options.source ?? SOURCE_REQUESTS, now);
  }

  takePrincipal(actor: Actor): void {
    refuseOver(this.#byPrincipal.take(principalKey(actor)), actor.name);
  }

  takeSource(route: RouteName, source: string): void {
    if (!OWN_RATES.has(route)) refuseOver(this.#bySource.take(source), source);
  }
}

/** What a principal is counted and remembered by. */
export function principalKey(actor: Actor): string {
  return `${actor.kind} ${actor.id ?? ''}`;
}

function refuseOver(waitSeconds: number, who: string): void {
  if (waitSeconds === 0) return;
  throw new RequestError(
    'too_many_requests',
    `too many requests of ${who}: wait ${waitSeconds} s`,
    { retryAfterSeconds: waitSeconds },
  );
}
