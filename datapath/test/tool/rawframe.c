/*
 * Sends and receives Ethernet frames and UDP payloads as hex; for tests in network namespaces.
 *
 *   rawframe send IF HEX [COUNT]          sends a frame from an interface
 *   rawframe receive IF PROTOCOL MS       prints the first incoming frame whose hex starts, behind
 * the MACs, with PROTOCOL (hex) rawframe datagram ADDRESS PORT HEX [COUNT]   sends a UDP datagram
 * over IPv4
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef PACKET_AUXDATA
#define PACKET_AUXDATA 8
#endif

static size_t parse_hex(const char *text, uint8_t *out, size_t size)
{
	size_t length = 0;
	unsigned value;
	for (; length < size && sscanf(text, "%2x", &value) == 1; text += 2)
		out[length++] = (uint8_t)value;
	return length;
}

static int open_packet(const char *interface)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET,
				       .sll_protocol = htons(ETH_P_ALL),
				       .sll_ifindex = (int)if_nametoindex(interface) };
	int one = 1;
	int descriptor = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
	if (descriptor < 0 || bind(descriptor, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    setsockopt(descriptor, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)) != 0) {
		perror("rawframe");
		exit(1);
	}
	return descriptor;
}

static int send_frames(int descriptor, const struct sockaddr_in *to, const char *hex,
		       const char *count)
{
	static uint8_t bytes[65536];
	size_t length = parse_hex(hex, bytes, sizeof(bytes));
	for (long left = count == NULL ? 1 : strtol(count, NULL, 10); left > 0; left--) {
		ssize_t sent = to == NULL ? send(descriptor, bytes, length, 0)
					  : sendto(descriptor, bytes, length, 0,
						   (const struct sockaddr *)to, sizeof(*to));
		if (sent < 0) {
			perror("rawframe");
			return 1;
		}
	}
	return 0;
}

/* The kernel takes the outer VLAN tag out of the frame; it is put back. */
static size_t read_frame(int descriptor, uint8_t *frame, size_t size)
{
	union {
		struct cmsghdr header;
		uint8_t bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	} control;
	struct sockaddr_ll from;
	struct iovec piece = { .iov_base = frame + 4, .iov_len = size - 4 };
	struct msghdr message = { .msg_name = &from,
				  .msg_namelen = sizeof(from),
				  .msg_iov = &piece,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	ssize_t got = recvmsg(descriptor, &message, 0);
	if (got < 14 || from.sll_pkttype == PACKET_OUTGOING)
		return 0;
	struct tpacket_auxdata aux = { 0 };
	struct cmsghdr *at = CMSG_FIRSTHDR(&message);
	if (at != NULL && at->cmsg_level == SOL_PACKET && at->cmsg_type == PACKET_AUXDATA)
		memcpy(&aux, CMSG_DATA(at), sizeof(aux));
	if ((aux.tp_status & TP_STATUS_VLAN_VALID) == 0) {
		memmove(frame, frame + 4, (size_t)got);
		return (size_t)got;
	}
	uint16_t tag[2] = { htons(aux.tp_vlan_tpid), htons(aux.tp_vlan_tci) };
	memmove(frame, frame + 4, 12);
	memcpy(frame + 12, tag, 4);
	return (size_t)got + 4;
}

static int receive_frame(const char *interface, const char *protocol, int timeout_ms)
{
	static uint8_t frame[70000];
	uint8_t wanted[256];
	size_t wanted_bytes = parse_hex(protocol, wanted, sizeof(wanted));
	int descriptor = open_packet(interface);
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	long end = now.tv_sec * 1000 + now.tv_nsec / 1000000 + timeout_ms;
	puts("listening");
	fflush(stdout);
	for (;;) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		long left = end - now.tv_sec * 1000 - now.tv_nsec / 1000000;
		struct pollfd poller = { .fd = descriptor, .events = POLLIN };
		if (left <= 0 || poll(&poller, 1, (int)left) <= 0)
			return 1;
		size_t length = read_frame(descriptor, frame, sizeof(frame));
		if (length < 12 + wanted_bytes || memcmp(frame + 12, wanted, wanted_bytes) != 0)
			continue;
		for (size_t i = 0; i < length; i++)
			printf("%02x", frame[i]);
		puts("");
		return 0;
	}
}

int main(int argc, char **argv)
{
	if (argc >= 4 && strcmp(argv[1], "send") == 0)
		return send_frames(open_packet(argv[2]), NULL, argv[3], argc > 4 ? argv[4] : NULL);
	if (argc == 5 && strcmp(argv[1], "receive") == 0)
		return receive_frame(argv[2], argv[3], atoi(argv[4]));
	if (argc >= 5 && strcmp(argv[1], "datagram") == 0) {
		struct sockaddr_in to = { .sin_family = AF_INET,
					  .sin_port = htons((uint16_t)atoi(argv[3])) };
		int descriptor = socket(AF_INET, SOCK_DGRAM, 0);
		inet_pton(AF_INET, argv[2], &to.sin_addr);
		return send_frames(descriptor, &to, argv[4], argc > 5 ? argv[5] : NULL);
	}
	fputs("usage: rawframe send IF HEX [COUNT] | receive IF PROTOCOL MS | datagram ADDRESS "
	      "PORT HEX [COUNT]\n",
	      stderr);
	return 2;
}
