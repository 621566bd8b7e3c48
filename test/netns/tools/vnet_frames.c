/*
 * Hands frames to an interface as a kernel with offloads does, and reads them the same way: each
 * with a virtio_net_hdr (packet(7), PACKET_VNET_HDR). Frames are lines of hex: 10 bytes of header,
 * 2 of padding, the frame.
 *
 *   vnet_frames send IF                      sends the frames of standard input
 *   vnet_frames receive IF MAC END MS        prints "ready", then each frame from MAC (hex), until
 * one of EtherType END (hex) comes or MS milliseconds pass without a frame
 *
 * Exit status 0 when all was sent or the END came, 1 otherwise.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
	HEADER_BYTES = 10,
	RECORD_BYTES = 12,
	TAG_BYTES = 4,
	MACS_BYTES = 12,
	FRAME_BYTES_MAX = 70000,
	BUFFER_BYTES = 256 * 1024 * 1024,
};

static int open_on(const char *name, uint16_t protocol)
{
	int one = 1;
	int bytes = BUFFER_BYTES;
	int fd = socket(AF_PACKET, SOCK_RAW, htons(protocol));
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(protocol) };

	address.sll_ifindex = (int)if_nametoindex(name);
	if (fd < 0 || !address.sll_ifindex ||
	    setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		fprintf(stderr, "vnet_frames: cannot open %s: %s\n", name, strerror(errno));
		exit(1);
	}
	return fd;
}

static int digit_of(char digit)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = digit ? strchr(digits, digit) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Ends at the first that is no digit; sscanf would look for the end of the line at each byte. */
static size_t parse_hex(const char *text, uint8_t *out, size_t size)
{
	size_t n = 0;

	for (; n < size && digit_of(text[0]) >= 0 && digit_of(text[1]) >= 0; text += 2)
		out[n++] = (uint8_t)(digit_of(text[0]) << 4 | digit_of(text[1]));
	return n;
}

static int send_frames(const char *name)
{
	static char line[2 * (RECORD_BYTES + FRAME_BYTES_MAX) + 2];
	static uint8_t record[RECORD_BYTES + FRAME_BYTES_MAX];
	int fd = open_on(name, 0);

	while (fgets(line, sizeof(line), stdin)) {
		size_t size = parse_hex(line, record, sizeof(record));
		memmove(record + RECORD_BYTES - HEADER_BYTES, record, HEADER_BYTES);
		size -= RECORD_BYTES - HEADER_BYTES;
		if (send(fd, record + RECORD_BYTES - HEADER_BYTES, size, 0) != (ssize_t)size) {
			fprintf(stderr, "vnet_frames: %zu bytes: %s\n", size, strerror(errno));
			return 1;
		}
	}
	return 0;
}

/* Puts back the outer tag, which the kernel takes out of a received frame. */
static size_t restore_tag(uint8_t *record, size_t size, const struct tpacket_auxdata *aux)
{
	uint8_t *frame = record + RECORD_BYTES;
	uint16_t tag[2] = { htons(aux->tp_vlan_tpid), htons(aux->tp_vlan_tci) };
	struct virtio_net_hdr header;

	memmove(frame + MACS_BYTES + TAG_BYTES, frame + MACS_BYTES,
		size - RECORD_BYTES - MACS_BYTES);
	memcpy(frame + MACS_BYTES, tag, TAG_BYTES);
	memcpy(&header, record, sizeof(header));
	if (header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		header.csum_start = (uint16_t)(header.csum_start + TAG_BYTES);
	memcpy(record, &header, sizeof(header));
	return size + TAG_BYTES;
}

static size_t receive_frame(int fd, uint8_t *record, const uint8_t *mac)
{
	union {
		struct cmsghdr header;
		uint8_t bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	} control;
	struct sockaddr_ll from;
	struct tpacket_auxdata aux = { 0 };
	struct iovec pieces[2] = { { record, HEADER_BYTES },
				   { record + RECORD_BYTES, FRAME_BYTES_MAX } };
	struct msghdr message = { .msg_name = &from,
				  .msg_namelen = sizeof(from),
				  .msg_iov = pieces,
				  .msg_iovlen = 2,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	ssize_t got = recvmsg(fd, &message, 0);

	if (got < HEADER_BYTES + ETH_HLEN)
		return 0;
	if (from.sll_pkttype == PACKET_OUTGOING ||
	    memcmp(record + RECORD_BYTES + 6, mac, 6) != 0)
		return 1;
	struct cmsghdr *at = CMSG_FIRSTHDR(&message);
	if (at && at->cmsg_level == SOL_PACKET && at->cmsg_type == PACKET_AUXDATA)
		memcpy(&aux, CMSG_DATA(at), sizeof(aux));
	memset(record + HEADER_BYTES, 0, RECORD_BYTES - HEADER_BYTES);
	size_t size = (size_t)got + RECORD_BYTES - HEADER_BYTES;
	return aux.tp_status & TP_STATUS_VLAN_VALID ? restore_tag(record, size, &aux) : size;
}

static int receive_frames(const char *name, const char *from, unsigned long end, long timeout_ms)
{
	static uint8_t record[RECORD_BYTES + FRAME_BYTES_MAX + TAG_BYTES];
	uint8_t mac[6];
	struct timeval wait = { .tv_sec = timeout_ms / 1000,
				.tv_usec = (timeout_ms % 1000) * 1000 };
	int fd = open_on(name, ETH_P_ALL);

	parse_hex(from, mac, sizeof(mac));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	puts("ready");
	fflush(stdout);
	for (;;) {
		size_t size = receive_frame(fd, record, mac);
		if (size == 0)
			return 1;
		if (size == 1)
			continue;
		const uint8_t *frame = record + RECORD_BYTES;
		if (((unsigned long)frame[12] << 8 | frame[13]) == end)
			return 0;
		for (size_t i = 0; i < size; i++)
			printf("%02x", record[i]);
		putchar('\n');
	}
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "send"))
		return send_frames(argv[2]);
	if (argc == 6 && !strcmp(argv[1], "receive"))
		return receive_frames(argv[2], argv[3], strtoul(argv[4], NULL, 16),
				      atol(argv[5]));
	fputs("usage: vnet_frames send IF | receive IF MAC END MS\n", stderr);
	return 2;
}
