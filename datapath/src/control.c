#include "control.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "clock.h"

enum source {
	SOURCE_SIGNAL,
	SOURCE_LISTENER,
	SOURCE_AGENT,
	SOURCE_EVENTS,
};

static int watch(const struct control *control, int operation, int descriptor, enum source source,
		 uint32_t events)
{
	struct epoll_event event = { .events = events, .data.u64 = source };
	return epoll_ctl(control->epoll, operation, descriptor, &event) == 0 ? 0 : -errno;
}

static void pass_on(const struct event *event, void *context)
{
	struct control *control = context;
	struct agent *agent = &control->agent;
	bool is_dropped = false;
	if (event->kind == EVENT_DATAGRAM) {
		is_dropped = !agent_send_event(agent, CONTROL_DATAGRAM_RECEIVED, event->endpoint,
					       ENDPOINT_BYTES, event->bytes, event->length);
	} else if (event->kind == EVENT_CONTROL) {
		struct control_control_received fields = { .peer = be32_of(event->peer),
							   .local_id = be32_of(event->local_id) };
		memcpy(fields.endpoint, event->endpoint, ENDPOINT_BYTES);
		is_dropped = !agent_send_event(agent, CONTROL_CONTROL_RECEIVED, &fields,
					       sizeof(fields), event->bytes, event->length);
	} else if (event->kind == EVENT_NEEDED) {
		const struct control_session_needed fields = { .peer = be32_of(event->peer) };
		struct peer *peer = tables_find_peer(&control->tables, event->peer);
		if (peer != NULL)
			peer->session_needed_at_ms = clock_now_ms();
		(void)agent_send_event(agent, CONTROL_SESSION_NEEDED, &fields, sizeof(fields), NULL,
				       0);
	} else if (event->kind == EVENT_UNKNOWN) {
		struct control_member_needed fields = { .vni = be32_of(event->peer),
							.kind = (uint8_t)event->local_id };
		memcpy(fields.address, event->endpoint, sizeof(fields.address));
		(void)agent_send_event(agent, CONTROL_MEMBER_NEEDED, &fields, sizeof(fields), NULL,
				       0);
	} else if (event->kind == EVENT_PORT_LOST) {
		ports_detach_lost(control, event->peer);
	} else {
		/* sessionConfirmed and sessionSpent have one layout. */
		const struct control_session_spent fields = { be32_of(event->local_id),
							      be32_of(event->peer) };
		bool is_spent = event->kind == EVENT_SPENT;
		uint16_t code = is_spent ? CONTROL_SESSION_SPENT : CONTROL_SESSION_CONFIRMED;
		(void)agent_send_event(agent, code, &fields, sizeof(fields), NULL, 0);
	}
	const struct scope scope = { .total = &control->tables.total[control->slot] };
	if (is_dropped)
		counters_drop(&scope, DROP_AGENT_ABSENT);
}

/* What is reported by time: activity, and again that a session is needed. */
static void report_activity(struct control *control, struct peer *peer)
{
	uint8_t flags = atomic_exchange(&peer->activity, 0);
	if (flags != 0) {
		const struct control_peer_activity fields = { .peer = be32_of(peer->id),
							      .flags = flags };
		(void)agent_send_event(&control->agent, CONTROL_PEER_ACTIVITY, &fields,
				       sizeof(fields), NULL, 0);
	}
	if (atomic_load(&peer->session_needed) &&
	    clock_now_ms() - peer->session_needed_at_ms >= SESSION_NEEDED_INTERVAL_MS)
		atomic_store(&peer->session_needed, false);
}

static void drop_agent(struct control *control)
{
	atomic_store(&control->events.agent_attached, false);
	(void)epoll_ctl(control->epoll, EPOLL_CTL_DEL, control->agent.connection, NULL);
	agent_close(&control->agent);
}

static void handle_agent(struct control *control, uint32_t events)
{
	bool lives = (events & EPOLLERR) == 0;
	if (lives && (events & (EPOLLIN | EPOLLHUP)) != 0)
		lives = agent_read(&control->agent, requests_handle, control);
	if (!lives)
		drop_agent(control);
	else if (control->agent.greeted)
		atomic_store(&control->events.agent_attached, true);
}

/* Sends what has gathered, reads what had no room for answers, chooses what to wait for. */
static void settle_agent(struct control *control)
{
	struct agent *agent = &control->agent;
	if (agent->connection < 0)
		return;
	bool lives = agent_write(agent);
	/* Input that was left for want of room wakes nobody. */
	while (lives && agent->is_held && agent_has_room(agent))
		lives = agent_read(agent, requests_handle, control) && agent_write(agent);
	if (!lives) {
		drop_agent(control);
		return;
	}
	uint32_t events = (agent_has_room(agent) && !agent->failed ? EPOLLIN : 0u) |
			  (agent_has_output(agent) ? EPOLLOUT : 0u);
	(void)watch(control, EPOLL_CTL_MOD, agent->connection, SOURCE_AGENT, events);
}

