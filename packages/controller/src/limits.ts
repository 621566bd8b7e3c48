/**
 * Limits of the controller, each with its reason. Those that callers meet are in
 * packages/api/src/limits.ts.
 */

/**
 * A freed VNI rests this long: far above the life of any session keys (minutes), so that no host
 * still sends with it.
 */
export const VNI_QUARANTINE_MS = 86_400_000;
/** Smallest VNI given: lower ones are left to networks that are numbered by hand. */
export const VNI_MIN = 4_096;
/** Largest VNI: 24 bits. */
export const VNI_MAX = 0xff_ffff;
/**
 * Released addresses remembered for each network and family; above it the oldest is given before
 * one that was never used.
 */
export const RELEASED_ADDRESSES_MAX = 4_096;
/** Reservations of one network: a /22 whole. */
export const RESERVATIONS_MAX = 1_024;
/** Removals remembered for each network; an agent that missed more gets a snapshot. */
export const TOMBSTONES_MAX = 1_024;
/**
 * By how much the revisions rise when a backup was restored: more than a network of 1,000 members
 * that all move once a second has in a month; a number of 53 bits holds a million such rises.
 */
export const RESTORED_REVISIONS = 2 ** 32;
/**
 * Join tokens past their expiry are kept this long, so that a late join is told "expired" and not
 * "unknown".
 */
export const EXPIRED_TOKEN_KEPT_MS = 7 * 86_400_000;
/** Numbers tried behind a suggested name that is taken. */
export const NAME_SUFFIXES_MAX = 10_000;

/**
 * Source addresses whose request rates are watched at one time; the one unseen for longest is
 * forgotten first.
 */
export const RATE_SOURCES_MAX = 10_000;
/**
 * Wrong credentials from one address: a burst, then a steady rate. 256-bit secrets need no more
 * than a brake on noise.
 */
export const AUTH_FAILURES = { burst: 30, perSecond: 0.5 } as const;
/** Join requests from one address: a fleet that boots behind one NAT, then a steady rate. */
export const JOINS = { burst: 500, perSecond: 20 } as const;
/** Whole time of one request, from its first byte. */
export const REQUEST_TIMEOUT_MS = 30_000;
/** Idle HTTP connections are closed after this. */
export const KEEP_ALIVE_TIMEOUT_MS = 30_000;
/** HTTP and WebSocket connections in all: agents of 10,000 nodes and their joins. */
export const CONNECTIONS_MAX = 12_000;

/**
 * Connections of one source address beside proved links: a fleet that boots behind one NAT, and a
 * twelfth of all.
 */
export const CONNECTIONS_PER_SOURCE_MAX = 1_000;

/** Agents connected at one time. */
export const LINKS_MAX = 10_000;
/** Links that have not authenticated, in all and from one source address. */
export const PENDING_LINKS_MAX = 1_024;
export const PENDING_LINKS_PER_SOURCE_MAX = 128;
/** A link has this long to authenticate. */
export const LINK_AUTHENTICATE_MS = 5_000;
/** Largest message that an agent may send: 256 revisions or 16 endpoints stay far below. */
export const AGENT_MESSAGE_BYTES_MAX = 65_536;
/** Messages that an agent may send: a burst, then a steady rate. */
export const AGENT_MESSAGES = { burst: 300, perSecond: 20 } as const;
/** Messages of one agent that wait to be handled. */
export const AGENT_QUEUE_MAX = 300;
/** Least time between two changes of one node's endpoints: each is a message to every peer. */
export const ENDPOINT_SPACING_MS = 1_000;
/** The same for a node that goes on changing them. */
export const ENDPOINT_SPACING_MS_MAX = 30_000;
/** After this without a change a node begins at the least again. */
export const ENDPOINT_QUIET_MS = 120_000;
/** Changes within this time travel as one message. */
export const COALESCE_MS = 50;
/**
 * A link whose socket buffers more gets no further message until it drains; what it misses is
 * folded into the next delta.
 */
export const LINK_BUFFER_BYTES = 1_048_576;
/**
 * Links are pinged this often; one that does not answer until the next ping, or does not drain, is
 * closed.
 */
export const LINK_PING_MS = 20_000;
/**
 * Networks whose last messages are kept made, and messages kept of each: agents of a network are
 * mostly at the same revision.
 */
export const FEED_NETWORKS_MAX = 64;
export const FEED_MESSAGES_MAX = 16;
/** Open requests and links get this long at a stop. */
export const STOP_TIMEOUT_MS = 10_000;
