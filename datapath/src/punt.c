#include "punt.h"

#include <string.h>

#include "table.h"

int punt_check_shape(const uint8_t *datagram, size_t length)
{
	size_t minimum = datagram[0] == DATAGRAM_INITIATION ? INITIATION_BYTES_MIN
			 : datagram[0] == DATAGRAM_RESPONSE ? RESPONSE_BYTES_MIN
							    : COOKIE_BYTES;
	size_t maximum = datagram[0] == DATAGRAM_COOKIE ? COOKIE_BYTES : HANDSHAKE_BYTES_MAX;
	if (length < minimum)
		return DROP_DATAGRAM_TOO_SHORT;
	bool is_sound = datagram[1] != PROTOCOL_VERSION || load_be16(datagram + 2) == 0 ||
			(datagram[0] == DATAGRAM_INITIATION && datagram[2] < datagram[3]);
	return length <= maximum && is_sound ? -1 : DROP_HEADER_INVALID;
}

static bool take(struct punt_bucket *bucket, uint64_t now_us, struct punt_rate rate)
{
	uint64_t interval = 1000000u / rate.per_second;
	uint64_t before = atomic_load_explicit(&bucket->theoretical_us, memory_order_relaxed);
	for (;;) {
		uint64_t base = before > now_us ? before : now_us;
		if (base - now_us >= rate.burst * interval)
			return false;
		if (atomic_compare_exchange_weak_explicit(&bucket->theoretical_us, &before,
							  base + interval, memory_order_relaxed,
							  memory_order_relaxed))
			return true;
	}
}

/* Whether `take` would give a token. */
static bool has_token(struct punt_bucket *bucket, uint64_t now_us, struct punt_rate rate)
{
	uint64_t interval = 1000000u / rate.per_second;
	uint64_t before = atomic_load_explicit(&bucket->theoretical_us, memory_order_relaxed);
	return before < now_us + rate.burst * interval;
}

static bool shows_cookie(const uint8_t *datagram, size_t length)
{
	return !bytes_are_zero(datagram + length - MAC_BYTES_SENT, MAC_BYTES_SENT);
}

/* Whether mac2 is right. A wrong one is the dearest thing to find out, so guesses have a rate; what
 * is right costs none of it. */
static bool is_proved(struct punts *punts, const struct guard_keys *keys, const uint8_t *datagram,
		      size_t length, const uint8_t endpoint[ENDPOINT_BYTES], uint64_t now_us)
{
	if (!shows_cookie(datagram, length) || !take(&punts->guesses, now_us, PUNT_GUESSES))
		return false;
	bool is_right = guard_has_mac2(keys, datagram, length, endpoint);
	if (is_right)
		atomic_fetch_sub_explicit(&punts->guesses.theoretical_us,
					  1000000u / PUNT_GUESSES.per_second, memory_order_relaxed);
	return is_right;
}

static size_t hash_source(const struct punts *punts, const uint8_t endpoint[ENDPOINT_BYTES])
{
	/* An IPv6 host commands its /64, so the interface part is left out; IPv4 lies in the last
	 * four bytes. */
	bool is_v4 = load_be64(endpoint) == 0;
	uint64_t address = is_v4 ? load_be64(endpoint + 8) : load_be64(endpoint);
	return table_mix(address ^ punts->seed) % PUNT_SOURCES;
}

static uint64_t hash_endpoint(const struct punts *punts, const uint8_t endpoint[ENDPOINT_BYTES])
{
	uint64_t hash = table_mix(load_be64(endpoint) ^ punts->seed);
	hash = table_mix(hash ^ load_be64(endpoint + 8));
	return table_mix(hash ^ load_be16(endpoint + 16)) | 1;
}

/* The slot of a known endpoint, or NULL. */
static struct punt_known *find_known(struct punts *punts, uint64_t tag)
{
	struct punt_known *set = punts->endpoints[(tag >> 1) % PUNT_KNOWN_SETS];
	for (unsigned i = 0; i < PUNT_KNOWN_WAYS; i++)
		if (atomic_load_explicit(&set[i].tag, memory_order_relaxed) == tag)
			return &set[i];
	return NULL;
}

