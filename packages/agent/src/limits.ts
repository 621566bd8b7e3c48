/** Every limit of the agent, each with its reason. Milliseconds are of the monotonic clock. */

/** Longest path of a unix socket: sun_path has 108 bytes, one is the closing NUL (unix(7)). */
export const SOCKET_PATH_BYTES_MAX = 107;
/**
 * Largest state file: a network of 1,000 members takes about 2 MB with its proof. The longest that
 * the contract allows takes 28 MB (two statements and 64 signatures for each member) and 24 MB of
 * revocations; more than this is no file of ours.
 */
export const STATE_FILE_BYTES_MAX = 67_108_864;
/** Networks of which versions are remembered: those of the node, and some that it has left. */
export const VERSION_MARKS_MAX = 1_024;
/** Validity is looked at again this often at the latest: timers of days do not survive a sleep. */
export const VALIDITY_CHECK_MS_MAX = 600_000;
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
 * Wait before the link to a controller is tried again: full jitter below this, doubled with each
 * round over all URLs that failed. The first wait is part of the 3 s in which an agent is with
 * another controller, and spreads the agents of one that ended over half a second.
 */
export const LINK_RETRY_MS_MIN = 500;
/**
 * Longest wait before the link is tried again, and so the longest time that an agent is without a
 * controller that is back: the 10,000 agents of one that was away for hours come within 10 s, at
 * most 2,000 tries a second, each of which costs the network a handful of packets while nobody
 * listens.
 */
export const LINK_RETRY_MS_MAX = 10_000;
/** Longest wait for a controller to accept, and for it to welcome a link. */
export const LINK_OPEN_MS = 10_000;
/** A URL that has not answered by then gets company: the next one is tried beside it ... */
export const LINK_NEXT_URL_MS = 250;
/** ... so many at one time. */
export const LINK_RACERS_MAX = 8;
/** A link is pinged this often where there is no other controller. */
export const LINK_PING_MS = 15_000;
/** A link on which nothing came so long after a ping is dead where there is no other controller. */
export const LINK_ANSWER_MS_ALONE = 22_500;
/**
 * The same where there is another one: with a ping each second and the first wait, 3 s. A lost
 * segment is repeated twice by then, and a controller that is busy for a second keeps its agents.
 */
export const LINK_ANSWER_MS = 1_500;
/** A controller that failed is tried after those that did not, for this long. */
export const LINK_FAILED_MS = 60_000;
/**
 * The wait for an answer after a change of the underlay, which may have cut the link: one lost
 * segment is repeated.
 */
export const LINK_PROBE_MS = 3_000;
/** A link that lived this long was a good one: the wait after it starts at its minimum. */
export const LINK_STABLE_MS = 5_000;
/** URLs of join tokens that are kept: as many as one carries. */
export const SEED_URLS_MAX = 8;
/** Longest reason of a controller that is shown in a problem. */
export const REASON_CHARS_MAX = 200;
/** A host that was rejected as a clone asks no faster than this. */
export const REJECTED_RETRY_MS = 60_000;
/** Waits between two tries of a clone to become a node of its own, doubled with each failure. */
export const SPLIT_RETRY_MS_MIN = 1_000;
export const SPLIT_RETRY_MS_MAX = 60_000;
/**
 * Start counts above this are not taken from a record: whoever stole the key could use all of them
 * up.
 */
export const START_COUNT_TRUSTED_MAX = 0xf000_0000;
/** Decisions about two holders that are kept, and how long: the second one is seen soon after. */
export const HOLDERS_TOLD_MAX = 1_024;
export const HOLDER_TOLD_MS = 60_000;
/** A host that becomes another node tries to get a data path this often. */
export const HOST_START_RETRY_MS = 5_000;
/** Read of a file that holds a hint of the host: the largest is a page. */
export const HOST_HINT_BYTES_MAX = 4_096;
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
 * Handshake datagrams of one kind that wait, two to an initiation: at 0.4 ms for one that is looked
 * at, the last waits a tenth of a second. Peers repeat what is dropped.
 */
export const PUNT_QUEUE_MAX = 512;
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
/** Endpoint records that peers have told are written this long after the first that is new. */
export const RECORDS_SAVE_MS = 5_000;
/** Longest ordered stop; after it the process exits all the same. */
export const STOP_MS = 5_000;
/** The state of a network as members hand it to each other; 1,000 members take 2 MB. */
export const STATE_DOCUMENT_BYTES_MAX = 33_554_432;
/** The same, compressed. */
export const STATE_DOCUMENT_PACKED_BYTES_MAX = 8_388_608;
/** One message of the mesh, which goes in 14 fragments. */
export const STATE_PIECE_BYTES = 16_384;
/**
 * Pieces that are given to one member, and to all, in a second. The data path of who asks hands 200
 * control bodies of a peer to its agent in a second, 100 at once.
 */
export const STATE_PIECES_OF_PEER_PER_SECOND = 10;
export const STATE_PIECES_PER_SECOND = 50;
export const STATE_PIECES_BURST = 5;
/** Between a piece and the ask for the next. */
export const STATE_PIECE_PAUSE_MS = 110;
/** A piece that has not come by then is asked for again ... */
export const STATE_PIECE_WAIT_MS = 1_000;
/** ... so often, and then of another member. */
export const STATE_FETCH_TRIES_MAX = 4;
/** Between two rounds over all members. */
export const STATE_FETCH_AGAIN_MS = 5_000;
/** A host that a voucher let in tries its controllers this often, half of it by chance. */
export const VOUCHED_REJOIN_MS = 20_000;
/** Longest wait for a member that takes this host in by its voucher. */
export const VOUCHED_READY_MS = 25_000;
/** Texts of one version of a roster that are passed on: two of them show a fork already. */
export const ROSTER_FORKS_PASSED_MAX = 4;
/** Log lines that are kept for whoever looks at this host from afar: a screen of them. */
export const RECENT_LOG_LINES = 50;
/** A member of interest with fewer frames in this time is let go of ... */
export const MEMBER_IDLE_MS = 1_800_000;
/** ... than this: a device that announces itself now and then is no use of a member. */
export const MEMBER_IDLE_FRAMES = 8;
/** Members of interest are looked at this often. */
export const MEMBER_IDLE_CHECK_MS = 60_000;
/** One that was let go of and comes back has this long to be of use. */
export const MEMBER_RETURNED_MS = 120_000;
/** Members whose last use is remembered; the ones known for longest go. */
export const MEMBER_USES_KEPT_MAX = 16_384;
/** Members asked for and not answered yet: the burst that a controller answers, halved. */
export const RESOLVES_PENDING_MAX = 64;
/** An answer that has not come by then does not count: the host asks again by itself. */
export const RESOLVE_ANSWER_MS = 5_000;
/** Members asked for: below the rate at which a controller refuses. */
export const RESOLVES = { burst: 64, perSecond: 8 } as const;
/**
 * Where peers have shown a newer roster of a network that is held in part, it is asked for this
 * often, half of it by chance: 10,000 agents are 17 a second.
 */
export const ROSTER_REFRESH_MS = 600_000;
/** An address that nobody has is not asked for again so soon; so many are remembered. */
export const ABSENT_KEPT_MS = 10_000;
export const ABSENT_KEPT_MAX = 1_024;
/** Packets wait in the kernel for three questions, a second each ... */
export const FIRST_PACKET_MS = 3_000;
/** ... and so many addresses that they wait for are remembered. */
export const FIRST_PACKETS_MAX = 64;
