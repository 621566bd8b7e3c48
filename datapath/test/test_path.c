/*
 * Both directions whole, with socket pairs for TAP devices and loopback UDP for the underlay,
 * against the vectors that the TypeScript reference made.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "entries.h"
#include "lanes.h"
#include "receive.h"
#include "test.h"
#include "transmit.h"
#include "udp.h"

void test_path(void);

#define VNI 0x012345
#define RECEIVER 0x0a0b0c0d
#define LANE 3
#define WORKERS 4
/* The worker whose lane is LANE in the vectors' session: the exchange is its own inverse. */
#define WORKER lanes_of_worker(LANE, WORKERS, RECEIVER)

static struct tables tables;
static struct events events;
static struct punts punts;
static struct transmit *transmit;
static struct receive *receive;
static struct port *port;
static int device; /* the host's end of the TAP */
static int underlay;
static uint8_t key[KEY_BYTES];
static const uint8_t local_mac[MAC_BYTES] = { 2, 0, 0, 0, 0, 1 };
static const uint8_t remote_mac[MAC_BYTES] = { 2, 0, 0, 0, 0, 2 };

static uint64_t counter(unsigned field)
{
	return counters_sum(tables.total, WORKERS + 1, field);
}

static uint64_t drops(enum drop_reason reason)
{
	return counter(COUNTER_DROPS + (unsigned)reason);
}

static void open_underlay(uint8_t endpoint[ENDPOINT_BYTES])
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6,
					.sin6_addr = IN6ADDR_LOOPBACK_INIT };
	socklen_t length = sizeof(address);
	underlay = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	CHECK_EQUAL(bind(underlay, (struct sockaddr *)&address, sizeof(address)), 0);
	CHECK_EQUAL(getsockname(underlay, (struct sockaddr *)&address, &length), 0);
	endpoint_to_wire(endpoint, (struct sockaddr *)&address);
	transmit->outbox.socket = socket(AF_INET6, SOCK_DGRAM, 0);
	outbox_probe(transmit->outbox.socket);
}

