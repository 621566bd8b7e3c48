/**
 * Why a handshake or control message was refused. Each has a counter; the names are metric names.
 * Append only.
 */
export const REFUSAL_REASONS = [
  ['kind_unknown', 'first byte is no handshake kind'],
  ['header_invalid', 'too short, too long, or reserved or part bytes are wrong'],
  ['version_unsupported', 'another protocol version'],
  ['mac1_invalid', 'sender does not know the static key of this host'],
  ['cookie_required', 'under load; answered by a cookie reply'],
  ['source_limited', 'under load; the source address sends too many'],
  ['key_invalid', 'a public key of low order'],
  ['seal_invalid', 'does not open: not from the holder of the keys'],
  ['peer_unknown', 'static key is of no peer'],
  ['node_id_mismatch', 'node id is not the one that belongs to the static key'],
  ['lanes_invalid', 'number of lanes is not 1 to 16'],
  ['ordinal_replayed', 'ordinal is not greater than the last one of this peer'],
  ['peer_limited', 'this peer initiates too often'],
  ['initiation_crossed', 'both initiated at once and the own handshake has precedence'],
  ['session_unmatched', 'answers no handshake that is under way'],
  ['cookie_invalid', 'cookie reply does not open'],
  ['control_session_unknown', 'control message of a session that is not held'],
  ['control_invalid', 'control message of a known type and wrong layout'],
  ['pong_unmatched', 'pong of no ping under way'],
  ['actions_full', 'the shell does not drain; a message to send was dropped'],
  ['post_quantum_required', 'without a post-quantum secret, which a shared network requires'],
  ['part_repeated', 'a part of an initiation that is held already'],
  ['part_invalid', 'a part that disagrees with those held, or makes too long a message'],
  ['instance_doubled', 'another holder of the same key is in use and answers'],
  ['credential_ended', 'the credentials of the peer have ended'],
  ['fragment_invalid', 'a fragment that disagrees with those held, or makes too long a message'],
  ['introduction_limited', 'a stranger introduces itself, and too many have done so lately'],
] as const;

export type RefusalReason = (typeof REFUSAL_REASONS)[number][0];
