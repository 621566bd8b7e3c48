/*
 * A session: the two keys that this host and one peer share, the counters of what was sent and the
 * windows of what was received.
 *
 * No nonce is used twice, by construction:
 *  1. A nonce is the 64-bit counter of a datagram: 4 bits of lane, 60 bits of sequence. Lanes never
 * overlap, whichever worker sends on which (lanes.h).
 *  2. Sequences come from session_take alone, which hands them out by one atomic addition on the
 * lane's counter, starting at 0. So no two calls, on whatever threads, return a common sequence;
 * the control thread shares lane 0 with a worker safely.
 *  3. The counter is created with the key, lives in the same object, is never set, and is freed
 * with the key. It stops at SESSION_DATAGRAMS_MAX, far from 2^60, so it does not wrap into the lane
 * bits.
 *  4. A key is sealed with in one direction only. The agent derives both keys from fresh ephemeral
 * keys in each handshake and cannot read them back; a second sessionSet under a local id in use is
 * refused, and the counters are never restored after a restart: the keys died with the process.
 *
 * Ownership: made and retired by the control thread (tables.c). Threads: workers read it while
 * online (reclaim.h); what they change is atomic or has its own lock.
 */
#pragma once

#include "aead.h"
#include "control_messages.h"
#include "replay.h"
#include "table.h"

struct peer;

struct session_lane {
	_Alignas(64) _Atomic uint64_t sequence; /* the next one to be sent */
};

struct session {
	struct table_entry entry; /* key: local id; owned by the peer */
	struct peer *peer;
	uint32_t local_id;
	uint32_t remote_id;
	uint32_t lifetime_ms;
	uint8_t receive_lanes;
	bool initiator;
	bool on_receive; /* activated by the first datagram that is opened */
	uint64_t serial; /* order of installation: a later session wins */
	uint64_t set_at_ms;
	uint64_t expires_at_ms;
	bool activated; /* under peer->activation */
	bool removed;	/* under peer->activation */
	_Atomic bool confirmed;
	_Atomic bool spent;
	struct aead_key *sealing; /* users: each worker, then the control thread */
	struct aead_key *opening; /* users: each worker */
	struct session_lane *send_lanes;
	unsigned send_lane_count;
	struct replay_window *windows; /* one a receive lane */
};

/* NULL when memory is short. The fields are checked. */
struct session *session_create(const struct control_session_set *fields, unsigned workers,
			       uint64_t now_ms);

/* Wipes the keys and frees. */
void session_destroy(struct session *session);

/* Takes `count` consecutive sequences of a lane. False when the session is spent. */
bool session_take(struct session *session, unsigned lane, uint64_t count, uint64_t *first);

static inline uint64_t session_counter(unsigned lane, uint64_t sequence)
{
	return (uint64_t)lane << LANE_SHIFT | sequence;
}

uint64_t session_sent(const struct session *session);

uint64_t session_received(const struct session *session);
