#include "worker.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"

#define EVENTS_PER_WAIT 64

enum watch_kind {
	WATCH_STOP,
	WATCH_SOCKET,
	WATCH_PORT,  /* with the VNI in the low half */
	WATCH_LOBBY, /* with its number among those of the worker */
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

static void set_muted(struct worker *worker, unsigned index, bool is_muted)
{
	struct lobby *lobby = &worker->lobby[index];
	struct epoll_event event = { .events = is_muted ? 0 : EPOLLIN,
				     .data.u64 = (uint64_t)WATCH_LOBBY << 32 | index };
	if (lobby->is_muted == is_muted ||
	    epoll_ctl(worker->epoll, EPOLL_CTL_MOD, lobby->socket, &event) != 0)
		return;
	lobby->is_muted = is_muted;
	worker->muted += is_muted ? 1u : -1u;
}

/* Reads what a lobby may have. */
static void look_into(struct worker *worker, unsigned index, uint64_t now_ms)
{
	struct lobby *lobby = &worker->lobby[index];
	unsigned allowance = lobby_allowance(lobby, now_ms);
	unsigned most = allowance < RECEIVE_MESSAGES ? allowance : RECEIVE_MESSAGES;
	unsigned got = most == 0 ? 0 : receive_batch(worker->receive, lobby->socket, most);
	lobby_spend(lobby, got);
	if (most < RECEIVE_MESSAGES)
		set_muted(worker, index, true);
	else if (got < LOBBY_QUIET)
		set_muted(worker, index, false);
}

static void look_into_muted(struct worker *worker, uint64_t now_ms)
{
	if (worker->muted == 0 || now_ms < worker->look_at_ms)
		return;
	worker->look_at_ms = now_ms + LOBBY_PAUSE_MS;
	for (unsigned i = 0; i < worker->lobbies; i++)
		if (worker->lobby[i].is_muted)
			look_into(worker, i, now_ms);
}

static void set_pace(struct worker *worker, uint64_t now_ms)
{
	bool is_slow = pace_judge(&worker->pace, now_ms, worker->receive->refused);
	struct epoll_event event = { .events = is_slow ? 0 : EPOLLIN,
				     .data.u64 = (uint64_t)WATCH_SOCKET << 32 };
	if (is_slow != worker->pace.is_slow &&
	    epoll_ctl(worker->epoll, EPOLL_CTL_MOD, worker->receive->socket, &event) == 0)
		worker->pace.is_slow = is_slow;
}

static void note_flood(struct worker *worker)
{
	bool is_flooded = worker->muted != 0 || worker->pace.is_slow;
	if (atomic_load_explicit(&worker->is_flooded, memory_order_relaxed) != is_flooded)
		atomic_store_explicit(&worker->is_flooded, is_flooded, memory_order_relaxed);
}

static int await(const struct worker *worker, struct epoll_event *events)
{
	if (!worker->pace.is_slow)
		return epoll_wait(worker->epoll, events, EVENTS_PER_WAIT,
				  worker->muted != 0 ? (int)LOBBY_PAUSE_MS : -1);
	const struct timespec pause = { .tv_nsec = worker->is_behind ? 0 : PACE_PAUSE_US * 1000 };
	/* By its number: kernels have it for longer than C libraries. */
	long count =
		syscall(SYS_epoll_pwait2, worker->epoll, events, EVENTS_PER_WAIT, &pause, NULL, 0);
	return count >= 0 ? (int)count : epoll_wait(worker->epoll, events, EVENTS_PER_WAIT, 1);
}

static void *run(void *context)
{
	struct worker *worker = context;
	struct epoll_event events[EVENTS_PER_WAIT];
	for (;;) {
		int count = await(worker, events);
		uint64_t now_us = clock_now_us();
		reclaim_online(worker->index);
		worker->transmit->now_ms = now_us / 1000;
		receive_begin(worker->receive, now_us);
		for (int i = 0; i < count; i++) {
			enum watch_kind kind = (enum watch_kind)(events[i].data.u64 >> 32);
			if (kind == WATCH_STOP)
				return NULL;
			if (kind == WATCH_SOCKET)
				(void)receive_turn(worker->receive);
			else if (kind == WATCH_LOBBY)
				look_into(worker, (uint32_t)events[i].data.u64, now_us / 1000);
			else
				handle_port(worker, (uint32_t)events[i].data.u64);
		}
		if (worker->pace.is_slow)
			worker->is_behind = !receive_turn(worker->receive);
		look_into_muted(worker, now_us / 1000);
		set_pace(worker, now_us / 1000);
		note_flood(worker);
		reclaim_offline(worker->index);
	}
}

/* Every so many of them is this worker's. */
static int take_lobbies(struct worker *worker, const struct udp_sockets *sockets)
{
	int result = 0;
	for (unsigned i = worker->index; i < sockets->lobbies && result == 0; i += sockets->count) {
		unsigned index = worker->lobbies++;
		int socket = sockets->descriptors[sockets->count + i];
		worker->lobby[index] = (struct lobby){ .socket = socket, .tokens = LOBBY_BURST };
		result = watch(worker->epoll, socket, WATCH_LOBBY, index);
	}
	return result;
}

static int init_worker(struct worker *worker, const struct workers *workers, struct punts *punts,
		       const struct udp_sockets *sockets)
{
	int socket = sockets->descriptors[worker->index];
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
	if (result == 0)
		result = watch(worker->epoll, socket, WATCH_SOCKET, 0);
	return result == 0 ? take_lobbies(worker, sockets) : result;
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
		int result = init_worker(worker, workers, punts, sockets);
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

bool workers_are_flooded(const struct workers *workers)
{
	bool is_flooded = false;
	for (unsigned i = 0; i < workers->count; i++)
		is_flooded |=
			atomic_load_explicit(&workers->list[i].is_flooded, memory_order_relaxed);
	return is_flooded;
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
