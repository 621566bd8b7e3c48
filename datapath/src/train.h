/*
 * Splitting a super-frame into the segments of a train (docs/protocol.md 1.3).
 *
 * The kernel hands over up to 64 KB of TCP or UDP payload behind one set of headers. train_plan
 * checks that the headers allow to split it; train_write then makes segment by segment, each a
 * complete frame whose transport checksum holds the pseudo-header sum, or is complete where an
 * entry cannot name its place. Pure functions; a plan points into the caller's frame and lives as
 * long as that.
 */
#pragma once

#include <linux/virtio_net.h>

#include "frame.h"
#include "loom_limits.h"

/* In kernel headers since 6.2. */
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

#define VNET_BYTES sizeof(struct virtio_net_hdr_mrg_rxbuf)
_Static_assert(sizeof(struct virtio_net_hdr_mrg_rxbuf) == 12, "vnet header");

enum tcp_flag {
	TCP_FLAG_FIN = 0x01,
	TCP_FLAG_PSH = 0x08,
	TCP_FLAG_CWR = 0x80,
};

struct train {
	const uint8_t *frame;
	struct frame_layout layout;
	size_t header_bytes;  /* all headers: offset of the payload */
	size_t payload_bytes; /* of the whole super-frame */
	size_t segment_bytes; /* payload of each segment but the last */
	size_t segments;
	uint64_t pseudo_sum;
	uint8_t checksum_offset;
	bool completes_checksum; /* the transport header begins beyond CHECKSUM_START_MAX */
};

/* False when the headers do not allow to split the frame as the vnet header says. */
bool train_plan(struct train *train, const uint8_t *frame, size_t length,
		const struct virtio_net_hdr *hdr);

/* Bytes of the frame of one segment. */
static inline size_t train_frame_bytes(const struct train *train, size_t segment)
{
	size_t done = segment * train->segment_bytes;
	size_t left = train->payload_bytes - done;
	return train->header_bytes + (left < train->segment_bytes ? left : train->segment_bytes);
}

/* Writes the frame of one segment to `out`, which has room for train_frame_bytes. */
void train_write(const struct train *train, size_t segment, uint8_t *out);
