/*
 * From a port to peers: reads frames of one TAP queue, finds the peer, seals, sends.
 *
 * Super-frames leave as trains. Small frames that wait in the queue for one peer and network share
 * a datagram (an aggregate) up to what one full frame would take; the open aggregate is sealed as
 * soon as the queue is empty, so nothing waits for more. Requests for neighbours are answered to
 * the port. Frames to many are sealed for each member.
 *
 * Ownership and threads: one worker owns a transmit; it reads the tables while online.
 */
#pragma once

#include "events.h"
#include "misses.h"
#include "outbox.h"
#include "train.h"

/* The datagram that is being filled with frames. */
struct aggregate {
	struct peer *peer; /* NULL: none is open */
	struct session *session;
	const struct endpoint *endpoint;
	uint8_t *datagram;
	size_t bytes;	  /* header, body header and entries so far */
	size_t bytes_max; /* without the tag */
	unsigned frames;
	size_t frame_bytes;
};

struct transmit {
	const struct tables *tables;
	struct events *events;
	unsigned worker; /* lane, queue, user of sealing keys, counter slot */
	uint64_t now_ms;
	struct network *network; /* of this turn */
	struct port *port;
	struct aggregate aggregate;
	struct misses misses;
	struct outbox outbox;
	uint8_t frame[VNET_BYTES + FRAME_BYTES_MAX + 64];
};

/* Reads one turn of frames from a port's queue. Returns false when the device is gone. */
bool transmit_port(struct transmit *transmit, struct network *network, struct port *port);

/*
 * Seals a control body for the peer's active session; for the control thread, whose key user is
 * `user`. Writes at most length + 36 bytes to `datagram`. Returns 0 or -ENOTCONN.
 */
int transmit_seal_control(struct peer *peer, unsigned user, uint64_t now_ms, const uint8_t *bytes,
			  size_t length, uint8_t *datagram, size_t *datagram_bytes);
