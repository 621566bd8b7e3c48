/*
 * What the data path knows: networks with their port and members, peers with their sessions, FDB
 * and neighbours.
 *
 * Complications, and why they exist:
 *  - A peer owns its sessions and bindings (FDB, neighbour and flood entries), since deleting it
 * deletes them. The control thread keeps them in lists of the peer, so that this costs what the
 * peer has and not what the tables hold.
 *  - A replaced entry is a fresh object inserted before the old one in its bucket: a reader sees
 * either, whole.
 *  - A session that waits for its first datagram is activated by the worker that opens it, since
 * the answer to that datagram must not find the peer without a session. The peer's activation lock
 * orders this against deletion; it is taken once a session.
 *  - The members of a network form a list for replication and a table for the question "is this
 * peer a member".
 *  - A port's TAP queues are closed after a grace period, so that no worker reads a descriptor that
 * another file has taken.
 *
 * Threads: functions that find and the atomic fields: workers while online, and the control thread.
 * Functions that set, delete, sweep or list: the control thread alone. Errors are negative errno.
 */
#pragma once

#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "counters.h"
#include "session.h"

struct endpoint {
	struct reclaim_node reclaim;
	uint8_t wire[ENDPOINT_BYTES];
	socklen_t address_length;
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address;
};

struct peer {
	struct table_entry entry; /* key: id */
	uint32_t id;
	uint32_t generation;
	_Atomic(struct endpoint *) endpoint; /* NULL: not known */
	_Atomic(struct session *) active;
	atomic_flag activation;
	struct link sessions;
	struct link bindings;
	struct counters *counters;
	_Atomic uint8_t activity; /* ACTIVITY bits since the last event */
	_Atomic bool session_needed;
	uint64_t session_needed_at_ms;
};

struct port {
	struct reclaim_node reclaim;
	uint32_t vni;
	uint32_t generation;
	char name[IFNAMSIZ];
	_Atomic uint64_t mac;
	_Atomic uint32_t mtu;
	unsigned queues;
	int descriptors[WORKERS_MAX]; /* one a worker */
	bool takes_uso;
	_Atomic bool lost; /* the device is gone */
};

struct binding;

struct network {
	struct table_entry entry; /* key: VNI */
	uint32_t vni;
	_Atomic(struct port *) port;
	_Atomic(struct binding *) members;
	struct counters *counters;
};

/* An FDB, neighbour or flood entry. */
struct binding {
	struct table_entry entry;
	struct link of_peer;
	struct peer *peer;
	uint8_t kind;		/* TABLE_KIND */
	uint8_t mac[MAC_BYTES]; /* of a neighbour */
	uint32_t generation;
	struct network *network; /* of a flood entry, with its list: */
	_Atomic(struct binding *) next_member;
	struct binding *previous_member;
};

struct tables {
	unsigned workers;
	unsigned slots;
	int socket_family; /* of endpoints made for sending */
	uint32_t generation_max;
	uint64_t serial;
	struct counters *total;
	struct table networks;
	struct table peers;
	struct table sessions;
	struct table fdb;
	struct table neighbours;
	struct table members;
	size_t ports;
};

int tables_init(struct tables *tables, unsigned workers, unsigned slots, int socket_family,
		uint64_t seed);

/* Remembers the highest generation for helloReply. */
void tables_note_generation(struct tables *tables, uint32_t generation);

/* Marks a session confirmed by an opened datagram and activates it if it waited for that. True the
 * first time. */
bool tables_confirm_session(struct session *session);

/* Publishes an attached port, or, when `port` is NULL, withdraws the one there is. Takes ownership
 * of `port`. */
int tables_port_set(struct tables *tables, uint32_t vni, struct port *port,
		    void (*release)(struct reclaim_node *));

int tables_peer_set(struct tables *tables, uint32_t generation, uint32_t id,
		    const uint8_t wire[ENDPOINT_BYTES]);
void tables_peer_delete(struct tables *tables, uint32_t id);

int tables_session_set(struct tables *tables, uint32_t peer,
		       const struct session_parameters *parameters, uint64_t now_ms);
void tables_session_delete(struct tables *tables, uint32_t local_id);

/* Deletes sessions whose lifetime and grace are over: their keys must not outlive an agent that is
 * away. */
void tables_expire_sessions(struct tables *tables, uint64_t now_ms);

/* Creates an FDB, neighbour or flood entry, or gives it another peer. `mac` is a neighbour's, else
 * NULL. */
int tables_binding_set(struct tables *tables, uint8_t kind, uint32_t generation,
		       struct table_key key, const uint8_t *mac, uint32_t peer);
void tables_binding_delete(struct tables *tables, uint8_t kind, struct table_key key);

