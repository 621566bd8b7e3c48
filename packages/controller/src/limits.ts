/**
 * Limits of the controller, each with its reason. Those that callers meet are in
 * packages/api/src/limits.ts.
 */

/** A day. */
export const DAY_MS = 86_400_000;
/** A file with a key or a passphrase holds one line. */
export const KEY_FILE_BYTES_MAX = 1_024;
/** Shortest passphrase: scrypt slows guessing down, it does not replace length. */
export const PASSPHRASE_CHARS_MIN = 12;
/** Private keys kept open: one read of the database and one decryption are saved for each. */
export const OPEN_KEYS_MAX = 1_024;
/**
 * Credentials renewed in one step, in all and of one network: a network of 1,000 members is done in
 * a quarter of an hour, and its members get 40 KB a minute meanwhile.
 */
export const RENEWALS_PER_STEP = 512;
export const RENEWALS_PER_NETWORK = 64;
/** Time between two steps of renewing. */
export const RENEWAL_STEP_MS = 60_000;
/** A credential that cannot be renewed is looked at again after this. */
export const RENEWAL_RETRY_MS = 3_600_000;
/** Pending statements that one list shows, and so those that can wait of one organization. */
export const PENDING_LISTED_MAX = 20_000;
/** `settled_authority` of a network none of whose statements may be used again. */
export const FRESH_STATEMENTS = -1;
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
 * By how much revisions, versions and serials rise when a backup was restored: more than a network
 * of 1,000 members that all move once a second has in a month; a number of 53 bits holds a million
 * such rises.
 */
export const RESTORED_REVISIONS = 2 ** 32;
/**
 * Join tokens past their expiry are kept this long, so that a late join is told "expired" and not
 * "unknown".
 */
export const EXPIRED_TOKEN_KEPT_MS = 7 * DAY_MS;
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
/**
 * Versions of an authority that are sent to an agent that holds a very old one: one a day for
 * years.
 */
export const AUTHORITY_HISTORY_MAX = 4_096;
/** Problems kept of each connected agent; more say no more. */
export const PROBLEMS_KEPT_MAX = 16;
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
/**
 * A link gets this long to answer a ping before its agent counts as silent: some round trips of a
 * slow path, and far below the time that an agent gives a link to open (10 s).
 */
export const LEASE_PROBE_MS = 3_000;
/** Hosts with one identity that wait to be judged; further ones are told to come again. */
export const LEASE_QUEUE_MAX = 64;
/** Leases of one node that `replace` took away and that are remembered; the oldest go first. */
export const RETIRED_LEASES_MAX = 256;
/**
 * Which of two hosts is a node is told to its peers this long after it was found: fifty copies at
 * once are a few messages.
 */
export const HOLDER_NEWS_MS = 250;
/** A ticket with which a clone becomes a node of its own: it is used within seconds. */
export const SPLIT_TICKET_MS = 3_600_000;
/** Tickets of one node that can be used; above it the oldest goes, and its holder asks again. */
export const SPLIT_TICKETS_MAX = 256;
/**
 * Clones of one node that wait for approval, or, where a network lets them in without asking, that
 * are there at all: more than that are a fault or a thief, not a fleet.
 */
export const CLONES_MAX = 256;
/** Open requests and links get this long at a stop. */
export const STOP_TIMEOUT_MS = 10_000;
