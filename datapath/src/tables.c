#include "tables.h"

#include <errno.h>
#include <stdlib.h>

#include "clock.h"

static const struct control_entry_shape shapes[TABLES] = { CONTROL_ENTRY_SHAPES };

static const size_t counts_max[TABLES] = {
	[TABLE_NETWORKS] = NETWORKS_MAX,  [TABLE_KIND_PORT] = PORTS_MAX,
	[TABLE_KIND_PEER] = PEERS_MAX,	  [TABLE_KIND_SESSION] = SESSIONS_MAX,
	[TABLE_KIND_FDB] = FDB_MAX,	  [TABLE_KIND_NEIGHBOUR] = NEIGHBOURS_MAX,
	[TABLE_KIND_FLOOD] = MEMBERS_MAX,
};

int tables_init(struct tables *tables, unsigned workers, unsigned slots, int socket_family,
		uint64_t seed)
{
	memset(tables, 0, sizeof(*tables));
	tables->workers = workers;
	tables->slots = slots;
	tables->socket_family = socket_family;
	tables->total = counters_create(slots);
	int result = tables->total == NULL ? -ENOMEM : 0;
	for (size_t i = 0; i < TABLES && result == 0; i++)
		result = table_init(&tables->of[i], counts_max[i], seed);
	return result;
}

/* Endpoints. */

bool endpoint_from_wire(struct endpoint *endpoint, const uint8_t wire[ENDPOINT_BYTES],
			int socket_family)
{
	static const uint8_t v4_mapped[12] = { [10] = 0xff, [11] = 0xff };
	bool is_v4 = memcmp(wire, v4_mapped, sizeof(v4_mapped)) == 0;
	memset(&endpoint->address, 0, sizeof(endpoint->address));
	memcpy(endpoint->wire, wire, ENDPOINT_BYTES);
	if (load_be16(wire + 16) == 0 || bytes_are_zero(wire, 16) ||
	    (is_v4 && load_be32(wire + 12) == 0))
		return false;
	if (socket_family == AF_INET6) {
		endpoint->address_length = sizeof(endpoint->address.v6);
		endpoint->address.v6.sin6_family = AF_INET6;
		memcpy(&endpoint->address.v6.sin6_addr, wire, 16);
		memcpy(&endpoint->address.v6.sin6_port, wire + 16, 2);
		return true;
	}
	endpoint->address_length = sizeof(endpoint->address.v4);
	endpoint->address.v4.sin_family = AF_INET;
	memcpy(&endpoint->address.v4.sin_addr, wire + 12, 4);
	memcpy(&endpoint->address.v4.sin_port, wire + 16, 2);
	return is_v4;
}

void endpoint_to_wire(uint8_t wire[ENDPOINT_BYTES], const struct sockaddr *address)
{
	if (address->sa_family == AF_INET6) {
		struct sockaddr_in6 v6;
		memcpy(&v6, address, sizeof(v6));
		memcpy(wire, &v6.sin6_addr, 16);
		memcpy(wire + 16, &v6.sin6_port, 2);
		return;
	}
	struct sockaddr_in v4;
	memcpy(&v4, address, sizeof(v4));
	memset(wire, 0, 10);
	memset(wire + 10, 0xff, 2);
	memcpy(wire + 12, &v4.sin_addr, 4);
	memcpy(wire + 16, &v4.sin_port, 2);
}

static void release_endpoint(struct reclaim_node *node)
{
	free(container_of(node, struct endpoint, reclaim));
}

/* Entries of any kind. */

static void insert(const struct setting *setting, struct table_entry *entry, struct link *owner)
{
	entry->key = setting->key;
	if (owner == NULL)
		link_init(&entry->owned);
	else
		link_add(owner, &entry->owned);
	table_insert(&setting->tables->of[setting->kind], entry);
}

void tables_retire(struct tables *tables, uint8_t kind, struct table_entry *entry,
		   void (*release)(struct reclaim_node *))
{
	table_remove(&tables->of[kind], entry);
	link_remove(&entry->owned);
	reclaim_retire(&entry->reclaim, release);
}

/* Networks: exist while they have a port or a member. */

static void release_network(struct reclaim_node *node)
{
	struct network *network = container_of(node, struct network, entry.reclaim);
	free(network->counters);
	free(network);
}

/* NULL when there are too many, or memory is short. */
static struct network *network_get(struct tables *tables, uint32_t vni)
{
	struct network *network = tables_find_network(tables, vni);
	if (network != NULL || table_is_full(&tables->of[TABLE_NETWORKS]))
		return network;
	network = calloc(1, sizeof(*network));
	if (network == NULL)
		return NULL;
	network->vni = vni;
	network->counters = counters_create(tables->slots);
	if (network->counters == NULL) {
		free(network);
		return NULL;
	}
	const struct setting setting = { .tables = tables,
					 .kind = TABLE_NETWORKS,
					 .key.space = vni };
	insert(&setting, &network->entry, NULL);
	return network;
}

