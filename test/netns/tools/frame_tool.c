/*
 * Sends and receives raw Ethernet frames on one interface, for tests that need frames no ordinary
 * program makes.
 *
 *   frame_tool send IF HEXFRAME COUNT           sends the frame COUNT times
 *   frame_tool receive IF ETHERTYPE COUNT MS    prints "ready", then each received frame of that
 * EtherType as hex, until COUNT frames or MS milliseconds without one
 *
 * Exit status 0 when all was sent or COUNT frames came, 1 otherwise.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { FRAME_BYTES_MAX = 9216 };

static int open_on(const char *name, uint16_t protocol)
{
	int fd = socket(AF_PACKET, SOCK_RAW, htons(protocol));
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(protocol) };

	if (fd < 0)
		return -1;
	address.sll_ifindex = (int)if_nametoindex(name);
	if (!address.sll_ifindex || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static size_t parse_hex(const char *text, uint8_t *out)
{
	size_t n = strlen(text) / 2;
	unsigned int byte;

	for (size_t i = 0; i < n && i < FRAME_BYTES_MAX; i++) {
		if (sscanf(text + 2 * i, "%2x", &byte) != 1)
			return 0;
		out[i] = (uint8_t)byte;
	}
	return n;
}

static int send_frames(const char *name, const char *hex, long count)
{
	uint8_t frame[FRAME_BYTES_MAX];
	size_t size = parse_hex(hex, frame);
	int fd = open_on(name, 0);

	if (fd < 0 || size < 14) {
		fprintf(stderr, "frame_tool: cannot send on %s: %s\n", name, strerror(errno));
		return 1;
	}
	for (long i = 0; i < count; i++) {
		if (send(fd, frame, size, 0) != (ssize_t)size) {
			perror("frame_tool: send");
			return 1;
		}
	}
	return 0;
}

static int receive_frames(const char *name, uint16_t ether_type, long count, long timeout_ms)
{
	uint8_t frame[FRAME_BYTES_MAX];
	struct timeval wait = { .tv_sec = timeout_ms / 1000,
				.tv_usec = (timeout_ms % 1000) * 1000 };
	int fd = open_on(name, ether_type);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) < 0) {
		fprintf(stderr, "frame_tool: cannot receive on %s: %s\n", name, strerror(errno));
		return 1;
	}
	puts("ready");
	fflush(stdout);
	for (long got = 0; got < count; got++) {
		ssize_t size = recv(fd, frame, sizeof(frame), 0);
		if (size < 0)
			return 1;
		for (ssize_t i = 0; i < size; i++)
			printf("%02x", frame[i]);
		putchar('\n');
		fflush(stdout);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "send"))
		return send_frames(argv[2], argv[3], atol(argv[4]));
	if (argc == 6 && !strcmp(argv[1], "receive"))
		return receive_frames(argv[2], (uint16_t)strtoul(argv[3], NULL, 16), atol(argv[4]),
				      atol(argv[5]));
	fputs("usage: frame_tool send IF HEXFRAME COUNT | receive IF ETHERTYPE COUNT MS\n", stderr);
	return 2;
}
