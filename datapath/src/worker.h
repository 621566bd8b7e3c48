/*
 * Workers: the threads that forward.
 *
 * A worker is one thread with an epoll set, a lane, a queue of every port, a UDP socket and its
 * state for both directions. Two threads a worker, one for each direction, were slower in every
 * figure on two cores (docs/performance.md).
 *
 * Events carry the VNI, not a pointer: what epoll returns may be older than the online phase.
 *
 * Threads: workers_start, workers_stop, workers_watch_port and workers_unwatch_port by the control
 * thread.
 */
#pragma once

#include <pthread.h>

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

/* Adds the queues of an attached port to the epoll sets. */
int workers_watch_port(struct workers *workers, const struct port *port);

/* Takes them out; called before the port is retired. */
void workers_unwatch_port(struct workers *workers, const struct port *port);
