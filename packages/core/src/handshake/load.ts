/**
 * Knows whether this host is under load: more handshake messages with a valid mac1 have come than
 * its budget allows. Every such message takes a token; while there is none, senders have to prove
 * their address first.
 */
import { LOAD_BURST, LOAD_MESSAGES_PER_SECOND } from './limits.ts';
import { refilled } from './token-bucket.ts';
import type { TokenBucket, TokenRate } from './token-bucket.ts';

const RATE: TokenRate = { perSecond: LOAD_MESSAGES_PER_SECOND, burst: LOAD_BURST };

export class HandshakeLoad {
  #bucket: TokenBucket = { tokens: LOAD_BURST, at: Number.NEGATIVE_INFINITY };

  /**
   * Should be called once for each message with a valid mac1; `share` is what of a message it is.
   * Returns whether the host is under load.
   */
  countMessage(now: number, share = 1): boolean {
    const { tokens } = refilled(this.#bucket, RATE, now);
    const isUnderLoad = tokens < share;
    this.#bucket = { tokens: isUnderLoad ? tokens : tokens - share, at: now };
    return isUnderLoad;
  }
}
