/** What the mesh tells of a peer when it is asked. */
import { candidatesOf } from './peer-record.ts';
import type { PeerRecord } from './peer-record.ts';
import type { PeerStatus } from './types.ts';

/** How a peer is, for people and tests. */
export function statusOf(record: PeerRecord, now: number): PeerStatus {
  const { active, heardAt } = record;
  const isTrying = record.handshakeAt !== Infinity;
  return {
    peer: record.peer,
    nodeId: record.nodeId,
    state: record.isUp ? 'up' : isTrying ? 'handshaking' : 'down',
    endpoint: record.endpoint,
    candidates: candidatesOf(record),
    instance: active?.instance,
    quarantined: now < (record.quarantine?.until ?? 0) ? record.quarantine?.instance : undefined,
    session: active && {
      localId: active.localId,
      ageMs: now - active.setAt,
      isInitiator: active.isInitiator,
    },
    sessionCount: record.sessions.length,
    heardAgoMs: heardAt === undefined ? undefined : now - heardAt,
    rttMs: record.rttMs,
    handshakeCount: record.handshakeCount,
    handshakeTries: record.tries,
  };
}