static void make_port(void)
{
	int ends[2];
	CHECK_EQUAL(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
	device = ends[0];
	port = calloc(1, sizeof(*port));
	port->vni = VNI;
	port->takes_uso = true;
	port->descriptors[WORKER] = ends[1];
	atomic_store(&port->mtu, 1398);
	atomic_store(&port->mac, load_be48(local_mac));
	CHECK_EQUAL(tables_port_add(&tables, port), 0);
}

static void add_session(uint32_t local_id, uint32_t remote_id)
{
	const struct entries_session session = { .local_id = local_id,
						 .remote_id = remote_id,
						 .peer = 1,
						 .lifetime_ms = 1000000,
						 .receive_lanes = LANE + 1,
						 .key = key };
	CHECK_EQUAL(entries_set_session(&tables, &session, 0), 0);
}

static void set_up(void)
{
	uint8_t endpoint[ENDPOINT_BYTES];
	transmit = calloc(1, sizeof(*transmit));
	receive = aligned_alloc(64, sizeof(*receive));
	memset(receive, 0, sizeof(*receive));
	CHECK_EQUAL(tables_init(&tables, WORKERS, WORKERS + 1, AF_INET6, 1), 0);
	CHECK_EQUAL(events_init(&events, WORKERS), 0);
	transmit->tables = receive->tables = &tables;
	transmit->events = receive->events = &events;
	receive->punts = &punts;
	transmit->worker = receive->worker = WORKER;
	open_underlay(endpoint);
	make_port();
	test_vector("data.hex", "key", key, sizeof(key));
	CHECK_EQUAL(entries_set_peer(&tables, 1, 1, endpoint), 0);
	CHECK_EQUAL(entries_set_fdb(&tables, 1, VNI, remote_mac, 1), 0);
	CHECK_EQUAL(entries_set_member(&tables, 1, VNI, 1), 0);
	add_session(RECEIVER, RECEIVER);
}

/* Hands the frame of a vector to the port, as the kernel would. */
static void from_host(const char *name, uint8_t gso_type)
{
	static uint8_t bytes[8192];
	struct virtio_net_hdr_mrg_rxbuf vnet = { .hdr = { .gso_type = gso_type,
							  .gso_size = gso_type != 0 ? 500 : 0 } };
	size_t length =
		test_vector("data.hex", name, bytes + VNET_BYTES, sizeof(bytes) - VNET_BYTES);
	/* The vectors' frames go from ..01 to ..02. */
	memcpy(bytes, &vnet, VNET_BYTES);
	CHECK_EQUAL(write(device, bytes, VNET_BYTES + length), VNET_BYTES + length);
}

static void expect_datagram(const char *name)
{
	static uint8_t got[4096], expected[4096];
	size_t length = test_vector("data.hex", name, expected, sizeof(expected));
	CHECK_EQUAL(recv(underlay, got, sizeof(got), 0), length);
	CHECK_BYTES(got, expected, length);
}

static void check_transmit(void)
{
	struct network *network = tables_find_network(&tables, VNI);
	from_host("single.frame", 0);
	CHECK(transmit_port(transmit, network, port));
	expect_datagram("single.datagram");
	for (unsigned i = 0; i < 3; i++) {
		char name[32];
		snprintf(name, sizeof(name), "aggregate.frame.%u", i);
		from_host(name, 0);
	}
	CHECK(transmit_port(transmit, network, port));
	expect_datagram("aggregate.datagram");
	from_host("tcp4.superframe", VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN);
	from_host("udp6.superframe", VIRTIO_NET_HDR_GSO_UDP_L4);
	CHECK(transmit_port(transmit, network, port));
	for (unsigned i = 0; i < 6; i++) {
		char name[32];
		snprintf(name, sizeof(name), "%s.datagram.%u", i < 3 ? "tcp4" : "udp6", i % 3);
		expect_datagram(name);
	}
	CHECK_EQUAL(counter(COUNTER_SENT_FRAMES), 10);
	CHECK_EQUAL(counter(COUNTER_SENT_DATAGRAMS), 8);
}

static void check_transmit_drops(void)
{
	struct network *network = tables_find_network(&tables, VNI);
	uint8_t bytes[2000] = { 0 };
	memcpy(bytes + VNET_BYTES, remote_mac, MAC_BYTES);
	CHECK(write(device, bytes, VNET_BYTES + 13) > 0);
	CHECK(write(device, bytes, VNET_BYTES + 14 + 1399) > 0);
	bytes[VNET_BYTES + 5] = 0x77;
	CHECK(write(device, bytes, VNET_BYTES + 60) > 0);
	bytes[0] = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	bytes[6] = 59; /* csum_start: the checksum would lie behind the frame */
	CHECK(write(device, bytes, VNET_BYTES + 60) > 0);
	bytes[0] = 0;
	bytes[1] = VIRTIO_NET_HDR_GSO_UDP; /* fragmentation offload was not asked for */
	CHECK(write(device, bytes, VNET_BYTES + 60) > 0);
	CHECK(transmit_port(transmit, network, port));
	CHECK_EQUAL(drops(DROP_FRAME_TOO_SHORT), 1);
	CHECK_EQUAL(drops(DROP_FRAME_TOO_LONG), 1);
	CHECK_EQUAL(drops(DROP_UNICAST_UNKNOWN), 1);
	CHECK_EQUAL(drops(DROP_FRAME_UNSPLITTABLE), 2);
	CHECK_EQUAL(recv(underlay, bytes, sizeof(bytes), 0), -1);
}

static struct event told[2 * MISSES_TOLD_MAX];
static unsigned told_count;

static void note_told(const struct event *event, void *context)
{
	(void)context;
	if (event->kind == EVENT_UNKNOWN)
		told[told_count++ % (2 * MISSES_TOLD_MAX)] = *event;
}

/* Asks for 10.9.LOW by ARP and sends to 02:00:00:00:LOW. */
static void look_for(unsigned low)
{
	uint8_t frame[VNET_BYTES + 60] = { 0 };
	uint8_t *bytes = frame + VNET_BYTES;
	CHECK_EQUAL(test_hex("ffffffffffff0200000000010806000108000604"
			     "0001"
			     "0200000000010a090009"
			     "000000000000"
			     "0a09",
			     bytes, 60),
		    40);
	store_be16(bytes + 40, (uint16_t)low);
	CHECK(write(device, frame, VNET_BYTES + 42) > 0);
	memset(bytes, 0, 60);
	bytes[0] = 2;
	store_be16(bytes + 4, (uint16_t)low);
	CHECK(write(device, frame, VNET_BYTES + 60) > 0);
	CHECK(transmit_port(transmit, tables_find_network(&tables, VNI), port));
}

/* An address that nobody has is told to the agent: by name, now and then, and not too many. */
static void check_misses(void)
{
	static const uint8_t ip[16] = { [10] = 0xff, 0xff, 10, 9, 0x33, 0x44 };
	static const uint8_t mac[16] = { 2, [4] = 0x33, 0x44 };
	uint64_t drops_before = drops(DROP_UNICAST_UNKNOWN) + drops(DROP_NEIGHBOUR_UNKNOWN);
	transmit->now_ms = 5000;
	events_drain(&events, note_told, NULL);
	told_count = 0;
	look_for(0x3344);
	look_for(0x3344);
	events_drain(&events, note_told, NULL);
	CHECK_EQUAL(told_count, 2);
	CHECK_EQUAL(told[0].peer, VNI);
	CHECK_EQUAL(told[0].local_id, SOUGHT_IP);
	CHECK_BYTES(told[0].endpoint, ip, 16);
	CHECK_EQUAL(told[1].local_id, SOUGHT_MAC);
	CHECK_BYTES(told[1].endpoint, mac, 16);
	transmit->now_ms += MISS_INTERVAL_MS;
	look_for(0x3344);
	events_drain(&events, note_told, NULL);
	CHECK_EQUAL(told_count, 4);
	transmit->now_ms = 7000;
	for (unsigned low = 1; low <= MISSES_TOLD_MAX; low++)
		look_for(0x4000 + low);
	events_drain(&events, note_told, NULL);
	CHECK_EQUAL(told_count, 4 + MISSES_TOLD_MAX);
	CHECK_EQUAL(drops(DROP_UNICAST_UNKNOWN) + drops(DROP_NEIGHBOUR_UNKNOWN) - drops_before,
		    2 * (3 + MISSES_TOLD_MAX));
	transmit->now_ms = 0;
}

static void deliver_bytes(uint8_t *datagram, size_t length)
{
	struct sockaddr_in6 source = { .sin6_family = AF_INET6, .sin6_port = 1 };
	receive_begin(receive, 0);
	receive_datagram(receive, datagram, length, (struct sockaddr *)&source);
}

static void deliver(const char *name)
{
	static uint8_t datagrams[16][4096];
	static unsigned next;
	uint8_t *datagram =
		datagrams[next++ % 16]; /* a super-frame keeps its datagrams until the flush */
	deliver_bytes(datagram, test_vector("data.hex", name, datagram, sizeof(datagrams[0])));
}

static void expect_frame(const char *name, uint8_t gso_type)
{
	static uint8_t got[8192], expected[8192];
	struct virtio_net_hdr_mrg_rxbuf vnet;
	size_t length = test_vector("data.hex", name, expected, sizeof(expected));
	CHECK_EQUAL(read(device, got, sizeof(got)), VNET_BYTES + length);
	CHECK_BYTES(got + VNET_BYTES, expected, length);
	memcpy(&vnet, got, sizeof(vnet));
	CHECK_EQUAL(vnet.hdr.gso_type, gso_type);
}

static bool nothing_arrived(void)
{
	uint8_t byte[1];
	return read(device, byte, sizeof(byte)) < 0 && errno == EAGAIN;
}

/* The frames of the vectors come from ..01 and go to ..02: this host becomes ..02. */
static void become_receiver(void)
{
	static const uint8_t ipv4[16] = { [10] = 0xff, [11] = 0xff, 10, 9, 0, 1 };
	static const uint8_t ipv6[16] = { 0xfd, 9, [15] = 1 };
	atomic_store(&port->mac, load_be48(remote_mac));
	entries_delete_fdb(&tables, VNI, remote_mac);
	CHECK_EQUAL(entries_set_fdb(&tables, 1, VNI, local_mac, 1), 0);
	CHECK_EQUAL(entries_set_neighbour(&tables, 1, VNI, ipv4, local_mac, 1), 0);
	CHECK_EQUAL(entries_set_neighbour(&tables, 1, VNI, ipv6, local_mac, 1), 0);
}

static void check_receive(void)
{
	become_receiver();
	deliver("single.datagram");
	expect_frame("single.frame", 0);
	deliver("aggregate.datagram");
	expect_frame("aggregate.frame.0", 0);
	expect_frame("aggregate.frame.1", 0);
	expect_frame("aggregate.frame.2", 0);
	for (unsigned i = 0; i < 6; i++) {
		char name[32];
		snprintf(name, sizeof(name), "%s.datagram.%u", i < 3 ? "tcp4" : "udp6", i % 3);
		deliver(name);
	}
	receive_flush(receive);
	expect_frame("tcp4.superframe", VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN);
	expect_frame("udp6.superframe", VIRTIO_NET_HDR_GSO_UDP_L4);
	CHECK_EQUAL(counter(COUNTER_RECEIVED_FRAMES), 10);
	CHECK_EQUAL(counter(COUNTER_RECEIVED_DATAGRAMS), 8);
	deliver("single.datagram");
	CHECK_EQUAL(drops(DROP_COUNTER_REPLAYED), 1);
	CHECK(nothing_arrived());
}

static struct event last_event;
static uint8_t last_bytes[256];

static void keep_event(const struct event *event, void *context)
{
	(void)context;
	if (event->kind != EVENT_CONTROL)
		return;
	last_event = *event;
	memcpy(last_bytes, event->bytes, event->length);
}

static void check_control(void)
{
	uint8_t body[64], datagram[128];
	size_t length;
	deliver("ping.datagram");
	CHECK_EQUAL(drops(DROP_AGENT_ABSENT), 1);
	atomic_store(&events.agent_attached, true);
	deliver("keepalive.datagram");
	events_drain(&events, keep_event, NULL);
	CHECK_EQUAL(last_event.local_id, RECEIVER);
	CHECK_EQUAL(last_event.length, 0);
	size_t body_length = test_vector("data.hex", "ping.body", body, sizeof(body));
	CHECK_EQUAL(transmit_seal_control(tables_find_peer(&tables, 1), WORKERS, 0, body + 4,
					  body_length - 4, datagram, &length),
		    0);
	CHECK_EQUAL(length, 16 + body_length + 16);
	deliver_bytes(datagram, length);
	events_drain(&events, keep_event, NULL);
	CHECK_EQUAL(last_event.length, body_length - 4);
	CHECK_BYTES(last_bytes, body + 4, body_length - 4);
}

/* Seals any body under the next counter of lane 0 and delivers it. */
static void deliver_body(const uint8_t *body, size_t length, uint8_t flags)
{
	uint8_t datagram[512], nonce[NONCE_BYTES];
	struct session *session = tables_find_session(&tables, RECEIVER);
	uint64_t sequence;
	CHECK(session_take(session, 0, 1, &sequence));
	wire_data_header(datagram, flags, 0, RECEIVER, sequence);
	memcpy(datagram + 16, body, length);
	wire_nonce(nonce, sequence);
	CHECK(aead_seal(session->sealing, 0, nonce, datagram, 16, datagram + 16, length,
			datagram + 16 + length));
	deliver_bytes(datagram, 16 + length + 16);
}

static void check_bodies(void)
{
	static const char *const invalid[] = {
		"",
		"01",
		"01012345",
		"0101234500",
		"01012345000d0000"
		"aaaaaaaaaaaaaaaaaaaaaaaaaa",
		"02012345",
		"00000001",
		"01012345000e0d00"
		"020000000002020000000001"
		"88b5",
		"01012345000f0000"
		"020000000002020000000001"
		"88b5",
	};
	uint8_t body[256];
	uint64_t before = drops(DROP_BODY_INVALID);
	for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++)
		deliver_body(body, test_hex(invalid[i], body, sizeof(body)), 0);
	size_t length = test_vector("data.hex", "aggregate.body", body, sizeof(body));
	deliver_body(body, length, DATA_FLAG_TRAIN); /* a train has one entry */
	CHECK_EQUAL(drops(DROP_BODY_INVALID) - before, sizeof(invalid) / sizeof(invalid[0]) + 1);
	store_be24(body + 1, VNI + 1);
	deliver_body(body, length, 0);
	CHECK_EQUAL(drops(DROP_NETWORK_UNKNOWN), 3);
	entries_delete_member(&tables, VNI, 1);
	store_be24(body + 1, VNI);
	deliver_body(body, length, 0);
	CHECK_EQUAL(drops(DROP_PEER_NOT_MEMBER), 3);
	CHECK_EQUAL(entries_set_member(&tables, 1, VNI, 1), 0);
	CHECK(nothing_arrived());
}

/* Any change of one bit is dropped, and nothing arrives. */
static void check_flipped_bits(void)
{
	uint8_t original[256], changed[256];
	size_t length = test_vector("data.hex", "single.datagram", original, sizeof(original));
	uint64_t before = counter(COUNTER_RECEIVED_DATAGRAMS);
	for (size_t bit = 0; bit < length * 8; bit++) {
		memcpy(changed, original, length);
		store_be64(changed + 8, (uint64_t)LANE << 60 | 5000);
		changed[bit / 8] ^= (uint8_t)(1 << bit % 8);
		deliver_bytes(changed, length);
	}
	for (size_t cut = 0; cut < length; cut++) {
		memcpy(changed, original, length);
		store_be64(changed + 8, (uint64_t)LANE << 60 | 5000);
		deliver_bytes(changed, cut);
	}
	CHECK_EQUAL(counter(COUNTER_RECEIVED_DATAGRAMS), before);
	CHECK(nothing_arrived());
}

void test_path(void)
{
	set_up();
	check_transmit();
	check_transmit_drops();
	check_misses();
	check_receive();
	check_control();
	check_bodies();
	check_flipped_bits();
}