static struct punt_known *make_known(struct punts *punts, uint64_t tag)
{
	struct punt_known *set = punts->endpoints[(tag >> 1) % PUNT_KNOWN_SETS];
	unsigned way = 0;
	while (way < PUNT_KNOWN_WAYS && atomic_load(&set[way].tag) != 0)
		way++;
	if (way == PUNT_KNOWN_WAYS)
		way = punts->next_way++ % PUNT_KNOWN_WAYS;
	atomic_store(&set[way].bucket.theoretical_us, 0);
	atomic_store(&set[way].tag, tag);
	return &set[way];
}

void punt_know(struct punts *punts, const uint8_t endpoint[ENDPOINT_BYTES], uint64_t now_ms)
{
	uint64_t tag = hash_endpoint(punts, endpoint);
	struct punt_known *known = find_known(punts, tag);
	if (known == NULL)
		known = make_known(punts, tag);
	known->known_ms = now_ms;
	memcpy(known->endpoint, endpoint, ENDPOINT_BYTES);
}

void punt_steer(const struct punts *punts, struct steering *steering, uint64_t now_ms)
{
	const struct punt_known *known = &punts->endpoints[0][0];
	for (unsigned i = 0; i < PUNT_KNOWN_SETS * PUNT_KNOWN_WAYS; i++, known++)
		if (atomic_load_explicit(&known->tag, memory_order_relaxed) != 0 &&
		    now_ms - known->known_ms < PUNT_AWAITED_MS)
			steering_know(steering, known->endpoint);
}

int punt_judge_handshake(struct punts *punts, const struct guard_keys *keys,
			 const uint8_t *datagram, size_t length,
			 const uint8_t endpoint[ENDPOINT_BYTES], uint64_t now_us)
{
	bool has_macs = datagram[0] != DATAGRAM_COOKIE && keys != NULL;
	struct punt_bucket *kind = &punts->kinds[datagram[0] - DATAGRAM_INITIATION];
	size_t source = hash_source(punts, endpoint);
	struct punt_known *known = find_known(punts, hash_endpoint(punts, endpoint));
	bool could_pass = known != NULL || has_token(&punts->replies, now_us, PUNT_REPLIES) ||
			  (shows_cookie(datagram, length) &&
			   has_token(&punts->guesses, now_us, PUNT_GUESSES)) ||
			  (has_token(&punts->sources[source], now_us, PUNT_OF_SOURCE) &&
			   has_token(kind, now_us, PUNT_OF_ANYONE));
	if (has_macs && !could_pass) /* nothing is hashed that could gain nothing by it */
		return DROP_PUNT_LIMITED;
	if (has_macs && !guard_has_mac1(keys, datagram, length))
		return DROP_MAC1_INVALID;
	if (known != NULL && take(&known->bucket, now_us, PUNT_OF_KNOWN) &&
	    take(&punts->known, now_us, PUNT_OF_WORTHY))
		return -1;
	if (has_macs && is_proved(punts, keys, datagram, length, endpoint, now_us)) {
		bool is_allowed = take(&punts->proved_sources[source], now_us, PUNT_OF_PROVED) &&
				  take(&punts->proved, now_us, PUNT_OF_WORTHY);
		return is_allowed ? -1 : DROP_PUNT_LIMITED;
	}
	if (take(&punts->sources[source], now_us, PUNT_OF_SOURCE) &&
	    take(kind, now_us, PUNT_OF_ANYONE))
		return -1;
	bool is_answered = has_macs && take(&punts->replies, now_us, PUNT_REPLIES);
	return is_answered ? DROP_COOKIE_REQUIRED : DROP_PUNT_LIMITED;
}

bool punt_allows_control(struct punts *punts, uint32_t peer, uint64_t now_us)
{
	return take(&punts->peers[peer % PUNT_SOURCES], now_us, PUNT_OF_PEER) &&
	       take(&punts->controls, now_us, PUNT_OF_CONTROLS);
}
