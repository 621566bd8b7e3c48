/*
 * The agent's stream: the control thread's loop, framing, every request, the tables behind them,
 * answers and events.
 *
 * Input: u8 options, u8 how the stream is cut, then either the stream itself or records: u8 code,
 * u8 change of the length, u16 request id, the fields. The tables are small, so that their limits
 * are met. Held against it: the answers are frames; each request has exactly one ok or error, in
 * order, before the loop has nothing left to wait for; input is wiped; what was made can all be
 * taken down again.
 */
#include <errno.h>

#include "control.h"
#include "expect.h"
#include "fake_io.h"
#include "input.h"

#define OUTPUT_BYTES (8u * 1024u * 1024u)
#define REQUESTS_MAX 4096u
#define STREAM_BYTES (1024u * 1024u)
#define WORKERS 2u

static struct control control;
static struct input input;
static uint8_t options;
static uint8_t cuts;
static size_t takes; /* bytes that the agent's socket takes until the next wait */
static unsigned waits;
static bool has_events; /* in the ring, not drained */
static uint8_t output[OUTPUT_BYTES];
static size_t output_used;
static bool overflowed;
static uint8_t stream[STREAM_BYTES];
static size_t stream_used;
static size_t stream_read;

/* Bytes of the fields of each request, by code, so that records are mostly whole. */
static const struct {
	uint16_t code;
	uint16_t bytes;
} shapes[] = {
	{ CONTROL_HELLO, sizeof(struct control_hello) },
	{ CONTROL_PORT_SET, sizeof(struct control_port_set) },
	{ CONTROL_PORT_DELETE, sizeof(struct control_port_delete) },
	{ CONTROL_PEER_SET, sizeof(struct control_peer_set) },
	{ CONTROL_PEER_DELETE, sizeof(struct control_peer_delete) },
	{ CONTROL_SESSION_SET, sizeof(struct control_session_set) },
	{ CONTROL_SESSION_DELETE, sizeof(struct control_session_delete) },
	{ CONTROL_FDB_SET, sizeof(struct control_fdb_set) },
	{ CONTROL_FDB_DELETE, sizeof(struct control_fdb_delete) },
	{ CONTROL_NEIGHBOUR_SET, sizeof(struct control_neighbour_set) },
	{ CONTROL_NEIGHBOUR_DELETE, sizeof(struct control_neighbour_delete) },
	{ CONTROL_FLOOD_SET, sizeof(struct control_flood_set) },
	{ CONTROL_FLOOD_DELETE, sizeof(struct control_flood_delete) },
	{ CONTROL_DUMP, sizeof(struct control_dump) },
	{ CONTROL_SWEEP, sizeof(struct control_sweep) },
	{ CONTROL_SEND_DATAGRAM, sizeof(struct control_send_datagram) + 52 },
	{ CONTROL_SEND_CONTROL, sizeof(struct control_send_control) + 9 },
	{ CONTROL_COUNTERS, 0 },
	{ CONTROL_OK, 0 },
	{ 999, 3 },
	{ CONTROL_GUARD_SET, sizeof(struct control_guard_set) },
};
#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))

/* The last shape has a number of its own, so that it leaves those of the others as they are. */
static size_t shape_of(uint8_t number)
{
	return number == UINT8_MAX ? SHAPES - 1 : number % (SHAPES - 1);
}

static size_t read_stream(uint8_t *buffer, size_t size)
{
	size_t left = stream_used - stream_read;
	size_t chunk = cuts == 0 ? left : (size_t)(cuts & 0x0f) * (cuts >> 4) + 1;
	if (chunk > left)
		chunk = left;
	if (chunk > size)
		chunk = size;
	memcpy(buffer, stream + stream_read, chunk);
	stream_read += chunk;
	return chunk;
}

static size_t take_output(const uint8_t *bytes, size_t length)
{
	size_t part = length < takes ? length : takes;
	takes -= part;
	if (output_used + part > OUTPUT_BYTES) {
		overflowed = true;
		return part;
	}
	memcpy(output + output_used, bytes, part);
	output_used += part;
	return part;
}

static int take_datagram(const struct msghdr *message)
{
	EXPECT(message->msg_iovlen == 1 && message->msg_namelen == sizeof(struct sockaddr_in6));
	if (message->msg_iov[0].iov_len > 65507)
		return EMSGSIZE;
	return (options & 8) != 0 ? ENETUNREACH : 0;
}

static bool refuse_write(const struct iovec *pieces, int count)
{
	(void)pieces, (void)count;
	return false;
}

/* No device is the port of two networks. */
static void check_tables(void)
{
	const char *names[16];
	size_t count = 0;
	const struct table_entry *entry;
	struct table_walk walk = { .table = &control.tables.of[TABLE_KIND_PORT] };
	while ((entry = table_next(&walk)) != NULL) {
		const struct port *port = container_of(entry, struct port, entry);
		EXPECT(count < 16 && port->name[IFNAMSIZ - 1] == 0);
		for (size_t i = 0; i < count; i++)
			EXPECT(strcmp(names[i], port->name) != 0);
		names[count++] = port->name;
	}
	EXPECT(count == control.tables.of[TABLE_KIND_PORT].count);
	EXPECT(fake_io.attached_queues >= count * WORKERS);
}

