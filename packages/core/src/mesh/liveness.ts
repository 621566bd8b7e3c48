/** Up, down and where: what an authenticated sign of life, or the lack of one, means for a peer. */
import { sameEndpoint } from '../endpoint.ts';
import type { Endpoint } from '../endpoint.ts';
import { refilled } from '../handshake/token-bucket.ts';
import { SEARCH_BURST, SEARCHES_PER_SECOND } from './limits.ts';
import type { Outbox } from './outbox.ts';
import type { PeerRecord } from './peer-record.ts';
import type { PeerDownReason } from './types.ts';

/**
 * Should be called for everything that proves that the peer lives. With a session in use: down ->
 * up.
 */
export function markHeard(record: PeerRecord, outbox: Outbox, now: number): void {
  record.heardAt = now;
  if (record.isUp || record.active === undefined) return;
  record.isUp = true;
  outbox.tell({ type: 'peerUp', peer: record.peer, endpoint: record.endpoint });
}

/** up -> down. Who is silent gives way to a second holder of its key. */
export function markDown(record: PeerRecord, reason: PeerDownReason, outbox: Outbox): void {
  if (!record.isUp) return;
  record.isUp = false;
  if (reason === 'silent' || reason === 'expired') record.quarantine = undefined;
  outbox.tell({ type: 'peerDown', peer: record.peer, reason });
}

/** Should be called with the source of authenticated messages only. */
export function moveEndpoint(record: PeerRecord, to: Endpoint, outbox: Outbox): void {
  const from = record.endpoint;
  if (sameEndpoint(from, to)) return;
  record.endpoint = to;
  outbox.push({ kind: 'setEndpoint', peer: record.peer, endpoint: to });
  outbox.tell({ type: 'endpointMoved', peer: record.peer, from, to });
}

const SEARCH_RATE = { perSecond: SEARCHES_PER_SECOND, burst: SEARCH_BURST };

/** Takes one of the searches that a peer's own word may bring about. */
export function maySearch(record: PeerRecord, now: number): boolean {
  const { tokens, at } = refilled(record.searches, SEARCH_RATE, now);
  record.searches = { tokens: tokens < 1 ? tokens : tokens - 1, at };
  return tokens >= 1;
}
