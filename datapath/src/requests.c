/*
 * The agent's requests: checks the fields, changes the tables, answers. Every set is idempotent; a
 * refused request changes nothing. The control thread calls requests_handle for each frame.
 */
#include <errno.h>
#include <unistd.h>

#include "clock.h"
#include "control.h"
#include "ports.h"

struct request {
	struct control *control;
	struct tables *tables;
	uint16_t code;
	uint32_t id;
	const uint8_t *fields;
	size_t length;
	const char *refusal; /* a sentence for the agent */
};

/* Returns 0 or negative errno. */
typedef int handler(struct request *request);

struct request_kind {
	size_t fixed_bytes;
	bool has_tail;
	handler *handle;
};

static handler hello, port_set, peer_set, session_set, fdb_set, neighbour_set, flood_set,
	delete_entry, dump, sweep, send_datagram, send_control, counters;

#define FIXED(message) sizeof(struct control_##message), false, message
#define TAILED(message) sizeof(struct control_##message), true, message
#define FIELDS(message) const struct control_##message *fields = (const void *)request->fields

static const struct request_kind kinds[] = {
	[CONTROL_HELLO] = { FIXED(hello) },
	[CONTROL_PORT_SET] = { FIXED(port_set) },
	[CONTROL_PORT_DELETE] = { sizeof(struct control_port_delete), false, delete_entry },
	[CONTROL_PEER_SET] = { FIXED(peer_set) },
	[CONTROL_PEER_DELETE] = { sizeof(struct control_peer_delete), false, delete_entry },
	[CONTROL_SESSION_SET] = { FIXED(session_set) },
	[CONTROL_SESSION_DELETE] = { sizeof(struct control_session_delete), false, delete_entry },
	[CONTROL_FDB_SET] = { FIXED(fdb_set) },
	[CONTROL_FDB_DELETE] = { sizeof(struct control_fdb_delete), false, delete_entry },
	[CONTROL_NEIGHBOUR_SET] = { FIXED(neighbour_set) },
	[CONTROL_NEIGHBOUR_DELETE] = { sizeof(struct control_neighbour_delete), false,
				       delete_entry },
	[CONTROL_FLOOD_SET] = { FIXED(flood_set) },
	[CONTROL_FLOOD_DELETE] = { sizeof(struct control_flood_delete), false, delete_entry },
	[CONTROL_DUMP] = { FIXED(dump) },
	[CONTROL_SWEEP] = { FIXED(sweep) },
	[CONTROL_SEND_DATAGRAM] = { TAILED(send_datagram) },
	[CONTROL_SEND_CONTROL] = { TAILED(send_control) },
	[CONTROL_COUNTERS] = { 0, false, counters },
};

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