/* What workers tell, once each; the port that is lost may or may not be there. */
static void push_events(void)
{
	static const uint8_t bytes[300] = { 0xe1, 1 };
	for (uint32_t kind = EVENT_DATAGRAM; kind <= EVENT_PORT_LOST; kind++) {
		const struct event event = { .kind = kind,
					     .peer = 1 + kind % 2 * 8,
					     .local_id = 5 };
		size_t length = kind <= EVENT_CONTROL ? sizeof(bytes) : 0;
		EXPECT(events_push(&control.events, kind % WORKERS, &event, bytes, length));
	}
	has_events = true;
}

static bool add_event(struct epoll_event *event, int descriptor, uint32_t events)
{
	const struct fake_interest *interest = &fake_io.interests[descriptor - FAKE_FIRST];
	*event = (struct epoll_event){ .events = events & interest->events,
				       .data.u64 = interest->data };
	return event->events != 0;
}

/* What the kernel would report; when that is nothing, the signal to end. */
static int wait_for(struct epoll_event *events, int most, int timeout_ms)
{
	const struct agent *agent = &control.agent;
	size_t free_bytes = sizeof(agent->input) - agent->input_used;
	int count = 0;
	EXPECT(++waits < 1000000 && most >= 4 && timeout_ms > 0);
	EXPECT(bytes_are_zero(agent->input + agent->input_used,
			      free_bytes < 256 ? free_bytes : 256));
	check_tables();
	fake_io.now_us += 1000;
	takes = (options & 4) != 0 ? 1000 + (size_t)cuts * 991 : SIZE_MAX;
	if (waits == 3 && (options & 64) != 0)
		push_events();
	if (waits == 4 && (options & 128) != 0 && agent->connection >= 0)
		fake_io.agents_waiting = 1;
	if (fake_io.agents_waiting != 0)
		count += add_event(&events[count], FAKE_LISTENER, EPOLLIN);
	if (has_events)
		count += add_event(&events[count], FAKE_WAKE, EPOLLIN);
	has_events = false;
	uint32_t ready = EPOLLOUT | (stream_read < stream_used ? EPOLLIN : 0u);
	if (agent->connection >= 0)
		count += add_event(&events[count], FAKE_CONNECTION, ready);
	/* Time alone passes now: activity is reported and sessions end. */
	if (count == 0 && waits < 6)
		fake_io.now_us += (uint64_t)timeout_ms * 1000;
	else if (count == 0)
		count += add_event(&events[count], FAKE_SIGNALS, EPOLLIN);
	return count;
}

/* Small tables: their limits are met by short inputs, and a walk over them is quick. */
static void shrink(struct table *table)
{
	free(table->buckets);
	EXPECT(table_init(table, 8, 1) == 0);
}

static void init(void)
{
	EXPECT(aead_init(AEAD_OPENSSL) == 0);
	EXPECT(tables_init(&control.tables, WORKERS, WORKERS + 1, AF_INET6, 1) == 0);
	EXPECT(events_init(&control.events, WORKERS) == 0);
	for (unsigned i = 0; i < TABLES; i++)
		shrink(&control.tables.of[i]);
	control.slot = WORKERS;
	control.workers.count = WORKERS;
	control.sockets.descriptors[0] = FAKE_SOCKET;
	for (unsigned i = 0; i < WORKERS; i++)
		control.workers.list[i].epoll = FAKE_EPOLL;
	control.events.wake = FAKE_WAKE;
	control.agent.listener = FAKE_LISTENER;
	control.agent.connection = -1;
	control.signals = FAKE_SIGNALS;
	fake_io.wait = wait_for;
	fake_io.connection_read = read_stream;
	fake_io.connection_send = take_output;
	fake_io.message = take_datagram;
	fake_io.tap_write = refuse_write;
}

static void append(const void *bytes, size_t length)
{
	if (stream_used + length > STREAM_BYTES)
		return;
	if (length != 0)
		memcpy(stream + stream_used, bytes, length);
	stream_used += length;
}

static void append_record(uint16_t code, uint32_t request_id, const uint8_t *fields, size_t length)
{
	const struct control_header header = {
		.length = be32_of((uint32_t)(sizeof(header) - 4 + length)),
		.code = be16_of(code),
		.request_id = be32_of(request_id),
	};
	append(&header, sizeof(header));
	append(fields, length);
}

