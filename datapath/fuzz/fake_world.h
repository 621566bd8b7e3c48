/*
 * A small world for the packet paths: two networks with a port, four peers, sessions with one
 * fixed key.
 *
 * The local member is 02:00:00:00:00:01, 10.9.0.1, fd09::1. Peer n is 02:00:00:00:00:0(n+1),
 * 10.9.0.(n+1), fd09::(n+1).
 *   peer 1  member of both networks; session FIRST, and SECOND that waits for its first datagram
 *   peer 2  member of the first network; session OTHER
 *   peer 3  member of the first network, without a session
 *   peer 4  session, but no endpoint; in the FDB of the first network, no member
 * It is made once; fake_world_reset puts back what an input may have changed, since making
 * sessions is slow.
 */
#pragma once

#include "aead.h"
#include "events.h"
#include "punt.h"
#include "tables.h"

#define WORLD_VNI 0x012345u
#define WORLD_VNI_SECOND 7u
#define WORLD_PEERS 4u
#define WORLD_LANES 4u
#define WORLD_LANE 3u
#define WORLD_SESSION_FIRST 0x0a0b0c0du
#define WORLD_SESSION_SECOND 0x0a0b0c0eu
#define WORLD_SESSION_OTHER 0x0a0b0c0fu
#define WORLD_SESSION_LOST 0x0a0b0c10u
#define WORLD_SESSIONS 4u
#define WORLD_SLOTS (WORLD_LANES + 1u) /* each worker, the control thread */

struct fake_world {
	struct tables tables;
	struct events events;
	struct punts punts;
	struct port *ports[2];
	struct peer *peers[WORLD_PEERS];
	struct session *sessions[WORLD_SESSIONS];
	struct aead_key *sealing; /* the key of all sessions, for the harness */
	struct aead_key *opening;
};

extern struct fake_world world;

void fake_world_init(void);
void fake_world_reset(void);

/* The counter of the whole. */
uint64_t fake_world_counter(unsigned field);
uint64_t fake_world_drops(enum drop_reason reason);

/* Bytes 0, 1, 2, ... as in datapath/vectors. */
extern const uint8_t fake_world_key[KEY_BYTES];