static void network_put(struct tables *tables, struct network *network)
{
	if (atomic_load(&network->port) == NULL && atomic_load(&network->members) == NULL)
		tables_retire(tables, TABLE_NETWORKS, &network->entry, release_network);
}

int tables_port_add(struct tables *tables, struct port *port)
{
	const struct setting setting = { .tables = tables,
					 .kind = TABLE_KIND_PORT,
					 .key.space = port->vni };
	struct network *network = network_get(tables, port->vni);
	if (network == NULL)
		return -ENOSPC;
	insert(&setting, &port->entry, NULL);
	atomic_store(&network->port, port);
	return 0;
}

void tables_port_remove(struct tables *tables, struct port *port,
			void (*release)(struct reclaim_node *))
{
	struct network *network = tables_find_network(tables, port->vni);
	atomic_store(&network->port, NULL);
	tables_retire(tables, TABLE_KIND_PORT, &port->entry, release);
	network_put(tables, network);
}

/* Peers. */

static void release_peer(struct reclaim_node *node)
{
	struct peer *peer = container_of(node, struct peer, entry.reclaim);
	free(atomic_load(&peer->endpoint));
	free(peer->counters);
	free(peer);
}

static struct peer *peer_create(struct setting *setting)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	if (peer == NULL)
		return NULL;
	peer->counters = counters_create(setting->tables->slots);
	if (peer->counters == NULL) {
		free(peer);
		return NULL;
	}
	atomic_flag_clear(&peer->activation);
	link_init(&peer->sessions);
	link_init(&peer->bindings);
	peer->id = setting->key.space;
	insert(setting, &peer->entry, NULL);
	return peer;
}

static int peer_set(struct setting *setting)
{
	const struct control_peer_set *fields = (const void *)setting->fields;
	struct endpoint given;
	struct endpoint *endpoint = NULL;
	if (setting->key.space == 0)
		return setting_refuse(setting, EINVAL, "the peer must not be 0");
	if (!bytes_are_zero(fields->endpoint, ENDPOINT_BYTES)) {
		if (!endpoint_from_wire(&given, fields->endpoint, setting->tables->socket_family))
			return setting_refuse(setting, EINVAL, ENDPOINT_REFUSAL);
		endpoint = malloc(sizeof(*endpoint));
		if (endpoint == NULL)
			return -ENOMEM;
		*endpoint = given;
	}
	struct peer *peer = setting->before == NULL
				    ? peer_create(setting)
				    : container_of(setting->before, struct peer, entry);
	if (peer == NULL) {
		free(endpoint);
		return -ENOMEM;
	}
	struct endpoint *before = atomic_exchange(&peer->endpoint, endpoint);
	if (before != NULL)
		reclaim_retire(&before->reclaim, release_endpoint);
	return 0;
}

static void binding_delete(struct tables *tables, struct table_entry *entry);
static void session_delete(struct tables *tables, struct table_entry *entry);

static void peer_delete(struct tables *tables, struct table_entry *entry)
{
	struct peer *peer = container_of(entry, struct peer, entry);
	while (!link_is_alone(&peer->bindings))
		binding_delete(tables,
			       container_of(peer->bindings.next, struct table_entry, owned));
	while (!link_is_alone(&peer->sessions))
		session_delete(tables,
			       container_of(peer->sessions.next, struct table_entry, owned));
	tables_retire(tables, TABLE_KIND_PEER, entry, release_peer);
}

static bool peer_describe(const struct table_entry *entry, uint8_t *message)
{
	struct control_peer_set *fields = (void *)message;
	const struct peer *peer = container_of(entry, struct peer, entry);
	const struct endpoint *endpoint = atomic_load(&peer->endpoint);
	if (endpoint != NULL)
		memcpy(fields->endpoint, endpoint->wire, ENDPOINT_BYTES);
	return true;
}

/* Sessions. */

static void lock_activation(struct peer *peer)
{
	while (atomic_flag_test_and_set_explicit(&peer->activation, memory_order_acquire))
		;
}

static void unlock_activation(struct peer *peer)
{
	atomic_flag_clear_explicit(&peer->activation, memory_order_release);
}

/* The caller holds the activation lock. */
static void activate(struct session *session)
{
	struct session *active = atomic_load(&session->peer->active);
	session->activated = true;
	if (active == NULL || active->serial < session->serial)
		atomic_store_explicit(&session->peer->active, session, memory_order_release);
}

bool tables_confirm_session(struct session *session)
{
	if (atomic_exchange(&session->confirmed, true))
		return false;
	lock_activation(session->peer);
	if (!session->removed && !session->activated)
		activate(session);
	unlock_activation(session->peer);
	return true;
}

