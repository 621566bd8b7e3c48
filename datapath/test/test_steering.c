/* Lanes of workers, and the sockets to which the kernel hands their datagrams. */
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lanes.h"
#include "test.h"
#include "udp.h"
#include "wire.h"

#define WORKERS 4u

void test_steering(void);

static void check_one_lane_a_worker(unsigned workers, uint32_t id)
{
	uint32_t seen = 0;
	for (unsigned worker = 0; worker < workers; worker++)
		seen |= 1u << lanes_of_worker(worker, workers, id);
	CHECK_EQUAL(seen, (1u << workers) - 1);
}

/* The number of the socket on which a datagram arrives, or WORKERS. */
static unsigned arrives_at(const struct udp_sockets *sockets, int from, uint32_t session,
			   unsigned lane)
{
	struct sockaddr_storage to;
	socklen_t length = sizeof(to);
	uint8_t datagram[DATA_HEADER_BYTES];
	unsigned found = WORKERS;
	wire_data_header(datagram, 0, 0, session, (uint64_t)lane << LANE_SHIFT | 5);
	CHECK_EQUAL(getsockname(sockets->descriptors[0], (struct sockaddr *)&to, &length), 0);
	CHECK_EQUAL(sendto(from, datagram, sizeof(datagram), 0, (struct sockaddr *)&to, length),
		    sizeof(datagram));
	for (unsigned i = 0; i < sockets->count; i++)
		if (recv(sockets->descriptors[i], datagram, sizeof(datagram), MSG_DONTWAIT) > 0)
			found = i;
	return found;
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
	close(from);
	for (unsigned i = 0; i < sockets.count; i++)
		close(sockets.descriptors[i]);
}
