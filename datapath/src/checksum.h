/* The Internet checksum (RFC 1071): sums of big-endian 16-bit words. Pure functions. */
#pragma once

#include "bytes.h"

/* Adds bytes to a running sum; only the last piece may have an odd length. */
static inline uint64_t checksum_add(uint64_t sum, const uint8_t *at, size_t length)
{
	for (; length >= 4; at += 4, length -= 4)
		sum += load_be32(at);
	if (length >= 2) {
		sum += load_be16(at);
		at += 2;
		length -= 2;
	}
	return length == 0 ? sum : sum + ((uint64_t)at[0] << 8);
}

/* The 16-bit ones' complement sum, not complemented. */
static inline uint16_t checksum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* Completes a checksum that holds the pseudo-header sum: over all bytes from `start`. */
static inline void checksum_complete(uint8_t *frame, size_t length, size_t start, size_t offset)
{
	uint16_t sum = (uint16_t)~checksum_fold(checksum_add(0, frame + start, length - start));
	/* Zero means "no checksum" in UDP; its equal is sent instead (RFC 768), which TCP takes
	 * too. */
	store_be16(frame + start + offset, sum == 0 ? 0xffff : sum);
}
