/* Lanes of workers, and the sockets to which the kernel hands their datagrams. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lanes.h"
#include "lobby.h"
#include "pace.h"
#include "steering.h"
#include "test.h"
#include "wire.h"

#define WORKERS 4u
#define NOWHERE UINT32_MAX

void test_steering(void);

static void check_one_lane_a_worker(unsigned workers, uint32_t id)
{
	uint32_t seen = 0;
	for (unsigned worker = 0; worker < workers; worker++)
		seen |= 1u << lanes_of_worker(worker, workers, id);
	CHECK_EQUAL(seen, (1u << workers) - 1);
}

/* The number of the socket on which bytes arrive, or NOWHERE. */
static unsigned socket_of(const struct udp_sockets *sockets, int from, const uint8_t *bytes,
			  size_t length)
{
	struct sockaddr_storage to;
	socklen_t size = sizeof(to);
	uint8_t buffer[2048];
	unsigned found = NOWHERE;
	CHECK_EQUAL(getsockname(sockets->descriptors[0], (struct sockaddr *)&to, &size), 0);
	CHECK_EQUAL(sendto(from, bytes, length, 0, (struct sockaddr *)&to, size), (ssize_t)length);
	for (unsigned i = 0; i < sockets->opened; i++)
		if (recv(sockets->descriptors[i], buffer, sizeof(buffer), MSG_DONTWAIT) >= 0)
			found = i;
	return found;
}

static unsigned arrives_at(const struct udp_sockets *sockets, int from, uint32_t session,
			   unsigned lane)
{
	uint8_t datagram[DATA_HEADER_BYTES + TAG_BYTES] = { 0 };
	wire_data_header(datagram, 0, 0, session, (uint64_t)lane << LANE_SHIFT | 5);
	return socket_of(sockets, from, datagram, sizeof(datagram));
}

/* Two hosts of four workers: whatever their session ids are, the answer comes to who asked. */
static void check_answers_return(const struct udp_sockets *sockets, int from)
{
	for (uint32_t ids = 0; ids < WORKERS * WORKERS; ids++) {
		uint32_t own = 0x1230 + ids / WORKERS;
		uint32_t other = 0x4560 + ids % WORKERS;
		for (unsigned worker = 0; worker < WORKERS; worker++) {
			unsigned lane = lanes_of_worker(worker, WORKERS, own);
			unsigned there = arrives_at(sockets, from, other, lane);
			unsigned back = lanes_of_worker(there, WORKERS, other);
			CHECK_EQUAL(arrives_at(sockets, from, own, back), worker);
		}
	}
}

/* The class of lobbies at which a handshake datagram arrives, or NOWHERE. */
static unsigned class_of(const struct udp_sockets *sockets, int from, uint8_t kind, size_t length,
			 uint8_t of_mac2)
{
	uint8_t datagram[HANDSHAKE_BYTES_MAX] = { kind, PROTOCOL_VERSION };
	datagram[length - 16] = of_mac2;
	unsigned found = socket_of(sockets, from, datagram, length);
	bool is_lobby = found >= WORKERS && found < WORKERS + LOBBIES;
	return is_lobby ? (found - WORKERS) / LOBBY_SOURCES : NOWHERE;
}

static void check_classes(const struct udp_sockets *sockets, int from)
{
	const uint8_t initiation = DATAGRAM_INITIATION, response = DATAGRAM_RESPONSE;
	const uint8_t cookie = DATAGRAM_COOKIE;
	CHECK_EQUAL(class_of(sockets, from, initiation, INITIATION_BYTES_MIN, 0), LOBBY_PLAIN);
	CHECK_EQUAL(class_of(sockets, from, initiation, HANDSHAKE_BYTES_MAX, 0), LOBBY_PLAIN);
	CHECK_EQUAL(class_of(sockets, from, initiation, 700, 1), LOBBY_PROVED);
	CHECK_EQUAL(class_of(sockets, from, response, RESPONSE_BYTES_MIN, 0), LOBBY_ANSWER);
	CHECK_EQUAL(class_of(sockets, from, response, 1220, 1), LOBBY_PROVED);
	CHECK_EQUAL(class_of(sockets, from, cookie, COOKIE_BYTES, 0), LOBBY_ANSWER);
	CHECK_EQUAL(class_of(sockets, from, cookie, COOKIE_BYTES, 1), LOBBY_ANSWER);
}

