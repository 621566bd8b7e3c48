/** Limits of the command line, each with its reason. */

/** A controller answers from its own database; a slow link needs some seconds. */
export const CONTROLLER_TIMEOUT_MS = 15_000;
/** The agent answers reads from memory. */
export const AGENT_TIMEOUT_MS = 10_000;
/**
 * Joining registers, waits for the first state and brings the network up; the controller may be far
 * away.
 */
export const JOIN_TIMEOUT_MS = 60_000;
/** One ping without an answer ends well before this in the agent. */
export const PING_TIMEOUT_MS = 15_000;
/** Between two pings of a human's `loom ping`. */
export const PING_INTERVAL_MS = 300;
/** A token file holds one line; more than this is another file. */
export const TOKEN_FILE_BYTES_MAX = 4_096;
/** A password file holds one line. */
export const PASSWORD_FILE_BYTES_MAX = 2_048;
/** Standard input that is read for a join token. */
export const TOKEN_INPUT_BYTES_MAX = 16_384;
/** A key file of an authority is below 800 bytes; a passphrase file holds one line. */
export const KEY_FILE_BYTES_MAX = 4_096;
/** Shortest passphrase: scrypt slows guessing down, it does not replace length. */
export const PASSPHRASE_CHARS_MIN = 12;
/** After a rotation the controller makes statements network by network: asked so often, so long. */
export const SETTLE_POLL_MS = 200;
export const SETTLE_POLLS_MAX = 600;
/** Files of an organization that are read together, and the size of each: 10,000 nodes fit. */
export const ORGANIZATION_FILES_MAX = 256;
export const ORGANIZATION_FILE_BYTES_MAX = 4_194_304;
/**
 * Join tokens that files declare: each is a secret that somebody has to bring to hosts, and one may
 * have as many uses as there are hosts.
 */
export const ORGANIZATION_JOIN_TOKENS_MAX = 100;
/** A request whose reply was lost is sent so often, under one idempotency key. */
export const LOST_REPLY_TRIES = 3;
/** Before the second try, and twice that before the third: a restarted controller is back. */
export const LOST_REPLY_PAUSE_MS = 1_500;
/** A client secret file holds one line; the API takes 1,024 characters. */
export const CLIENT_SECRET_FILE_BYTES_MAX = 4_098;
/** As much of a reply as is read where it is no export but an error. */
export const ERROR_REPLY_CHARS_MAX = 65_536;
