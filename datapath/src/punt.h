/*
 * Which datagrams are handed to the agent, and how many.
 *
 * A handshake datagram comes from anyone, so its shape is checked first, at the price of a few
 * comparisons; garbage takes no token. Then two buckets: one for the hash of its source address, so
 * that one sender cannot use up the rate of all, and one for its kind, so that a flood of
 * initiations leaves responses and cookies their own. Control bodies come from opened datagrams:
 * one bucket for their peer, one for all.
 *
 * Threads: any worker; buckets are atomic words shared by all. A dropped punt is counted by the
 * caller.
 */
#pragma once

#include "events.h"

struct punt_bucket {
	_Atomic uint64_t theoretical_us; /* generic cell rate algorithm: arrival time of a perfectly
					    paced sender */
};

struct punts {
	uint64_t seed;
	struct punt_bucket initiations;
	struct punt_bucket responses;
	struct punt_bucket cookies;
	struct punt_bucket controls;
	struct punt_bucket sources[PUNT_SOURCES];
	struct punt_bucket peers[PUNT_SOURCES];
};

/* Returns -1 when the datagram has the shape of its kind, else the drop reason. */
int punt_check_shape(const uint8_t *datagram, size_t length);

/* Takes a token for a handshake datagram of good shape. */
bool punt_allows_handshake(struct punts *punts, uint8_t kind,
			   const uint8_t endpoint[ENDPOINT_BYTES], uint64_t now_us);

bool punt_allows_control(struct punts *punts, uint32_t peer, uint64_t now_us);