static void make_stream(void)
{
	static const uint8_t version[2] = { 0, CONTROL_VERSION };
	uint8_t fields[512];
	stream_used = stream_read = 0;
	if ((options & 1) != 0)
		append_record(CONTROL_HELLO, 1, version, sizeof(version));
	if ((options & 2) != 0) {
		append(input.at, input.left);
		return;
	}
	for (unsigned i = 0; i < REQUESTS_MAX && input.left > 0; i++) {
		size_t shape = shape_of(input_u8(&input));
		size_t length = shapes[shape].bytes + (size_t)(int8_t)input_u8(&input);
		uint32_t id = input_u16(&input);
		if (length > sizeof(fields))
			length = 0; /* fewer than none */
		for (size_t k = 0; k < length; k++)
			fields[k] = input_u8(&input);
		append_record(shapes[shape].code, id, fields, length);
	}
}

/* What must be answered: the ids of whole frames up to the first that cannot be followed. */
static size_t list_requests(uint32_t *ids)
{
	size_t count = 0;
	for (size_t at = 0; stream_used - at >= 4 && count < REQUESTS_MAX;) {
		size_t length = load_be32(stream + at);
		if (length < sizeof(struct control_header) - 4 ||
		    length > CONTROL_FRAME_BYTES_MAX || stream_used - at - 4 < length)
			break;
		ids[count++] = load_be32(stream + at + 8);
		at += 4 + length;
	}
	return count;
}

/* Walks the answers: every frame whole, and one ok or error a request, in order. */
static void check_answers(const uint32_t *ids, size_t count)
{
	size_t answered = 0;
	size_t at = 0;
	while (at < output_used) {
		EXPECT(output_used - at >= sizeof(struct control_header));
		size_t length = load_be32(output + at);
		uint16_t code = load_be16(output + at + 4);
		uint32_t id = load_be32(output + at + 8);
		EXPECT(length >= sizeof(struct control_header) - 4 &&
		       length <= CONTROL_FRAME_BYTES_MAX);
		EXPECT(output_used - at - 4 >= length && load_be16(output + at + 6) == 0);
		at += 4 + length;
		if (code >= CONTROL_DATAGRAM_RECEIVED) {
			EXPECT(id == 0); /* an event */
			continue;
		}
		if (code == CONTROL_ERROR && id == 0 && (answered == count || ids[answered] != 0))
			continue; /* the stream cannot be followed */
		EXPECT(answered < count && id == ids[answered]);
		answered += code == CONTROL_OK || code == CONTROL_ERROR;
	}
	EXPECT(answered == count || control.agent.failed);
}

static void ignore_event(const struct event *event, void *context)
{
	(void)event, (void)context;
}

/* Deletes every entry of a kind: no generation is both 0 and 1. */
static void sweep(uint8_t kind)
{
	for (uint32_t generation = 0; generation <= 1; generation++) {
		const struct control_sweep fields = { .kind = kind,
						      .generation = be32_of(generation) };
		requests_handle(&control, CONTROL_SWEEP, 1, (const uint8_t *)&fields,
				sizeof(fields));
	}
}

/* Takes everything down: what remains is a leak, of memory or of a queue. */
static void tear_down(void)
{
	struct tables *tables = &control.tables;
	if (control.agent.connection >= 0)
		agent_close(&control.agent);
	control.agent.greeted = true;
	for (unsigned kind = TABLE_KIND_PORT; kind <= TABLE_KIND_FLOOD; kind++)
		sweep((uint8_t)kind);
	struct guard_keys *keys = atomic_exchange(&control.punts.keys, NULL);
	if (keys != NULL)
		guard_release(&keys->reclaim);
	EXPECT(!reclaim_poll());
	for (unsigned i = 0; i < TABLES; i++)
		EXPECT(tables->of[i].count == 0);
	EXPECT(fake_io.attached_queues == 0);
	events_drain(&control.events, ignore_event, NULL);
	/* A ring begins with its head and tail, one cache line each. */
	for (unsigned i = 0; i < control.events.rings; i++)
		memset(control.events.ring[i], 0, 128);
	tables->generation_max = 0;
	tables->serial = 0;
	memset(tables->total, 0, (WORKERS + 1) * sizeof(struct counters));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static uint32_t ids[REQUESTS_MAX];
	static const int attach_results[] = { 0, 0, -EPERM, -EINVAL };
	static bool is_ready;
	if (!is_ready)
		init();
	is_ready = true;
	input = (struct input){ bytes, length };
	options = input_u8(&input);
	cuts = input_u8(&input);
	fake_io.attach_result = attach_results[options >> 4 & 3];
	fake_io.has_segments = true;
	make_stream();
	size_t count = list_requests(ids);
	output_used = 0;
	overflowed = false;
	has_events = false;
	waits = 0;
	fake_io.now_us = 1000000;
	fake_io.agents_accepted = 0;
	fake_io.agents_waiting = 1;
	control.next_activity_ms = 0;
	EXPECT(control_init(&control) == 0);
	control_run(&control);
	if (!overflowed)
		check_answers(ids, count);
	tear_down();
	return 0;
}
