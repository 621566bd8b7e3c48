/** Every limit of the HTTP and WebSocket contract, each with its reason. */

/** Longest name of a network or node: fits a DNS label (RFC 1035, 2.3.4). */
export const NAME_CHARS_MAX = 63;
/** Largest body of a request, bytes. */
export const BODY_BYTES_MAX = 65_536;
/**
 * Largest WebSocket message: a snapshot of 1,000 members. Each has about 1,100 bytes with a record
 * of 16 endpoints, a credential of 1,100 (four addresses, four groups), a renewal of 500, and 165
 * for each signature: six, with three holders of the authority on the credential and what JSON
 * escapes. That is 4 MB; 4,000 revocations of 700 bytes add 3 MB. Doubled for long names and more
 * holders.
 */
export const LINK_MESSAGE_BYTES_MAX = 16_777_216;
/** Problems that an agent tells of: a few for each network. */
export const AGENT_PROBLEMS_MAX = 1_024;
/** Endpoints that one node may announce: a few interfaces, both families. */
export const NODE_ENDPOINTS_MAX = 16;
/** Members of a network that are pushed whole (architecture D7). */
export const NETWORK_MEMBERS_MAX = 1_000;
/** Networks a node may be a member of. */
export const NODE_NETWORKS_MAX = 256;
/**
 * Rows that one list call returns, and so rows of a kind that a controller holds: lists are whole.
 */
export const LIST_ROWS_MAX = 10_000;
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
