/** How requests reach controllers (pinned TLS) and the agent of a host (unix socket). Node only. */
export type { Send, SendReply, SendRequest } from '@etherloom/api';
export { createPinnedSender } from './pinned-sender.ts';
export type { PinnedSenderOptions } from './pinned-sender.ts';
export { createPinnedStreamer } from './pinned-stream.ts';
export { openPinnedWebSocket } from './pinned-web-socket.ts';
export type { PinnedWebSocketOptions } from './pinned-web-socket.ts';
export { TransportError } from './transport-error.ts';
export type { TransportErrorCode } from './transport-error.ts';
export { createUnixSender } from './unix-sender.ts';