/* What the kernel refuses is counted, and queued nowhere. */
static void check_wastes(struct udp_sockets *sockets, int from)
{
	static const size_t too_short[][2] = { { DATAGRAM_DATA, 31 },
					       { DATAGRAM_INITIATION, INITIATION_BYTES_MIN - 1 },
					       { DATAGRAM_RESPONSE, RESPONSE_BYTES_MIN - 1 },
					       { DATAGRAM_COOKIE, COOKIE_BYTES - 1 },
					       { DATAGRAM_DATA, 0 },
					       { DATAGRAM_INITIATION, 1 } };
	static const uint8_t invalid[] = { 0, DATAGRAM_DATA - 1, DATAGRAM_COOKIE + 1, 255 };
	struct udp_drops drops;
	udp_take_drops(sockets, &drops);
	for (unsigned i = 0; i < sizeof(too_short) / sizeof(too_short[0]); i++) {
		const uint8_t bytes[256] = { (uint8_t)too_short[i][0] };
		CHECK_EQUAL(socket_of(sockets, from, bytes, too_short[i][1]), NOWHERE);
	}
	for (unsigned i = 0; i < sizeof(invalid); i++) {
		const uint8_t bytes[256] = { invalid[i] };
		CHECK_EQUAL(socket_of(sockets, from, bytes, sizeof(bytes)), NOWHERE);
	}
	udp_take_drops(sockets, &drops);
	CHECK_EQUAL(drops.of_wastes[WASTE_SHORT], sizeof(too_short) / sizeof(too_short[0]));
	CHECK_EQUAL(drops.of_wastes[WASTE_INVALID], sizeof(invalid));
	CHECK_EQUAL(drops.of_workers + drops.of_lobbies, 0);
}

/* What the kernel may have joined with data is neither refused nor kept waiting. */
static void check_joined(const struct udp_sockets *sockets, int from)
{
	static const uint8_t kinds[] = { 0, DATAGRAM_INITIATION, DATAGRAM_COOKIE };
	for (unsigned i = 0; i < sizeof(kinds); i++) {
		const uint8_t bytes[DATAGRAM_BYTES_ALONE + 1] = { kinds[i] };
		CHECK(socket_of(sockets, from, bytes, sizeof(bytes)) < WORKERS);
	}
}

/* The socket at which a datagram from an address arrives. */
static unsigned socket_from(const struct udp_sockets *sockets, const char *address, uint8_t kind)
{
	const uint8_t bytes[INITIATION_BYTES_MIN] = { kind };
	int from = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in source = { .sin_family = AF_INET };
	struct sockaddr_in6 local;
	socklen_t length = sizeof(local);
	CHECK_EQUAL(inet_pton(AF_INET, address, &source.sin_addr), 1);
	CHECK_EQUAL(bind(from, (struct sockaddr *)&source, sizeof(source)), 0);
	CHECK_EQUAL(getsockname(sockets->descriptors[0], (struct sockaddr *)&local, &length), 0);
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = local.sin6_port };
	CHECK_EQUAL(inet_pton(AF_INET, "127.0.0.1", &to.sin_addr), 1);
	CHECK_EQUAL(connect(from, (struct sockaddr *)&to, sizeof(to)), 0);
	CHECK_EQUAL(send(from, bytes, sizeof(bytes), 0), sizeof(bytes));
	unsigned found = NOWHERE;
	uint8_t buffer[2048];
	for (unsigned i = 0; i < sockets->opened; i++)
		if (recv(sockets->descriptors[i], buffer, sizeof(buffer), MSG_DONTWAIT) >= 0)
			found = i;
	close(from);
	return found;
}

static unsigned lobby_from(const struct udp_sockets *sockets, const char *address)
{
	return socket_from(sockets, address, DATAGRAM_INITIATION);
}

/* A sender has one lobby, senders have all of them, and another salt deals them anew. */
static void check_salt(const struct udp_sockets *sockets)
{
	uint32_t seen = 0;
	unsigned together = 0;
	for (unsigned host = 1; host < 100; host++) {
		char address[32];
		snprintf(address, sizeof(address), "127.77.%u.%u", host % 7, host);
		unsigned lobby = lobby_from(sockets, address) - WORKERS;
		CHECK_EQUAL(lobby_from(sockets, address) - WORKERS, lobby);
		CHECK(lobby < LOBBY_SOURCES);
		seen |= 1u << lobby;
	}
	CHECK_EQUAL(seen, (1u << LOBBY_SOURCES) - 1);
	for (uint64_t turn = 1; turn <= 64; turn++) {
		const struct steering steering = { .salt = turn * 0x9e3779b97f4a7c15u };
		CHECK(steering_attach(sockets, &steering));
		together += lobby_from(sockets, "127.0.0.1") == lobby_from(sockets, "127.0.0.2");
	}
	CHECK(together < 32);
}

static unsigned class_from(const struct udp_sockets *sockets, unsigned host, uint8_t kind)
{
	char address[32];
	snprintf(address, sizeof(address), "127.9.0.%u", host);
	unsigned found = socket_from(sockets, address, kind);
	return found < WORKERS ? NOWHERE : (found - WORKERS) / LOBBY_SOURCES;
}

/* While there is a flood, data of peers goes to workers and that of others waits; handshakes of
 * peers wait apart. Afterwards all is as it was. */
