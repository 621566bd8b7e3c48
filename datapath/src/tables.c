#include "tables.h"

#include <errno.h>
#include <stdlib.h>

int tables_init(struct tables *tables, unsigned workers, unsigned slots, int socket_family,
		uint64_t seed)
{
	memset(tables, 0, sizeof(*tables));
	tables->workers = workers;
	tables->slots = slots;
	tables->socket_family = socket_family;
	tables->total = counters_create(slots);
	if (tables->total == NULL || table_init(&tables->networks, NETWORKS_MAX, seed) != 0 ||
	    table_init(&tables->peers, PEERS_MAX, seed) != 0 ||
	    table_init(&tables->sessions, SESSIONS_MAX, seed) != 0 ||
	    table_init(&tables->fdb, FDB_MAX, seed) != 0 ||
	    table_init(&tables->neighbours, NEIGHBOURS_MAX, seed) != 0 ||
	    table_init(&tables->members, MEMBERS_MAX, seed) != 0)
		return -ENOMEM;
	return 0;
}

void tables_note_generation(struct tables *tables, uint32_t generation)
{
	if (generation > tables->generation_max)
		tables->generation_max = generation;
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

/* Networks: exist while they have a port or a member. */

static int network_get(struct tables *tables, uint32_t vni, struct network **found)
{
	*found = tables_find_network(tables, vni);
	if (*found != NULL)
		return 0;
	if (table_is_full(&tables->networks))
		return -ENOSPC;
	struct network *network = calloc(1, sizeof(*network));
	if (network == NULL)
		return -ENOMEM;
	network->counters = counters_create(tables->slots);
	if (network->counters == NULL) {
		free(network);
		return -ENOMEM;
	}
	network->vni = vni;
	network->entry.key = tables_id_key(vni);
	table_insert(&tables->networks, &network->entry);
	*found = network;
	return 0;
}

static void release_network(struct reclaim_node *node)
{
	struct network *network = container_of(node, struct network, entry.reclaim);
	free(network->counters);
	free(network);
}

static void network_put(struct tables *tables, struct network *network)
{
	if (atomic_load(&network->port) != NULL || atomic_load(&network->members) != NULL)
		return;
	table_remove(&tables->networks, &network->entry);
	reclaim_retire(&network->entry.reclaim, release_network);
}

int tables_port_set(struct tables *tables, uint32_t vni, struct port *port,
		    void (*release)(struct reclaim_node *))
{
	struct network *network = tables_find_network(tables, vni);
	if (port == NULL && network == NULL)
		return 0;
	int result = network_get(tables, vni, &network);
	if (result != 0)
		return result;
	if (port != NULL)
		tables_note_generation(tables, port->generation);
	struct port *before = atomic_exchange(&network->port, port);
	tables->ports += (port != NULL);
	if (before != NULL) {
		tables->ports--;
		reclaim_retire(&before->reclaim, release);
	}
	network_put(tables, network);
	return 0;
}

/* Peers. */

static void lock_activation(struct peer *peer)
{
	while (atomic_flag_test_and_set_explicit(&peer->activation, memory_order_acquire))
		;
}

static void unlock_activation(struct peer *peer)
{
	atomic_flag_clear_explicit(&peer->activation, memory_order_release);
}

static int peer_create(struct tables *tables, uint32_t id, struct peer **created)
{
	if (table_is_full(&tables->peers))
		return -ENOSPC;
	struct peer *peer = calloc(1, sizeof(*peer));
	if (peer == NULL)
		return -ENOMEM;
	peer->counters = counters_create(tables->slots);
	if (peer->counters == NULL) {
		free(peer);
		return -ENOMEM;
	}
	atomic_flag_clear(&peer->activation);
	link_init(&peer->sessions);
	link_init(&peer->bindings);
	peer->id = id;
	peer->entry.key = tables_id_key(id);
	table_insert(&tables->peers, &peer->entry);
	*created = peer;
	return 0;
}

int tables_peer_set(struct tables *tables, uint32_t generation, uint32_t id,
		    const uint8_t wire[ENDPOINT_BYTES])
{
	struct endpoint *endpoint = NULL;
	if (!bytes_are_zero(wire, ENDPOINT_BYTES)) {
		endpoint = calloc(1, sizeof(*endpoint));
		if (endpoint == NULL)
			return -ENOMEM;
		if (!endpoint_from_wire(endpoint, wire, tables->socket_family)) {
			free(endpoint);
			return -EINVAL;
		}
	}
	struct peer *peer = tables_find_peer(tables, id);
	int result = peer == NULL ? peer_create(tables, id, &peer) : 0;
	if (result != 0) {
		free(endpoint);
		return result;
	}
	peer->generation = generation;
	tables_note_generation(tables, generation);
	struct endpoint *before = atomic_exchange(&peer->endpoint, endpoint);
	if (before != NULL)
		reclaim_retire(&before->reclaim, release_endpoint);
	return 0;
}

static void release_peer(struct reclaim_node *node)
{
	struct peer *peer = container_of(node, struct peer, entry.reclaim);
	free(atomic_load(&peer->endpoint));
	free(peer->counters);
	free(peer);
}

static void binding_delete(struct tables *tables, struct binding *binding);
static void session_delete(struct tables *tables, struct session *session);

static void peer_delete(struct tables *tables, struct peer *peer)
{
	while (!link_is_alone(&peer->bindings))
		binding_delete(tables, container_of(peer->bindings.next, struct binding, of_peer));
	while (!link_is_alone(&peer->sessions))
		session_delete(tables, container_of(peer->sessions.next, struct session, of_peer));
	table_remove(&tables->peers, &peer->entry);
	reclaim_retire(&peer->entry.reclaim, release_peer);
}

void tables_peer_delete(struct tables *tables, uint32_t id)
{
	struct peer *peer = tables_find_peer(tables, id);
	if (peer != NULL)
		peer_delete(tables, peer);
}

/* Sessions. */

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

int tables_session_set(struct tables *tables, uint32_t id,
		       const struct session_parameters *parameters, uint64_t now_ms)
{
	struct peer *peer = tables_find_peer(tables, id);
	if (peer == NULL)
		return -ENOENT;
	if (tables_find_session(tables, parameters->local_id) != NULL)
		return -EEXIST;
	if (table_is_full(&tables->sessions))
		return -ENOSPC;
	struct session *session = session_create(parameters, tables->workers, now_ms);
	if (session == NULL)
		return -ENOMEM;
	session->peer = peer;
	session->serial = ++tables->serial;
	link_add(&peer->sessions, &session->of_peer);
	table_insert(&tables->sessions, &session->entry);
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
		struct session *session = container_of(at, struct session, of_peer);
		if (session->activated && !session->removed &&
		    (best == NULL || session->serial > best->serial))
			best = session;
	}
	return best;
}

