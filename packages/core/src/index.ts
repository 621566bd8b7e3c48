/** Pure logic of etherloom, without IO: codecs, handshake, sessions, state. */
export * as placeholder from './datapath-control/messages.ts';
