#include "punt.h"

#include "control_messages.h"

int punt_check_shape(const uint8_t *datagram, size_t length)
{
	size_t minimum = datagram[0] == DATAGRAM_INITIATION ? INITIATION_BYTES_MIN
			 : datagram[0] == DATAGRAM_RESPONSE ? RESPONSE_BYTES_MIN
							    : COOKIE_BYTES;
	size_t maximum = datagram[0] == DATAGRAM_COOKIE ? COOKIE_BYTES : HANDSHAKE_BYTES_MAX;
	if (length < minimum)
		return DROP_DATAGRAM_TOO_SHORT;
	if (length > maximum || datagram[1] != PROTOCOL_VERSION || load_be16(datagram + 2) != 0)
		return DROP_HEADER_INVALID;
	return -1;
}

static bool bucket_take(struct punt_bucket *bucket, uint64_t now_us, unsigned per_second,
			unsigned burst)
{
	uint64_t interval = 1000000u / per_second;
	uint64_t before = atomic_load_explicit(&bucket->theoretical_us, memory_order_relaxed);
	for (;;) {
		uint64_t base = before > now_us ? before : now_us;
		if (base - now_us >= burst * interval)
			return false;
		if (atomic_compare_exchange_weak_explicit(&bucket->theoretical_us, &before,
							  base + interval, memory_order_relaxed,
							  memory_order_relaxed))
			return true;
	}
}

static struct punt_bucket *bucket_of_source(struct punts *punts,
					    const uint8_t endpoint[ENDPOINT_BYTES])
{
	/* An IPv6 host commands its /64, so the interface part is left out; IPv4 lies in the last
	 * four bytes. */
	bool is_v4 = load_be64(endpoint) == 0;
	uint64_t hash = (is_v4 ? load_be64(endpoint + 8) : load_be64(endpoint)) ^ punts->seed;
	hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9u;
	hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebu;
	return &punts->sources[(hash ^ (hash >> 31)) % PUNT_SOURCES];
}

bool punt_allows_handshake(struct punts *punts, uint8_t kind,
			   const uint8_t endpoint[ENDPOINT_BYTES], uint64_t now_us)
{
	if (!bucket_take(bucket_of_source(punts, endpoint), now_us, PUNT_SOURCE_PER_SECOND,
			 PUNT_SOURCE_BURST))
		return false;
	if (kind == DATAGRAM_INITIATION)
		return bucket_take(&punts->initiations, now_us, PUNT_INITIATIONS_PER_SECOND,
				   PUNT_INITIATIONS_BURST);
	if (kind == DATAGRAM_RESPONSE)
		return bucket_take(&punts->responses, now_us, PUNT_RESPONSES_PER_SECOND,
				   PUNT_RESPONSES_BURST);
	return bucket_take(&punts->cookies, now_us, PUNT_COOKIES_PER_SECOND, PUNT_COOKIES_BURST);
}

bool punt_allows_control(struct punts *punts, uint32_t peer, uint64_t now_us)
{
	return bucket_take(&punts->peers[peer % PUNT_SOURCES], now_us, PUNT_PEER_PER_SECOND,
			   PUNT_PEER_BURST) &&
	       bucket_take(&punts->controls, now_us, PUNT_CONTROLS_PER_SECOND, PUNT_CONTROLS_BURST);
}