static const char *session_fault(const struct control_session_set *fields)
{
	uint32_t lifetime_ms = be32_get(fields->lifetime_ms);
	if (fields->activation != SESSION_ACTIVATION_NOW &&
	    fields->activation != SESSION_ACTIVATION_ON_RECEIVE)
		return "the activation must be 1 or 2";
	if (fields->receive_lanes == 0 || fields->receive_lanes > WORKERS_MAX)
		return "the receive lanes must be 1 to 16";
	if (lifetime_ms == 0 || lifetime_ms > SESSION_LIFETIME_MS_MAX)
		return "the lifetime must be 1 to 3600000 ms";
	return NULL;
}

static int session_set(struct setting *setting)
{
	const struct control_session_set *fields = (const void *)setting->fields;
	struct peer *peer = setting->peer;
	const char *fault = session_fault(fields);
	if (fault != NULL)
		return setting_refuse(setting, EINVAL, fault);
	if (setting->before != NULL)
		return -EEXIST;
	struct session *session = session_create(fields, setting->tables->workers, setting->now_ms);
	if (session == NULL)
		return -ENOMEM;
	session->peer = peer;
	session->serial = ++setting->tables->serial;
	insert(setting, &session->entry, &peer->sessions);
	if (!session->on_receive) {
		lock_activation(peer);
		activate(session);
		unlock_activation(peer);
	}
	atomic_store(&peer->session_needed, false);
	return 0;
}

static void release_session(struct reclaim_node *node)
{
	session_destroy(container_of(node, struct session, entry.reclaim));
}

/* The latest activated session of the peer, or NULL. The caller holds the activation lock. */
static struct session *successor(const struct peer *peer)
{
	struct session *best = NULL;
	for (const struct link *at = peer->sessions.next; at != &peer->sessions; at = at->next) {
		struct session *session = container_of(at, struct session, entry.owned);
		if (session->activated && !session->removed &&
		    (best == NULL || session->serial > best->serial))
			best = session;
	}
	return best;
}

static void session_delete(struct tables *tables, struct table_entry *entry)
{
	struct session *session = container_of(entry, struct session, entry);
	struct peer *peer = session->peer;
	lock_activation(peer);
	session->removed = true;
	if (atomic_load(&peer->active) == session)
		atomic_store_explicit(&peer->active, successor(peer), memory_order_release);
	unlock_activation(peer);
	tables_retire(tables, TABLE_KIND_SESSION, entry, release_session);
}

