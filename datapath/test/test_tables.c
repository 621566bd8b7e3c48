#include <errno.h>
#include <stdlib.h>

#include "entries.h"
#include "test.h"

void test_table(void);
void test_tables(void);

struct item {
	struct table_entry entry;
	bool freed;
};

static void release_item(struct reclaim_node *node)
{
	container_of(node, struct item, entry.reclaim)->freed = true;
}

#define ITEMS 5000u

void test_table(void)
{
	static struct item items[ITEMS];
	struct table table;
	unsigned found = 0, visited = 0;
	CHECK_EQUAL(table_init(&table, 1000, 42), 0);
	for (unsigned i = 0; i < ITEMS; i++) {
		items[i].entry.key =
			(struct table_key){ .high = i / 100, .low = i, .space = i % 7 };
		table_insert(&table, &items[i].entry);
	}
	for (unsigned i = 0; i < ITEMS; i++)
		found += table_find(&table, items[i].entry.key) == &items[i].entry;
	CHECK_EQUAL(found, ITEMS);
	CHECK(table_is_full(&table));
	for (unsigned i = 0; i < ITEMS; i += 2)
		table_remove(&table, &items[i].entry);
	struct table_walk walk = { .table = &table };
	while (table_next(&walk) != NULL)
		visited++;
	CHECK_EQUAL(visited, ITEMS / 2);
	CHECK(table_find(&table, items[0].entry.key) == NULL);
	CHECK(table_find(&table, items[1].entry.key) == &items[1].entry);

	/* What a reader may still see is not freed. */
	reclaim_online(3);
	reclaim_retire(&items[0].entry.reclaim, release_item);
	CHECK(reclaim_poll());
	CHECK(!items[0].freed);
	reclaim_online(4); /* came later: cannot have seen it */
	reclaim_offline(3);
	CHECK(!reclaim_poll());
	CHECK(items[0].freed);
	reclaim_retire(&items[2].entry.reclaim, release_item);
	CHECK(reclaim_poll());
	reclaim_offline(4);
	CHECK(!reclaim_poll());
	CHECK(items[2].freed);
	free(table.buckets);
}

static const uint8_t key[KEY_BYTES] = { 9 };
static const uint8_t mac[MAC_BYTES] = { 2, 0, 0, 0, 0, 1 };
static const uint8_t ip[16] = { [10] = 0xff, [11] = 0xff, 10, 0, 0, 1 };
static const uint8_t endpoint[ENDPOINT_BYTES] = {
	[10] = 0xff, [11] = 0xff, 192, 0, 2, 1, 0x1f, 0x42
};

static int add_session(struct tables *tables, uint32_t id, bool on_receive, uint64_t now_ms)
{
	const struct entries_session session = { .local_id = id,
						 .remote_id = id + 1,
						 .peer = 1,
						 .lifetime_ms = 1000,
						 .receive_lanes = 1,
						 .on_receive = on_receive,
						 .key = key };
	return entries_set_session(tables, &session, now_ms);
}

static uint32_t active_id(struct tables *tables)
{
	const struct session *active = atomic_load(&tables_find_peer(tables, 1)->active);
	return active == NULL ? 0 : active->local_id;
}

static void check_sessions(struct tables *tables)
{
	CHECK_EQUAL(add_session(tables, 10, false, 0), 0);
	CHECK_EQUAL(active_id(tables), 10);
	CHECK_EQUAL(add_session(tables, 10, false, 0), -EEXIST);
	CHECK_EQUAL(add_session(tables, 20, true, 0), 0);
	CHECK_EQUAL(active_id(tables), 10);
	CHECK(tables_confirm_session(tables_find_session(tables, 20)));
	CHECK(!tables_confirm_session(tables_find_session(tables, 20)));
	CHECK_EQUAL(active_id(tables), 20);
	/* An earlier session that is confirmed late does not take over. */
	CHECK_EQUAL(add_session(tables, 30, true, 0), 0);
	CHECK_EQUAL(add_session(tables, 40, false, 500), 0);
	CHECK(tables_confirm_session(tables_find_session(tables, 30)));
	CHECK_EQUAL(active_id(tables), 40);
	entries_delete(tables, TABLE_KIND_SESSION, 40);
	CHECK_EQUAL(active_id(tables), 30);
	entries_delete(tables, TABLE_KIND_SESSION, 40);
	tables_expire_sessions(tables, 999 + SESSION_GRACE_MS);
	CHECK(tables_find_session(tables, 30) != NULL);
	tables_expire_sessions(tables, 1000 + SESSION_GRACE_MS);
	CHECK(tables_find_session(tables, 30) == NULL);
	CHECK_EQUAL(active_id(tables), 0);
}

