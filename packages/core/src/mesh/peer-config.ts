/** Comparisons of the peers that are wanted with those that are held. */
import type { Endpoint } from '../endpoint.ts';
import { PEERS_MAX } from './limits.ts';
import { compareBytes } from './peer-record.ts';
import type { PeerRecord } from './peer-record.ts';
import type { PeerConfig } from './types.ts';

/** Throws RangeError for more peers than there may be, and for an id or a key given twice. */
export function checkPeers(peers: readonly PeerConfig[]): void {
  if (peers.length > PEERS_MAX) throw new RangeError(`${peers.length} peers are over ${PEERS_MAX}`);
  const ids = new Set(peers.map(({ peer }) => peer));
  if (ids.size !== peers.length) throw new RangeError('a peer id is given twice');
  const keys = new Set(peers.map(({ sessionKey }) => sessionKey.join()));
  if (keys.size !== peers.length) throw new RangeError('a session key is given twice');
}

/** Whether a wanted peer is the one that is held: the same node with the same key. */
export function isSameParty(config: PeerConfig, record: PeerRecord): boolean {
  return (
    compareBytes(config.nodeId, record.nodeId) === 0 &&
    compareBytes(config.sessionKey, record.sessionKey) === 0
  );
}

/** Whether two lists name the same endpoints in the same order. */
export function isSameList(a: readonly Endpoint[], b: readonly Endpoint[]): boolean {
  return (
    a.length === b.length &&
    a.every((endpoint, index) => compareBytes(endpoint, b[index] ?? new Uint8Array(0)) === 0)
  );
}
