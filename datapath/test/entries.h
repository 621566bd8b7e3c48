/*
 * Set and delete messages of table entries, made and carried out: how tests and fuzz targets fill
 * the tables.
 */
#ifndef LOOM_TEST_ENTRIES_H
#define LOOM_TEST_ENTRIES_H

#include "tables.h"

static inline int entries_set(struct tables *tables, uint8_t kind, const void *fields,
			      uint64_t now_ms)
{
	struct setting setting = {
		.tables = tables, .kind = kind, .fields = fields, .now_ms = now_ms
	};
	return tables_set(&setting);
}

static inline int entries_set_peer(struct tables *tables, uint32_t generation, uint32_t id,
				   const uint8_t endpoint[ENDPOINT_BYTES])
{
	struct control_peer_set fields = { .generation = be32_of(generation), .peer = be32_of(id) };
	memcpy(fields.endpoint, endpoint, ENDPOINT_BYTES);
	return entries_set(tables, TABLE_KIND_PEER, &fields, 0);
}

static inline int entries_set_fdb(struct tables *tables, uint32_t generation, uint32_t vni,
				  const uint8_t mac[MAC_BYTES], uint32_t peer)
{
	struct control_fdb_set fields = { .generation = be32_of(generation),
					  .vni = be32_of(vni),
					  .peer = be32_of(peer) };
	memcpy(fields.mac, mac, MAC_BYTES);
	return entries_set(tables, TABLE_KIND_FDB, &fields, 0);
}

static inline int entries_set_neighbour(struct tables *tables, uint32_t generation, uint32_t vni,
					const uint8_t ip[16], const uint8_t mac[MAC_BYTES],
					uint32_t peer)
{
	struct control_neighbour_set fields = { .generation = be32_of(generation),
						.vni = be32_of(vni),
						.peer = be32_of(peer) };
	memcpy(fields.ip, ip, sizeof(fields.ip));
	memcpy(fields.mac, mac, MAC_BYTES);
	return entries_set(tables, TABLE_KIND_NEIGHBOUR, &fields, 0);
}

static inline int entries_set_member(struct tables *tables, uint32_t generation, uint32_t vni,
				     uint32_t peer)
{
	const struct control_flood_set fields = { be32_of(generation), be32_of(vni),
						  be32_of(peer) };
	return entries_set(tables, TABLE_KIND_FLOOD, &fields, 0);
}

/* A session of the given ids with one key for both directions, that lives for `lifetime_ms`. */
struct entries_session {
	uint32_t local_id;
	uint32_t remote_id;
	uint32_t peer;
	uint32_t lifetime_ms;
	uint8_t receive_lanes;
	bool on_receive;
	const uint8_t *key;
};

static inline struct control_session_set entries_session_fields(const struct entries_session *given)
{
	struct control_session_set fields = {
		.local_id = be32_of(given->local_id),
		.remote_id = be32_of(given->remote_id),
		.peer = be32_of(given->peer),
		.activation =
			given->on_receive ? SESSION_ACTIVATION_ON_RECEIVE : SESSION_ACTIVATION_NOW,
		.receive_lanes = given->receive_lanes,
		.lifetime_ms = be32_of(given->lifetime_ms),
	};
	memcpy(fields.send_key, given->key, KEY_BYTES);
	memcpy(fields.receive_key, given->key, KEY_BYTES);
	return fields;
}

static inline int entries_set_session(struct tables *tables, const struct entries_session *given,
				      uint64_t now_ms)
{
	const struct control_session_set fields = entries_session_fields(given);
	return entries_set(tables, TABLE_KIND_SESSION, &fields, now_ms);
}

/* By an id that is the whole key: a peer or a session. */
static inline void entries_delete(struct tables *tables, uint8_t kind, uint32_t id)
{
	be32_t key = be32_of(id);
	tables_delete(tables, kind, key.bytes);
}

static inline void entries_delete_fdb(struct tables *tables, uint32_t vni,
				      const uint8_t mac[MAC_BYTES])
{
	struct control_fdb_delete key = { .vni = be32_of(vni) };
	memcpy(key.mac, mac, MAC_BYTES);
	tables_delete(tables, TABLE_KIND_FDB, (const uint8_t *)&key);
}

static inline void entries_delete_member(struct tables *tables, uint32_t vni, uint32_t peer)
{
	const struct control_flood_delete key = { be32_of(vni), be32_of(peer) };
	tables_delete(tables, TABLE_KIND_FLOOD, (const uint8_t *)&key);
}

#endif