static void session_delete(struct tables *tables, struct session *session)
{
	struct peer *peer = session->peer;
	lock_activation(peer);
	session->removed = true;
	if (atomic_load(&peer->active) == session)
		atomic_store_explicit(&peer->active, successor(peer), memory_order_release);
	unlock_activation(peer);
	link_remove(&session->of_peer);
	table_remove(&tables->sessions, &session->entry);
	reclaim_retire(&session->entry.reclaim, release_session);
}

void tables_session_delete(struct tables *tables, uint32_t local_id)
{
	struct session *session = tables_find_session(tables, local_id);
	if (session != NULL)
		session_delete(tables, session);
}

struct expiry {
	struct tables *tables;
	uint64_t now_ms;
};

static void expire(struct table_entry *entry, void *context)
{
	const struct expiry *expiry = context;
	struct session *session = container_of(entry, struct session, entry);
	if (expiry->now_ms >= session->expires_at_ms + SESSION_GRACE_MS)
		session_delete(expiry->tables, session);
}

void tables_expire_sessions(struct tables *tables, uint64_t now_ms)
{
	struct expiry expiry = { .tables = tables, .now_ms = now_ms };
	table_each(&tables->sessions, expire, &expiry);
}

/* Bindings. */

static struct table *table_of(struct tables *tables, uint8_t kind)
{
	if (kind == TABLE_KIND_FDB)
		return &tables->fdb;
	return kind == TABLE_KIND_NEIGHBOUR ? &tables->neighbours : &tables->members;
}

