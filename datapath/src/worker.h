/*
 * Workers: the threads that forward.
 *
 * A worker is one thread with an epoll set, a lane, a queue of every port, a UDP socket, a share of
 * the lobbies and its state for both directions. Two threads a worker, one for each direction, were
 * slower in every figure on two cores (docs/performance.md).
 *
 * Events carry the VNI, not a pointer: what epoll returns may be older than the online phase.
 *
 * Threads: workers_start, workers_stop, workers_watch_port and workers_unwatch_port by the control
 * thread.
 */
#pragma once

#include <pthread.h>

#include "lobby.h"
#include "pace.h"
#include "receive.h"
#include "transmit.h"
#include "udp.h"

struct worker {
	pthread_t thread;
	int epoll;
	unsigned index; /* lane, queue, counter slot */
	const struct tables *tables;
	struct events *events;
	struct transmit *transmit;
	struct receive *receive;
	struct pace pace;
	bool is_behind; /* with what waits in its socket */
	/* Its share of the lobbies. */
	unsigned lobbies;
	struct lobby lobby[LOBBIES];
	uint64_t look_at_ms; /* for those that are muted */
	unsigned muted;	     /* their number */
	_Atomic bool is_flooded;
};

struct workers {
	unsigned count;
	int stop; /* eventfd in every worker's epoll set */
	struct worker list[WORKERS_MAX];
};

/* Allocates and opens what the threads need. Returns 0 or negative errno. */
int workers_init(struct workers *workers, unsigned count, const struct tables *tables,
		 struct events *events, struct punts *punts, const struct udp_sockets *sockets);

int workers_start(struct workers *workers);

/* Ends all threads and waits for them. */
void workers_stop(struct workers *workers);

/* Whether a worker has more to refuse, or in a lobby, than it looks at. */
bool workers_are_flooded(const struct workers *workers);

/* Adds the queues of an attached port to the epoll sets. */
int workers_watch_port(struct workers *workers, const struct port *port);

/* Takes them out; called before the port is retired. */
void workers_unwatch_port(struct workers *workers, const struct port *port);
