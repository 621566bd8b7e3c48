/*
 * The UDP sockets: all on one port (SO_REUSEPORT), among which a program in the kernel chooses.
 *
 *  - One a worker, for data datagrams, by lane and session (lanes.h).
 *  - The lobbies, for handshake datagrams, so that a flood of them neither wakes a worker nor fills
 * the queue of data. What is more than workers look at (lobby.h) is lost in the kernel, where it
 * costs least. There are some for each class (enum lobby_class), and a sender's address chooses one
 * of them: one sender crowds out few others, and those only until they are dealt anew.
 *  - The wastes, for what has no shape: it is dropped before it is queued. The kernel counts.
 *
 * Dual-stack where IPv6 exists, else IPv4. Opened at start, before privileges are dropped; where
 * the kernel takes no program (steering.h), there are sockets of workers alone.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "loom_limits.h"

enum lobby_class {
	LOBBY_PLAIN,  /* initiations without a cookie: of anyone */
	LOBBY_PROVED, /* initiations and responses that show one, right or wrong */
	LOBBY_ANSWER, /* responses without one, cookie replies: to what this host has sent */
	LOBBY_KNOWN,  /* handshakes from addresses of peers, while there is a flood */
	LOBBY_DATA,   /* data from other addresses, while there is a flood */
	LOBBY_CLASSES,
};

_Static_assert(LOBBIES == LOBBY_CLASSES * LOBBY_SOURCES, "lobbies");

enum waste {
	WASTE_SHORT,
	WASTE_INVALID,
	WASTES,
};

#define SOCKETS_MAX (WORKERS_MAX + LOBBIES + WASTES)

struct udp_sockets {
	int family;
	bool has_gro;
	unsigned count;	  /* of workers */
	unsigned lobbies; /* LOBBIES, or 0 */
	unsigned opened;
	int descriptors[SOCKETS_MAX]; /* of workers, lobbies, wastes */
	uint32_t drops[SOCKETS_MAX];  /* as last told by the kernel */
};

/* `address` may be NULL for all. Returns 0 or negative errno; -EADDRINUSE when any other process
 * holds the port. */
int udp_open(struct udp_sockets *sockets, unsigned count, const char *address, uint16_t port);

/* What the kernel has dropped since the last call. */
struct udp_drops {
	uint64_t of_workers;
	uint64_t of_lobbies;
	uint64_t of_wastes[WASTES];
};

void udp_take_drops(struct udp_sockets *sockets, struct udp_drops *drops);