static void accept_agent(struct control *control)
{
	if (agent_accept(&control->agent))
		(void)watch(control, EPOLL_CTL_ADD, control->agent.connection, SOURCE_AGENT,
			    EPOLLIN);
}

void control_count_drops(struct control *control)
{
	struct udp_drops drops;
	struct counters *total = &control->tables.total[control->slot];
	udp_take_drops(&control->sockets, &drops);
	counters_add(total, COUNTER_DROPS + DROP_SOCKET_FULL, drops.of_workers);
	counters_add(total, COUNTER_DROPS + DROP_LOBBY_FULL, drops.of_lobbies);
	counters_add(total, COUNTER_DROPS + DROP_DATAGRAM_TOO_SHORT, drops.of_wastes[WASTE_SHORT]);
	counters_add(total, COUNTER_DROPS + DROP_HEADER_INVALID, drops.of_wastes[WASTE_INVALID]);
}

/* While there is a flood senders are dealt to the lobbies anew, so that nobody shares one with it
 * for longer than an interval; peers and those from whom an answer is awaited have their own way.
 */
static void steer(struct control *control)
{
	bool is_flooded = workers_are_flooded(&control->workers);
	uint64_t salt = table_mix(control->steering.salt ^ control->punts.seed ^ clock_now_us());
	if (control->sockets.lobbies == 0 || (!is_flooded && !control->steering.is_flooded))
		return;
	control->steering = (struct steering){ .salt = salt, .is_flooded = is_flooded };
	struct table_walk walk = { .table = &control->tables.of[TABLE_KIND_PEER] };
	struct table_entry *entry;
	while (is_flooded && (entry = table_next(&walk)) != NULL) {
		const struct peer *peer = container_of(entry, struct peer, entry);
		const struct endpoint *endpoint = atomic_load(&peer->endpoint);
		if (endpoint != NULL)
			steering_know(&control->steering, endpoint->wire);
	}
	if (is_flooded)
		punt_steer(&control->punts, &control->steering, clock_now_ms());
	(void)steering_attach(&control->sockets, &control->steering);
}

static void handle_time(struct control *control)
{
	uint64_t now_ms = clock_now_ms();
	if (now_ms < control->next_activity_ms)
		return;
	control->next_activity_ms = now_ms + ACTIVITY_INTERVAL_MS;
	control_count_drops(control);
	steer(control);
	struct table_walk walk = { .table = &control->tables.of[TABLE_KIND_PEER] };
	struct table_entry *entry;
	while ((entry = table_next(&walk)) != NULL)
		report_activity(control, container_of(entry, struct peer, entry));
	tables_expire_sessions(&control->tables, now_ms);
}

/* Returns false on a signal. */
static bool turn(struct control *control, int timeout_ms)
{
	struct epoll_event events[8];
	bool goes_on = true;
	int count = epoll_wait(control->epoll, events, 8, timeout_ms);
	for (int i = 0; i < count; i++) {
		switch ((enum source)events[i].data.u64) {
		case SOURCE_SIGNAL:
			goes_on = false;
			break;
		case SOURCE_LISTENER:
			accept_agent(control);
			break;
		case SOURCE_AGENT:
			if (control->agent.connection >= 0)
				handle_agent(control, events[i].events);
			break;
		case SOURCE_EVENTS:
			events_drain(&control->events, pass_on, control);
			break;
		}
	}
	handle_time(control);
	settle_agent(control);
	return goes_on;
}

int control_init(struct control *control)
{
	control->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (control->epoll < 0)
		return -errno;
	int result = watch(control, EPOLL_CTL_ADD, control->signals, SOURCE_SIGNAL, EPOLLIN);
	if (result == 0)
		result = watch(control, EPOLL_CTL_ADD, control->agent.listener, SOURCE_LISTENER,
			       EPOLLIN);
	if (result == 0)
		result =
			watch(control, EPOLL_CTL_ADD, control->events.wake, SOURCE_EVENTS, EPOLLIN);
	return result;
}

void control_run(struct control *control)
{
	int timeout_ms;
	do
		timeout_ms = reclaim_poll() ? (int)RECLAIM_INTERVAL_MS : (int)ACTIVITY_INTERVAL_MS;
	while (turn(control, timeout_ms));
}
