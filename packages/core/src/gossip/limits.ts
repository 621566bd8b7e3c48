/** Every limit of gossip (docs/protocol.md 4, docs/trust.md 6). */

/** Peers that something new is passed on to: with 3, a change reaches 1,000 members in 7 steps. */
export const GOSSIP_FANOUT = 3;
/** Peers that are asked for what this host has missed, when it may have missed something. */
export const ASK_PEERS = 3;
/** Asks follow a change of the own record at these times: a datagram may be lost. */
export const ASK_AGAIN_MS: readonly number[] = [0, 1_000, 3_000];
/** Asks because of peers that come up or go silent: many may at once. */
export const ASK_BURST = 4;
export const ASKS_PER_SECOND = 0.2;
/** Asks of one peer that are answered. */
export const ANSWER_BURST = 4;
export const ANSWERS_PER_SECOND = 0.5;
/** What changed in this time is told to who asks. */
export const RECENT_MS = 3_600_000;
/** Records and statements in one answer, the newest: some 12 datagrams and as many messages. */
export const RECENT_RECORDS_MAX = 64;
export const RECENT_STATEMENTS_MAX = 16;
/** Statements that are kept to be told: the newest of each topic, of all networks together. */
export const STATEMENTS_MAX = 512;
/** Messages of one peer that are looked at; a member that sends more is not listened to. */
export const MESSAGE_BURST = 200;
export const MESSAGES_PER_SECOND = 50;
/** Of one peer: what is refused costs a signature check each. */
export const REFUSED_BURST = 20;
export const REFUSED_PER_SECOND = 1;
/**
 * Records of one peer whose signature is checked: all that it answers to some asks. Many fit one
 * message, and a node can sign new ones of itself for ever.
 */
export const VERIFY_BURST = 256;
export const VERIFIES_PER_SECOND = 20;
/**
 * Changes of one node that are passed on at once; later ones wait, and only the last is passed on.
 * So a node that signs a new record all the time makes no storm.
 */
export const PASS_BURST = 5;
export const PASSES_PER_SECOND = 0.2;
