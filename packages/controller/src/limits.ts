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
/**
 * Transactions that are committed together, and the time after which none is added: what waits for
 * the disk waits no longer than for a few of them.
 */
export const GROUP_COMMIT_MAX = 64;
export const GROUP_COMMIT_MS = 20;
/**
 * Changes of a network that is told in part, and members in them, that are remembered for links
 * that are behind: an agent that missed more is read for by itself.
 */
export const NEWS_CHANGES_MAX = 256;
export const NEWS_NODES_MAX = 4_096;
/** Texts for agents of so many revisions; others are told all revocations. */
export const NEWS_TEXTS_MAX = 16;
/** Compiled queries that are kept: those of the code, and lists of many lengths. */
export const STATEMENTS_KEPT_MAX = 512;
/** Authorities that are kept read and verified: one an organization that is at work. */
export const AUTHORITIES_KEPT_MAX = 256;
/** Values that one query names: far below what SQLite (32,766) and PostgreSQL (65,535) take. */
export const IN_LIST_MAX = 500;
/** Ids of nodes that are read at once to be compared with what links know. */
export const NODE_SCAN_ROWS = 2_000;
/**
 * Members whose statements change at once, above which a roster's tree is made anew from all
 * members: each of them would read up to four rows for itself.
 */
export const ROSTER_CHANGES_MAX = 512;
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
/** Largest number behind a suggested name that is taken: all nodes may have one host name. */
export const NAME_SUFFIXES_MAX = 32_768;

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
/** HTTP and WebSocket connections in all: LINKS_MAX agents, joins and people. */
export const CONNECTIONS_MAX = 20_000;

/**
 * Connections of one source address beside proved links: a fleet that boots behind one NAT, and a
 * twentieth of all.
 */
export const CONNECTIONS_PER_SOURCE_MAX = 1_000;

/**
 * TLS handshakes under way, in all and from one source: about a second of work, so that none waits
 * for longer than an agent does.
 */
export const HANDSHAKES_MAX = 1_024;
export const HANDSHAKES_PER_SOURCE_MAX = 128;
/** Nodes of one organization: two networks as large as they may be. */
export const NODES_MAX = 32_768;
/** Agents connected at one time: a network as large as it may be. */
export const LINKS_MAX = 16_384;
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
/** Members whose texts are kept for it, of all networks: 3 KB each. */
export const FEED_MEMBERS_MAX = 16_384;
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
/**
 * A network that is told in part is pushed whole again at this share of the limit: each change
 * between the two costs all its agents a new beginning.
 */
export const WHOLE_AGAIN_SHARE = 0.9;
/** Members of interest of one link, in all its networks: 2 MB of the controller's memory. */
export const INTEREST_OF_LINK_MAX = 16_384;
/** Members that an agent may ask for: it meets a rack of them at once, then a few a second. */
export const RESOLVES = { burst: 128, perSecond: 10 } as const;
/** Open requests and links get this long at a stop. */
export const STOP_TIMEOUT_MS = 10_000;
/** Why a change is made, as the ledger keeps it: a sentence or two. */
export const REASON_CHARS_MAX = 200;

/** Connections of one controller to PostgreSQL: some who read beside the one that writes. */
export const DATABASE_CONNECTIONS_MAX = 8;
/** A server that is there accepts a connection within this; a free one comes within it too. */
export const DATABASE_CONNECT_MS = 5_000;
/** One statement of an operation; the longest reads a network of 10,000 members. */
export const DATABASE_STATEMENT_MS = 15_000;
/** A row that another controller holds is waited for this long. */
export const DATABASE_LOCK_MS = 5_000;
/** A connection on which nothing comes for longer is given up: the server answers before that. */
export const DATABASE_SILENCE_MS = 20_000;
/** Transactions that wait for their turn to write: one of each link and request. */
export const DATABASE_QUEUE_MAX = 24_000;
/** A transaction waits for its turn to write for this long. */
export const DATABASE_TURN_MS = 15_000;
/** How often a transaction runs when others are in its way, and the doubling pauses between. */
export const TRANSACTION_TRIES_MAX = 6;
export const TRANSACTION_PAUSE_MS = 5;
export const TRANSACTION_PAUSE_MS_MAX = 250;
/** From this try on it excludes all others, so that nothing can be in its way. */
export const TRANSACTION_ALONE_FROM = 4;
/** A stop, or a start, waits for another controller that changes tables for this long. */
export const MIGRATION_WAIT_MS = 60_000;

