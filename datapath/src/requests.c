/*
 * The agent's requests: checks the fields, changes the tables, answers. Every set is idempotent; a
 * refused request changes nothing. The control thread calls requests_handle for each frame.
 */
#include <errno.h>
#include <unistd.h>

#include "clock.h"
#include "control.h"

struct request {
	struct control *control;
	struct tables *tables;
	uint16_t code;
	uint32_t id;
	const uint8_t *fields;
	size_t length;
	const char *refusal; /* a sentence for the agent */
};

static const struct control_request_shape shapes[] = { CONTROL_REQUEST_SHAPES };

#define FIELDS(message) const struct control_##message *fields = (const void *)request->fields

static int refuse(struct request *request, int error, const char *text)
{
	request->refusal = text;
	return -error;
}

static const char *default_refusal(int error)
{
	if (error == ENOENT)
		return "the peer is not known";
	if (error == EEXIST)
		return "it exists already";
	return error == ENOSPC ? "the table is full" : "refused by the kernel";
}

static void answer(void *context, uint16_t code, const void *fields, size_t bytes)
{
	const struct request *to = context;
	agent_send(&to->control->agent, code, to->id, fields, bytes, NULL, 0);
}

static uint8_t features(const struct control *control)
{
	unsigned bits = 0;
	bits |= outbox_uses_segments() ? FEATURE_UDP_SEGMENT : 0u;
	bits |= control->sockets.has_gro ? FEATURE_UDP_GRO : 0u;
	bits |= aead_library_used() == AEAD_IPSEC_MB ? FEATURE_IPSEC_MB : 0u;
	bits |= control->takes_uso ? FEATURE_TAP_USO : 0u;
	return (uint8_t)bits;
}

static int hello(struct request *request)
{
	FIELDS(hello);
	struct control *control = request->control;
	if (be16_get(fields->version) != CONTROL_VERSION)
		return refuse(request, EPROTO, "agent and data path are of different releases");
	struct control_hello_reply reply = {
		.version = be16_of(CONTROL_VERSION),
		.lanes = (uint8_t)control->workers.count,
		.features = features(control),
		.pid = be32_of((uint32_t)getpid()),
		.generation = be32_of(request->tables->generation_max),
	};
	memcpy(reply.instance, control->instance, INSTANCE_BYTES);
	control->agent.greeted = true;
	answer(request, CONTROL_HELLO_REPLY, &reply, sizeof(reply));
	return 0;
}

static int set_or_delete(struct request *request)
{
	const struct control_request_shape *shape = &shapes[request->code];
	if (!shape->is_set) {
		tables_delete(request->tables, shape->entries, request->fields);
		return 0;
	}
	struct setting setting = { .tables = request->tables,
				   .kind = shape->entries,
				   .fields = request->fields,
				   .now_ms = clock_now_ms() };
	int result = tables_set(&setting);
	request->refusal = setting.refusal;
	if (result == 0 && setting.kind == TABLE_KIND_PEER)
		punt_know(&request->control->punts,
			  request->fields + offsetof(struct control_peer_set, endpoint),
			  setting.now_ms);
	return result;
}

static int guard_set(struct request *request)
{
	FIELDS(guard_set);
	struct guard_keys *keys = guard_create(fields, request->control->workers.count);
	if (keys == NULL)
		return -ENOMEM;
	struct guard_keys *before = atomic_exchange(&request->control->punts.keys, keys);
	if (before != NULL)
		reclaim_retire(&before->reclaim, guard_release);
	return 0;
}

static int dump(struct request *request)
{
	FIELDS(dump);
	bool is_known = tables_dump(request->tables, fields->kind, answer, request);
	return is_known ? 0 : refuse(request, EINVAL, "no such table");
}

static int sweep(struct request *request)
{
	FIELDS(sweep);
	uint32_t generation = be32_get(fields->generation);
	bool is_swept = tables_sweep(request->tables, fields->kind, generation);
	return is_swept ? 0 : refuse(request, EINVAL, "no table that can be swept");
}

/* Counters. */

static void answer_counters(struct request *to, uint8_t scope, uint32_t id,
			    const struct counters *block)
{
	uint8_t bytes[sizeof(struct control_counter_entry) + DROP_REASONS * sizeof(be64_t)];
	bytes[0] = scope;
	store_be32(bytes + 1, id);
	for (unsigned field = 0; field < COUNTER_FIELDS; field++)
		store_be64(bytes + 5 + field * sizeof(be64_t),
			   counters_sum(block, to->tables->slots, field));
	answer(to, CONTROL_COUNTER_ENTRY, bytes, sizeof(bytes));
}
_Static_assert(sizeof(struct control_counter_entry) == 5 + COUNTER_DROPS * sizeof(be64_t), "order");

