#include "session.h"

#include <stdlib.h>

_Static_assert(SESSION_DATAGRAMS_MAX < 1ull << (LANE_SHIFT - 1),
	       "a sequence cannot reach the lane bits");

struct session *session_create(const struct control_session_set *fields, unsigned workers,
			       uint64_t now_ms)
{
	struct session *session = calloc(1, sizeof(*session));
	if (session == NULL)
		return NULL;
	size_t lanes_bytes = workers * sizeof(*session->send_lanes);
	size_t windows_bytes = fields->receive_lanes * sizeof(*session->windows);
	session->send_lane_count = workers;
	session->send_lanes = aligned_alloc(64, lanes_bytes);
	session->windows = aligned_alloc(64, windows_bytes);
	session->sealing = aead_key_create(fields->send_key, AEAD_SEAL, workers + 1);
	session->opening = aead_key_create(fields->receive_key, AEAD_OPEN, workers);
	if (session->send_lanes == NULL || session->windows == NULL || session->sealing == NULL ||
	    session->opening == NULL) {
		session_destroy(session);
		return NULL;
	}
	memset(session->send_lanes, 0, lanes_bytes);
	memset(session->windows, 0, windows_bytes);
	for (unsigned i = 0; i < fields->receive_lanes; i++)
		atomic_flag_clear(&session->windows[i].lock);
	session->local_id = be32_get(fields->local_id);
	session->remote_id = be32_get(fields->remote_id);
	session->lifetime_ms = be32_get(fields->lifetime_ms);
	session->receive_lanes = fields->receive_lanes;
	session->initiator = fields->initiator != 0;
	session->on_receive = fields->activation == SESSION_ACTIVATION_ON_RECEIVE;
	session->set_at_ms = now_ms;
	session->expires_at_ms = now_ms + session->lifetime_ms;
	return session;
}

void session_destroy(struct session *session)
{
	aead_key_destroy(session->sealing);
	aead_key_destroy(session->opening);
	free(session->send_lanes);
	free(session->windows);
	free(session);
}

bool session_take(struct session *session, unsigned lane, uint64_t count, uint64_t *first)
{
	_Atomic uint64_t *sequence = &session->send_lanes[lane].sequence;
	if (atomic_load_explicit(sequence, memory_order_relaxed) + count > SESSION_DATAGRAMS_MAX)
		return false;
	*first = atomic_fetch_add_explicit(sequence, count, memory_order_relaxed);
	/* Another thread of the lane may have come between the load and the addition. */
	return *first + count <= SESSION_DATAGRAMS_MAX;
}

uint64_t session_sent(const struct session *session)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < session->send_lane_count; i++)
		sum += atomic_load_explicit(&session->send_lanes[i].sequence, memory_order_relaxed);
	return sum;
}

uint64_t session_received(const struct session *session)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < session->receive_lanes; i++)
		sum += atomic_load_explicit(&session->windows[i].accepted, memory_order_relaxed);
	return sum;
}
