/**
 * The words between the mesh machine and the shell that drives it: what it is given, what it wants
 * done, what it tells. `session` of a setSession action and `guard` of a setGuard action have the
 * field names of the data path's messages and can be encoded as they are.
 */
import type { MessageValues } from '../datapath-control/codec.ts';
import type { Endpoint } from '../endpoint.ts';
import type { PostQuantum } from '../handshake/exchange.ts';

/** An X25519 key pair, raw. */
export interface StaticKeys {
  readonly privateKey: Uint8Array;
  readonly publicKey: Uint8Array;
}

export interface MeshOptions {
  /** 16 bytes; also the tie-break when two nodes initiate at once. */
  readonly nodeId: Uint8Array;
  readonly staticKeys: StaticKeys;
  /** u32, kept on disk by the agent and raised by one before each start. */
  readonly startCount: number;
  /** Lanes of this host's data path, 1..16 (helloReply.lanes). */
  readonly lanes: number;
  /**
   * 8 bytes, drawn at each start of an agent: tells two holders of one key apart. Without it the
   * mesh draws them.
   */
  readonly instance?: Uint8Array | undefined;
  /**
   * When an initiator rekeys instead of REKEY_AFTER_INITIATOR_MS, a responder a quarter later; for
   * tests that need many rekeys.
   */
  readonly rekeyAfterMs?: number | undefined;
}

export interface MeshDeps {
  /** Cryptographically secure bytes. */
  readonly random: (bytes: number) => Uint8Array;
}

/** A peer as the agent wants it. */
export interface PeerConfig {
  /** The id used with the data path. */
  readonly peer: number;
  readonly nodeId: Uint8Array;
  /** Static X25519 public key. */
  readonly sessionKey: Uint8Array;
  /** Candidates, best first; may be empty: then the peer has to initiate. */
  readonly endpoints: readonly Endpoint[];
  /**
   * 'off' only when the signed settings of every network that is shared with the peer say so; what
   * is not given is 'required'.
   */
  readonly postQuantum?: PostQuantum | undefined;
  /**
   * When the last credential of the peer for a shared network ends, on the clock of the mesh: no
   * session is made or kept after that.
   */
  readonly validUntil?: number | undefined;
  /**
   * Goes with initiations as long as there is no session: the peer may not know this host. At most
   * INTRODUCTION_BYTES_MAX.
   */
  readonly introduction?: Uint8Array | undefined;
}

/** An entry of the data path's session table, as dumped. */
export type AdoptedSession = Pick<
  MessageValues<'sessionEntry'>,
  'localId' | 'remoteId' | 'peer' | 'active' | 'confirmed' | 'initiator' | 'ageMs' | 'lifetimeMs'
> & {
  /** Where the data path sends this peer's datagrams (from the peer dump). */
  readonly endpoint?: Endpoint;
};

export type PeerDownReason =
  /** Nothing was heard for PEER_SILENT_MS. */
  | 'silent'
  /** The last session reached its lifetime. */
  | 'expired'
  /** The data path lost its sessions. */
  | 'datapath_restarted'
  /** A controller has decided for another holder of the peer's key. */
  | 'instance_replaced'
  /** The peer's static key was replaced. */
  | 'key_changed'
  /** Its credentials have ended. */
  | 'credential_ended'
  /** The peer is no peer any more. */
  | 'removed';

export type MeshEvent =
  | { readonly type: 'peerUp'; readonly peer: number; readonly endpoint: Endpoint | undefined }
  | { readonly type: 'peerDown'; readonly peer: number; readonly reason: PeerDownReason }
  | {
      readonly type: 'endpointMoved';
      readonly peer: number;
      readonly from: Endpoint | undefined;
      readonly to: Endpoint;
    }
  | {
      readonly type: 'pong';
      readonly peer: number;
      readonly pingId: bigint;
      readonly rttMs: number;
      /** Where the pong came from. */
      readonly endpoint: Endpoint;
      /** This host's own endpoint as the peer saw it. */
      readonly seenAs: Endpoint;
    }
  | { readonly type: 'pingTimedOut'; readonly peer: number; readonly pingId: bigint }
  /** A stranger says who it is; nothing of it is verified, and its handshake was dropped. */
  | { readonly type: 'introduced'; readonly bytes: Uint8Array; readonly from: Endpoint }
  /**
   * Somebody with this static key wants a session and is no peer here: he may be a member that is
   * not known yet. As few of an address and in all as introductions are heard.
   */
  | { readonly type: 'stranger'; readonly sessionKey: Uint8Array; readonly from: Endpoint }
  /** A message for another room than the mesh, whole, its type byte first. */
  | { readonly type: 'message'; readonly peer: number; readonly bytes: Uint8Array }
  /**
   * Two agents hold the key of one peer and both live. Of instances and endpoints the first is the
   * one that stays in use, the second the newcomer, which is refused.
   */
  | {
      readonly type: 'peerDoubled';
      readonly peer: number;
      readonly instances: readonly [Uint8Array, Uint8Array];
      readonly endpoints: readonly [Endpoint | undefined, Endpoint];
    };

/** What the shell has to do, in order. */
export type MeshAction =
  | { readonly kind: 'sendDatagram'; readonly endpoint: Endpoint; readonly bytes: Uint8Array }
  | {
      readonly kind: 'sendControl';
      readonly peer: number;
      /** Without it: the endpoint that the data path holds for the peer. */
      readonly endpoint?: Endpoint;
      readonly bytes: Uint8Array;
    }
  | { readonly kind: 'setSession'; readonly session: MessageValues<'sessionSet'> }
  | { readonly kind: 'deleteSession'; readonly localId: number }
  | { readonly kind: 'setEndpoint'; readonly peer: number; readonly endpoint: Endpoint }
  | { readonly kind: 'setGuard'; readonly guard: MessageValues<'guardSet'> }
  | { readonly kind: 'event'; readonly event: MeshEvent };

/**
 * down: not heard of and nothing to try; handshaking: trying; up: has a session and is heard of.
 */
export type PeerState = 'down' | 'handshaking' | 'up';

export interface PeerStatus {
  readonly peer: number;
  readonly nodeId: Uint8Array;
  readonly state: PeerState;
  readonly endpoint: Endpoint | undefined;
  /** Endpoints heard of and configured ones, in the order in which they are tried. */
  readonly candidates: readonly Endpoint[];
  /** Of the agent behind the session in use; undefined: not told yet. */
  readonly instance: Uint8Array | undefined;
  /** A second holder of the peer's key, which is refused. */
  readonly quarantined: Uint8Array | undefined;
  /** Session that the peer is sent with. */
  readonly session:
    | { readonly localId: number; readonly ageMs: number; readonly isInitiator: boolean }
    | undefined;
  readonly sessionCount: number;
  /** Since anything was opened from the peer. */
  readonly heardAgoMs: number | undefined;
  /** Of the last answered ping. */
  readonly rttMs: number | undefined;
  /** Sessions set up since the start of the agent. */
  readonly handshakeCount: number;
  /** Tries of the handshake under way. */
  readonly handshakeTries: number;
}

/** When handleTimeout is due, and what for (for the log). */
export interface MeshTimeout {
  readonly at: number;
  readonly reason: string;
}
