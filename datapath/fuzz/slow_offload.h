/*
 * Segmentation of super-frames once more, slow and apart from datapath/src: what the targets hold
 * the data path's against. It follows docs/protocol.md 1.2 and 1.3, byte by byte, and shares no
 * code with what it judges.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slow_headers {
	bool is_ipv6;
	bool is_tcp;	  /* else UDP */
	bool is_routed;	  /* an IPv6 routing header: the pseudo-header has another destination */
	bool is_complete; /* a segment's checksum: its place is beyond what a byte can name */
	size_t network;
	size_t transport;
	size_t payload;
	size_t checksum_offset; /* of the checksum, from the transport header */
};

/* False when the frame is no whole TCP or UDP frame that ends where its IP length says. */
bool slow_read(const uint8_t *frame, size_t length, struct slow_headers *headers);

/* Sets the lengths, the IPv4 checksum and the pseudo-header sum as the frame's length asks. */
void slow_fix(uint8_t *frame, size_t length, const struct slow_headers *headers);

/* Writes segment `index`; returns its length, 0 when there is none. */
size_t slow_segment(const uint8_t *whole, size_t length, const struct slow_headers *headers,
		    size_t segment_bytes, size_t index, uint8_t *out);

/* The ones' complement sum of 16-bit words, folded. */
uint16_t slow_sum(uint32_t start, const uint8_t *bytes, size_t length);
