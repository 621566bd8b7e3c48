/** Every limit and time of trust, each with where it comes from (docs/trust.md). */

/** A credential is taken this long before it was issued: clocks of two machines differ. */
export const CREDENTIAL_BEGIN_SLACK_MS = 5 * 60_000;
/**
 * Statements of the former authority count for the network's stalenessDays after a rotation, and no
 * longer than this: a former key must not be able to say how long it counts.
 */
export const FORMER_AUTHORITY_DAYS_MAX = 30;
/** A controller's time counts when it differs by more than this: below, timers do not care. */
export const CLOCK_OFFSET_MS_MIN = 3_600_000;
/** What a host has lived through is written this often: a restart forgets what lies between. */
export const CLOCK_SEEN_MS = 3_600_000;
export const DAY_MS = 86_400_000;
/** Endpoints of one record: as many as a node may announce (api: NODE_ENDPOINTS_MAX). */
export const RECORD_ENDPOINTS_MAX = 16;
/**
 * How often the place of a voucher goes to who names an earlier time: two who use one are an
 * accident, more are somebody who makes members talk and write for ever.
 */
export const VOUCHER_DISPLACED_MAX = 4;
/** Public keys kept parsed: those of two versions of an authority, and of some nodes. */
export const PARSED_KEYS_MAX = 128;
/**
 * Longest introduction: with a hybrid handshake it fits the parts of an initiation
 * (handshake/limits.ts). One signature of the authority makes 1,700 bytes; there is room for five.
 */
export const INTRODUCTION_BYTES_MAX = 2_700;