static int counters(struct request *request)
{
	const struct tables *tables = request->tables;
	struct table_walk networks = { .table = &tables->of[TABLE_NETWORKS] };
	struct table_walk peers = { .table = &tables->of[TABLE_KIND_PEER] };
	const struct table_entry *entry;
	control_count_drops(request->control);
	answer_counters(request, COUNTER_SCOPE_TOTAL, 0, tables->total);
	while ((entry = table_next(&networks)) != NULL)
		answer_counters(request, COUNTER_SCOPE_NETWORK, entry->key.space,
				container_of(entry, struct network, entry)->counters);
	while ((entry = table_next(&peers)) != NULL)
		answer_counters(request, COUNTER_SCOPE_PEER, entry->key.space,
				container_of(entry, struct peer, entry)->counters);
	return 0;
}

/* Sending. */

static int send_to(struct request *request, const struct endpoint *endpoint, const uint8_t *bytes,
		   size_t length)
{
	ssize_t sent = sendto(request->control->sockets.descriptors[0], bytes, length,
			      MSG_DONTWAIT | MSG_NOSIGNAL, &endpoint->address.any,
			      endpoint->address_length);
	return sent >= 0 ? 0 : refuse(request, errno, "the datagram could not be sent");
}

static int send_datagram(struct request *request)
{
	FIELDS(send_datagram);
	struct endpoint endpoint;
	if (!endpoint_from_wire(&endpoint, fields->endpoint, request->tables->socket_family))
		return refuse(request, EINVAL, ENDPOINT_REFUSAL);
	/* An answer is awaited. Of what others ask for, nothing makes their endpoint known. */
	if (request->length > sizeof(*fields) && fields->bytes[0] == DATAGRAM_INITIATION)
		punt_know(&request->control->punts, fields->endpoint, clock_now_ms());
	return send_to(request, &endpoint, fields->bytes, request->length - sizeof(*fields));
}

static int send_control(struct request *request)
{
	FIELDS(send_control);
	static uint8_t datagram[CONTROL_FRAME_BYTES_MAX + 64];
	struct peer *peer = tables_find_peer(request->tables, be32_get(fields->peer));
	struct control *control = request->control;
	struct endpoint given;
	size_t bytes;
	if (peer == NULL)
		return refuse(request, EHOSTUNREACH, "the peer is not known");
	const struct endpoint *endpoint = atomic_load(&peer->endpoint);
	if (!bytes_are_zero(fields->endpoint, ENDPOINT_BYTES)) {
		endpoint = &given;
		if (!endpoint_from_wire(&given, fields->endpoint, request->tables->socket_family))
			return refuse(request, EINVAL, ENDPOINT_REFUSAL);
	}
	if (endpoint == NULL)
		return refuse(request, EDESTADDRREQ, "the endpoint of the peer is not known");
	if (transmit_seal_control(peer, control->workers.count, clock_now_ms(), fields->bytes,
				  request->length - sizeof(*fields), datagram, &bytes) != 0)
		return refuse(request, ENOTCONN, "the peer has no usable session");
	counters_add(&request->tables->total[control->slot], COUNTER_SENT_DATAGRAMS, 1);
	counters_add(&peer->counters[control->slot], COUNTER_SENT_DATAGRAMS, 1);
	return send_to(request, endpoint, datagram, bytes);
}

static int carry_out(struct request *request)
{
	switch (request->code) {
	case CONTROL_HELLO:
		return hello(request);
	case CONTROL_DUMP:
		return dump(request);
	case CONTROL_SWEEP:
		return sweep(request);
	case CONTROL_GUARD_SET:
		return guard_set(request);
	case CONTROL_SEND_DATAGRAM:
		return send_datagram(request);
	case CONTROL_SEND_CONTROL:
		return send_control(request);
	case CONTROL_COUNTERS:
		return counters(request);
	default:
		if (shapes[request->code].entries != 0)
			return set_or_delete(request);
		return refuse(request, ENOSYS, "no such request");
	}
}

static int handle(struct request *request)
{
	uint16_t code = request->code;
	if (code >= sizeof(shapes) / sizeof(shapes[0]) || !shapes[code].exists)
		return refuse(request, ENOSYS, "no such request");
	const struct control_request_shape *shape = &shapes[code];
	if (request->length < shape->fixed_bytes ||
	    (!shape->has_tail && request->length != shape->fixed_bytes))
		return refuse(request, EBADMSG, "the request has another length");
	if (request->id == 0)
		return refuse(request, EBADMSG, "a request needs an id other than 0");
	if (!request->control->agent.greeted && code != CONTROL_HELLO)
		return refuse(request, EPROTO, "the first request must be hello");
	return carry_out(request);
}

void requests_handle(void *context, uint16_t code, uint32_t id, const uint8_t *fields,
		     size_t length)
{
	struct control *control = context;
	struct request request = { .control = control,
				   .tables = &control->tables,
				   .code = code,
				   .id = id,
				   .fields = fields,
				   .length = length };
	int error = -handle(&request);
	if (error == 0) {
		agent_send(&control->agent, CONTROL_OK, id, NULL, 0, NULL, 0);
		return;
	}
	const char *text = request.refusal != NULL ? request.refusal : default_refusal(error);
	agent_send_error(&control->agent, id, error, text);
	control->agent.failed |= error == EPROTO;
}
