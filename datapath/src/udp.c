#include "udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "lanes.h"
#include "wire.h"

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* Reads an address of a family; IPv4 is mapped into IPv6. NULL is any. */
static bool parse(union address *out, int family, const char *text, uint16_t port)
{
	char mapped[INET6_ADDRSTRLEN + 8];
	memset(out, 0, sizeof(*out));
	out->any.sa_family = (sa_family_t)family;
	out->v6.sin6_port = htons(port); /* at the same place in both */
	if (text == NULL)
		return true;
	if (family == AF_INET)
		return inet_pton(AF_INET, text, &out->v4.sin_addr) == 1;
	const char *prefix = strchr(text, ':') == NULL ? "::ffff:" : "";
	int length = snprintf(mapped, sizeof(mapped), "%s%s", prefix, text);
	return length < (int)sizeof(mapped) && inet_pton(AF_INET6, mapped, &out->v6.sin6_addr) == 1;
}

static int bind_socket(const union address *address, bool shares_port)
{
	int family = address->any.sa_family;
	int one = 1;
	int zero = 0;
	int descriptor = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP);
	if (descriptor < 0)
		return -errno;
	if ((family == AF_INET6 &&
	     setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero)) != 0) ||
	    (shares_port &&
	     setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) != 0) ||
	    bind(descriptor, &address->any,
		 family == AF_INET6 ? sizeof(address->v6) : sizeof(address->v4)) != 0) {
		int error = errno;
		close(descriptor);
		return -error;
	}
	return descriptor;
}

/* The forced variants pass net.core.*mem_max, but need CAP_NET_ADMIN. */
static void set_buffer(int descriptor, int forced, int plain)
{
	int bytes = SOCKET_BUFFER_BYTES;
	if (setsockopt(descriptor, SOL_SOCKET, forced, &bytes, sizeof(bytes)) != 0)
		(void)setsockopt(descriptor, SOL_SOCKET, plain, &bytes, sizeof(bytes));
}

static void tune(struct udp_sockets *sockets, int descriptor)
{
	int one = 1;
	struct timeval timeout = { .tv_usec = SEND_TIMEOUT_MS * 1000 };
	set_buffer(descriptor, SO_RCVBUFFORCE, SO_RCVBUF);
	set_buffer(descriptor, SO_SNDBUFFORCE, SO_SNDBUF);
	(void)setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	sockets->has_gro = setsockopt(descriptor, IPPROTO_UDP, UDP_GRO, &one, sizeof(one)) == 0;
}

/*
 * Has the kernel choose the socket of a data datagram by its lane and session (lanes.h). What is no
 * data datagram, and all where the kernel refuses, is spread by addresses and ports.
 */
static void steer(const struct udp_sockets *sockets)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, DATAGRAM_DATA, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX), /* no socket's number */
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 4), /* the session */
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, lanes_mask(sockets->count)),
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 8), /* the counter */
		BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, LANE_SHIFT - 56),
		BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0),
		BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, sockets->count),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };
	(void)setsockopt(sockets->descriptors[0], SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program,
			 sizeof(program));
}

int udp_open(struct udp_sockets *sockets, unsigned count, const char *address, uint16_t port)
{
	union address local;
	memset(sockets, 0, sizeof(*sockets));
	if (!parse(&local, AF_INET6, address, port))
		return -EINVAL;
	/* Alone first: with SO_REUSEPORT it would succeed beside another process of this user. */
	int probe = bind_socket(&local, false);
	if (probe == -EAFNOSUPPORT || (probe == -EADDRNOTAVAIL && address == NULL)) {
		if (!parse(&local, AF_INET, address, port))
			return -EINVAL;
		probe = bind_socket(&local, false);
	}
	if (probe < 0)
		return probe;
	close(probe);
	sockets->family = local.any.sa_family;
	for (; sockets->count < count; sockets->count++) {
		int descriptor = bind_socket(&local, true);
		if (descriptor < 0)
			return descriptor;
		tune(sockets, descriptor);
		sockets->descriptors[sockets->count] = descriptor;
	}
	steer(sockets);
	return 0;
}
