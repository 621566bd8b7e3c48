/** Limits of handshake processing. */

/**
 * Longest handshake datagram: the smallest IPv6 MTU of 1,280 less its header and that of UDP. What
 * is longer is split by the sender, so that IP never has to.
 */
export const HANDSHAKE_BYTES_MAX = 1_232;
/** Parts of one initiation: a hybrid one takes 2; room for keys of twice the length. */
export const HANDSHAKE_PARTS_MAX = 4;
/** Longest initiation that is joined of parts; a hybrid one has 1,328 without its macs. */
export const JOINED_BYTES_MAX = 4_096;
/** Parts wait so long for the others: they leave together, and the sender repeats after 1 s. */
export const PARTS_WAIT_MS = 2_000;
/**
 * Initiations of which parts wait, from addresses of peers and from others: a peer can lose none of
 * its room to strangers. Some more than the handshakes that may come at once before cookies are
 * asked for.
 */
export const JOINING_OF_PEERS_MAX = 256;
export const JOINING_OF_STRANGERS_MAX = 256;
/** Bytes of waiting parts in each of the two: all entries may hold a hybrid initiation. */
export const JOINING_BYTES_MAX = 393_216;
/** A cookie is good for this long (docs/protocol.md 2.3). */
export const COOKIE_LIFETIME_MS = 120_000;
/**
 * Handshake messages a second beyond which a host is under load: at 0.8 ms for one that is
 * answered, a sixth of a core. A part counts as its share of a message.
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
/**
 * Introductions of strangers that are looked at, from one source address and from all: each costs a
 * Diffie-Hellman and some signature checks, 1 ms.
 */
export const INTRODUCTIONS_OF_SOURCE_PER_SECOND = 1;
export const INTRODUCTIONS_OF_SOURCE_BURST = 2;
export const INTRODUCTIONS_PER_SECOND = 10;
export const INTRODUCTIONS_BURST = 10;
/** Source addresses whose introductions are counted. */
export const INTRODUCTION_SOURCES_MAX = 256;
