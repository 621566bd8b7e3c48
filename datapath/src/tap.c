#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "train.h"

/* In kernel headers since 6.2. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

const char tap_device_path[] = TAP_DEVICE_PATH;

/* Asks for offloads, most first. Sets whether UDP super-frames are taken. */
static int set_offloads(int descriptor, bool *takes_uso)
{
	static const unsigned uso = TUN_F_USO4 | TUN_F_USO6;
	static const unsigned tso = TUN_F_TSO4 | TUN_F_TSO6;
	static const unsigned choices[] = {
		TUN_F_CSUM | tso | TUN_F_TSO_ECN | uso,
		TUN_F_CSUM | tso | TUN_F_TSO_ECN,
		TUN_F_CSUM | tso,
		TUN_F_CSUM,
		0,
	};
	for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
		*takes_uso = (choices[i] & uso) != 0;
		if (ioctl(descriptor, TUNSETOFFLOAD, (unsigned long)choices[i]) == 0)
			return 0;
	}
	return -errno;
}

static int open_queue(const char *name, bool *takes_uso)
{
	struct ifreq request = { .ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR |
						      IFF_MULTI_QUEUE) };
	int header_bytes = (int)VNET_BYTES;
	memcpy(request.ifr_name, name, IFNAMSIZ - 1);
	int descriptor = openat(AT_FDCWD, tap_device_path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (descriptor < 0)
		return -errno;
	int result = 0;
	if (ioctl(descriptor, TUNSETIFF, &request) != 0 ||
	    ioctl(descriptor, TUNSETVNETHDRSZ, &header_bytes) != 0)
		result = -errno;
	else
		result = set_offloads(descriptor, takes_uso);
	if (result == 0)
		return descriptor;
	close(descriptor);
	return result;
}

int tap_attach(struct port *port)
{
	unsigned wanted = port->queues;
	for (port->queues = 0; port->queues < wanted; port->queues++) {
		int descriptor = open_queue(port->name, &port->takes_uso);
		if (descriptor < 0) {
			tap_detach(port);
			return descriptor;
		}
		port->descriptors[port->queues] = descriptor;
	}
	return 0;
}

void tap_detach(struct port *port)
{
	for (unsigned i = 0; i < port->queues; i++)
		close(port->descriptors[i]);
	port->queues = 0;
}
