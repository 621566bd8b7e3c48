/*
 * What the data path knows: networks with their port and members, peers with their sessions, FDB
 * and neighbours.
 *
 * What the agent sets are six kinds of entries. Where the key, the MAC and the peer of a kind lie
 * in its messages is data (control_entry_shape, generated), and setting, deleting, dumping and
 * sweeping are one function each for all kinds. What is left to a struct kind is what an entry
 * needs beyond its place in a table.
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
	struct table_entry entry; /* key: VNI */
	uint32_t vni;
	char name[IFNAMSIZ];
	_Atomic uint64_t mac;
	_Atomic uint32_t mtu;
	unsigned queues;
	int descriptors[WORKERS_MAX]; /* one a worker */
	bool takes_uso;
	_Atomic bool lost; /* the device is gone */
};

struct member;

struct network {
	struct table_entry entry; /* key: VNI */
	uint32_t vni;
	_Atomic(struct port *) port;
	_Atomic(struct member *) members;
	struct counters *counters;
};

/* An FDB or neighbour entry, or what a member starts with. */
struct binding {
	struct table_entry entry; /* key: as in its messages; owned by the peer */
	struct peer *peer;
	uint8_t kind; /* TABLE_KIND */
	uint8_t mac[MAC_BYTES];
};

/* A flood entry. */
struct member {
	struct binding binding;
	struct network *network;
	_Atomic(struct member *) next;
	struct member *previous;
};

/* Tables are named by TABLE_KIND; networks come and go with their port and members. */
enum {
	TABLE_NETWORKS = 0,
	TABLES = TABLE_KIND_FLOOD + 1,
};

struct tables {
	unsigned workers;
	unsigned slots;
	int socket_family; /* of endpoints made for sending */
	uint32_t generation_max;
	uint64_t serial;
	struct counters *total;
	struct table of[TABLES];
};

/* A set message that is carried out. */
struct setting {
	struct tables *tables;
	uint8_t kind; /* TABLE_KIND */
	const uint8_t *fields;
	uint64_t now_ms;
	const char *refusal; /* given back: a sentence that says more than the error number */
	/* Found by tables_set: */
	struct table_key key;
	struct table_entry *before; /* that has the key, or NULL */
	struct peer *peer;	    /* that is named, or NULL */
};

struct kind {
	/* Makes or changes an entry. Returns 0 or negative errno, and then nothing is changed. */
	int (*set)(struct setting *setting);
	void (*remove)(struct tables *tables, struct table_entry *entry);
	/* Fills in what is behind the key. False: the entry is not shown. */
	bool (*describe)(const struct table_entry *entry, uint8_t *fields);
};

extern const struct kind ports_kind; /* ports.c */

static inline int setting_refuse(struct setting *setting, int error, const char *text)
{
	setting->refusal = text;
	return -error;
}

int tables_init(struct tables *tables, unsigned workers, unsigned slots, int socket_family,
		uint64_t seed);

/* Carries out a set message of the right length, or refuses it and changes nothing. Returns 0 or
 * negative errno. */
int tables_set(struct setting *setting);

/* Carries out a delete message; what does not exist is deleted already. */
void tables_delete(struct tables *tables, uint8_t kind, const uint8_t *key);

/* Deletes the entries of other generations. False: this kind has none. */
bool tables_sweep(struct tables *tables, uint8_t kind, uint32_t generation);

typedef void tables_show(void *context, uint16_t code, const void *fields, size_t bytes);

/* Calls `show` with the message of every entry. False: no such kind. */
bool tables_dump(const struct tables *tables, uint8_t kind, tables_show *show, void *context);

/* Takes an entry out of its table and its owner's list, to be released when no worker sees it. */
void tables_retire(struct tables *tables, uint8_t kind, struct table_entry *entry,
		   void (*release)(struct reclaim_node *));

/* Makes a port the one of its VNI, which has none, and ends that. */
int tables_port_add(struct tables *tables, struct port *port);
void tables_port_remove(struct tables *tables, struct port *port,
			void (*release)(struct reclaim_node *));

/* Marks a session confirmed by an opened datagram and activates it if it waited for that. True the
 * first time. */
bool tables_confirm_session(struct session *session);

/* Deletes sessions whose lifetime and grace are over: their keys must not outlive an agent that is
 * away. */
void tables_expire_sessions(struct tables *tables, uint64_t now_ms);

#define ENDPOINT_REFUSAL "the endpoint cannot be sent to from this host"

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

static inline struct network *tables_find_network(const struct tables *t, uint32_t vni)
{
	const struct table_key key = { .space = vni };
	return (struct network *)(void *)table_find(&t->of[TABLE_NETWORKS], key);
}

static inline struct peer *tables_find_peer(const struct tables *t, uint32_t id)
{
	const struct table_key key = { .space = id };
	return (struct peer *)(void *)table_find(&t->of[TABLE_KIND_PEER], key);
}

static inline struct session *tables_find_session(const struct tables *t, uint32_t local_id)
{
	const struct table_key key = { .space = local_id };
	return (struct session *)(void *)table_find(&t->of[TABLE_KIND_SESSION], key);
}

static inline struct binding *tables_find_fdb(const struct tables *t, uint32_t vni, uint64_t mac)
{
	const struct table_key key = { .space = vni, .low = mac };
	return (struct binding *)(void *)table_find(&t->of[TABLE_KIND_FDB], key);
}

static inline struct binding *tables_find_neighbour(const struct tables *t, uint32_t vni,
						    const uint8_t ip[16])
{
	const struct table_key key = { load_be64(ip), load_be64(ip + 8), vni };
	return (struct binding *)(void *)table_find(&t->of[TABLE_KIND_NEIGHBOUR], key);
}

static inline struct binding *tables_find_member(const struct tables *t, uint32_t vni, uint32_t id)
{
	const struct table_key key = { .space = vni, .low = id };
	return (struct binding *)(void *)table_find(&t->of[TABLE_KIND_FLOOD], key);
}
