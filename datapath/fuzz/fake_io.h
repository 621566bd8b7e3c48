/*
 * The machine below the data path, faked: system calls on descriptors from FAKE_FIRST on come
 * here instead of the kernel.
 *
 * The linker's --wrap puts these functions in the place of the system calls that the Makefile
 * lists; calls on real descriptors pass through. tap_attach and tap_detach are defined here, so
 * that no device is touched. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

enum fake_descriptor {
	FAKE_FIRST = 1 << 20,
	FAKE_SOCKET = FAKE_FIRST,
	FAKE_WAKE,
	FAKE_EPOLL,
	FAKE_CONNECTION,
	FAKE_SECOND, /* an agent that comes while another is attached */
	FAKE_LISTENER,
	FAKE_SIGNALS,
	FAKE_TAP, /* and all above it */
};

/* What epoll_ctl asked for of a descriptor. */
struct fake_interest {
	uint32_t events;
	uint64_t data;
};

struct fake_io {
	/* Fills in a frame from the TAP; returns its length, or 0 for EAGAIN. */
	size_t (*tap_read)(uint8_t *buffer, size_t size);
	/* Takes what is written to the TAP. False: refused with EAGAIN. */
	bool (*tap_write)(const struct iovec *pieces, int count);
	/* Takes a message of the UDP socket. Returns 0 or the errno to refuse it with. */
	int (*message)(const struct msghdr *message);
	/* Fills in up to `count` received messages; returns how many. */
	unsigned (*receive)(struct mmsghdr *messages, unsigned count);
	/* The agent's stream. Returns bytes, or 0 for EAGAIN. */
	size_t (*connection_read)(uint8_t *buffer, size_t size);
	size_t (*connection_send)(const uint8_t *bytes, size_t length);
	/* epoll_wait: fills in what has come, from `interests`; returns how much. */
	int (*wait)(struct epoll_event *events, int count, int timeout_ms);
	struct fake_interest interests[FAKE_TAP - FAKE_FIRST];
	unsigned agents_accepted;
	unsigned agents_waiting; /* to be accepted */
	/* Whether a TAP device can be attached: 0 or negative errno. */
	int attach_result;
	bool has_segments; /* UDP_SEGMENT */
	uint64_t now_us;
	unsigned attached_queues; /* TAP queues that are open */
};

extern struct fake_io fake_io;
