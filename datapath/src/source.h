/*
 * Source binding (docs/protocol.md 1.5): may this peer send this frame?
 *
 * A peer can only speak from the MACs and addresses that are bound to it, also inside ARP and
 * neighbour discovery, where a lie would turn another member's traffic. A header that does not
 * parse is denied when a kernel might read it otherwise. Threads: workers while online. Pure but
 * for the lookups.
 */
#pragma once

#include "frame.h"
#include "tables.h"

/* Returns -1 when the frame may pass, else the drop reason. `length` is at least ETHERNET_BYTES. */
int source_check(const struct tables *tables, uint32_t vni, const struct peer *peer,
		 const uint8_t *frame, size_t length);
