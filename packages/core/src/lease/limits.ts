/**
 * How long the holder of the newest lease may be silent before an older lease is taken for the same
 * machine, put back to an older disk: longer than the longest wait of an agent between two tries of
 * its link (10 s) and the time of opening one (10 s for each of two steps).
 */
export const LEASE_GRACE_MS = 45_000;
/**
 * Farthest that one welcome moves an epoch, as after an older disk: as many links as a node could
 * have opened since. A controller that named the last number that there is would end the ratchet.
 */
export const EPOCH_JUMP_MAX: number = 2 ** 32;
