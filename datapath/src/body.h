/* Reading the plaintext of a data datagram (docs/protocol.md 1.2). Pure. */
#pragma once

#include "wire.h"

struct body_entry {
	uint8_t *frame;
	size_t length;
	uint8_t checksum_start;
	uint8_t checksum_offset;
};

/* Reads the entry at `*at` of a body and moves `*at` behind it. False when it does not parse. */
static inline bool body_next(uint8_t *body, size_t length, size_t *at, struct body_entry *entry)
{
	if (length - *at < ENTRY_HEADER_BYTES)
		return false;
	const uint8_t *header = body + *at;
	entry->length = load_be16(header);
	entry->checksum_start = header[2];
	entry->checksum_offset = header[3];
	entry->frame = body + *at + ENTRY_HEADER_BYTES;
	if (entry->length < ETHERNET_BYTES || entry->length > length - *at - ENTRY_HEADER_BYTES)
		return false;
	if ((entry->checksum_start | entry->checksum_offset) != 0 &&
	    (size_t)entry->checksum_start + entry->checksum_offset + 2 > entry->length)
		return false;
	*at += ENTRY_HEADER_BYTES + entry->length;
	return true;
}

/* Whether entries fill the body exactly; a train's body has one. */
static inline bool body_is_valid(uint8_t *body, size_t length, bool is_train)
{
	size_t at = BODY_HEADER_BYTES;
	size_t entries = 0;
	struct body_entry entry;
	while (at < length) {
		if (!body_next(body, length, &at, &entry))
			return false;
		entries++;
	}
	return entries == 1 || (entries > 1 && !is_train);
}