static bool session_describe(const struct table_entry *entry, uint8_t *message)
{
	struct control_session_entry *fields = (void *)message;
	const struct session *session = container_of(entry, struct session, entry);
	*fields = (struct control_session_entry){
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
	return true;
}

/* Bindings: FDB, neighbour and flood entries. */

static void release_binding(struct reclaim_node *node)
{
	free(container_of(node, struct binding, entry.reclaim));
}

static void member_link(struct network *network, struct member *member)
{
	struct member *first = atomic_load(&network->members);
	member->network = network;
	atomic_store_explicit(&member->next, first, memory_order_relaxed);
	if (first != NULL)
		first->previous = member;
	atomic_store_explicit(&network->members, member, memory_order_release);
}

static void member_unlink(struct tables *tables, struct member *member)
{
	struct member *next = atomic_load(&member->next);
	struct member *previous = member->previous;
	if (next != NULL)
		next->previous = previous;
	atomic_store_explicit(previous == NULL ? &member->network->members : &previous->next, next,
			      memory_order_release);
	network_put(tables, member->network);
}

static int binding_set(struct setting *setting)
{
	const struct control_entry_shape *shape = &shapes[setting->kind];
	const struct binding *before = (const void *)setting->before;
	uint8_t mac[MAC_BYTES] = { 0 };
	if (shape->mac_at != 0)
		memcpy(mac, setting->fields + shape->mac_at, MAC_BYTES);
	if (before != NULL && before->peer == setting->peer &&
	    memcmp(before->mac, mac, MAC_BYTES) == 0)
		return 0;
	bool is_member = setting->kind == TABLE_KIND_FLOOD;
	struct binding *binding = calloc(1, is_member ? sizeof(struct member) : sizeof(*binding));
	if (binding == NULL)
		return -ENOMEM;
	struct network *network =
		is_member ? network_get(setting->tables, setting->key.space) : NULL;
	if (is_member && network == NULL) {
		free(binding);
		return -ENOSPC;
	}
	binding->kind = setting->kind;
	binding->peer = setting->peer;
	memcpy(binding->mac, mac, MAC_BYTES);
	insert(setting, &binding->entry, &binding->peer->bindings);
	if (is_member)
		member_link(network, container_of(binding, struct member, binding));
	if (before != NULL)
		binding_delete(setting->tables, setting->before);
	return 0;
}

static void binding_delete(struct tables *tables, struct table_entry *entry)
{
	struct binding *binding = container_of(entry, struct binding, entry);
	if (binding->kind == TABLE_KIND_FLOOD)
		member_unlink(tables, container_of(binding, struct member, binding));
	tables_retire(tables, binding->kind, entry, release_binding);
}

static bool binding_describe(const struct table_entry *entry, uint8_t *fields)
{
	const struct binding *binding = container_of(entry, struct binding, entry);
	const struct control_entry_shape *shape = &shapes[binding->kind];
	if (shape->mac_at != 0)
		memcpy(fields + shape->mac_at, binding->mac, MAC_BYTES);
	store_be32(fields + shape->peer_at, binding->peer->id);
	return true;
}

/* What is one for all kinds. */

static const struct kind peers_kind = { peer_set, peer_delete, peer_describe };
static const struct kind sessions_kind = { session_set, session_delete, session_describe };
static const struct kind bindings_kind = { binding_set, binding_delete, binding_describe };

static const struct kind *const kinds[TABLES] = {
	[TABLE_KIND_PORT] = &ports_kind,	 [TABLE_KIND_PEER] = &peers_kind,
	[TABLE_KIND_SESSION] = &sessions_kind,	 [TABLE_KIND_FDB] = &bindings_kind,
	[TABLE_KIND_NEIGHBOUR] = &bindings_kind, [TABLE_KIND_FLOOD] = &bindings_kind,
};

int tables_set(struct setting *setting)
{
	struct tables *tables = setting->tables;
	const struct control_entry_shape *shape = &shapes[setting->kind];
	const struct table *table = &tables->of[setting->kind];
	const uint8_t *fields = setting->fields;
	setting->key = table_key_load(fields + shape->key_at, shape->key_bytes);
	uint32_t space = setting->key.space;
	if (shape->mac_at != 0 &&
	    ((fields[shape->mac_at] & 1) != 0 || bytes_are_zero(fields + shape->mac_at, MAC_BYTES)))
		return setting_refuse(setting, EINVAL, "the MAC must be a unicast address");
	if (shape->in_network && (space == 0 || space >= 1u << 24))
		return setting_refuse(setting, EINVAL, "the VNI must be 1 to 16777215");
	if (shape->peer_at != 0)
		setting->peer = tables_find_peer(tables, load_be32(fields + shape->peer_at));
	if (shape->peer_at != 0 && setting->peer == NULL)
		return -ENOENT;
	setting->before = table_find(table, setting->key);
	if (setting->before == NULL && table_is_full(table))
		return -ENOSPC;
	int result = kinds[setting->kind]->set(setting);
	if (result == 0 && shape->key_at != 0) {
		uint32_t generation = load_be32(fields);
		table_find(table, setting->key)->generation = generation;
		if (generation > tables->generation_max)
			tables->generation_max = generation;
	}
	return result;
}

void tables_delete(struct tables *tables, uint8_t kind, const uint8_t *key)
{
	struct table_entry *entry =
		table_find(&tables->of[kind], table_key_load(key, shapes[kind].key_bytes));
	if (entry != NULL)
		kinds[kind]->remove(tables, entry);
}

bool tables_sweep(struct tables *tables, uint8_t kind, uint32_t generation)
{
	struct table_entry *entry;
	if (kind >= TABLES || shapes[kind].key_at == 0)
		return false;
	struct table_walk walk = { .table = &tables->of[kind] };
	while ((entry = table_next(&walk)) != NULL)
		if (entry->generation != generation)
			kinds[kind]->remove(tables, entry);
	return true;
}

void tables_expire_sessions(struct tables *tables, uint64_t now_ms)
{
	struct table_entry *entry;
	struct table_walk walk = { .table = &tables->of[TABLE_KIND_SESSION] };
	while ((entry = table_next(&walk)) != NULL)
		if (now_ms >=
		    container_of(entry, struct session, entry)->expires_at_ms + SESSION_GRACE_MS)
			session_delete(tables, entry);
}

bool tables_dump(const struct tables *tables, uint8_t kind, tables_show *show, void *context)
{
	const struct table_entry *entry;
	if (kind >= TABLES || kinds[kind] == NULL)
		return false;
	const struct control_entry_shape *shape = &shapes[kind];
	struct table_walk walk = { .table = &tables->of[kind] };
	while ((entry = table_next(&walk)) != NULL) {
		uint8_t fields[64] = { 0 };
		store_be32(fields, entry->generation);
		table_key_store(entry->key, fields + shape->key_at, shape->key_bytes);
		if (kinds[kind]->describe(entry, fields))
			show(context, shape->shown_code, fields, shape->shown_bytes);
	}
	return true;
}