/* Deletes peers, FDB, neighbour or flood entries of other generations. Ports are swept by their
 * owner (requests.c). */
void tables_sweep(struct tables *tables, uint8_t kind, uint32_t generation);

/* Fills in the socket address for `wire`. False when it cannot be one: port 0, unspecified address,
 * or IPv6 without IPv6. */
bool endpoint_from_wire(struct endpoint *endpoint, const uint8_t wire[ENDPOINT_BYTES],
			int socket_family);

/* Writes the 18 bytes of a received datagram's source. */
void endpoint_to_wire(uint8_t wire[ENDPOINT_BYTES], const struct sockaddr *address);

/* What a worker counts an event in; network and peer may be NULL. */
static inline struct scope tables_scope(const struct tables *t, unsigned slot,
					const struct network *network, const struct peer *peer)
{
	return (struct scope){ .total = &t->total[slot],
			       .network = network == NULL ? NULL : &network->counters[slot],
			       .peer = peer == NULL ? NULL : &peer->counters[slot] };
}

/* Finding: lock-free, NULL when there is none. An entry is the first member of what it is part of.
 */

_Static_assert(offsetof(struct network, entry) == 0 && offsetof(struct peer, entry) == 0 &&
		       offsetof(struct session, entry) == 0 && offsetof(struct binding, entry) == 0,
	       "a null entry is a null object");

static inline struct table_key tables_id_key(uint32_t id)
{
	return (struct table_key){ .low = id };
}

static inline struct table_key tables_mac_key(uint32_t vni, uint64_t mac)
{
	return (struct table_key){ .space = vni, .low = mac };
}

static inline struct table_key tables_ip_key(uint32_t vni, const uint8_t ip[16])
{
	return (struct table_key){ .space = vni, .high = load_be64(ip), .low = load_be64(ip + 8) };
}

static inline struct network *tables_find_network(const struct tables *t, uint32_t vni)
{
	return (struct network *)(void *)table_find(&t->networks, tables_id_key(vni));
}

static inline struct peer *tables_find_peer(const struct tables *t, uint32_t id)
{
	return (struct peer *)(void *)table_find(&t->peers, tables_id_key(id));
}

static inline struct session *tables_find_session(const struct tables *t, uint32_t local_id)
{
	return (struct session *)(void *)table_find(&t->sessions, tables_id_key(local_id));
}

static inline struct binding *tables_find_binding(const struct table *table, struct table_key key)
{
	return (struct binding *)(void *)table_find(table, key);
}

static inline struct binding *tables_find_fdb(const struct tables *t, uint32_t vni, uint64_t mac)
{
	return tables_find_binding(&t->fdb, tables_mac_key(vni, mac));
}

static inline struct binding *tables_find_neighbour(const struct tables *t, uint32_t vni,
						    const uint8_t ip[16])
{
	return tables_find_binding(&t->neighbours, tables_ip_key(vni, ip));
}

static inline struct binding *tables_find_member(const struct tables *t, uint32_t vni, uint32_t id)
{
	return tables_find_binding(&t->members, tables_mac_key(vni, id));
}

/* Setting and deleting the three kinds of bindings. */

static inline int tables_fdb_set(struct tables *t, uint32_t generation, uint32_t vni,
				 const uint8_t mac[MAC_BYTES], uint32_t peer)
{
	struct table_key key = tables_mac_key(vni, load_be48(mac));
	return tables_binding_set(t, TABLE_KIND_FDB, generation, key, NULL, peer);
}

static inline int tables_neighbour_set(struct tables *t, uint32_t generation, uint32_t vni,
				       const uint8_t ip[16], const uint8_t mac[MAC_BYTES],
				       uint32_t peer)
{
	struct table_key key = tables_ip_key(vni, ip);
	return tables_binding_set(t, TABLE_KIND_NEIGHBOUR, generation, key, mac, peer);
}

static inline int tables_member_set(struct tables *t, uint32_t generation, uint32_t vni,
				    uint32_t id)
{
	return tables_binding_set(t, TABLE_KIND_FLOOD, generation, tables_mac_key(vni, id), NULL,
				  id);
}

static inline void tables_fdb_delete(struct tables *t, uint32_t vni, const uint8_t mac[MAC_BYTES])
{
	tables_binding_delete(t, TABLE_KIND_FDB, tables_mac_key(vni, load_be48(mac)));
}

static inline void tables_neighbour_delete(struct tables *t, uint32_t vni, const uint8_t ip[16])
{
	tables_binding_delete(t, TABLE_KIND_NEIGHBOUR, tables_ip_key(vni, ip));
}

static inline void tables_member_delete(struct tables *t, uint32_t vni, uint32_t id)
{
	tables_binding_delete(t, TABLE_KIND_FLOOD, tables_mac_key(vni, id));
}
