/*
 * Joining received frames into one super-frame for one write to the TAP (docs/protocol.md 1.3).
 *
 * The segments of a train arrive as consecutive datagrams. The first frame's headers are kept and
 * the payloads of those that follow are chained behind them as an iovec, without copying: every
 * frame stays where it was opened until the super-frame is written. Small UDP and TCP frames of one
 * flow that travelled in aggregates are joined by the same rules, since a write to the TAP costs
 * more than everything else that is done for such a frame.
 *
 * Ownership: a join belongs to one worker; frames belong to its receive buffers and outlive the
 * join. It changes their headers.
 */
#pragma once

#include <sys/uio.h>

#include "train.h"

/* A frame as it came out of a body. */
struct received_frame {
	uint8_t *bytes;
	size_t length;
	uint8_t checksum_start; /* with offset: both 0 when the checksum is complete */
	uint8_t checksum_offset;
	bool is_train;
	bool is_last;
	uint16_t index;
	uint32_t session;
	uint64_t counter;
};

struct join {
	struct received_frame first;
	struct frame_layout layout;
	size_t header_bytes;
	size_t segment_bytes; /* payload of the first; 0: nothing is open */
	size_t bytes;	      /* of the super-frame */
	size_t segments;
	bool closed;	/* a shorter or last segment was taken */
	uint16_t index; /* of the last one taken */
	uint64_t counter;
	uint32_t tcp_next;
	uint16_t ipv4_id;
	struct virtio_net_hdr_mrg_rxbuf vnet;
	struct iovec pieces[1 + JOIN_SEGMENTS_MAX]; /* vnet header, first frame, payloads */
};

/* Starts a super-frame with `frame`. The join is empty. False when this frame cannot be followed by
 * others. */
bool join_start(struct join *join, const struct received_frame *frame, bool takes_uso);

/* Appends. False when the frame does not continue the super-frame; nothing has changed then. */
bool join_append(struct join *join, const struct received_frame *frame);

/* Finishes the headers; returns the number of pieces to write and leaves the join empty. */
size_t join_finish(struct join *join);

/* Makes the vnet header of a single frame. */
void join_single(struct virtio_net_hdr_mrg_rxbuf *vnet, const struct received_frame *frame);

static inline bool join_is_open(const struct join *join)
{
	return join->segment_bytes != 0;
}