/** Longest text of one notification of PostgreSQL is 8,000 bytes; the sender's mark is among it. */
export const BUS_NOTIFICATION_BYTES_MAX = 7_900;
/** What other controllers posted is also read this often, for when a notification was lost. */
export const BUS_POLL_MS = 1_000;
/** The connection of the bus is given up after this silence. */
export const BUS_SILENCE_MS = 2_000;
/** Wait before the connection of the bus is opened again, half of it by chance; doubled. */
export const BUS_RETRY_MS_MIN = 100;
export const BUS_RETRY_MS_MAX = 1_000;
/** Posted messages are kept this long; who was without the database for half of it compares all. */
export const BUS_KEPT_MS = 600_000;
/** Old ones are looked for this often, by one controller. */
export const BUS_SWEEP_MS = 60_000;
/** Posted messages that are read at once; who is further behind compares everything anew. */
export const BUS_BACKLOG_MAX = 10_000;
/** A controller says that it runs this often. */
export const HEARTBEAT_MS = 2_000;
/** One that has not said so for this long is gone: three heartbeats may be late. */
export const CONTROLLER_GONE_MS = 8_000;
/** A controller that is gone stays known to agents for this long, as one to try last. */
export const CONTROLLER_KEPT_MS = 7 * DAY_MS;
/** Which controller has which link is read anew this often, beside what is told. */
export const REMOTE_LINKS_READ_MS = 15_000;
/** Questions to other controllers that wait for an answer: one for each node that is judged. */
export const BUS_QUESTIONS_MAX = 4_096;
/** Questions to other controllers about nodes that somebody looks at, asked and answered here. */
export const LOOKS_MAX = 256;
export const LOOKS_ANSWERED_MAX = 256;
/** Nodes of one such question: their ids fill one notification. */
export const LOOK_NODES_MAX = 200;
/** Nodes that are looked at within this time are asked for together. */
export const LOOK_GATHER_MS = 5;
/** Answers that come within this time travel as one text. */
export const LOOK_PIECE_MS = 100;
/** One such text before it is packed, and how much of it packed goes along in a notification. */
export const LOOK_PIECE_BYTES = 1_048_576;
export const LOOK_INLINE_BYTES = 7_500;
/** Another controller has this long to say what problems agents told it: it asks nobody. */
export const LOOK_PROBLEMS_MS = 1_000;
/** Beyond the time that it gives an agent, another controller has this long to pass a report on. */
export const LOOK_TRAVEL_MS = 500;
/** What whoever asked did not collect is dropped after this. */
export const BUS_LEFT_MS = 30_000;
/**
 * Pings of agents that a controller of several answers in a second: 3 % of a processor. Agents of
 * one with more links than that ask less often.
 */
export const AGENT_PINGS_PER_SECOND = 1_000;
/** What a link lacked because the database was away is tried again after this. */
export const LINK_RETRY_MS = 2_000;
/** A report of a node that is younger is not asked for again: a picture is drawn anew every 5 s. */
export const REPORT_FRESH_MS = 3_000;
/** Whoever looks at a node waits this long for its agent. */
export const REPORT_WAIT_MS = 2_000;
/** Reports kept for a moment: a picture whole, and as many nodes looked at one by one; 90 MB. */
export const REPORTS_KEPT_MAX = 2_000;
/** Nodes that are asked at one time. */
export const REPORTS_WAITING_MAX = 2_000;

/** Computations of argon2id at one time: each holds 64 MB and one core. */
export const ARGON2_RUNNING_MAX = 2;
/** Logins that wait for one, in all and from one source: seconds of waiting, then a refusal. */
export const ARGON2_WAITING_MAX = 64;
export const ARGON2_WAITING_PER_SOURCE_MAX = 16;
/** Attempts to log in as one user from one source before the wait begins to double. */
export const LOGIN_ATTEMPTS_FREE = 5;
/** The same for one source, whatever names it tries: an office behind one address. */
export const LOGIN_SOURCE_ATTEMPTS_FREE = 50;
/**
 * Attempts to log in are told to other controllers this much later, so many together; of more, each
 * knows its own: argon2 computes a dozen a second.
 */
