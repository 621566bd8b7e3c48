#include "udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "steering.h"

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
static void set_buffer(int descriptor, int forced, int plain, int bytes)
{
	if (setsockopt(descriptor, SOL_SOCKET, forced, &bytes, sizeof(bytes)) != 0)
		(void)setsockopt(descriptor, SOL_SOCKET, plain, &bytes, sizeof(bytes));
}

static void tune(struct udp_sockets *sockets, int descriptor)
{
	int one = 1;
	struct timeval timeout = { .tv_usec = SEND_TIMEOUT_MS * 1000 };
	bool is_worker = sockets->opened < sockets->count;
	set_buffer(descriptor, SO_RCVBUFFORCE, SO_RCVBUF,
		   is_worker ? SOCKET_BUFFER_BYTES : LOBBY_BUFFER_BYTES);
	set_buffer(descriptor, SO_SNDBUFFORCE, SO_SNDBUF, SOCKET_BUFFER_BYTES);
	(void)setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	/* By all, since the kernel asks any one of the group whether to join datagrams. */
	sockets->has_gro = setsockopt(descriptor, IPPROTO_UDP, UDP_GRO, &one, sizeof(one)) == 0;
}

/* Drops all: what is steered to this socket is counted by the kernel, and queued nowhere. */
static int waste(int descriptor)
{
	struct sock_filter none = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = { .len = 1, .filter = &none };
	int result =
		setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
	return result == 0 ? 0 : -errno;
}

static int open_all(struct udp_sockets *sockets, const union address *local, unsigned count)
{
	while (sockets->opened < count) {
		bool is_waste = sockets->opened >= sockets->count + sockets->lobbies;
		int descriptor = bind_socket(local, true);
		if (descriptor < 0)
			return descriptor;
		tune(sockets, descriptor);
		sockets->descriptors[sockets->opened++] = descriptor;
		int result = is_waste ? waste(descriptor) : 0;
		if (result != 0)
			return result;
	}
	return 0;
}

int udp_open(struct udp_sockets *sockets, unsigned count, const char *address, uint16_t port)
{
	union address local;
	struct steering steering = { 0 };
	if (getrandom(&steering.salt, sizeof(steering.salt), 0) != sizeof(steering.salt))
		return -EIO;
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
	sockets->count = count;
	sockets->lobbies = LOBBIES;
	int result = open_all(sockets, &local, count + LOBBIES + WASTES);
	if (result != 0 || steering_attach(sockets, &steering))
		return result;
	/* The kernel knows sockets by the order in which they came: those of workers stay. */
	while (sockets->opened > count)
		close(sockets->descriptors[--sockets->opened]);
	sockets->lobbies = 0;
	return 0;
}

/* What the kernel has dropped since the last call; its count wraps. */
static uint32_t take_drops(struct udp_sockets *sockets, unsigned index)
{
	uint32_t values[SK_MEMINFO_VARS];
	socklen_t length = sizeof(values);
	if (getsockopt(sockets->descriptors[index], SOL_SOCKET, SO_MEMINFO, values, &length) != 0)
		return 0;
	uint32_t more = values[SK_MEMINFO_DROPS] - sockets->drops[index];
	sockets->drops[index] = values[SK_MEMINFO_DROPS];
	return more;
}

void udp_take_drops(struct udp_sockets *sockets, struct udp_drops *drops)
{
	memset(drops, 0, sizeof(*drops));
	for (unsigned i = 0; i < sockets->opened; i++) {
		uint32_t more = take_drops(sockets, i);
		if (i < sockets->count)
			drops->of_workers += more;
		else if (i < sockets->count + sockets->lobbies)
			drops->of_lobbies += more;
		else
			drops->of_wastes[i - sockets->count - sockets->lobbies] += more;
	}
}
