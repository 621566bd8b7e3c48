/** Times and sizes of the lab, each with its reason. */

/**
 * A process that ends in order is given this long between SIGTERM and SIGKILL: an agent writes its
 * state and stops its data path.
 */
export const TERMINATE_GRACE_MS = 5_000;
/**
 * After SIGKILL the kernel frees what the process held: devices and 64 KB buffers, done in
 * milliseconds.
 */
export const KILL_GRACE_MS = 5_000;
/** Between two looks at a condition: short beside a step, long beside the cost of a look. */
export const POLL_INTERVAL_MS = 50;
/** A condition without its own deadline. Slow machines run many worlds at a time. */
export const WAIT_DEADLINE_MS = 20_000;
/** A command without its own limit. */
export const COMMAND_TIMEOUT_MS = 60_000;
/** Output of a command that is kept, bytes. */
export const COMMAND_OUTPUT_BYTES_MAX = 16_777_216;
/** Lines of a log that an error message shows. */
export const LOG_TAIL_LINES = 15;
/** Bytes at the end of a log that are read for its tail. */
export const LOG_TAIL_BYTES = 16_384;
/**
 * A controller or agent serves after this long at the latest: start of Node, database migrations, a
 * key pair.
 */
export const START_DEADLINE_MS = 30_000;
/** Linux interface name: IFNAMSIZ less its end mark. */
export const DEVICE_NAME_BYTES_MAX = 15;
