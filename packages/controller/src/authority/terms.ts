/**
 * How long what is signed holds. A credential lives STALENESS from its issue or its last renewal.
 * Renewals go on to `renewableUntil`; before that a further credential takes its place. Where this
 * controller signs itself that costs nothing, so the limit is near and revocations are soon
 * forgotten; where people sign it is far, and they are asked long before.
 */
import { DAY_MS } from '../limits.ts';

/** The times of a credential that is issued at a moment. */
export interface Terms {
  readonly issuedAt: string;
  readonly expiresAt: string;
  readonly renewableUntil: string;
}

const HELD_RENEWABLE_STALENESS = 3;
const OFFLINE_RENEWABLE_STALENESS = 4;
const OFFLINE_RENEWABLE_DAYS_MIN = 365;
const OFFLINE_MARGIN_DAYS_MIN = 60;

/** Terms of a credential made at this time. */
export function credentialTerms(now: Date, stalenessDays: number, isHeld: boolean): Terms {
  const renewableDays = isHeld
    ? HELD_RENEWABLE_STALENESS * stalenessDays
    : Math.max(OFFLINE_RENEWABLE_STALENESS * stalenessDays, OFFLINE_RENEWABLE_DAYS_MIN);
  return {
    issuedAt: now.toISOString(),
    expiresAt: daysAfter(now, stalenessDays),
    renewableUntil: daysAfter(now, renewableDays),
  };
}

/** True when a further credential should take the place of one that is renewable until then. */
export function isNearEnd(
  now: Date,
  renewableUntil: string,
  stalenessDays: number,
  isHeld: boolean,
): boolean {
  const marginDays = isHeld ? stalenessDays : Math.max(stalenessDays, OFFLINE_MARGIN_DAYS_MIN);
  return renewableUntil <= daysAfter(now, marginDays);
}

/** The end that a renewal at this time gives. */
export function renewedEnd(now: Date, stalenessDays: number, renewableUntil: string): string {
  const end = daysAfter(now, stalenessDays);
  return end < renewableUntil ? end : renewableUntil;
}

/** When the next renewal is due: a quarter of stalenessDays later. */
export function renewalDue(now: Date, stalenessDays: number): string {
  return daysAfter(now, stalenessDays / 4);
}

/** A time that sorts as text. */
export function daysAfter(now: Date, days: number): string {
  return new Date(now.getTime() + days * DAY_MS).toISOString();
}
