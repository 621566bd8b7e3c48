/*
 * A bad line between two devices of one namespace: what arrives on one leaves on the other, but
 * some frames are lost, some come twice, and some are overtaken by others.
 *
 *   impair DEVICE DEVICE LOSS REORDER DUPLICATE SEED     in frames of a million, each way
 *
 * The devices must carry plain frames (offloads off at the ends), so that each datagram has a fate
 * of its own. Prints "ready"; ends on SIGTERM with {"passed":N,"lost":N,"overtaken":N,"doubled":N}.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	FRAME_BYTES_MAX = 65536,
	BATCH = 64,
	MILLION = 1000000,
	OVERTAKEN_BY_MAX = 12, /* frames that may pass one that is held */
	HELD_MS_MAX = 3,
};

struct held {
	uint8_t frame[FRAME_BYTES_MAX];
	size_t length; /* 0: nothing is held */
	unsigned passes_left;
};

struct way {
	int from;
	int to;
	struct held held;
};

struct rates {
	uint32_t loss;
	uint32_t reorder;
	uint32_t duplicate;
};

static volatile sig_atomic_t is_stopped;
static uint64_t passed, lost, overtaken, doubled;
static uint64_t random_state;

static void stop(int signal_number)
{
	(void)signal_number;
	is_stopped = 1;
}

static uint32_t random_below(uint32_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)((random_state >> 16) % limit);
}

static int open_on(const char *name)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET,
				       .sll_protocol = htons(ETH_P_ALL),
				       .sll_ifindex = (int)if_nametoindex(name) };
	struct packet_mreq all = { .mr_ifindex = address.sll_ifindex,
				   .mr_type = PACKET_MR_PROMISC };
	int one = 1;
	int bytes = 8 * 1024 * 1024;
	int descriptor = socket(AF_PACKET, SOCK_RAW, 0);
	if (descriptor < 0 || address.sll_ifindex == 0 ||
	    setsockopt(descriptor, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) != 0 ||
	    setsockopt(descriptor, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) != 0 ||
	    bind(descriptor, (struct sockaddr *)&address, sizeof(address)) != 0) {
		fprintf(stderr, "impair: %s: %s\n", name, strerror(errno));
		return -1;
	}
	(void)setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	return descriptor;
}

static void pass(struct way *way, const uint8_t *frame, size_t length)
{
	/* A device that is down or full loses frames as a line does. */
	if (send(way->to, frame, length, 0) >= 0)
		passed++;
	else
		lost++;
}

static void release(struct way *way)
{
	if (way->held.length != 0)
		pass(way, way->held.frame, way->held.length);
	way->held.length = 0;
}

static void handle(struct way *way, const uint8_t *frame, size_t length, const struct rates *rates)
{
	if (random_below(MILLION) < rates->loss) {
		lost++;
		return;
	}
	if (way->held.length == 0 && random_below(MILLION) < rates->reorder) {
		memcpy(way->held.frame, frame, length);
		way->held.length = length;
		way->held.passes_left = 1 + random_below(OVERTAKEN_BY_MAX);
		overtaken++;
		return;
	}
	pass(way, frame, length);
	if (random_below(MILLION) < rates->duplicate) {
		pass(way, frame, length);
		doubled++;
	}
	if (way->held.length != 0 && --way->held.passes_left == 0)
		release(way);
}

static void handle_arrived(struct way *way, const struct rates *rates)
{
	static uint8_t frame[FRAME_BYTES_MAX];
	for (int i = 0; i < BATCH; i++) {
		ssize_t length = recv(way->from, frame, sizeof(frame), MSG_DONTWAIT);
		if (length <= 0)
			return;
		handle(way, frame, (size_t)length, rates);
	}
}

static int run(struct way ways[2], const struct rates *rates)
{
	while (!is_stopped) {
		struct pollfd waits[2] = { { .fd = ways[0].from, .events = POLLIN },
					   { .fd = ways[1].from, .events = POLLIN } };
		bool holds = ways[0].held.length != 0 || ways[1].held.length != 0;
		int count = poll(waits, 2, holds ? HELD_MS_MAX : 1000);
		for (int i = 0; i < 2; i++) {
			if (count == 0)
				release(&ways[i]);
			if (waits[i].revents != 0)
				handle_arrived(&ways[i], rates);
		}
	}
	printf("{\"passed\":%llu,\"lost\":%llu,\"overtaken\":%llu,\"doubled\":%llu}\n",
	       (unsigned long long)passed, (unsigned long long)lost, (unsigned long long)overtaken,
	       (unsigned long long)doubled);
	return 0;
}

int main(int argc, char **argv)
{
	static struct way ways[2];
	if (argc != 7) {
		fputs("usage: impair DEVICE DEVICE LOSS REORDER DUPLICATE SEED\n", stderr);
		return 2;
	}
	const struct rates rates = { .loss = (uint32_t)strtoul(argv[3], NULL, 10),
				     .reorder = (uint32_t)strtoul(argv[4], NULL, 10),
				     .duplicate = (uint32_t)strtoul(argv[5], NULL, 10) };
	random_state = strtoull(argv[6], NULL, 10) * 0x9e3779b97f4a7c15u + 1;
	ways[0].from = ways[1].to = open_on(argv[1]);
	ways[1].from = ways[0].to = open_on(argv[2]);
	if (ways[0].from < 0 || ways[1].from < 0)
		return 1;
	signal(SIGTERM, stop);
	puts("ready");
	fflush(stdout);
	return run(ways, &rates);
}
