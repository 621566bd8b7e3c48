/** Every limit of the agent, each with its reason. Milliseconds are of the monotonic clock. */

/** Longest path of a unix socket: sun_path has 108 bytes, one is the closing NUL (unix(7)). */
export const SOCKET_PATH_BYTES_MAX = 107;
/**
 * Largest state file read: a network of 1,000 members takes about 1 MB; more than this is no file
 * of ours.
 */
export const STATE_FILE_BYTES_MAX = 8_388_608;
/** Bytes of one write to a state file. */
export const STATE_WRITE_BYTES = 65_536;
/** Requests in flight to the data path: 1,000 members with two addresses each fit four times. */
export const DATAPATH_PENDING_MAX = 16_384;
/** Requests sent to the data path before their answers are awaited. */
export const DATAPATH_BATCH = 512;
/**
 * Rows that one dump may answer with: FDB and neighbour rows of 256 networks with 1,000 members
 * each, two addresses.
 */
export const DATAPATH_DUMP_ROWS_MAX = 600_000;
/** Longest wait for an answer of the data path; it answers from memory within microseconds. */
export const DATAPATH_ANSWER_MS = 5_000;
/** How long a spawned data path may take until its control socket answers. */
export const DATAPATH_START_MS = 5_000;
/** Between two tries to reach the control socket of a data path that is starting. */
export const DATAPATH_CONNECT_RETRY_MS = 10;
/** How long a data path may take to end after SIGTERM before SIGKILL. */
export const DATAPATH_STOP_MS = 2_000;
/**
 * Restarts of the data path: the first is at once, the following wait this long and twice as long
 * each time.
 */
export const DATAPATH_RESTART_MS_MIN = 100;
/** Longest wait between restarts of the data path. */
export const DATAPATH_RESTART_MS_MAX = 10_000;
/** A data path that ran this long is counted as healthy: the wait starts again at its minimum. */
export const DATAPATH_HEALTHY_MS = 10_000;
/** Size at which the data path's log is cut: some thousand lines. */
export const DATAPATH_LOG_BYTES_MAX = 1_048_576;
/** Longest run of one `ip` command. */
export const IP_COMMAND_MS = 10_000;
/** Largest output of one `ip` command: 10,000 addresses at about 400 bytes. */
export const IP_OUTPUT_BYTES_MAX = 16_777_216;
/** Changes of the underlay are collected this long: one reconfiguration raises several messages. */
export const UNDERLAY_DEBOUNCE_MS = 75;
/**
 * The same when changes do not end, so that a host with much going on is not looked at all the
 * time.
 */
export const UNDERLAY_DEBOUNCE_BUSY_MS = 500;
/** The underlay and the interfaces are looked at this often even without a message. */
export const UNDERLAY_POLL_MS = 30_000;
/** Shortest wait before a monitor that ended is started again, doubled up to the longest. */
export const MONITOR_RESTART_MS_MIN = 500;
export const MONITOR_RESTART_MS_MAX = 30_000;
/**
 * Wait before the link to the controller is tried again: full jitter below this, doubled with each
 * failure.
 */
export const LINK_RETRY_MS_MIN = 500;
/** Longest wait before the link to the controller is tried again. */
export const LINK_RETRY_MS_MAX = 30_000;
/** Longest wait for a controller to accept and welcome a link. */
export const LINK_OPEN_MS = 10_000;
/** The link is pinged this often. */
export const LINK_PING_MS = 15_000;
/** A link on which nothing arrived for this long is dead: two pings and a half. */
export const LINK_SILENT_MS = 37_500;
/**
 * The same after a change of the underlay, which may have cut the link: one lost segment is
 * repeated.
 */
export const LINK_PROBE_MS = 3_000;
/** A link that lived this long was a good one: the wait after it starts at its minimum. */
export const LINK_STABLE_MS = 5_000;
/** Controller URLs kept: as many as a join token carries. */
export const CONTROLLER_URLS_MAX = 8;
/** Resyncs asked of one network in a row before the link is opened anew. */
export const RESYNC_TRIES_MAX = 3;
/** Longest wait for the controller's answer to a join. */
export const JOIN_REQUEST_MS = 15_000;
/** After this without an answer the next URL of a join token is tried beside the former ones. */
export const JOIN_NEXT_URL_MS = 1_000;
/** Longest wait for a joined network's first state and interface. */
export const JOIN_READY_MS = 20_000;
/** Body of a request to the local API: a join token and names. */
export const LOCAL_BODY_BYTES_MAX = 16_384;
/** Connections open on the local API. */
export const LOCAL_CONNECTIONS_MAX = 64;
/** Longest wait for a request to arrive whole on the local API. */
export const LOCAL_REQUEST_MS = 10_000;
/**
 * Handshake datagrams of one kind that wait: at 0.4 ms for one that is looked at, the last waits a
 * tenth of a second. Peers repeat what is dropped.
 */
export const PUNT_QUEUE_MAX = 256;
/** Handshake datagrams are looked at this long before other work has its turn. */
export const PUNT_TURN_MS = 5;
/**
 * Share of the time that handshake datagrams from addresses of no peer may take: some hundred
 * cookie replies a second. Those of peers have no such bound.
 */
export const PUNT_STRANGER_SHARE = 0.1;
/** The share is kept over this time, so that a few of them are never held up. */
export const PUNT_BURST_MS = 500;
/** Connections open on the metrics endpoint: a collector or two, and a person who looks. */
export const METRICS_CONNECTIONS_MAX = 16;
/** Between two pings of one request. */
export const PING_INTERVAL_MS = 200;
/** Longest wait for the answer to one ping, over the mesh's own limit. */
export const PING_ANSWER_MS = 2_000;
/**
 * Events of a data path that wait while its tables are set; the peers repeat what is lost beyond.
 */
export const EARLY_EVENTS_MAX = 1_024;
/** A pass over interfaces and tables that failed is tried again after this, and twice as long. */
export const RECONCILE_RETRY_MS_MIN = 1_000;
export const RECONCILE_RETRY_MS_MAX = 30_000;
/**
 * Bounds of LOOM_REKEY_MS, the rekey time of tests: below, sessions would be evicted that datagrams
 * on their way still need; above, protocol.md 3 forbids it.
 */
export const TEST_REKEY_MS_MIN = 1_000;
export const TEST_REKEY_MS_MAX = 120_000;
/** Longest ordered stop; after it the process exits all the same. */
export const STOP_MS = 5_000;
