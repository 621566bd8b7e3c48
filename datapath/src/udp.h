/*
 * The UDP sockets: one a worker, all on one port (SO_REUSEPORT). The kernel spreads data datagrams
 * among them by lane and session (lanes.h), and all else by its source.
 *
 * Dual-stack where IPv6 exists, else IPv4. Opened at start, before privileges are dropped.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "loom_limits.h"

struct udp_sockets {
	int family;
	bool has_gro;
	unsigned count;
	int descriptors[WORKERS_MAX];
};

/* `address` may be NULL for all. Returns 0 or negative errno; -EADDRINUSE when any other process
 * holds the port. */
int udp_open(struct udp_sockets *sockets, unsigned count, const char *address, uint16_t port);
