#include "fake_world.h"

#include "../test/entries.h"
#include "expect.h"
#include "fake_io.h"

struct fake_world world;

const uint8_t fake_world_key[KEY_BYTES] = { 0,	1,  2,	3,  4,	5,  6,	7,  8,	9,  10,
					    11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
					    22, 23, 24, 25, 26, 27, 28, 29, 30, 31 };

static const struct {
	uint32_t id;
	uint32_t peer;
	bool on_receive;
} session_rows[WORLD_SESSIONS] = {
	{ WORLD_SESSION_FIRST, 1, false },
	{ WORLD_SESSION_SECOND, 1, true },
	{ WORLD_SESSION_OTHER, 2, false },
	{ WORLD_SESSION_LOST, 4, false },
};

static struct port *make_port(uint32_t vni)
{
	struct port *port = calloc(1, sizeof(*port));
	EXPECT(port != NULL);
	port->vni = vni;
	port->takes_uso = true;
	port->queues = WORLD_LANES;
	for (unsigned i = 0; i < WORLD_LANES; i++)
		port->descriptors[i] = FAKE_TAP;
	atomic_store(&port->mac, 0x020000000001u);
	atomic_store(&port->mtu, 1398);
	EXPECT(tables_port_add(&world.tables, port) == 0);
	return port;
}

static void bind_addresses(uint32_t vni, uint32_t peer)
{
	const uint8_t last = (uint8_t)(peer + 1);
	const uint8_t mac[MAC_BYTES] = { 2, 0, 0, 0, 0, last };
	const uint8_t v4[16] = { [10] = 0xff, [11] = 0xff, [12] = 10, [13] = 9, [15] = last };
	const uint8_t v6[16] = { 0xfd, 9, [15] = last };
	EXPECT(entries_set_fdb(&world.tables, 1, vni, mac, peer) == 0);
	EXPECT(entries_set_neighbour(&world.tables, 1, vni, v4, mac, peer) == 0);
	EXPECT(entries_set_neighbour(&world.tables, 1, vni, v6, mac, peer) == 0);
}

static void make_peer(uint32_t id)
{
	uint8_t endpoint[ENDPOINT_BYTES] = { [10] = 0xff,	 [11] = 0xff, [12] = 192, [14] = 2,
					     [15] = (uint8_t)id, [16] = 0x1f, [17] = 0x42 };
	if (id == 4)
		memset(endpoint, 0, sizeof(endpoint));
	EXPECT(entries_set_peer(&world.tables, 1, id, endpoint) == 0);
	world.peers[id - 1] = tables_find_peer(&world.tables, id);
	bind_addresses(WORLD_VNI, id);
	if (id != 4)
		EXPECT(entries_set_member(&world.tables, 1, WORLD_VNI, id) == 0);
}

void fake_world_init(void)
{
	EXPECT(aead_init(AEAD_OPENSSL) == 0);
	EXPECT(tables_init(&world.tables, WORLD_LANES, WORLD_SLOTS, AF_INET6, 1) == 0);
	EXPECT(events_init(&world.events, WORLD_LANES) == 0);
	world.events.wake = FAKE_WAKE;
	world.ports[0] = make_port(WORLD_VNI);
	world.ports[1] = make_port(WORLD_VNI_SECOND);
	for (uint32_t id = 1; id <= WORLD_PEERS; id++)
		make_peer(id);
	bind_addresses(WORLD_VNI_SECOND, 1);
	EXPECT(entries_set_member(&world.tables, 1, WORLD_VNI_SECOND, 1) == 0);
	for (unsigned i = 0; i < WORLD_SESSIONS; i++) {
		const struct entries_session session = {
			.local_id = session_rows[i].id,
			.remote_id = session_rows[i].id,
			.peer = session_rows[i].peer,
			.lifetime_ms = 600000,
			.receive_lanes = WORLD_LANES,
			.on_receive = session_rows[i].on_receive,
			.key = fake_world_key,
		};
		EXPECT(entries_set_session(&world.tables, &session, 0) == 0);
		world.sessions[i] = tables_find_session(&world.tables, session_rows[i].id);
	}
	world.sealing = aead_key_create(fake_world_key, AEAD_SEAL, 1);
	world.opening = aead_key_create(fake_world_key, AEAD_OPEN, 1);
	EXPECT(world.sealing != NULL && world.opening != NULL);
}

static void reset_session(struct session *session)
{
	for (unsigned i = 0; i < WORLD_LANES; i++)
		atomic_store(&session->send_lanes[i].sequence, 0);
	memset(session->windows, 0, WORLD_LANES * sizeof(*session->windows));
	session->activated = !session->on_receive;
	atomic_store(&session->confirmed, false);
	atomic_store(&session->spent, false);
	if (session->activated)
		atomic_store(&session->peer->active, session);
}

static void ignore_event(const struct event *event, void *context)
{
	(void)event, (void)context;
}

void fake_world_reset(void)
{
	size_t block = WORLD_SLOTS * sizeof(struct counters);
	uint64_t seed = world.punts.seed;
	for (unsigned i = 0; i < WORLD_SESSIONS; i++)
		reset_session(world.sessions[i]);
	memset(world.tables.total, 0, block);
	for (unsigned i = 0; i < WORLD_PEERS; i++) {
		memset(world.peers[i]->counters, 0, block);
		atomic_store(&world.peers[i]->activity, 0);
		atomic_store(&world.peers[i]->session_needed, false);
	}
	/* The known endpoints are many, and belong to the target that makes some. */
	memset(&world.punts, 0, offsetof(struct punts, endpoints));
	world.punts.seed = seed;
	events_drain(&world.events, ignore_event, NULL);
	/*
	 * A ring begins with its head and tail, one cache line each: every input finds it at its
	 * start.
	 */
	for (unsigned i = 0; i < world.events.rings; i++)
		memset(world.events.ring[i], 0, 128);
	atomic_store(&world.events.agent_attached, true);
}

uint64_t fake_world_counter(unsigned field)
{
	return counters_sum(world.tables.total, WORLD_SLOTS, field);
}

uint64_t fake_world_drops(enum drop_reason reason)
{
	return fake_world_counter(COUNTER_DROPS + (unsigned)reason);
}
