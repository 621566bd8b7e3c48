/*
 * Which datagrams are handed to the agent, and how many.
 *
 * A handshake datagram comes from anyone. Its shape and its mac1 are checked first, so that garbage
 * takes no token; where there is none that it could have, it is dropped before. Then it passes by
 * what its source is worth, each with a rate of its own, so that a flood of what is worth less
 * takes nothing from what is worth more:
 *  - known: this host has sent to that endpoint (a peer's, or one that it initiated to); a rate for
 * each, and one for all;
 *  - proved: mac2 shows that the source receives; a rate for the hash of its address, and one for
 * all; so many a second are looked at whose mac2 is wrong, the others are of anyone;
 *  - anyone: a rate for the hash of its address, so that one sender cannot use up the rate of all,
 * and one for each kind of datagram. What finds that used up is answered by a cookie reply, at a
 * rate again.
 * Control bodies come from opened datagrams: one bucket for their peer, one for all.
 *
 * Threads: any worker; buckets are atomic words shared by all. punt_know and the keys: the control
 * thread. A dropped punt is counted by the caller.
 */
#pragma once

#include "events.h"
#include "guard.h"
#include "steering.h"

struct punt_bucket {
	_Atomic uint64_t theoretical_us; /* generic cell rate algorithm: arrival time of a perfectly
					    paced sender */
};

/* Tokens a second, and how many are kept (loom_limits.h). */
struct punt_rate {
	unsigned per_second;
	unsigned burst;
};

struct punt_known {
	_Atomic uint64_t tag; /* hash of the endpoint; 0: free */
	struct punt_bucket bucket;
	/* The control thread's: */
	uint64_t known_ms; /* when it was made known last */
	uint8_t endpoint[ENDPOINT_BYTES];
};

struct punts {
	uint64_t seed;
	_Atomic(struct guard_keys *) keys; /* NULL: the agent has given none yet */
	struct punt_bucket kinds[3];	   /* of handshake datagrams, by their first byte */
	struct punt_bucket controls;
	struct punt_bucket known;
	struct punt_bucket proved;
	struct punt_bucket replies;
	struct punt_bucket guesses;
	struct punt_bucket sources[PUNT_SOURCES];
	struct punt_bucket proved_sources[PUNT_SOURCES];
	struct punt_bucket peers[PUNT_SOURCES];
	struct punt_known endpoints[PUNT_KNOWN_SETS][PUNT_KNOWN_WAYS];
	unsigned next_way; /* to be given to another endpoint */
};

/* Returns -1 for the shape of its kind or of another version, else the drop reason. */
int punt_check_shape(const uint8_t *datagram, size_t length);

/*
 * Judges a handshake datagram of good shape. Returns -1 when it may be handed over, else the drop
 * reason; for DROP_COOKIE_REQUIRED a cookie reply is to be sent.
 */
int punt_judge_handshake(struct punts *punts, const struct guard_keys *keys,
			 const uint8_t *datagram, size_t length,
			 const uint8_t endpoint[ENDPOINT_BYTES], uint64_t now_us);

bool punt_allows_control(struct punts *punts, uint32_t peer, uint64_t now_us);

/* Makes an endpoint a known one, in the place of another when there is no room. */
void punt_know(struct punts *punts, const uint8_t endpoint[ENDPOINT_BYTES], uint64_t now_ms);

/* Adds the addresses from which answers are awaited to those that have lobbies of their own. */
void punt_steer(const struct punts *punts, struct steering *steering, uint64_t now_ms);
