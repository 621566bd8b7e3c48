/*
 * The agent's requests: checks the fields, changes the tables, answers. Every set is idempotent; a
 * refused request changes nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "control.h"
#include "tap.h"

/* Returns 0 or negative errno; may set control->refusal to a sentence. */
typedef int request(struct control *control, uint32_t request_id, const uint8_t *fields,
		    size_t length);

struct request_kind {
	size_t fixed_bytes;
	bool has_tail;
	request *handle;
};

static request hello, port_set, port_delete, peer_set, peer_delete, session_set, session_delete,
	fdb_set, fdb_delete, neighbour_set, neighbour_delete, flood_set, flood_delete, dump, sweep,
	send_datagram, send_control, counters;

#define KIND(message, function)                                   \
	{                                                         \
		sizeof(struct control_##message), false, function \
	}

static const struct request_kind kinds[] = {
	[CONTROL_HELLO] = KIND(hello, hello),
	[CONTROL_PORT_SET] = KIND(port_set, port_set),
	[CONTROL_PORT_DELETE] = KIND(port_delete, port_delete),
	[CONTROL_PEER_SET] = KIND(peer_set, peer_set),
	[CONTROL_PEER_DELETE] = KIND(peer_delete, peer_delete),
	[CONTROL_SESSION_SET] = KIND(session_set, session_set),
	[CONTROL_SESSION_DELETE] = KIND(session_delete, session_delete),
	[CONTROL_FDB_SET] = KIND(fdb_set, fdb_set),
	[CONTROL_FDB_DELETE] = KIND(fdb_delete, fdb_delete),
	[CONTROL_NEIGHBOUR_SET] = KIND(neighbour_set, neighbour_set),
	[CONTROL_NEIGHBOUR_DELETE] = KIND(neighbour_delete, neighbour_delete),
	[CONTROL_FLOOD_SET] = KIND(flood_set, flood_set),
	[CONTROL_FLOOD_DELETE] = KIND(flood_delete, flood_delete),
	[CONTROL_DUMP] = KIND(dump, dump),
	[CONTROL_SWEEP] = KIND(sweep, sweep),
	[CONTROL_SEND_DATAGRAM] = { sizeof(struct control_send_datagram), true, send_datagram },
	[CONTROL_SEND_CONTROL] = { sizeof(struct control_send_control), true, send_control },
	[CONTROL_COUNTERS] = { 0, false, counters },
};

static const struct request_kind *kind_of(uint16_t code)
{
	if (code >= sizeof(kinds) / sizeof(kinds[0]) || kinds[code].handle == NULL)
		return NULL;
	return &kinds[code];
}

static int refuse(struct control *control, int error, const char *text)
{
	control->refusal = text;
	return -error;
}

static const char *default_refusal(int error)
{
	switch (error) {
	case EEXIST:
		return "it exists already";
	case ENOSPC:
		return "the table is full";
	case ENOMEM:
		return "out of memory";
	case ENOENT:
		return "the peer is not known";
	default:
		return "refused by the kernel";
	}
}

void requests_handle(void *context, uint16_t code, uint32_t request_id, const uint8_t *fields,
		     size_t length)
{
	struct control *control = context;
	const struct request_kind *kind = kind_of(code);
	int result;
	control->refusal = NULL;
	if (kind == NULL)
		result = refuse(control, ENOSYS, "no such request");
	else if (kind->has_tail ? length < kind->fixed_bytes : length != kind->fixed_bytes)
		result = refuse(control, EBADMSG, "the request has another length");
	else if (request_id == 0)
		result = refuse(control, EBADMSG, "a request needs an id other than 0");
	else if (!control->agent.greeted && code != CONTROL_HELLO)
		result = refuse(control, EPROTO, "the first request must be hello");
	else
		result = kind->handle(control, request_id, fields, length);
	if (result == 0)
		agent_send(&control->agent, CONTROL_OK, request_id, NULL, 0, NULL, 0);
	else
		agent_send_error(&control->agent, request_id, -result,
				 control->refusal != NULL ? control->refusal
							  : default_refusal(-result));
	if (result == -EPROTO)
		control->agent.failed = true;
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

static int hello(struct control *control, uint32_t request_id, const uint8_t *fields, size_t length)
{
	(void)length;
	if (load_be16(fields) != CONTROL_VERSION)
		return refuse(
			control, EPROTO,
			"the control version differs: agent and data path must be of one release");
	struct control_hello_reply reply = { .version = be16_of(CONTROL_VERSION),
					     .lanes = (uint8_t)control->workers.count,
					     .features = features(control),
					     .pid = be32_of((uint32_t)getpid()),
					     .generation =
						     be32_of(control->tables.generation_max) };
	memcpy(reply.instance, control->instance, INSTANCE_BYTES);
	control->agent.greeted = true;
	agent_send(&control->agent, CONTROL_HELLO_REPLY, request_id, &reply, sizeof(reply), NULL,
		   0);
	return 0;
}

static bool vni_is_valid(uint32_t vni)
{
	return vni != 0 && vni < 1u << 24;
}

static bool mac_is_valid(const uint8_t mac[MAC_BYTES])
{
	return (mac[0] & 1) == 0 && !bytes_are_zero(mac, MAC_BYTES);
}

#define REFUSE_VNI(control) refuse(control, EINVAL, "the VNI must be 1 to 16777215")
#define REFUSE_MAC(control) refuse(control, EINVAL, "the MAC must be a unicast address")
#define REFUSE_PEER(control) refuse(control, EINVAL, "the peer must not be 0")

/* Ports. */

static void release_port(struct reclaim_node *node)
{
	struct port *port = container_of(node, struct port, reclaim);
	tap_detach(port);
	free(port);
}

static struct port *port_of(const struct control *control, uint32_t vni)
{
	struct network *network = tables_find_network(&control->tables, vni);
	return network == NULL ? NULL : atomic_load(&network->port);
}

void requests_detach_port(struct control *control, uint32_t vni)
{
	struct port *port = port_of(control, vni);
	if (port == NULL)
		return;
	workers_unwatch_port(&control->workers, port);
	(void)tables_port_set(&control->tables, vni, NULL, release_port);
}

struct name_search {
	const uint8_t *name;
	uint32_t vni;
	bool found;
};

static void match_name(struct table_entry *entry, void *context)
{
	struct name_search *search = context;
	const struct network *network = container_of(entry, struct network, entry);
	const struct port *port = atomic_load(&network->port);
	if (port != NULL && network->vni != search->vni &&
	    memcmp(port->name, search->name, IFNAMSIZ) == 0)
		search->found = true;
}

static int check_port(struct control *control, const struct control_port_set *fields)
{
	struct name_search search = { .name = fields->name, .vni = be32_get(fields->vni) };
	uint32_t mtu = be16_get(fields->mtu);
	if (!vni_is_valid(search.vni))
		return REFUSE_VNI(control);
	if (!mac_is_valid(fields->mac))
		return REFUSE_MAC(control);
	if (mtu < MTU_BYTES_MIN || mtu > MTU_BYTES_MAX)
		return refuse(control, EINVAL, "the MTU must be 68 to 65000");
	if (fields->name[0] == 0 || fields->name[IFNAMSIZ - 1] != 0 ||
	    strpbrk((const char *)fields->name, "/% ") != NULL)
		return refuse(control, EINVAL,
			      "the name must be an interface name of 1 to 15 characters");
	table_each(&control->tables.networks, match_name, &search);
	if (search.found)
		return refuse(control, EEXIST, "the interface is the port of another network");
	if (control->tables.ports >= PORTS_MAX && port_of(control, search.vni) == NULL)
		return refuse(control, ENOSPC, "there are as many ports as can be");
	return 0;
}

static int attach_port(struct control *control, const struct control_port_set *fields, uint32_t vni)
{
	struct port *port = calloc(1, sizeof(*port));
	if (port == NULL)
		return -ENOMEM;
	port->vni = vni;
	port->generation = be32_get(fields->generation);
	port->queues = control->workers.count;
	memcpy(port->name, fields->name, IFNAMSIZ);
	atomic_store(&port->mac, load_be48(fields->mac));
	atomic_store(&port->mtu, be16_get(fields->mtu));
	int result = tap_attach(port);
	if (result != 0) {
		free(port);
		if (result == -EPERM)
			return refuse(control, EPERM,
				      "no such TAP device, or it belongs to another user");
		if (result == -EINVAL)
			return refuse(control, EINVAL,
				      "the device must be a TAP with multi_queue and vnet_hdr");
		return result;
	}
	control->takes_uso = port->takes_uso;
	requests_detach_port(control, vni);
	result = tables_port_set(&control->tables, vni, port, release_port);
	if (result != 0) {
		release_port(&port->reclaim);
		return result;
	}
	/* Watched last: a loop looks the port up by its VNI when the first frame comes. */
	result = workers_watch_port(&control->workers, port);
	if (result != 0)
		requests_detach_port(control, vni);
	return result;
}

static int port_set(struct control *control, uint32_t request_id, const uint8_t *bytes,
		    size_t length)
{
	const struct control_port_set *fields =
		(const struct control_port_set *)(const void *)bytes;
	uint32_t vni = be32_get(fields->vni);
	(void)request_id, (void)length;
	int result = check_port(control, fields);
	if (result != 0)
		return result;
	struct port *port = port_of(control, vni);
	if (port == NULL || atomic_load(&port->lost) ||
	    memcmp(port->name, fields->name, IFNAMSIZ) != 0)
		return attach_port(control, fields, vni);
	port->generation = be32_get(fields->generation);
	atomic_store(&port->mac, load_be48(fields->mac));
	atomic_store(&port->mtu, be16_get(fields->mtu));
	if (port->generation > control->tables.generation_max)
		control->tables.generation_max = port->generation;
	return 0;
}

static int port_delete(struct control *control, uint32_t request_id, const uint8_t *fields,
		       size_t length)
{
	(void)request_id, (void)length;
	requests_detach_port(control, load_be32(fields));
	return 0;
}

/* Peers and sessions. */

static int peer_set(struct control *control, uint32_t request_id, const uint8_t *bytes,
		    size_t length)
{
	const struct control_peer_set *fields =
		(const struct control_peer_set *)(const void *)bytes;
	(void)request_id, (void)length;
	if (be32_get(fields->peer) == 0)
		return REFUSE_PEER(control);
	int result = tables_peer_set(&control->tables, be32_get(fields->generation),
				     be32_get(fields->peer), fields->endpoint);
	return result == -EINVAL
		       ? refuse(control, EINVAL, "the endpoint cannot be sent to from this host")
		       : result;
}

static int peer_delete(struct control *control, uint32_t request_id, const uint8_t *fields,
		       size_t length)
{
	(void)request_id, (void)length;
	tables_peer_delete(&control->tables, load_be32(fields));
	return 0;
}

static int session_set(struct control *control, uint32_t request_id, const uint8_t *bytes,
		       size_t length)
{
	const struct control_session_set *fields =
		(const struct control_session_set *)(const void *)bytes;
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
	(void)request_id, (void)length;
	if (fields->activation != SESSION_ACTIVATION_NOW &&
	    fields->activation != SESSION_ACTIVATION_ON_RECEIVE)
		return refuse(control, EINVAL, "the activation must be 1 or 2");
	if (parameters.receive_lanes == 0 || parameters.receive_lanes > WORKERS_MAX)
		return refuse(control, EINVAL, "the receive lanes must be 1 to 16");
	if (parameters.lifetime_ms == 0 || parameters.lifetime_ms > SESSION_LIFETIME_MS_MAX)
		return refuse(control, EINVAL, "the lifetime must be 1 to 3600000 ms");
	return tables_session_set(&control->tables, be32_get(fields->peer), &parameters,
				  clock_now_ms());
}

static int session_delete(struct control *control, uint32_t request_id, const uint8_t *fields,
			  size_t length)
{
	(void)request_id, (void)length;
	tables_session_delete(&control->tables, load_be32(fields));
	return 0;
}

/* Bindings. */

static int fdb_set(struct control *control, uint32_t request_id, const uint8_t *bytes,
		   size_t length)
{
	const struct control_fdb_set *fields = (const struct control_fdb_set *)(const void *)bytes;
	(void)request_id, (void)length;
	if (!vni_is_valid(be32_get(fields->vni)))
		return REFUSE_VNI(control);
	if (!mac_is_valid(fields->mac))
		return REFUSE_MAC(control);
	return tables_fdb_set(&control->tables, be32_get(fields->generation), be32_get(fields->vni),
			      fields->mac, be32_get(fields->peer));
}

static int fdb_delete(struct control *control, uint32_t request_id, const uint8_t *bytes,
		      size_t length)
{
	const struct control_fdb_delete *fields =
		(const struct control_fdb_delete *)(const void *)bytes;
	(void)request_id, (void)length;
	tables_fdb_delete(&control->tables, be32_get(fields->vni), fields->mac);
	return 0;
}

static int neighbour_set(struct control *control, uint32_t request_id, const uint8_t *bytes,
			 size_t length)
{
	const struct control_neighbour_set *fields =
		(const struct control_neighbour_set *)(const void *)bytes;
	(void)request_id, (void)length;
	if (!vni_is_valid(be32_get(fields->vni)))
		return REFUSE_VNI(control);
	if (!mac_is_valid(fields->mac))
		return REFUSE_MAC(control);
	return tables_neighbour_set(&control->tables, be32_get(fields->generation),
				    be32_get(fields->vni), fields->ip, fields->mac,
				    be32_get(fields->peer));
}

static int neighbour_delete(struct control *control, uint32_t request_id, const uint8_t *bytes,
			    size_t length)
{
	const struct control_neighbour_delete *fields =
		(const struct control_neighbour_delete *)(const void *)bytes;
	(void)request_id, (void)length;
	tables_neighbour_delete(&control->tables, be32_get(fields->vni), fields->ip);
	return 0;
}

static int flood_set(struct control *control, uint32_t request_id, const uint8_t *bytes,
		     size_t length)
{
	const struct control_flood_set *fields =
		(const struct control_flood_set *)(const void *)bytes;
	(void)request_id, (void)length;
	if (!vni_is_valid(be32_get(fields->vni)))
		return REFUSE_VNI(control);
	return tables_member_set(&control->tables, be32_get(fields->generation),
				 be32_get(fields->vni), be32_get(fields->peer));
}

static int flood_delete(struct control *control, uint32_t request_id, const uint8_t *bytes,
			size_t length)
{
	const struct control_flood_delete *fields =
		(const struct control_flood_delete *)(const void *)bytes;
	(void)request_id, (void)length;
	tables_member_delete(&control->tables, be32_get(fields->vni), be32_get(fields->peer));
	return 0;
}

/* Dump, sweep, counters. */

struct answer {
	struct control *control;
	uint32_t request_id;
	uint32_t generation;
};

static void answer(const struct answer *to, uint16_t code, const void *fields, size_t bytes)
{
	agent_send(&to->control->agent, code, to->request_id, fields, bytes, NULL, 0);
}

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
		struct control_fdb_set fields = { .generation = generation,
						  .vni = vni,
						  .peer = peer };
		store_be48(fields.mac, entry->key.low);
		answer(context, CONTROL_FDB_SET, &fields, sizeof(fields));
	} else if (binding->kind == TABLE_KIND_NEIGHBOUR) {
		struct control_neighbour_set fields = { .generation = generation,
							.vni = vni,
							.peer = peer };
		store_be64(fields.ip, entry->key.high);
		store_be64(fields.ip + 8, entry->key.low);
		memcpy(fields.mac, binding->mac, MAC_BYTES);
		answer(context, CONTROL_NEIGHBOUR_SET, &fields, sizeof(fields));
	} else {
		const struct control_flood_set fields = { .generation = generation,
							  .vni = vni,
							  .peer = peer };
		answer(context, CONTROL_FLOOD_SET, &fields, sizeof(fields));
	}
}