static void check_flood(const struct udp_sockets *sockets)
{
	struct steering steering = { .salt = 0x9e3779b97f4a7c15u, .is_flooded = true };
	uint8_t endpoint[ENDPOINT_BYTES] = { [10] = 0xff, [11] = 0xff, [12] = 127, [13] = 9 };
	unsigned strangers = 0;
	CHECK(steering_attach(sockets, &steering));
	CHECK_EQUAL(class_from(sockets, 1, DATAGRAM_DATA), LOBBY_DATA);
	for (uint8_t host = 1; host <= 100; host++) {
		endpoint[15] = host;
		steering_know(&steering, endpoint);
	}
	CHECK(steering_attach(sockets, &steering));
	for (unsigned host = 1; host <= 100; host++) {
		CHECK_EQUAL(class_from(sockets, host, DATAGRAM_DATA), NOWHERE);
		CHECK_EQUAL(class_from(sockets, host, DATAGRAM_INITIATION), LOBBY_KNOWN);
		CHECK_EQUAL(class_from(sockets, host, DATAGRAM_RESPONSE), LOBBY_KNOWN);
	}
	for (unsigned host = 101; host <= 250; host++) {
		bool is_one = class_from(sockets, host, DATAGRAM_DATA) == LOBBY_DATA;
		CHECK_EQUAL(class_from(sockets, host, DATAGRAM_INITIATION),
			    is_one ? LOBBY_PLAIN : LOBBY_KNOWN);
		strangers += is_one;
	}
	CHECK(strangers > 120);
	for (unsigned i = 0; i < STEERING_WORDS; i++)
		steering.known[i] = UINT32_MAX; /* the longest program */
	CHECK(steering_attach(sockets, &steering));
	CHECK_EQUAL(class_from(sockets, 200, DATAGRAM_DATA), NOWHERE);
	steering.is_flooded = false;
	CHECK(steering_attach(sockets, &steering));
	CHECK_EQUAL(class_from(sockets, 200, DATAGRAM_DATA), NOWHERE);
	CHECK_EQUAL(class_from(sockets, 1, DATAGRAM_INITIATION), LOBBY_PLAIN);
}

/* Tokens are spent by the datagram, come back with time, and are not hoarded. */
static void check_allowance(void)
{
	struct lobby lobby = { .tokens = LOBBY_BURST, .filled_at_ms = 1000 };
	CHECK_EQUAL(lobby_allowance(&lobby, 1000), LOBBY_BURST);
	lobby_spend(&lobby, LOBBY_BURST);
	CHECK_EQUAL(lobby_allowance(&lobby, 1000), 0);
	CHECK_EQUAL(lobby_allowance(&lobby, 1000 + LOBBY_PAUSE_MS), LOBBY_PAUSE_MS * LOBBY_PER_MS);
	lobby_spend(&lobby, LOBBY_BURST);
	CHECK_EQUAL(lobby_allowance(&lobby, 1000 + LOBBY_PAUSE_MS), 0);
	CHECK_EQUAL(lobby_allowance(&lobby, UINT64_MAX / 4), LOBBY_BURST);
}

/* Slow while many are refused, for an interval at a time; few are none of its business. */
static void check_pace(void)
{
	struct pace pace = { .judged_at_ms = 1000 };
	const uint64_t many = PACE_INTERVAL_MS * PACE_REFUSED_PER_MS;
	CHECK(!pace_judge(&pace, 1000 + PACE_INTERVAL_MS - 1, 10 * many));
	CHECK((pace.is_slow = pace_judge(&pace, 1000 + PACE_INTERVAL_MS, many)));
	CHECK(pace_judge(&pace, 1000 + PACE_INTERVAL_MS, many));
	CHECK(!(pace.is_slow = pace_judge(&pace, 1000 + 2 * PACE_INTERVAL_MS, 2 * many - 1)));
	/* As many in a longer time are few. */
	CHECK(!pace_judge(&pace, 5000, 3 * many));
}

void test_steering(void)
{
	struct udp_sockets sockets;
	uint16_t port = (uint16_t)(20000 + getpid() % 10000);
	for (unsigned workers = 1; workers <= WORKERS_MAX; workers++)
		for (uint32_t id = 0; id < 2 * WORKERS_MAX; id++)
			check_one_lane_a_worker(workers, id);
	CHECK_EQUAL(udp_open(&sockets, WORKERS, "127.0.0.1", port), 0);
	int from = socket(sockets.family, SOCK_DGRAM, 0);
	check_answers_return(&sockets, from);
	/* A peer of one worker sends on lane 0: its session decides. */
	for (uint32_t id = 0; id < WORKERS; id++)
		CHECK_EQUAL(arrives_at(&sockets, from, 0x7890 + id, 0), id);
	/* A lane that no worker of this host has. */
	CHECK_EQUAL(arrives_at(&sockets, from, 1, 15), 2);
	check_classes(&sockets, from);
	check_wastes(&sockets, from);
	check_joined(&sockets, from);
	check_salt(&sockets);
	check_flood(&sockets);
	check_allowance();
	check_pace();
	close(from);
	for (unsigned i = 0; i < sockets.opened; i++)
		close(sockets.descriptors[i]);
}
