/*
 * Sealed datagrams on their way out: an arena in which equal-sized neighbours to one endpoint form
 * a run, sent as one message with UDP_SEGMENT; all runs of a flush leave by one sendmmsg.
 *
 * Use: outbox_room, write and seal there, outbox_commit; at the end of a turn outbox_flush.
 * Ownership and threads: one loop owns an outbox. Endpoints and counters must stay valid until the
 * flush, which is before the loop goes offline.
 */
#pragma once

#include "tables.h"

struct outbox_run {
	const struct endpoint *endpoint;
	struct scope scope; /* for what could not be sent */
	size_t offset;
	size_t bytes;
	size_t segment_bytes;
	unsigned segments;
	bool closed; /* a shorter segment was the last */
};

struct outbox {
	int socket;
	size_t used;
	unsigned runs_used;
	struct outbox_run runs[SEND_RUNS_MAX];
	uint8_t arena[SEND_ARENA_BYTES];
};

/* Room for one datagram; flushes when there is none. Valid until the next call with this outbox. */
uint8_t *outbox_room(struct outbox *outbox, size_t bytes);

/* Queues the datagram that was written to outbox_room. */
void outbox_commit(struct outbox *outbox, size_t bytes, const struct endpoint *endpoint,
		   const struct scope *scope);

void outbox_flush(struct outbox *outbox);

/* Whether the kernel takes UDP_SEGMENT; found by outbox_probe at start and unset by a device that
 * refuses it. */
bool outbox_uses_segments(void);
void outbox_probe(int socket);