static int dump(struct control *control, uint32_t request_id, const uint8_t *fields, size_t length)
{
	struct answer to = { .control = control, .request_id = request_id };
	struct tables *tables = &control->tables;
	(void)length;
	switch (fields[0]) {
	case TABLE_KIND_PORT:
		table_each(&tables->networks, dump_port, &to);
		return 0;
	case TABLE_KIND_PEER:
		table_each(&tables->peers, dump_peer, &to);
		return 0;
	case TABLE_KIND_SESSION:
		table_each(&tables->sessions, dump_session, &to);
		return 0;
	case TABLE_KIND_FDB:
		table_each(&tables->fdb, dump_binding, &to);
		return 0;
	case TABLE_KIND_NEIGHBOUR:
		table_each(&tables->neighbours, dump_binding, &to);
		return 0;
	case TABLE_KIND_FLOOD:
		table_each(&tables->members, dump_binding, &to);
		return 0;
	default:
		return refuse(control, EINVAL, "no such table");
	}
}

static void sweep_port(struct table_entry *entry, void *context)
{
	const struct answer *to = context;
	const struct network *network = container_of(entry, struct network, entry);
	const struct port *port = atomic_load(&network->port);
	if (port != NULL && port->generation != to->generation)
		requests_detach_port(to->control, network->vni);
}