static void check_bindings(struct tables *tables)
{
	CHECK_EQUAL(entries_set_fdb(tables, 1, 7, mac, 99), -ENOENT);
	CHECK_EQUAL(entries_set_fdb(tables, 1, 7, mac, 1), 0);
	CHECK_EQUAL(entries_set_fdb(tables, 2, 7, mac, 1), 0);
	CHECK_EQUAL(tables->of[TABLE_KIND_FDB].count, 1);
	CHECK(tables_find_fdb(tables, 7, load_be48(mac))->peer == tables_find_peer(tables, 1));
	CHECK(tables_find_fdb(tables, 8, load_be48(mac)) == NULL);
	CHECK_EQUAL(entries_set_fdb(tables, 2, 7, mac, 2), 0);
	CHECK_EQUAL(tables->of[TABLE_KIND_FDB].count, 1);
	CHECK(tables_find_fdb(tables, 7, load_be48(mac))->peer == tables_find_peer(tables, 2));
	CHECK_EQUAL(entries_set_neighbour(tables, 1, 7, ip, mac, 1), 0);
	CHECK_EQUAL(entries_set_member(tables, 1, 7, 1), 0);
	CHECK_EQUAL(entries_set_member(tables, 1, 7, 2), 0);
	CHECK(tables_find_member(tables, 7, 2) != NULL);
	CHECK(tables_find_member(tables, 7, 3) == NULL);
	tables_sweep(tables, TABLE_KIND_FDB, 1);
	CHECK_EQUAL(tables->of[TABLE_KIND_FDB].count, 0);
	tables_sweep(tables, TABLE_KIND_NEIGHBOUR, 1);
	CHECK_EQUAL(tables->of[TABLE_KIND_NEIGHBOUR].count, 1);
	entries_delete(tables, TABLE_KIND_PEER, 1);
	CHECK_EQUAL(tables->of[TABLE_KIND_NEIGHBOUR].count, 0);
	CHECK_EQUAL(tables->of[TABLE_KIND_FLOOD].count, 1);
	CHECK(tables_find_network(tables, 7) != NULL);
	entries_delete_member(tables, 7, 2);
	CHECK(tables_find_network(tables, 7) == NULL);
	CHECK_EQUAL(tables->generation_max, 2);
}

static void check_endpoints(void)
{
	struct endpoint made;
	uint8_t back[ENDPOINT_BYTES];
	CHECK(endpoint_from_wire(&made, endpoint, AF_INET));
	endpoint_to_wire(back, &made.address.any);
	CHECK_BYTES(back, endpoint, ENDPOINT_BYTES);
	CHECK(endpoint_from_wire(&made, endpoint, AF_INET6));
	endpoint_to_wire(back, &made.address.any);
	CHECK_BYTES(back, endpoint, ENDPOINT_BYTES);
	uint8_t v6[ENDPOINT_BYTES] = { 0xfd, [15] = 1, [17] = 1 };
	CHECK(endpoint_from_wire(&made, v6, AF_INET6));
	CHECK(!endpoint_from_wire(&made, v6, AF_INET));
	uint8_t no_port[ENDPOINT_BYTES] = { 0xfd, [15] = 1 };
	CHECK(!endpoint_from_wire(&made, no_port, AF_INET6));
}

void test_tables(void)
{
	static struct tables tables;
	const uint8_t unknown[ENDPOINT_BYTES] = { 0 };
	CHECK_EQUAL(tables_init(&tables, 2, 3, AF_INET6, 1), 0);
	CHECK_EQUAL(entries_set_peer(&tables, 1, 1, endpoint), 0);
	CHECK_EQUAL(entries_set_peer(&tables, 1, 2, unknown), 0);
	CHECK(atomic_load(&tables_find_peer(&tables, 2)->endpoint) == NULL);
	check_sessions(&tables);
	check_bindings(&tables);
	check_endpoints();
	entries_delete(&tables, TABLE_KIND_PEER, 2);
	CHECK_EQUAL(tables.of[TABLE_KIND_PEER].count, 0);
	CHECK(!reclaim_poll());
}