static void release_binding(struct reclaim_node *node)
{
	free(container_of(node, struct binding, entry.reclaim));
}

static void member_link(struct network *network, struct binding *binding)
{
	struct binding *first = atomic_load(&network->members);
	binding->network = network;
	atomic_store_explicit(&binding->next_member, first, memory_order_relaxed);
	if (first != NULL)
		first->previous_member = binding;
	atomic_store_explicit(&network->members, binding, memory_order_release);
}

static void member_unlink(struct tables *tables, struct binding *binding)
{
	struct binding *next = atomic_load(&binding->next_member);
	struct binding *previous = binding->previous_member;
	if (next != NULL)
		next->previous_member = previous;
	atomic_store_explicit(previous == NULL ? &binding->network->members
					       : &previous->next_member,
			      next, memory_order_release);
	network_put(tables, binding->network);
}

static void binding_delete(struct tables *tables, struct binding *binding)
{
	table_remove(table_of(tables, binding->kind), &binding->entry);
	link_remove(&binding->of_peer);
	if (binding->network != NULL)
		member_unlink(tables, binding);
	reclaim_retire(&binding->entry.reclaim, release_binding);
}

int tables_binding_set(struct tables *tables, uint8_t kind, uint32_t generation,
		       struct table_key key, const uint8_t *mac, uint32_t peer_id)
{
	struct table *table = table_of(tables, kind);
	struct peer *peer = tables_find_peer(tables, peer_id);
	struct binding *before = tables_find_binding(table, key);
	if (peer == NULL)
		return -ENOENT;
	if (before != NULL && before->peer == peer &&
	    (mac == NULL || memcmp(before->mac, mac, MAC_BYTES) == 0)) {
		before->generation = generation;
		tables_note_generation(tables, generation);
		return 0;
	}
	if (before == NULL && table_is_full(table))
		return -ENOSPC;
	struct binding *binding = calloc(1, sizeof(*binding));
	if (binding == NULL)
		return -ENOMEM;
	struct network *network = NULL;
	if (kind == TABLE_KIND_FLOOD && network_get(tables, (uint32_t)key.space, &network) != 0) {
		free(binding);
		return -ENOSPC;
	}
	binding->entry.key = key;
	binding->kind = kind;
	binding->peer = peer;
	binding->generation = generation;
	if (mac != NULL)
		memcpy(binding->mac, mac, MAC_BYTES);
	tables_note_generation(tables, generation);
	link_add(&peer->bindings, &binding->of_peer);
	table_insert(table, &binding->entry);
	if (network != NULL)
		member_link(network, binding);
	if (before != NULL)
		binding_delete(tables, before);
	return 0;
}

void tables_binding_delete(struct tables *tables, uint8_t kind, struct table_key key)
{
	struct binding *binding = tables_find_binding(table_of(tables, kind), key);
	if (binding != NULL)
		binding_delete(tables, binding);
}

/* Sweeping. */

struct sweep {
	struct tables *tables;
	uint32_t generation;
};

static void sweep_peer(struct table_entry *entry, void *context)
{
	const struct sweep *sweep = context;
	struct peer *peer = container_of(entry, struct peer, entry);
	if (peer->generation != sweep->generation)
		peer_delete(sweep->tables, peer);
}

static void sweep_binding(struct table_entry *entry, void *context)
{
	const struct sweep *sweep = context;
	struct binding *binding = container_of(entry, struct binding, entry);
	if (binding->generation != sweep->generation)
		binding_delete(sweep->tables, binding);
}

void tables_sweep(struct tables *tables, uint8_t kind, uint32_t generation)
{
	struct sweep sweep = { .tables = tables, .generation = generation };
	if (kind == TABLE_KIND_PEER)
		table_each(&tables->peers, sweep_peer, &sweep);
	else
		table_each(table_of(tables, kind), sweep_binding, &sweep);
}
