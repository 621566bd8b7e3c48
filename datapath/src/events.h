/*
 * What workers tell the control thread: punted datagrams and facts about sessions and ports.
 *
 * Each slot has a ring of bytes with one producer (its loop) and one consumer (the control thread);
 * a full ring refuses, so that a worker never waits for the agent. Pushing wakes the control thread
 * by an eventfd.
 */
#pragma once

#include <stdatomic.h>

#include "loom_limits.h"
#include "wire.h"

enum event_kind {
	EVENT_DATAGRAM,
	EVENT_CONTROL,
	EVENT_CONFIRMED,
	EVENT_NEEDED,
	EVENT_SPENT,
	EVENT_PORT_LOST, /* peer holds the VNI */
	EVENT_UNKNOWN,	 /* peer holds the VNI, local_id an enum sought, endpoint the address */
};

struct event {
	uint32_t size; /* of the record in the ring: header, bytes, padding */
	uint32_t length;
	uint32_t kind;
	uint32_t peer;
	uint32_t local_id;
	uint8_t endpoint[ENDPOINT_BYTES];
	uint8_t bytes[];
};

struct events {
	int wake; /* eventfd */
	unsigned rings;
	_Atomic bool agent_attached;
	struct event_ring *ring[SLOTS_MAX];
};

/* Returns 0 or negative errno. */
int events_init(struct events *events, unsigned rings);

/* By the loop of `ring`. `header` gives kind, peer, local_id and endpoint. False when the ring is
 * full. */
bool events_push(struct events *events, unsigned ring, const struct event *header,
		 const uint8_t *bytes, size_t length);

/* By the control thread: calls `handle` for all that waits. */
void events_drain(struct events *events, void (*handle)(const struct event *event, void *context),
		  void *context);