static int sweep(struct control *control, uint32_t request_id, const uint8_t *bytes, size_t length)
{
	const struct control_sweep *fields = (const struct control_sweep *)(const void *)bytes;
	struct answer to = { .control = control, .generation = be32_get(fields->generation) };
	(void)request_id, (void)length;
	switch (fields->kind) {
	case TABLE_KIND_PORT:
		table_each(&control->tables.networks, sweep_port, &to);
		return 0;
	case TABLE_KIND_PEER:
	case TABLE_KIND_FDB:
	case TABLE_KIND_NEIGHBOUR:
	case TABLE_KIND_FLOOD:
		tables_sweep(&control->tables, fields->kind, to.generation);
		return 0;
	default:
		return refuse(control, EINVAL, "no table that can be swept");
	}
}

static void answer_counters(const struct answer *to, uint8_t scope, uint32_t id,
			    const struct counters *block)
{
	uint8_t bytes[sizeof(struct control_counter_entry) + DROP_REASONS * sizeof(be64_t)];
	bytes[0] = scope;
	store_be32(bytes + 1, id);
	for (unsigned field = 0; field < COUNTER_FIELDS; field++)
		store_be64(bytes + 5 + field * sizeof(be64_t),
			   counters_sum(block, to->control->tables.slots, field));
	answer(to, CONTROL_COUNTER_ENTRY, bytes, sizeof(bytes));
}
_Static_assert(sizeof(struct control_counter_entry) == 5 + COUNTER_DROPS * sizeof(be64_t),
	       "counter fields");

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

