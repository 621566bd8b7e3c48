/*
 * Sends UDP packets as fast as the kernel takes them, or counts what arrives.
 *
 * The benchmark needs a sender that saturates: one system call hands over many packets (sendmmsg).
 * The receiver counts deliveries from the first packet to the last and ends by itself when none has
 * come for a while. Each prints one JSON line.
 *
 *     udp_blast send ADDRESS PORT SECONDS BYTES      {"packets":N,"seconds":S}
 *     udp_blast receive PORT                         "ready", then {"packets":N,"seconds":S}
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* Packets of one system call: more gains little and lets the clock be read too seldom. */
enum { BATCH = 64 };
/* Largest payload taken, bytes: one packet at the usual MTU. */
enum { PAYLOAD_BYTES_MAX = 1472 };
/*
 * Room for packets that wait for the receiver: half a second at 100,000 small packets each 768
 * bytes in the kernel.
 */
enum { RECEIVE_BUFFER_BYTES = 32 * 1024 * 1024 };
/* The receiver gives up when nothing comes at all, and ends this long after the last packet. */
enum { FIRST_PACKET_MS = 8000, LAST_PACKET_MS = 400 };

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int fail(const char *what)
{
	fprintf(stderr, "udp_blast: %s: %s\n", what, strerror(errno));
	return 1;
}

static int print_result(uint64_t packets, double seconds)
{
	printf("{\"packets\":%llu,\"seconds\":%.6f}\n", (unsigned long long)packets, seconds);
	return 0;
}

static int send_for(const struct sockaddr_in *to, double seconds, size_t bytes)
{
	static uint8_t payload[PAYLOAD_BYTES_MAX];
	struct iovec part = {.iov_base = payload, .iov_len = bytes};
	struct mmsghdr batch[BATCH] = {0};
	uint64_t packets = 0;
	double start, now;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0)
		return fail("connect");
	for (int i = 0; i < BATCH; i++) {
		batch[i].msg_hdr.msg_iov = &part;
		batch[i].msg_hdr.msg_iovlen = 1;
	}
	start = now = seconds_now();
	while (now - start < seconds) {
		int sent = sendmmsg(fd, batch, BATCH, 0);

		if (sent > 0)
			packets += (uint64_t)sent;
		else if (errno != ENOBUFS && errno != EAGAIN && errno != EINTR &&
			 errno != ECONNREFUSED)
			return fail("send");
		now = seconds_now();
	}
	close(fd);
	return print_result(packets, now - start);
}

static int receive_on(uint16_t port)
{
	static uint8_t room[BATCH][PAYLOAD_BYTES_MAX];
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct iovec parts[BATCH];
	struct mmsghdr batch[BATCH] = {0};
	int buffer = RECEIVE_BUFFER_BYTES;
	uint64_t packets = 0;
	double first = 0, last = 0;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return fail("socket");
	/* Without the privilege to force it, the system's limit is good enough. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
	if (bind(fd, (const struct sockaddr *)&any, sizeof(any)) < 0)
		return fail("bind");
	for (int i = 0; i < BATCH; i++) {
		parts[i] = (struct iovec){.iov_base = room[i], .iov_len = PAYLOAD_BYTES_MAX};
		batch[i].msg_hdr.msg_iov = &parts[i];
		batch[i].msg_hdr.msg_iovlen = 1;
	}
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		int got;

		if (poll(&wait, 1, packets == 0 ? FIRST_PACKET_MS : LAST_PACKET_MS) <= 0)
			break;
		got = recvmmsg(fd, batch, BATCH, 0, NULL);
		if (got <= 0)
			continue;
		last = seconds_now();
		if (packets == 0)
			first = last;
		packets += (uint64_t)got;
	}
	close(fd);
	return print_result(packets, last - first);
}

static bool read_number(const char *text, unsigned long most, unsigned long *number)
{
	char *end;

	errno = 0;
	*number = strtoul(text, &end, 10);
	return errno == 0 && *end == '\0' && end != text && *number > 0 && *number <= most;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	unsigned long port, seconds, bytes;

	if (argc == 3 && strcmp(argv[1], "receive") == 0 && read_number(argv[2], UINT16_MAX, &port))
		return receive_on((uint16_t)port);
	if (argc == 6 && strcmp(argv[1], "send") == 0 &&
	    inet_pton(AF_INET, argv[2], &to.sin_addr) == 1 &&
	    read_number(argv[3], UINT16_MAX, &port) && read_number(argv[4], 3600, &seconds) &&
	    read_number(argv[5], PAYLOAD_BYTES_MAX, &bytes)) {
		to.sin_port = htons((uint16_t)port);
		return send_for(&to, (double)seconds, bytes);
	}
	fprintf(stderr, "usage: udp_blast send ADDRESS PORT SECONDS BYTES | receive PORT\n");
	return 2;
}