static int handle(struct request *request)
{
	uint16_t code = request->code;
	bool is_known = code < sizeof(kinds) / sizeof(kinds[0]) && kinds[code].handle != NULL;
	if (!is_known)
		return refuse(request, ENOSYS, "no such request");
	const struct request_kind *kind = &kinds[code];
	if (request->length < kind->fixed_bytes ||
	    (!kind->has_tail && request->length != kind->fixed_bytes))
		return refuse(request, EBADMSG, "the request has another length");
	if (request->id == 0)
		return refuse(request, EBADMSG, "a request needs an id other than 0");
	if (!request->control->agent.greeted && code != CONTROL_HELLO)
		return refuse(request, EPROTO, "the first request must be hello");
	return kind->handle(request);
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

static void answer(const struct request *to, uint16_t code, const void *fields, size_t bytes)
{
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

static int check_vni(struct request *request, be32_t vni)
{
	bool is_valid = be32_get(vni) != 0 && be32_get(vni) < 1u << 24;
	return is_valid ? 0 : refuse(request, EINVAL, "the VNI must be 1 to 16777215");
}

static int check_vni_and_mac(struct request *request, be32_t vni, const uint8_t mac[MAC_BYTES])
{
	if ((mac[0] & 1) != 0 || bytes_are_zero(mac, MAC_BYTES))
		return refuse(request, EINVAL, "the MAC must be a unicast address");
	return check_vni(request, vni);
}

/* Ports. */

static int check_port(struct request *request, const struct control_port_set *fields)
{
	uint32_t mtu = be16_get(fields->mtu);
	const char *name = (const char *)fields->name;
	int result = check_vni_and_mac(request, fields->vni, fields->mac);
	if (result != 0)
		return result;
	if (mtu < MTU_BYTES_MIN || mtu > MTU_BYTES_MAX)
		return refuse(request, EINVAL, "the MTU must be 68 to 65000");
	size_t length = strnlen(name, IFNAMSIZ - 1);
	if (length == 0 || !bytes_are_zero(fields->name + length, IFNAMSIZ - length) ||
	    strpbrk(name, "/% ") != NULL)
		return refuse(request, EINVAL, "the name must have 1 to 15 characters");
	return 0;
}

static int port_set(struct request *request)
{
	FIELDS(port_set);
	int result = check_port(request, fields);
	if (result == 0)
		result = ports_set(request->control, fields);
	if (result == -EEXIST)
		return refuse(request, EEXIST, "the interface is the port of another network");
	if (result == -EPERM)
		return refuse(request, EPERM, "no such TAP device, or it is another user's");
	if (result == -EINVAL && request->refusal == NULL)
		return refuse(request, EINVAL, "the device lacks multi_queue or vnet_hdr");
	return result;
}

/* Peers and sessions. */

#define UNREACHABLE "the endpoint cannot be sent to from this host"

static int peer_set(struct request *request)
{
	FIELDS(peer_set);
	if (be32_get(fields->peer) == 0)
		return refuse(request, EINVAL, "the peer must not be 0");
	int result = tables_peer_set(request->tables, be32_get(fields->generation),
				     be32_get(fields->peer), fields->endpoint);
	return result == -EINVAL ? refuse(request, EINVAL, UNREACHABLE) : result;
}

static int session_set(struct request *request)
{
	FIELDS(session_set);
	const struct session_parameters parameters = {
		.local_id = be32_get(fields->local_id),
		.remote_id = be32_get(fields->remote_id),
		.lifetime_ms = be32_get(fields->lifetime_ms),
		.receive_lanes = fields->receive_lanes,
		.initiator = fields->initiator != 0,
		.on_receive = fields->activation == SESSION_ACTIVATION_ON_RECEIVE,
		.send_key = fields->send_key,
		.receive_key = fields->receive_key,
	};
	if (fields->activation != SESSION_ACTIVATION_NOW && !parameters.on_receive)
		return refuse(request, EINVAL, "the activation must be 1 or 2");
	if (parameters.receive_lanes == 0 || parameters.receive_lanes > WORKERS_MAX)
		return refuse(request, EINVAL, "the receive lanes must be 1 to 16");
	if (parameters.lifetime_ms == 0 || parameters.lifetime_ms > SESSION_LIFETIME_MS_MAX)
		return refuse(request, EINVAL, "the lifetime must be 1 to 3600000 ms");
	return tables_session_set(request->tables, be32_get(fields->peer), &parameters,
				  clock_now_ms());
}

/* Bindings. */

static int fdb_set(struct request *request)
{
	FIELDS(fdb_set);
	int result = check_vni_and_mac(request, fields->vni, fields->mac);
	if (result != 0)
		return result;
	return tables_fdb_set(request->tables, be32_get(fields->generation), be32_get(fields->vni),
			      fields->mac, be32_get(fields->peer));
}

static int neighbour_set(struct request *request)
{
	FIELDS(neighbour_set);
	int result = check_vni_and_mac(request, fields->vni, fields->mac);
	if (result != 0)
		return result;
	return tables_neighbour_set(request->tables, be32_get(fields->generation),
				    be32_get(fields->vni), fields->ip, fields->mac,
				    be32_get(fields->peer));
}

static int flood_set(struct request *request)
{
	FIELDS(flood_set);
	int result = check_vni(request, fields->vni);
	if (result != 0)
		return result;
	return tables_member_set(request->tables, be32_get(fields->generation),
				 be32_get(fields->vni), be32_get(fields->peer));
}

/* Every delete starts with a VNI or an id; what does not exist is deleted already. */
static int delete_entry(struct request *request)
{
	uint32_t first = load_be32(request->fields);
	const uint8_t *rest = request->fields + 4;
	if (request->code == CONTROL_PORT_DELETE)
		ports_detach(request->control, first);
	else if (request->code == CONTROL_PEER_DELETE)
		tables_peer_delete(request->tables, first);
	else if (request->code == CONTROL_SESSION_DELETE)
		tables_session_delete(request->tables, first);
	else if (request->code == CONTROL_FDB_DELETE)
		tables_fdb_delete(request->tables, first, rest);
	else if (request->code == CONTROL_NEIGHBOUR_DELETE)
		tables_neighbour_delete(request->tables, first, rest);
	else
		tables_member_delete(request->tables, first, load_be32(rest));
	return 0;
}

/* Dump, sweep, counters. */

static void dump_port(struct table_entry *entry, void *context)
{
	const struct network *network = container_of(entry, struct network, entry);
	const struct port *port = atomic_load(&network->port);
	if (port == NULL || atomic_load(&port->lost))
		return;
	struct control_port_set fields = { .generation = be32_of(port->generation),
					   .vni = be32_of(port->vni),
					   .mtu = be16_of((uint16_t)atomic_load(&port->mtu)) };
	memcpy(fields.name, port->name, IFNAMSIZ);
	store_be48(fields.mac, atomic_load(&port->mac));
	answer(context, CONTROL_PORT_SET, &fields, sizeof(fields));
}

static void dump_peer(struct table_entry *entry, void *context)
{
	const struct peer *peer = container_of(entry, struct peer, entry);
	const struct endpoint *endpoint = atomic_load(&peer->endpoint);
	struct control_peer_set fields = { .generation = be32_of(peer->generation),
					   .peer = be32_of(peer->id) };
	if (endpoint != NULL)
		memcpy(fields.endpoint, endpoint->wire, ENDPOINT_BYTES);
	answer(context, CONTROL_PEER_SET, &fields, sizeof(fields));
}

static void dump_session(struct table_entry *entry, void *context)
{
	const struct session *session = container_of(entry, struct session, entry);
	const struct control_session_entry fields = {
		.local_id = be32_of(session->local_id),
		.remote_id = be32_of(session->remote_id),
		.peer = be32_of(session->peer->id),
		.active = atomic_load(&session->peer->active) == session,
		.confirmed = atomic_load(&session->confirmed),
		.initiator = session->initiator,
		.age_ms = be32_of((uint32_t)(clock_now_ms() - session->set_at_ms)),
		.lifetime_ms = be32_of(session->lifetime_ms),
		.sent_datagrams = be64_of(session_sent(session)),
		.received_datagrams = be64_of(session_received(session)),
	};
	answer(context, CONTROL_SESSION_ENTRY, &fields, sizeof(fields));
}

static void dump_binding(struct table_entry *entry, void *context)
{
	const struct binding *binding = container_of(entry, struct binding, entry);
	be32_t generation = be32_of(binding->generation);
	be32_t vni = be32_of((uint32_t)entry->key.space);
	be32_t peer = be32_of(binding->peer->id);
	if (binding->kind == TABLE_KIND_FDB) {
		struct control_fdb_set fields = { generation, vni, { 0 }, peer };
		store_be48(fields.mac, entry->key.low);
		answer(context, CONTROL_FDB_SET, &fields, sizeof(fields));
	} else if (binding->kind == TABLE_KIND_NEIGHBOUR) {
		struct control_neighbour_set fields = { generation, vni, { 0 }, { 0 }, peer };
		store_be64(fields.ip, entry->key.high);
		store_be64(fields.ip + 8, entry->key.low);
		memcpy(fields.mac, binding->mac, MAC_BYTES);
		answer(context, CONTROL_NEIGHBOUR_SET, &fields, sizeof(fields));
	} else {
		const struct control_flood_set fields = { generation, vni, peer };
		answer(context, CONTROL_FLOOD_SET, &fields, sizeof(fields));
	}
}

static int dump(struct request *request)
{
	FIELDS(dump);
	struct tables *tables = request->tables;
	struct table *const bindings[] = { [TABLE_KIND_FDB] = &tables->fdb,
					   [TABLE_KIND_NEIGHBOUR] = &tables->neighbours,
					   [TABLE_KIND_FLOOD] = &tables->members };
	if (fields->kind == TABLE_KIND_PORT)
		table_each(&tables->networks, dump_port, request);
	else if (fields->kind == TABLE_KIND_PEER)
		table_each(&tables->peers, dump_peer, request);
	else if (fields->kind == TABLE_KIND_SESSION)
		table_each(&tables->sessions, dump_session, request);
	else if (fields->kind >= TABLE_KIND_FDB && fields->kind <= TABLE_KIND_FLOOD)
		table_each(bindings[fields->kind], dump_binding, request);
	else
		return refuse(request, EINVAL, "no such table");
	return 0;
}

static int sweep(struct request *request)
{
	FIELDS(sweep);
	uint32_t generation = be32_get(fields->generation);
	if (fields->kind == TABLE_KIND_PORT)
		ports_sweep(request->control, generation);
	else if (fields->kind != TABLE_KIND_SESSION && fields->kind >= TABLE_KIND_PEER &&
		 fields->kind <= TABLE_KIND_FLOOD)
		tables_sweep(request->tables, fields->kind, generation);
	else
		return refuse(request, EINVAL, "no table that can be swept");
	return 0;
}

static void answer_counters(const struct request *to, uint8_t scope, uint32_t id,
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

static void counters_of_network(struct table_entry *entry, void *context)
{
	const struct network *network = container_of(entry, struct network, entry);
	answer_counters(context, COUNTER_SCOPE_NETWORK, network->vni, network->counters);
}

static void counters_of_peer(struct table_entry *entry, void *context)
{
	const struct peer *peer = container_of(entry, struct peer, entry);
	answer_counters(context, COUNTER_SCOPE_PEER, peer->id, peer->counters);
}

static int counters(struct request *request)
{
	answer_counters(request, COUNTER_SCOPE_TOTAL, 0, request->tables->total);
	table_each(&request->tables->networks, counters_of_network, request);
	table_each(&request->tables->peers, counters_of_peer, request);
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
		return refuse(request, EINVAL, UNREACHABLE);
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
			return refuse(request, EINVAL, UNREACHABLE);
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
