/** Every limit of the HTTP and WebSocket contract, each with its reason. */

/** Longest name of a network or node: fits a DNS label (RFC 1035, 2.3.4). */
export const NAME_CHARS_MAX = 63;
/** Largest body of a request, bytes. */
export const BODY_BYTES_MAX = 65_536;
/**
 * Largest WebSocket message: a snapshot of 1,000 members. Each has about 1,100 bytes with a record
 * of 16 endpoints, a credential of 1,100 (four addresses, four groups), a renewal of 500, and 165
 * for each signature: six, with three holders of the authority on the credential and what JSON
 * escapes. That is 4 MB; 20,000 revocations of 700 bytes add 14 MB. The rest is for long names and
 * more holders.
 */
export const LINK_MESSAGE_BYTES_MAX = 33_554_432;
/** Problems that an agent tells of: a few for each network. */
export const AGENT_PROBLEMS_MAX = 1_024;
/** Endpoints that one node may announce: a few interfaces, both families. */
export const NODE_ENDPOINTS_MAX = 16;
/** Members of a network: four in the mean bucket of its roster. */
export const NETWORK_MEMBERS_MAX = 16_384;
/** Networks a node may be a member of. */
export const NODE_NETWORKS_MAX = 256;
/** Rows of a kind that a controller holds: what an overview of one organization can still show. */
export const LIST_ROWS_MAX = 10_000;
/** Items of one reply of a list: a reply of a few hundred KB. */
export const LIST_LIMIT_MAX = 1_000;
export const LIST_LIMIT_DEFAULT = 100;
/** Longest text that nodes are searched by, and words in it: each costs a look at every node. */
export const SEARCH_CHARS_MAX = 80;
export const SEARCH_WORDS_MAX = 4;
/** Nodes that one request names: the peers of a report, and 4 KB of a URL. */
export const NODE_IDS_MAX = 100;
/** Longest cursor: two names and two ids. */
export const CURSOR_CHARS_MAX = 512;
/** Smallest inner MTU: IPv6 needs 1,280 (RFC 8200, 5). */
export const MTU_BYTES_MIN = 1_280;
/** Largest inner MTU: a 9,000-byte underlay less 88 bytes of IPv6 overhead and a 14-byte header. */
export const MTU_BYTES_MAX = 8_898;
/**
 * Inner MTU that fits a 1,460-byte underlay over IPv4 and a 1,500-byte one over IPv6, with a VLAN
 * tag inside.
 */
export const MTU_BYTES_DEFAULT = 1_370;
/** Uses of a join token. */
export const TOKEN_USES_MAX = 1_000_000;
/** Longest life of a join token: one year. */
export const TOKEN_LIFETIME_SECONDS_MAX = 31_536_000;
/** Life of a join token when none is asked for: one hour. */
export const TOKEN_LIFETIME_SECONDS_DEFAULT = 3_600;
/** Controllers of one database: what agents keep on disk, and try in turn. */
export const CONTROLLERS_MAX = 16;
/** URLs of one controller: an address of each of a few interfaces. */
export const CONTROLLER_URLS_MAX = 8;
/**
 * How often agents ask whether their controller lives: each second finds silence in time to be with
 * another one within 3 s; the longest is that of an agent that has no other to go to.
 */
export const CONTROLLER_PING_MS_MIN = 1_000;
export const CONTROLLER_PING_MS_MAX = 15_000;
/**
 * Members up to which a network is pushed whole unless the controller was started with another
 * number (architecture D7): 2 MB at a join, and the best that a host can have without controllers.
 */
export const PUSHED_WHOLE_MAX = 1_000;
/** Members of interest of one network and agent: more are asked for again when they are needed. */
export const INTEREST_MAX = 4_096;
/** Ids in one message: 36 KB. */
export const INTEREST_PIECE_MAX = 1_024;
/** Members in one `partial`: each has about 6 KB with its proof, 25 KB at the most. */
export const PARTIAL_PIECE_MAX = 128;
/** Longest user name: it is part of paths. */
export const USER_NAME_CHARS_MAX = 64;
/** Length is what makes a password hard to guess; the most bounds the work of hashing. */
export const PASSWORD_CHARS_MIN = 12;
export const PASSWORD_CHARS_MAX = 256;
/** Longest life of an API token that has an end: two years. */
export const API_TOKEN_LIFETIME_SECONDS_MAX = 63_072_000;
/** Groups of an identity provider that give roles. */
export const GROUP_ROLES_MAX = 100;
/** Peers, networks and drop reasons of one report: 45 KB, below a link's longest message. */
export const REPORT_PEERS_MAX = 96;
export const REPORT_NETWORKS_MAX = 32;
export const REPORT_DROPS_MAX = 64;
/** Peers of each node that a picture of a network asks for. */
export const TOPOLOGY_PEERS_MAX = 24;
/** Nodes and paths of one picture: more cannot be looked at. */
export const TOPOLOGY_NODES_MAX = 1_000;
export const TOPOLOGY_PATHS_MAX = 24_000;
/** Days that an organization keeps its ledger: a month at least, ten years at most. */
export const AUDIT_DAYS_MIN = 30;
export const AUDIT_DAYS_MAX = 3_650;
export const AUDIT_DAYS_DEFAULT = 400;
