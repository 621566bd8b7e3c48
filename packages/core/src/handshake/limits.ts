/** Limits of handshake processing. */

/**
 * Longest handshake message that is looked at: fits the smallest IPv6 MTU. Room for payloads that
 * are yet to come.
 */
export const HANDSHAKE_BYTES_MAX = 1_232;
/** A cookie is good for this long (docs/protocol.md 2.3). */
export const COOKIE_LIFETIME_MS = 120_000;
/**
 * Handshake messages a second beyond which a host is under load: at 0.8 ms for one that is
 * answered, a sixth of a core.
 */
export const LOAD_MESSAGES_PER_SECOND = 200;
/**
 * Messages that may come at once before a host is under load: a host whose peers all restart
 * together.
 */
export const LOAD_BURST = 200;
/**
 * Responses to one initiation that are looked at without a cookie: the peer's, and some that the
 * network repeats or somebody on the way forges.
 */
export const RESPONSES_UNPROVED_MAX = 4;
/**
 * Under load, handshake messages a second from one source address that has proved itself by a
 * cookie.
 */
export const SOURCE_MESSAGES_PER_SECOND = 20;
export const SOURCE_BURST = 20;
/**
 * Source addresses that are counted. Only proved addresses get in, so spoofed ones cannot fill the
 * table.
 */
export const SOURCES_MAX = 4_096;
