#include "worker.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"

#define EVENTS_PER_WAIT 64

enum watch_kind {
	WATCH_STOP,
	WATCH_SOCKET,
	WATCH_PORT, /* with the VNI in the low half */
};

static int watch(int epoll, int descriptor, enum watch_kind kind, uint32_t vni)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = (uint64_t)kind << 32 | vni };
	return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0 ? 0 : -errno;
}

/* The device was deleted under its queue: tells the control thread, and stops listening so as not
 * to spin. */
static void report_lost(struct worker *worker, struct port *port)
{
	if (atomic_exchange(&port->lost, true))
		return;
	const struct event event = { .kind = EVENT_PORT_LOST, .peer = port->vni };
	if (!events_push(worker->events, worker->index, &event, NULL, 0))
		atomic_store(&port->lost, false);
}

static void handle_port(struct worker *worker, uint32_t vni)
{
	struct network *network = tables_find_network(worker->tables, vni);
	struct port *port = network == NULL ? NULL : atomic_load(&network->port);
	if (port == NULL)
		return;
	if (!transmit_port(worker->transmit, network, port)) {
		int descriptor = port->descriptors[worker->index];
		report_lost(worker, port);
		if (atomic_load(&port->lost))
			(void)epoll_ctl(worker->epoll, EPOLL_CTL_DEL, descriptor, NULL);
	}
}

static void *run(void *context)
{
	struct worker *worker = context;
	struct epoll_event events[EVENTS_PER_WAIT];
	for (;;) {
		int count = epoll_wait(worker->epoll, events, EVENTS_PER_WAIT, -1);
		uint64_t now_us = clock_now_us();
		reclaim_online(worker->index);
		worker->transmit->now_ms = now_us / 1000;
		receive_begin(worker->receive, now_us);
		for (int i = 0; i < count; i++) {
			enum watch_kind kind = (enum watch_kind)(events[i].data.u64 >> 32);
			if (kind == WATCH_STOP)
				return NULL;
			if (kind == WATCH_SOCKET)
				receive_turn(worker->receive);
			else
				handle_port(worker, (uint32_t)events[i].data.u64);
		}
		reclaim_offline(worker->index);
	}
}

static int init_worker(struct worker *worker, const struct workers *workers, struct punts *punts,
		       int socket)
{
	struct transmit *transmit = calloc(1, sizeof(*transmit));
	struct receive *receive = aligned_alloc(64, sizeof(*receive));
	worker->transmit = transmit;
	worker->receive = receive;
	if (transmit == NULL || receive == NULL)
		return -ENOMEM;
	memset(receive, 0, sizeof(*receive));
	transmit->tables = receive->tables = worker->tables;
	transmit->events = receive->events = worker->events;
	transmit->worker = receive->worker = worker->index;
	transmit->outbox.socket = receive->socket = socket;
	receive->punts = punts;
	worker->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (worker->epoll < 0)
		return -errno;
	int result = watch(worker->epoll, workers->stop, WATCH_STOP, 0);
	return result == 0 ? watch(worker->epoll, socket, WATCH_SOCKET, 0) : result;
}

int workers_init(struct workers *workers, unsigned count, const struct tables *tables,
		 struct events *events, struct punts *punts, const struct udp_sockets *sockets)
{
	memset(workers, 0, sizeof(*workers));
	workers->count = count;
	workers->stop = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (workers->stop < 0)
		return -errno;
	for (unsigned i = 0; i < count; i++) {
		struct worker *worker = &workers->list[i];
		*worker = (struct worker){ .index = i, .tables = tables, .events = events };
		int result = init_worker(worker, workers, punts, sockets->descriptors[i]);
		if (result != 0)
			return result;
	}
	return 0;
}

int workers_start(struct workers *workers)
{
	for (unsigned i = 0; i < workers->count; i++) {
		int result = pthread_create(&workers->list[i].thread, NULL, run, &workers->list[i]);
		if (result != 0)
			return -result;
	}
	return 0;
}

void workers_stop(struct workers *workers)
{
	uint64_t one = 1;
	(void)!write(workers->stop, &one, sizeof(one));
	for (unsigned i = 0; i < workers->count; i++)
		pthread_join(workers->list[i].thread, NULL);
}

int workers_watch_port(struct workers *workers, const struct port *port)
{
	for (unsigned i = 0; i < port->queues; i++) {
		int result =
			watch(workers->list[i].epoll, port->descriptors[i], WATCH_PORT, port->vni);
		if (result != 0)
			return result;
	}
	return 0;
}

void workers_unwatch_port(struct workers *workers, const struct port *port)
{
	for (unsigned i = 0; i < port->queues; i++)
		(void)epoll_ctl(workers->list[i].epoll, EPOLL_CTL_DEL, port->descriptors[i], NULL);
}
