/**
 * Every limit and timer of sessions. The timers are those of docs/protocol.md, section 3; the
 * others say where they come from.
 */

export const REKEY_AFTER_INITIATOR_MS = 120_000;
export const REKEY_AFTER_RESPONDER_MS = 150_000;
/** Spreads the rekeys of peers that came up together. */
export const REKEY_JITTER_MS = 3_000;
export const SESSION_LIFETIME_MS = 600_000;
export const SESSION_OVERLAP_MS = 15_000;
export const HANDSHAKE_RETRY_MS = 1_000;
export const HANDSHAKE_RETRY_MS_MAX = 10_000;
/** Part of a retry by which it is moved either way. */
export const HANDSHAKE_JITTER = 0.2;
export const KEEPALIVE_MS = 10_000;
export const PEER_SILENT_MS = 25_000;

/**
 * Peers of one host: the members of the largest network that is pushed whole, in each of a few
 * networks.
 */
export const PEERS_MAX = 4_096;
/**
 * Active, former, one answered and not confirmed, and one spare for a rekey inside the overlap of
 * another.
 */
export const SESSIONS_PER_PEER_MAX = 4;
/** Endpoints that one try of a handshake is sent to. */
export const ENDPOINT_CANDIDATES_MAX = 8;
/** Answers a peer gets are at least this far apart: each costs four Diffie-Hellman operations. */
export const ANSWER_INTERVAL_MS = 50;
/**
 * An own session that the peer has not used is confirmed again after this, doubled each time ...
 */
export const CONFIRM_RETRY_MS = 1_000;
/** ... and replaced by a handshake after this: the peer has lost what it answered. */
export const CONFIRM_TIMEOUT_MS = 8_000;
/** A peer with precedence holds on to its own handshake for this long after it was answered. */
export const PRECEDENCE_MS = 5_000;
/**
 * After a change of the own addresses a peer has this long to answer a ping before all its
 * endpoints are tried.
 */
export const PROBE_TIMEOUT_MS = 1_000;
/**
 * Changes of a peer's own word of its endpoints that are followed at once; later ones count at the
 * next try. A peer can sign such changes for ever, and each sends two datagrams to every endpoint
 * that it names, whoever is there.
 */
export const SEARCH_BURST = 5;
export const SEARCHES_PER_SECOND = 0.2;
/** Pings under way to one peer. */
export const PINGS_PER_PEER_MAX = 64;
export const PING_TIMEOUT_MS = 5_000;
/** With more peers than this a restart spreads its handshakes ... */
export const RESTART_SPREAD_PEERS = 100;
/** ... over this time. */
export const RESTART_SPREAD_MS = 100;
/**
 * Longest control body: with header, body header and tag (36 bytes) its datagram has 1,232 bytes,
 * which pass everywhere over IPv6. What is longer goes in fragments.
 */
export const CONTROL_BYTES_MAX = 1_196;
/** Of a message in each fragment: a control body without its 7 bytes of header. */
export const FRAGMENT_BYTES_MAX = CONTROL_BYTES_MAX - 7;
/** Fragments of one message: a statement of 8,192 characters and 32 signatures takes 13. */
export const FRAGMENTS_MAX = 24;
/** Longest message that the mesh carries. */
export const MESSAGE_BYTES_MAX = FRAGMENTS_MAX * FRAGMENT_BYTES_MAX;
/** Fragments wait so long for the others: they leave together and are not repeated. */
export const FRAGMENTS_WAIT_MS = 2_000;
/** Messages of all peers of which fragments wait; two of one peer, so that these may overlap. */
export const FRAGMENTED_MESSAGES_MAX = 128;
/** Bytes of all fragments that wait. */
export const FRAGMENTED_BYTES_MAX = 1_048_576;
/**
 * An initiation of another instance than the one in use waits this long for what the latter
 * answers, or longer when the peer is known to be far, up to HOLD_MS_MAX.
 */
export const HOLD_MS = 300;
/** So that a host that was started anew is followed within a second. */
export const HOLD_MS_MAX = 800;
/** While it waits the one in use is pinged this often: one lost datagram decides nothing. */
export const HOLD_PING_MS = 100;
/** The newcomer of two holders is refused this long; as long as a session lives without a rekey. */
export const QUARANTINE_MS = 600_000;
/** Addresses of peers are collected anew this often at most, for the share of parts.ts. */
export const PEER_ADDRESSES_MS = 1_000;
/** Actions that wait for the shell: a handshake try to every candidate of every peer. */
export const ACTIONS_MAX = 65_536;
/**
 * Handshakes started by one call of handleTimeout: about 10 ms of computing, so that the shell can
 * do other work in between.
 */
export const HANDSHAKE_STARTS_PER_TIMEOUT_MAX = 32;
/**
 * An own initiation older than this is made anew when it crosses one of the peer: the peer may have
 * dropped it as seen.
 */
export const CROSSED_FRESH_MS = 500;