static int counters(struct control *control, uint32_t request_id, const uint8_t *fields,
		    size_t length)
{
	struct answer to = { .control = control, .request_id = request_id };
	(void)fields, (void)length;
	answer_counters(&to, COUNTER_SCOPE_TOTAL, 0, control->tables.total);
	table_each(&control->tables.networks, counters_of_network, &to);
	table_each(&control->tables.peers, counters_of_peer, &to);
	return 0;
}

/* Sending. */

static int send_to(struct control *control, const struct endpoint *endpoint, const uint8_t *bytes,
		   size_t length)
{
	ssize_t sent =
		sendto(control->sockets.descriptors[0], bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL,
		       &endpoint->address.any, endpoint->address_length);
	return sent >= 0 ? 0 : refuse(control, errno, "the datagram could not be sent");
}

static int send_datagram(struct control *control, uint32_t request_id, const uint8_t *fields,
			 size_t length)
{
	struct endpoint endpoint;
	(void)request_id;
	if (!endpoint_from_wire(&endpoint, fields, control->tables.socket_family))
		return refuse(control, EINVAL, "the endpoint cannot be sent to from this host");
	return send_to(control, &endpoint, fields + ENDPOINT_BYTES, length - ENDPOINT_BYTES);
}

static int send_control(struct control *control, uint32_t request_id, const uint8_t *bytes,
			size_t length)
{
	static uint8_t datagram[CONTROL_FRAME_BYTES_MAX + 64];
	const struct control_send_control *fields =
		(const struct control_send_control *)(const void *)bytes;
	struct peer *peer = tables_find_peer(&control->tables, be32_get(fields->peer));
	struct endpoint given;
	const struct endpoint *endpoint = peer == NULL ? NULL : atomic_load(&peer->endpoint);
	size_t datagram_bytes;
	(void)request_id;
	if (peer == NULL)
		return refuse(control, EHOSTUNREACH, "the peer is not known");
	if (!bytes_are_zero(fields->endpoint, ENDPOINT_BYTES)) {
		if (!endpoint_from_wire(&given, fields->endpoint, control->tables.socket_family))
			return refuse(control, EINVAL,
				      "the endpoint cannot be sent to from this host");
		endpoint = &given;
	}
	if (endpoint == NULL)
		return refuse(control, EDESTADDRREQ, "the endpoint of the peer is not known");
	if (transmit_seal_control(peer, control->workers.count, clock_now_ms(), fields->bytes,
				  length - sizeof(*fields), datagram, &datagram_bytes) != 0)
		return refuse(control, ENOTCONN, "the peer has no usable session");
	counters_add(&control->tables.total[control->slot], COUNTER_SENT_DATAGRAMS, 1);
	counters_add(&peer->counters[control->slot], COUNTER_SENT_DATAGRAMS, 1);
	return send_to(control, endpoint, datagram, datagram_bytes);
}