export const ATTEMPTS_GATHER_MS = 20;
export const ATTEMPTS_TOLD_MAX = 64;
/** Longest wait for the next attempt to log in. */
export const LOGIN_WAIT_MS_MAX = 900_000;
/** Attempts to log in, and successes, are forgotten after this. */
export const LOGIN_FORGET_MS = DAY_MS;
/** A session that is not used for this long is over. */
export const SESSION_IDLE_MS = 7_200_000;
/** A session is over after this, used or not: a working day. */
export const SESSION_LIFETIME_MS = 43_200_000;
/** Sessions of one user; above it the oldest ends. */
export const SESSIONS_PER_USER_MAX = 50;
/** Use of a session or token is written down this often. */
export const SEEN_STEP_MS = 60_000;
/** A browser has this long at its identity provider. */
export const SINGLE_SIGN_ON_MS = 600_000;
/** An identity provider has this long for each answer, of at most so many bytes. */
export const PROVIDER_TIMEOUT_MS = 5_000;
export const PROVIDER_REPLY_BYTES_MAX = 262_144;
/** Requests to identity providers at one time. */
export const PROVIDER_REQUESTS_MAX = 32;
/** What a provider says of itself is asked again after this. */
export const PROVIDER_METADATA_MS = 600_000;
/** Providers whose metadata is kept; the one asked first is forgotten first. */
export const PROVIDERS_KEPT_MAX = 256;
/** Identity providers of one organization. */
export const PROVIDERS_MAX = 20;
/** Groups read of one user; more are a fault. */
export const USER_GROUPS_MAX = 1_000;
/** Entries of a ledger between two checkpoints, at most. */
export const LEDGER_CHECKPOINT_ENTRIES = 1_000;
/** An hour in which something happened ends with a checkpoint. */
export const LEDGER_CHECKPOINT_MS = 3_600_000;
/** Entries that an export reads in one transaction. */
export const LEDGER_EXPORT_STEP = 500;
/** Requests of one principal: a console page that reads much at once, then a steady rate. */
export const PRINCIPAL_REQUESTS = { burst: 400, perSecond: 100 } as const;
/** Requests of one address that shows no credentials. */
export const SOURCE_REQUESTS = { burst: 60, perSecond: 10 } as const;
/** Longest idempotency key: a UUID and a word. */
export const IDEMPOTENCY_KEY_CHARS_MAX = 64;
/** What a request under a key gave is kept this long: a retry of a night's batch finds it. */
export const IDEMPOTENCY_KEY_KEPT_MS = DAY_MS;
/** Idempotency keys of one organization; the oldest go first. */
export const IDEMPOTENCY_KEYS_MAX = 10_000;
/** The console as it is built: ten times what it is, held in memory. */
export const CONSOLE_BYTES_MAX = 16_777_216;
/** Time between two looks at what of the ledgers is due. */
export const LEDGER_UPKEEP_MS = 60_000;
/** Watch streams of a controller, and of one principal: a few windows of a few hundred people. */
export const WATCHERS_MAX = 1_000;
export const WATCHERS_PER_PRINCIPAL_MAX = 20;
/** A watcher whose unread events are more than this is closed: some thousand changes. */
export const WATCH_BUFFER_BYTES = 262_144;
/** A comment each of these keeps a stream open; its principal is looked at again. */
export const WATCH_OPEN_MS = 15_000;
/** What links tell is gathered for this long: a reconnect of thousands is a few events. */
export const WATCH_LIVE_MS = 500;
/** Nodes that one live event names; of more, a reader reads the list anew anyway. */
export const WATCH_LIVE_NODES_MAX = 500;
/** Ledger entries that are kept for the watchers of an organization, and read in one step. */
export const WATCH_ENTRIES_KEPT = 200;
export const WATCH_STEP = 100;

/** A line of a backup: the longest row is a statement with its signatures, of some 100 KB. */
export const BACKUP_LINE_CHARS_MAX = 67_108_864;
/** A backup is written and read in pieces of this. */
export const BACKUP_CHUNK_BYTES = 262_144;
/** Rows that are held at one time while a table is read. */
export const BACKUP_ROWS_PER_READ = 500;
/** Values of one statement that puts rows into a table: SQLite takes 32,766. */
export const BACKUP_PARAMETERS_MAX = 8_000;
/** Connections to the metrics endpoint: a collector or two. */
export const METRICS_CONNECTIONS_MAX = 8;
/** Whole time of one scrape's request. */
export const METRICS_REQUEST_MS = 10_000;
