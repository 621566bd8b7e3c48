/** Limits of the transports, each with its reason. */

/** Largest reply that is read: a list of 1,000 nodes with 256 memberships each stays below. */
export const REPLY_BYTES_MAX = 67_108_864;
/** Wait for TCP and TLS when the caller names none: three retransmitted SYNs. */
export const CONNECT_TIMEOUT_MS = 8_000;
